import type { BrokerServices } from "./broker-services.ts";

interface LeaderIdAndEpoch {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

/**
 * Tells a client that came to the wrong broker where the leader is, within the response that refuses it (KIP-951), so that it
 * need not ask for metadata first.
 */
export function leaderHints(listenerName: string, { metadata }: BrokerServices) {
  const leaders = new Set<number>();
  return {
    leaderOf(topic: string, partition: number): LeaderIdAndEpoch {
      const registration = metadata.topic(topic)?.partitions.get(partition);
      const leaderId = registration?.leader ?? -1;
      if (leaderId >= 0) leaders.add(leaderId);
      return { leaderId, leaderEpoch: registration?.leaderEpoch ?? -1 };
    },

    /** Where the leaders named so far listen. */
    endpoints() {
      const found = [...leaders].map((id) => metadata.broker(id, listenerName)).filter((node) => node !== undefined);
      return found.map(({ nodeId, host, port, rack }) => ({ nodeId, host, port, rack }));
    },
  };
}
