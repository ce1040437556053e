import type { Uuid } from "@samsa/base";
import type { ConsumerGroupCurrentMemberAssignmentValue } from "@samsa/protocol/messages/consumer-group-current-member-assignment-value";
import type { ConsumerGroupMemberMetadataValue } from "@samsa/protocol/messages/consumer-group-member-metadata-value";
import type { MemberProtocol } from "../classic-group-member.ts";

/** By Kafka's numbers, which are on the disk. */
export const MemberState = {
  /** It has what it is to have. */
  STABLE: 0,
  /** It has been asked to give up partitions, and has not said that it did. */
  UNREVOKED_PARTITIONS: 1,
  /** Others still have partitions that are to be its own. */
  UNRELEASED_PARTITIONS: 2,
  /** One that a later version of Kafka wrote. */
  UNKNOWN: 127,
} as const;
export type MemberState = (typeof MemberState)[keyof typeof MemberState];

export const LEAVE_GROUP_MEMBER_EPOCH = -1;
/** A static member goes, and will be back. */
export const LEAVE_GROUP_STATIC_MEMBER_EPOCH = -2;

/** Partitions by topic, each with the epoch in which it was assigned: offsets of that epoch and later are taken. */
export type OwnedPartitions = ReadonlyMap<Uuid, ReadonlyMap<number, number>>;
export const NOTHING_OWNED: OwnedPartitions = new Map();

/** Of a member that speaks the classic protocol in a consumer group. */
export interface ClassicMemberMetadata {
  readonly sessionTimeoutMs: number;
  readonly supportedProtocols: readonly MemberProtocol[]; // the best first
}

/** What a member says of itself. */
export interface MemberDescription {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly subscribedTopicNames: readonly string[]; // sorted, each once
  readonly subscribedTopicRegex: string; // empty for none
  readonly rebalanceTimeoutMs: number;
  readonly serverAssignor: string | null;
  readonly classic: ClassicMemberMetadata | null;
}

/** Where a member is on its way to the target. */
export interface MemberAssignmentState {
  readonly memberEpoch: number;
  readonly previousMemberEpoch: number;
  readonly state: MemberState;
  readonly assigned: OwnedPartitions;
  readonly pendingRevocation: OwnedPartitions;
}

/** A member of a consumer group. Never changed: a step makes another one, and the records that it yields put it in place. */
export interface ConsumerGroupMember extends MemberDescription, MemberAssignmentState {
  readonly memberId: string;
}

export function newConsumerGroupMember(memberId: string): ConsumerGroupMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: "",
    clientHost: "",
    subscribedTopicNames: [],
    subscribedTopicRegex: "",
    rebalanceTimeoutMs: -1,
    serverAssignor: null,
    classic: null,
    memberEpoch: 0,
    previousMemberEpoch: 0,
    state: MemberState.STABLE,
    assigned: NOTHING_OWNED,
    pendingRevocation: NOTHING_OWNED,
  };
}

export function isReconciledTo({ state, memberEpoch }: ConsumerGroupMember, targetEpoch: number): boolean {
  return state === MemberState.STABLE && memberEpoch === targetEpoch;
}

export function describedBy(value: ConsumerGroupMemberMetadataValue): MemberDescription {
  const classic = value.classicMemberMetadata;
  return {
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopicNames: sortedNames(value.subscribedTopicNames),
    subscribedTopicRegex: value.subscribedTopicRegex ?? "",
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
    classic: classic && {
      sessionTimeoutMs: classic.sessionTimeoutMs,
      // Copies: what came is part of a larger read.
      supportedProtocols: classic.supportedProtocols.map(({ name, metadata }) => ({
        name,
        metadata: metadata.slice(),
      })),
    },
  };
}

export function assignmentStateOf(value: ConsumerGroupCurrentMemberAssignmentValue): MemberAssignmentState {
  const { memberEpoch, previousMemberEpoch, state } = value;
  const isKnown = state >= MemberState.STABLE && state <= MemberState.UNRELEASED_PARTITIONS;
  const owned = (topics: ConsumerGroupCurrentMemberAssignmentValue["assignedPartitions"]): OwnedPartitions =>
    new Map(
      topics.map(({ topicId, partitions, assignmentEpochs }) => [
        topicId,
        // Before 4.3 there is no epoch of single partitions; the member's own is the strictest.
        new Map(partitions.map((partition, index) => [partition, assignmentEpochs?.[index] ?? memberEpoch])),
      ]),
    );
  return {
    memberEpoch,
    previousMemberEpoch,
    state: isKnown ? (state as MemberState) : MemberState.UNKNOWN,
    assigned: owned(value.assignedPartitions),
    pendingRevocation: owned(value.partitionsPendingRevocation),
  };
}

export function sortedNames(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
}

export function isSameDescription(a: MemberDescription, b: MemberDescription): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    isSameNames(a.subscribedTopicNames, b.subscribedTopicNames) &&
    a.subscribedTopicRegex === b.subscribedTopicRegex &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.serverAssignor === b.serverAssignor &&
    isSameClassic(a.classic, b.classic)
  );
}

export function isSameNames(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((name, index) => name === b[index]));
}

function isSameClassic(a: ClassicMemberMetadata | null, b: ClassicMemberMetadata | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.sessionTimeoutMs === b.sessionTimeoutMs &&
    a.supportedProtocols.length === b.supportedProtocols.length &&
    a.supportedProtocols.every(({ name, metadata }, index) => {
      const other = b.supportedProtocols[index];
      return other?.name === name && isSameBytes(other.metadata, metadata);
    })
  );
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export function isSameState(a: MemberAssignmentState, b: MemberAssignmentState): boolean {
  return (
    a.memberEpoch === b.memberEpoch &&
    a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state &&
    isSameOwned(a.assigned, b.assigned) &&
    isSameOwned(a.pendingRevocation, b.pendingRevocation)
  );
}

/** The same partitions, whatever the epochs are. */
export function hasSamePartitions(a: OwnedPartitions, b: OwnedPartitions): boolean {
  return isSameOwned(a, b, () => true);
}

function isSameOwned(
  a: OwnedPartitions,
  b: OwnedPartitions,
  isSameEpoch = (one: number, other: number | undefined): boolean => one === other,
): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others?.size !== partitions.size) return false;
    for (const [partition, epoch] of partitions) {
      if (!others.has(partition) || !isSameEpoch(epoch, others.get(partition))) return false;
    }
  }
  return true;
}
