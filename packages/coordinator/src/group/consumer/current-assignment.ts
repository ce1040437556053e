import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { Assignment } from "../assignor/partition-assignor.ts";
import type { ConsumerGroupMember, OwnedPartitions } from "./consumer-group-member.ts";
import { isReconciledTo, MemberState, NOTHING_OWNED } from "./consumer-group-member.ts";

/** Partitions as a member names them in its heartbeat. */
export interface NamedPartitions {
  readonly topicId: Uuid;
  readonly partitions: readonly number[];
}

export interface Reconciliation {
  readonly targetEpoch: number;
  readonly target: Assignment;
  /** Topics that the member reads and that exist. */
  readonly subscribedTopicIds: ReadonlySet<Uuid>;
  readonly hasSubscriptionChanged: boolean;
  /** What the member says it has; null when it says nothing. */
  readonly owned: readonly NamedPartitions[] | null;
  /** Whether a member, this one or another, has the partition or has yet to give it up. */
  readonly isOwned: (topicId: Uuid, partition: number) => boolean;
}

type MutableOwned = Map<Uuid, Map<number, number>>;

/**
 * One step of a member towards its target (KIP-848). Revocation comes before assignment: as long as the member has what it is to
 * give up it stays in its epoch; then it goes on to the epoch of the target with what is free of it, and the rest follows when others
 * have let it go.
 * @returns the same member when nothing changes
 * @throws KafkaError FENCED_MEMBER_EPOCH for one whose state is not known
 */
export function reconcile(member: ConsumerGroupMember, input: Reconciliation): ConsumerGroupMember {
  if (!input.hasSubscriptionChanged && isReconciledTo(member, input.targetEpoch)) return member;
  switch (member.state) {
    case MemberState.STABLE:
      if (member.memberEpoch !== input.targetEpoch) return nextAssignment(member, member.memberEpoch, input);
      return input.hasSubscriptionChanged ? withoutUnsubscribed(member, input) : member;
    case MemberState.UNREVOKED_PARTITIONS:
      if (!hasAnyOf(input.owned, member.pendingRevocation)) return nextAssignment(member, member.memberEpoch, input);
      return input.hasSubscriptionChanged ? withoutUnsubscribed(member, input) : member;
    case MemberState.UNRELEASED_PARTITIONS:
      return nextAssignment(member, member.memberEpoch, input);
    case MemberState.UNKNOWN:
      if (input.owned === null || input.owned.length > 0) {
        const message =
          "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.";
        throw new KafkaError(ErrorCode.FENCED_MEMBER_EPOCH, message);
      }
      return nextAssignment(member, input.targetEpoch, input);
  }
}

function nextAssignment(member: ConsumerGroupMember, memberEpoch: number, input: Reconciliation): ConsumerGroupMember {
  const { target, targetEpoch, subscribedTopicIds } = input;
  const assigned: MutableOwned = new Map();
  const toRevoke: MutableOwned = new Map();
  for (const [topicId, partitions] of member.assigned) {
    const wanted = subscribedTopicIds.has(topicId) ? target.get(topicId) : undefined;
    for (const [partition, epoch] of partitions) {
      put(wanted?.has(partition) === true ? assigned : toRevoke, topicId, partition, epoch);
    }
  }
  if (toRevoke.size > 0 && hasAnyOf(input.owned, toRevoke)) {
    return {
      ...moved(member, memberEpoch),
      state: MemberState.UNREVOKED_PARTITIONS,
      assigned,
      pendingRevocation: toRevoke,
    };
  }
  let isWaiting = false;
  for (const [topicId, partitions] of target) {
    if (!subscribedTopicIds.has(topicId)) continue;
    for (const partition of partitions) {
      if (assigned.get(topicId)?.has(partition) === true) continue;
      const isOwnOld = member.pendingRevocation.get(topicId)?.has(partition) === true;
      if (input.isOwned(topicId, partition) && !isOwnOld) isWaiting = true;
      else put(assigned, topicId, partition, targetEpoch);
    }
  }
  return {
    ...moved(member, targetEpoch),
    state: isWaiting ? MemberState.UNRELEASED_PARTITIONS : MemberState.STABLE,
    assigned,
    pendingRevocation: NOTHING_OWNED,
  };
}

/** What it reads no more goes at once; the target that says so may come later. */
function withoutUnsubscribed(member: ConsumerGroupMember, input: Reconciliation): ConsumerGroupMember {
  const assigned: MutableOwned = new Map();
  const toRevoke: MutableOwned = new Map();
  for (const [topicId, partitions] of member.pendingRevocation) toRevoke.set(topicId, new Map(partitions));
  let isChanged = false;
  for (const [topicId, partitions] of member.assigned) {
    const isKept = input.subscribedTopicIds.has(topicId);
    isChanged ||= !isKept;
    for (const [partition, epoch] of partitions) put(isKept ? assigned : toRevoke, topicId, partition, epoch);
  }
  if (!isChanged) return member;
  const next = { ...moved(member, member.memberEpoch), assigned };
  if (!hasAnyOf(input.owned, toRevoke)) return next;
  return { ...next, state: MemberState.UNREVOKED_PARTITIONS, pendingRevocation: toRevoke };
}

function moved(member: ConsumerGroupMember, memberEpoch: number): ConsumerGroupMember {
  return { ...member, previousMemberEpoch: member.memberEpoch, memberEpoch };
}

/** Who says nothing has everything still. */
function hasAnyOf(owned: readonly NamedPartitions[] | null, of: OwnedPartitions): boolean {
  if (owned === null) return true;
  return owned.some(({ topicId, partitions }) => partitions.some((each) => of.get(topicId)?.has(each) === true));
}

function put(owned: MutableOwned, topicId: Uuid, partition: number, epoch: number): void {
  const partitions = owned.get(topicId) ?? new Map<number, number>();
  partitions.set(partition, epoch);
  owned.set(topicId, partitions);
}
