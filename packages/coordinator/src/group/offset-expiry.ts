import type { Group } from "./group.ts";

/** When the offsets of a group may be forgotten (KIP-211). */
export interface OffsetExpiry {
  readonly groupId: string;
  /** All members left then, and nobody came since; undefined where the age of each commit counts. */
  readonly emptySinceMs: number | undefined;
  isSubscribedTo(topic: string): boolean;
}

/**
 * By Kafka's rules: the offsets of an empty classic group when it has been empty for the whole retention; those of a simple consumer,
 * of a consumer or streams group, and of topics that a stable classic group reads no more, when they were committed so long ago; never those of
 * a group in a rebalance, or of a protocol that is not coordinated here.
 * @returns undefined when nothing expires
 */
export function offsetExpiryOf(group: Group): OffsetExpiry | undefined {
  switch (group.type) {
    case "classic": {
      const { groupId, state, stateTimestampMs } = group;
      const isSimple = group.protocolType === undefined;
      const isEmpty = !isSimple && state === "Empty";
      if (!isSimple && !isEmpty && !(state === "Stable" && group.hasKnownSubscriptions)) return undefined;
      return {
        groupId,
        emptySinceMs: isEmpty && stateTimestampMs >= 0 ? stateTimestampMs : undefined,
        isSubscribedTo: (topic) => !isEmpty && group.isSubscribedTo(topic),
      };
    }
    case "consumer":
    case "streams":
      return {
        groupId: group.groupId,
        emptySinceMs: undefined,
        isSubscribedTo: (topic) => group.isSubscribedTo(topic),
      };
    default:
      return undefined;
  }
}
