import type { Step } from "../../runtime/coordinator-shard.ts";
import type { GroupConfig } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerGroupMember } from "./consumer-group-member.ts";

type GroupStep = Step<GroupRecord>;
type Fence = (step: GroupStep, groupId: string, memberId: string) => void;

/** What members of consumer groups have to do by when; who does not is fenced. */
export class ConsumerGroupTimers {
  readonly #config: GroupConfig;
  readonly #fence: Fence;
  readonly #memberEpoch: (groupId: string, memberId: string) => number | undefined;

  constructor(
    config: GroupConfig,
    memberEpoch: (groupId: string, memberId: string) => number | undefined,
    fence: Fence,
  ) {
    this.#config = config;
    this.#memberEpoch = memberEpoch;
    this.#fence = fence;
  }

  /** It must be heard of within its session. */
  expectHeartbeat(step: GroupStep, { groupId }: ConsumerGroup, { memberId, classic }: ConsumerGroupMember): void {
    const timeoutMs = classic?.sessionTimeoutMs ?? this.#config.consumerGroup(groupId).sessionTimeoutMs;
    step.setTimer(key("session", groupId, memberId), timeoutMs, (later) => this.#fence(later, groupId, memberId));
  }

  /** It must have given up what it was asked to, or somebody waits for ever. */
  expectRevocation(step: GroupStep, { groupId }: ConsumerGroup, member: ConsumerGroupMember): void {
    const { memberId, memberEpoch, rebalanceTimeoutMs } = member;
    step.setTimer(key("revocation", groupId, memberId), rebalanceTimeoutMs, (later) => {
      if (this.#memberEpoch(groupId, memberId) === memberEpoch) this.#fence(later, groupId, memberId);
    });
  }

  expectNoRevocation(step: GroupStep, { groupId }: ConsumerGroup, memberId: string): void {
    step.cancelTimer(key("revocation", groupId, memberId));
  }

  /** One of the classic protocol has been told to join again. */
  expectJoin(step: GroupStep, group: ConsumerGroup, { memberId, rebalanceTimeoutMs }: ConsumerGroupMember): void {
    if (group.expectedToJoin.has(memberId)) return;
    group.expectedToJoin.add(memberId);
    const { groupId } = group;
    step.setTimer(key("join", groupId, memberId), rebalanceTimeoutMs, (later) => this.#fence(later, groupId, memberId));
  }

  joined(step: GroupStep, group: ConsumerGroup, memberId: string): void {
    group.expectedToJoin.delete(memberId);
    step.cancelTimer(key("join", group.groupId, memberId));
  }

  /** One of the classic protocol has joined, and must fetch its assignment. */
  expectSync(step: GroupStep, { groupId }: ConsumerGroup, { memberId, rebalanceTimeoutMs }: ConsumerGroupMember): void {
    step.setTimer(key("sync", groupId, memberId), rebalanceTimeoutMs, (later) => this.#fence(later, groupId, memberId));
  }

  synced(step: GroupStep, { groupId }: ConsumerGroup, memberId: string): void {
    step.cancelTimer(key("sync", groupId, memberId));
  }

  cancelAll(step: GroupStep, group: ConsumerGroup, memberId: string): void {
    group.expectedToJoin.delete(memberId);
    for (const kind of ["session", "revocation", "join", "sync"] as const) {
      step.cancelTimer(key(kind, group.groupId, memberId));
    }
  }
}

function key(kind: "session" | "revocation" | "join" | "sync", groupId: string, memberId: string): string {
  return `consumer-${kind}/${groupId}/${memberId}`;
}
