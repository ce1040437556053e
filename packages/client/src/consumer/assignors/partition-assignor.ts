import type { TopicPartition } from "../../cluster/topic-metadata.ts";

/**
 * What a member gives up before it joins again: everything ("eager"), or only what it is told to once somebody else is to have
 * it ("cooperative", KIP-429).
 */
export type RebalanceProtocol = "eager" | "cooperative";

export const UNKNOWN_GENERATION = -1;

/** What the leader of a group knows of a topic. */
export interface AssignorTopic {
  readonly partitionCount: number;
  /** By partition, the racks of its replicas, offline or not; where racks are unknown, none. */
  readonly racks?: readonly (readonly string[])[];
}

/** A member as the leader of the group is told of it. */
export interface GroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
  /** What the assignor of the member had to say. */
  readonly userData: Uint8Array | null;
  readonly ownedPartitions: readonly TopicPartition[];
  /** Of the owned partitions; UNKNOWN_GENERATION when the member has none, or does not say. */
  readonly generationId: number;
  readonly rackId: string | null;
}

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[];
  readonly userData?: Uint8Array | null;
}

/** The assignment this member was given last, and in which generation. */
export interface LastAssignment extends MemberAssignment {
  readonly generationId: number;
}

/**
 * Says who reads what in a group of the classic protocol. One member of the group, its leader, is asked for all of them. It is a
 * function of what it is given: anything it wants to remember comes back to it in `last`, on every member alike.
 */
export interface PartitionAssignor {
  /** By which the members of a group agree on one; Java's have the same names. */
  readonly name: string;
  /** In order of preference; a consumer takes the first that all its assignors have. */
  readonly rebalanceProtocols: readonly RebalanceProtocol[];
  /** Bytes to send along when joining, for whoever will be leader. */
  subscriptionUserData?(topics: readonly string[], last: LastAssignment | undefined): Uint8Array | null;
  /**
   * @param topics those that exist, of all that are subscribed to
   * @param members in the order of the JoinGroup response
   * @returns by member id; who is missing gets nothing
   */
  assign(
    topics: ReadonlyMap<string, AssignorTopic>,
    members: readonly GroupMember[],
  ): ReadonlyMap<string, MemberAssignment>;
  /** On every member, with what it was given, before listeners are told. */
  onAssignment?(assignment: LastAssignment): void;
}
