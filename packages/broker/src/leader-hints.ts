import type { BrokerServices } from "./broker-services.ts";
import type { RequestContext } from "./request-context.ts";

/** Where the leaders are that a response speaks of. */
export interface LeaderHints {
  readonly leaderOf: (topic: string, partition: number) => LeaderIdAndEpoch;
  /** Where the leaders named so far listen. */
  readonly endpoints: () => readonly NodeEndpoint[];
}

interface NodeEndpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

interface LeaderIdAndEpoch {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

const NO_ENDPOINTS: readonly NodeEndpoint[] = [];
const NO_LEADER: LeaderIdAndEpoch = { leaderId: -1, leaderEpoch: -1 };

/**
 * Tells a client that came to the wrong broker where the leader is, within the response that refuses it (KIP-951), so that it
 * need not ask for metadata first.
 * @param firstVersion of the API that can tell; below it there are no hints
 */
export function leaderHints(
  { apiVersion, listenerName }: RequestContext,
  firstVersion: number,
  { metadata }: BrokerServices,
): LeaderHints {
  let leaders: Set<number> | undefined; // most answers name none
  return {
    leaderOf(topic: string, partition: number): LeaderIdAndEpoch {
      if (apiVersion < firstVersion) return NO_LEADER;
      const registration = metadata.topic(topic)?.partitions.get(partition);
      const leaderId = registration?.leader ?? -1;
      if (leaderId >= 0) (leaders ??= new Set()).add(leaderId);
      return { leaderId, leaderEpoch: registration?.leaderEpoch ?? -1 };
    },

    endpoints() {
      if (leaders === undefined) return NO_ENDPOINTS;
      const found = [...leaders].map((id) => metadata.broker(id, listenerName)).filter((node) => node !== undefined);
      return found.map(({ nodeId, host, port, rack }) => ({ nodeId, host, port, rack }));
    },
  };
}
