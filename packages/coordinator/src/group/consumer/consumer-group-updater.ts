import { assert } from "@samsa/base";
import type { Assignment, PartitionAssignor } from "../assignor/partition-assignor.ts";
import { RANGE_ASSIGNOR } from "../assignor/range-assignor.ts";
import { UNIFORM_ASSIGNOR } from "../assignor/uniform-assignor.ts";
import type { Step, WriteOutcome } from "../../runtime/coordinator-shard.ts";
import type { GroupConfig } from "../group-config.ts";
import type { Groups } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import type { GroupTopics } from "../group-topics.ts";
import type { ConsumerGroup, ResolvedRegex } from "./consumer-group.ts";
import type { ConsumerGroupMember } from "./consumer-group-member.ts";
import { isSameDescription, isSameNames, isSameState, MemberState } from "./consumer-group-member.ts";
import {
  currentAssignmentRecord,
  groupEpochRecord,
  memberRecord,
  memberTombstones,
  partitionMetadataTombstone,
  regexTombstone,
  targetEpochRecord,
} from "./consumer-group-records.ts";
import type { ConsumerGroupTimers } from "./consumer-group-timers.ts";
import type { NamedPartitions } from "./current-assignment.ts";
import { reconcile } from "./current-assignment.ts";
import type { GroupMigration } from "./group-migration.ts";
import { metadataHash } from "./metadata-hash.ts";
import { RegexSubscriptions } from "./regex-subscriptions.ts";
import { computeTargetAssignment, subscribedTopicIds } from "./target-assignment.ts";

type GroupStep = Step<GroupRecord>;

export interface ConsumerGroupUpdaterOptions {
  readonly config: GroupConfig;
  readonly groups: Groups;
  readonly topics: () => GroupTopics;
  readonly timers: ConsumerGroupTimers;
  readonly migration: GroupMigration;
}

/** What a member has said, and what is to come of it. */
export interface MemberUpdate {
  readonly group: ConsumerGroup;
  /** As it was: in the group, new, or in the place of a static member. */
  readonly member: ConsumerGroupMember;
  /** As it describes itself now. */
  readonly updated: ConsumerGroupMember;
  /** The static member whose place it takes. */
  readonly replaced: ConsumerGroupMember | undefined;
  readonly owned: readonly NamedPartitions[] | null;
  /** What has been decided already; what is decided here is added. */
  readonly records: GroupRecord[];
}

const ASSIGNORS: ReadonlyMap<string, PartitionAssignor> = new Map(
  [UNIFORM_ASSIGNOR, RANGE_ASSIGNOR].map((assignor) => [assignor.name, assignor]),
);
export const SERVER_ASSIGNORS: readonly string[] = [...ASSIGNORS.keys()];

/** How a consumer group moves: from a change of members or topics to a new epoch, a new target, and members on their way to it. */
export class ConsumerGroupUpdater {
  readonly #options: ConsumerGroupUpdaterOptions;
  readonly #regexes: RegexSubscriptions;

  constructor(options: ConsumerGroupUpdaterOptions) {
    this.#options = options;
    this.#regexes = new RegexSubscriptions(options);
  }

  /** @returns the member with what it is to have now */
  update(step: GroupStep, update: MemberUpdate): ConsumerGroupMember {
    const { group, member, updated, replaced, owned, records } = update;
    const { groupId } = group;
    if (!isSameDescription(member, updated)) records.push(memberRecord(groupId, updated));
    const haveNamesChanged = !isSameNames(member.subscribedTopicNames, updated.subscribedTopicNames);
    const regex = this.#regexes.update(step, group, member, updated, records);
    const assignor = this.#preferredAssignor(group, replaced ?? member, updated);
    const mustBump =
      haveNamesChanged ||
      regex.mustBump ||
      assignor !== (ASSIGNORS.get(group.preferredAssignor() ?? "") ?? this.#defaultAssignor);
    const groupEpoch = this.#nextGroupEpoch(update, mustBump, regex.resolved);
    const { targetEpoch, target } = this.#target(step, update, groupEpoch, assignor, regex.resolved);
    const next = reconcile(updated, {
      targetEpoch,
      target,
      subscribedTopicIds: subscribedTopicIds(updated, regex.resolved, this.#options.topics()),
      hasSubscriptionChanged: haveNamesChanged || regex.isUpdated,
      owned,
      isOwned: (topicId, partition) => group.isOwned(topicId, partition),
    });
    if (isSameState(updated, next)) return next;
    records.push(currentAssignmentRecord(groupId, next));
    if (next.classic === null) {
      if (next.state === MemberState.UNREVOKED_PARTITIONS) this.#options.timers.expectRevocation(step, group, next);
      else this.#options.timers.expectNoRevocation(step, group, next.memberId);
    }
    return next;
  }

  /** Members leave, or are made to. A group whose last member of the consumer protocol goes may become a classic one. */
  fence(
    step: GroupStep,
    group: ConsumerGroup,
    members: readonly ConsumerGroupMember[],
    outcome: WriteOutcome<GroupRecord> = {},
  ): void {
    const { migration, timers, topics } = this.#options;
    if (migration.canDowngrade(group, members)) return migration.downgrade(step, group, members, outcome);
    const { groupId } = group;
    const records = members.flatMap(({ memberId }) => memberTombstones(groupId, memberId));
    for (const regex of group.subscribedRegexes) {
      const leaving = members.filter((member) => member.subscribedTopicRegex === regex).length;
      if (leaving > 0 && leaving === group.regexCount(regex)) records.push(regexTombstone(groupId, regex));
    }
    const hash = metadataHash(group.subscribedTopics({ without: members }), topics());
    const groupEpoch = group.groupEpoch + 1;
    records.push(groupEpochRecord(groupId, groupEpoch, hash));
    if (members.length === group.size) records.push(targetEpochRecord(groupId, groupEpoch, 0));
    for (const { memberId } of members) timers.cancelAll(step, group, memberId);
    step.append(records, {
      ...outcome,
      onFailed: (later, error) => {
        for (const member of members) timers.expectHeartbeat(later, group, member);
        outcome.onFailed?.(later, error);
      },
    });
  }

  /** One that did not do in time what it had to. */
  fenceById(step: GroupStep, groupId: string, memberId: string): void {
    const group = this.#options.groups.get(groupId);
    const member = group?.type === "consumer" ? group.member(memberId) : undefined;
    if (group?.type === "consumer" && member !== undefined) this.fence(step, group, [member]);
  }

  get #defaultAssignor(): PartitionAssignor {
    const [name = UNIFORM_ASSIGNOR.name] = this.#options.config.consumerAssignors;
    const assignor = ASSIGNORS.get(name);
    assert(assignor !== undefined, "only assignors that exist are configured");
    return assignor;
  }

  #preferredAssignor(
    group: ConsumerGroup,
    without: ConsumerGroupMember,
    updated: ConsumerGroupMember,
  ): PartitionAssignor {
    return ASSIGNORS.get(group.preferredAssignor(without, updated) ?? "") ?? this.#defaultAssignor;
  }

  /** The epoch goes up when who subscribes to what has changed, or the topics have. */
  #nextGroupEpoch(
    { group, member, updated, replaced, records }: MemberUpdate,
    mustBump: boolean,
    regexes: ReadonlyMap<string, ResolvedRegex>,
  ): number {
    if (!mustBump && !group.isMetadataStale) return group.groupEpoch;
    const subscribed = group.subscribedTopics({ without: [replaced ?? member], and: updated, regexes });
    const hash = metadataHash(subscribed, this.#options.topics());
    group.isMetadataStale = false;
    if (group.hasPartitionMetadataRecord) records.push(partitionMetadataTombstone(group.groupId));
    if (!mustBump && hash === group.metadataHash) return group.groupEpoch;
    records.push(groupEpochRecord(group.groupId, group.groupEpoch + 1, hash));
    return group.groupEpoch + 1;
  }

  #target(
    step: GroupStep,
    { group, updated, replaced, records }: MemberUpdate,
    groupEpoch: number,
    assignor: PartitionAssignor,
    regexes: ReadonlyMap<string, ResolvedRegex>,
  ): { readonly targetEpoch: number; readonly target: Assignment } {
    const { config, topics } = this.#options;
    const intervalMs = config.consumerGroup(group.groupId).assignmentIntervalMs;
    if (group.assignmentEpoch >= groupEpoch || !isAssignmentDue(group.assignmentTimestampMs, intervalMs, step.nowMs)) {
      const target = group.target((replaced ?? updated).memberId);
      return { targetEpoch: group.assignmentEpoch, target };
    }
    const { records: targets, target } = computeTargetAssignment({
      group,
      groupEpoch,
      assignor,
      topics: topics(),
      regexes,
      updated,
      replaced,
      nowMs: step.nowMs,
    });
    records.push(...targets);
    return { targetEpoch: groupEpoch, target };
  }
}

/** Members that come at the same time share an assignment: there is at most one in an interval. */
function isAssignmentDue(lastMs: number, intervalMs: number, nowMs: number): boolean {
  // A clock that was put back must not hold up a group until it has caught up.
  return lastMs === 0 || nowMs >= lastMs + intervalMs || nowMs < lastMs;
}
