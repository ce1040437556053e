import type { KafkaError, Random, Uuid } from "@samsa/base";
import { assert, ErrorCode, randomUuid } from "@samsa/base";
import type { ConsumerGroupHeartbeatRequestTopicPartitions } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import type { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { BrokerError } from "../../errors.ts";
import type { BackoffOptions } from "../../retry.ts";
import { backoffDelayMs } from "../../retry.ts";
import type {
  GroupMembershipOperation,
  Member,
  MemberEffect,
  MemberInput,
  MemberRequest,
  Subscription,
} from "./member.ts";
import { NO_GENERATION } from "./member.ts";

export interface ConsumerMemberOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  readonly rackId: string | null;
  readonly serverAssignor: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffOptions;
  readonly random: Random;
}

/*
 *   idle ──subscribed──► joining ──answer──► in-group ──fenced──► expelled ──released──► joining
 *                           ▲                   │  (all is lost)
 *                           └──polled── stale ◄─┴─ poll-expired
 *   left, failed   the end
 *
 * In the group a change may be under way beside it: partitions are released, then others assigned, then the coordinator is told.
 */
const NEXT_STATES = {
  idle: ["joining", "left"],
  joining: ["in-group", "expelled", "stale", "left", "failed"],
  "in-group": ["expelled", "stale", "left", "failed"],
  expelled: ["joining", "stale", "left", "failed"],
  stale: ["joining", "expelled", "left", "failed"],
  failed: ["left"],
  left: ["left"],
} as const satisfies Record<string, readonly string[]>;

type State = keyof typeof NEXT_STATES;

interface OwnedPartition extends TopicPartition {
  readonly topicId: Uuid;
}

type TopicIdPartitions = readonly ConsumerGroupHeartbeatRequestTopicPartitions[];

const JOIN_EPOCH = 0;
const LEAVE_EPOCH = -1;
/** A static member goes, and comes back: its partitions wait for it. */
const LEAVE_FOR_A_WHILE_EPOCH = -2;
/** Until the coordinator says how often. */
const FIRST_INTERVAL_MS = 1000;

/** One member of a group of the consumer protocol (KIP-848), as Java's ConsumerMembershipManager and ConsumerHeartbeatRequestManager. */
export class ConsumerMember implements Member {
  readonly memberId: string;
  readonly #options: ConsumerMemberOptions;
  #state: State = "idle";
  #effects: MemberEffect[] = [];
  #nowMs = 0;
  #epoch = JOIN_EPOCH;
  #subscription: Subscription = { topics: [], pattern: undefined };
  #owned: readonly OwnedPartition[] = [];
  #releasing: readonly OwnedPartition[] = [];
  #change: "none" | "releasing" | "assigning" = "none";
  /** What the coordinator wants us to own, by topic id; undefined until it has said so. */
  #target: TopicIdPartitions | undefined;
  readonly #names = new Map<Uuid, string>();
  #isResolving = false;
  #heartbeat: MemberRequest | undefined;
  #leaving: MemberRequest | undefined;
  #heartbeatAtMs = Number.POSITIVE_INFINITY;
  #intervalMs = FIRST_INTERVAL_MS;
  /** What was said last; what has not changed need not be said again. Undefined when nobody knows what was heard. */
  #told: { readonly subscription: Subscription; readonly owned: readonly OwnedPartition[] } | undefined;
  #failures = 0; // in a row

  constructor(options: ConsumerMemberOptions) {
    this.#options = options;
    this.memberId = randomUuid(options.random);
  }

  get state(): State {
    return this.#state;
  }

  get isStable(): boolean {
    return this.#state === "in-group" && this.#change === "none" && this.#target !== undefined && !this.#isResolving;
  }

  get generationId(): number {
    return this.#state === "in-group" ? this.#epoch : NO_GENERATION;
  }

  get owned(): readonly TopicPartition[] {
    return this.#owned;
  }

  get watchedTopics(): readonly string[] {
    return this.#subscription.topics;
  }

  get wakeAtMs(): number {
    const isDue = (this.#state === "joining" || this.#state === "in-group") && this.#heartbeat === undefined;
    return isDue ? this.#heartbeatAtMs : Number.POSITIVE_INFINITY;
  }

  step(input: MemberInput, nowMs: number): readonly MemberEffect[] {
    this.#effects = [];
    this.#nowMs = nowMs;
    this.#handle(input);
    if (this.wakeAtMs <= nowMs) this.#beat();
    return this.#effects;
  }

  #handle(input: MemberInput): void {
    switch (input.kind) {
      case "subscribed":
        this.#subscription = input.subscription;
        if (this.#state === "idle") this.#join();
        else this.#heartbeatAtMs = this.#nowMs;
        return;
      case "answered":
        return this.#onAnswer(input.request, input.response as never);
      case "unanswered":
        return this.#onNoAnswer(input.request, input.error);
      case "released":
        return this.#onReleased();
      case "assigned":
        return this.#onAssigned();
      case "resolved":
        return this.#onResolved(input.names);
      case "poll-expired":
        return this.#onPollExpired();
      case "polled":
        if (this.#state !== "stale") return;
        // What is being given up comes first.
        return this.#change === "none" ? this.#join() : this.#become("expelled");
      case "disowned":
        this.#heartbeatAtMs = this.#nowMs; // its answer says what we are
        return;
      case "leave":
        return this.#leave(input.operation);
      case "tick":
      case "rejoin": // the coordinator assigns, and has no reason to do it another time
      case "described":
      case "partition-counts":
        return;
    }
  }

  #become(state: State): void {
    const allowed: readonly State[] = NEXT_STATES[this.#state];
    assert(allowed.includes(state), `a member goes from ${this.#state} to ${state}`);
    this.#state = state;
  }

  #do(effect: MemberEffect): void {
    this.#effects.push(effect);
  }

  #join(): void {
    this.#become("joining");
    this.#epoch = JOIN_EPOCH;
    this.#target = undefined;
    this.#told = undefined;
    this.#heartbeatAtMs = this.#nowMs;
  }

  #beat(): void {
    const { groupId, groupInstanceId, rackId, serverAssignor, rebalanceTimeoutMs, requestTimeoutMs } = this.#options;
    const told = this.#state === "joining" ? undefined : this.#told;
    const { topics, pattern } = this.#subscription;
    const isNewSubscription = told === undefined || told.subscription !== this.#subscription;
    const owned = this.#settled;
    const isFull = told === undefined;
    const request: MemberRequest = {
      api: "consumer-group-heartbeat",
      body: ConsumerGroupHeartbeatRequest.create({
        groupId,
        memberId: this.memberId,
        memberEpoch: this.#epoch,
        instanceId: groupInstanceId,
        rackId: isFull ? rackId : null,
        rebalanceTimeoutMs: isFull ? rebalanceTimeoutMs : -1,
        subscribedTopicNames: isNewSubscription ? topics.toSorted() : null,
        subscribedTopicRegex: patternToSend(isNewSubscription, pattern, told?.subscription.pattern),
        serverAssignor: isFull ? serverAssignor : null,
        topicPartitions: isFull || owned !== told.owned ? byTopicId(owned) : null,
      }),
      timeoutMs: requestTimeoutMs,
    };
    this.#told = { subscription: this.#subscription, owned };
    this.#heartbeat = request;
    this.#heartbeatAtMs = this.#nowMs + this.#intervalMs;
    this.#do({ kind: "send", request });
  }

  /** What we own by the last change that is over: the coordinator hears of a change when all of it is done. */
  get #settled(): readonly OwnedPartition[] {
    return this.#change === "none" || this.#told === undefined ? this.#owned : this.#told.owned;
  }

  #onAnswer(request: MemberRequest, response: ConsumerGroupHeartbeatResponse): void {
    if (request === this.#leaving) return this.#do({ kind: "left" });
    if (request !== this.#heartbeat) return;
    this.#heartbeat = undefined;
    if (this.#state !== "joining" && this.#state !== "in-group") return;
    if (response.errorCode !== ErrorCode.NONE) return this.#onRefusal(response);
    this.#failures = 0;
    this.#epoch = response.memberEpoch;
    this.#intervalMs = response.heartbeatIntervalMs;
    this.#heartbeatAtMs = Math.min(this.#heartbeatAtMs, this.#nowMs + this.#intervalMs);
    if (this.#state === "joining") {
      this.#become("in-group");
      this.#heartbeatAtMs = this.#nowMs + this.#intervalMs;
    }
    if (response.assignment !== null) this.#target = response.assignment.topicPartitions;
    this.#reconcile();
  }

  #onRefusal({ errorCode, errorMessage }: ConsumerGroupHeartbeatResponse): void {
    const error = new BrokerError(
      errorCode as ErrorCode,
      `ConsumerGroupHeartbeat of group ${this.#options.groupId}`,
      errorMessage,
    );
    this.#told = undefined;
    switch (errorCode) {
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
        this.#do({ kind: "forget-coordinator" });
        return this.#beatLater(error);
      case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
        return this.#beatLater(error);
      case ErrorCode.FENCED_MEMBER_EPOCH:
      case ErrorCode.UNKNOWN_MEMBER_ID:
        this.#do({ kind: "retry", error });
        return this.#onExpelled();
      case ErrorCode.TOPIC_AUTHORIZATION_FAILED:
        return this.#do({ kind: "fail", error }); // whoever reads is told; an ACL may come
      case ErrorCode.UNSUPPORTED_VERSION:
      case ErrorCode.GROUP_ID_NOT_FOUND:
        if (this.#state !== "joining") return this.#fail(error);
        this.#state = "left";
        return this.#do({ kind: "unsupported", error });
      default:
        return error.isRetriable ? this.#beatLater(error) : this.#fail(error);
    }
  }

  #onNoAnswer(request: MemberRequest, error: KafkaError): void {
    if (request === this.#leaving) return this.#do({ kind: "left" }); // the session ends by itself
    if (request !== this.#heartbeat) return;
    this.#heartbeat = undefined;
    if (this.#state !== "joining" && this.#state !== "in-group") return;
    this.#told = undefined;
    this.#do({ kind: "forget-coordinator" });
    if (error.isRetriable) return this.#beatLater(error);
    if (error.code !== ErrorCode.UNSUPPORTED_VERSION || this.#state !== "joining") return this.#fail(error);
    this.#state = "left";
    this.#do({ kind: "unsupported", error });
  }

  #beatLater(error: KafkaError): void {
    this.#do({ kind: "retry", error });
    this.#heartbeatAtMs = this.#nowMs + backoffDelayMs(this.#options.backoff, this.#failures++, this.#options.random);
  }

  #fail(error: KafkaError): void {
    this.#become("failed");
    this.#lose();
    this.#do({ kind: "fail", error });
  }

  /** All we own is somebody else's by now. @returns whether the listener has to be told of something first */
  #lose(): boolean {
    this.#target = undefined;
    if (this.#owned.length === 0 && this.#change === "none") return false;
    this.#change = "releasing";
    this.#releasing = this.#owned;
    this.#do({ kind: "release", partitions: this.#owned, isLost: true });
    return true;
  }

  #onExpelled(): void {
    this.#become("expelled");
    if (!this.#lose()) this.#join();
  }

  /** One step towards the target, unless one is under way. */
  #reconcile(): void {
    const target = this.#target;
    if (this.#state !== "in-group" || this.#change !== "none" || target === undefined) return;
    const unnamed = target.filter(({ topicId }) => !this.#names.has(topicId)).map(({ topicId }) => topicId);
    if (unnamed.length > 0 && !this.#isResolving) {
      this.#isResolving = true;
      this.#do({ kind: "resolve", topicIds: unnamed });
    }
    const wanted = this.#named(target);
    const revoked = without(this.#owned, wanted);
    const isDone = revoked.length === 0 && without(wanted, this.#owned).length === 0;
    if (isDone) return;
    this.#change = "releasing";
    this.#releasing = revoked;
    if (revoked.length > 0) this.#do({ kind: "release", partitions: revoked, isLost: false });
    else this.#take();
  }

  /** A topic without a name has just been made, or has just been deleted. */
  #named(target: TopicIdPartitions): readonly OwnedPartition[] {
    return target.flatMap(({ topicId, partitions }) => {
      const topic = this.#names.get(topicId);
      return topic === undefined ? [] : partitions.map((partition) => ({ topicId, topic, partition }));
    });
  }

  #onReleased(): void {
    if (this.#change !== "releasing") return;
    this.#owned = without(this.#owned, this.#releasing);
    this.#releasing = [];
    if (this.#state === "in-group") return this.#take();
    this.#change = "none";
    if (this.#state === "expelled") this.#join();
  }

  #take(): void {
    this.#change = "assigning";
    const added = without(this.#named(this.#target ?? []), this.#owned);
    this.#owned = [...this.#owned, ...added];
    this.#do({ kind: "assign", added });
  }

  #onAssigned(): void {
    if (this.#state !== "in-group" || this.#change !== "assigning") return;
    this.#change = "none";
    this.#heartbeatAtMs = this.#nowMs; // the coordinator waits to hear of it
    this.#reconcile(); // it may have changed its mind meanwhile
  }

  #onResolved(names: ReadonlyMap<Uuid, string>): void {
    this.#isResolving = false;
    for (const [id, name] of names) this.#names.set(id, name);
    if (names.size > 0) this.#reconcile(); // else with the next heartbeat
  }

  #onPollExpired(): void {
    const { state } = this;
    if (state !== "joining" && state !== "in-group" && state !== "expelled") return;
    this.#become("stale");
    this.#heartbeat = undefined;
    this.#do({ kind: "send", request: this.#leaveRequest(this.#options.groupInstanceId !== null) });
    this.#lose();
  }

  #leave(operation: GroupMembershipOperation): void {
    const isStatic = this.#options.groupInstanceId !== null;
    const isMember = this.#state === "joining" || this.#state === "in-group";
    const saysNothing = operation === "remain-in-group" && !isStatic;
    this.#state = "left";
    this.#owned = [];
    this.#heartbeat = undefined;
    if (!isMember || saysNothing) return this.#do({ kind: "left" });
    this.#leaving = this.#leaveRequest(isStatic && operation !== "leave-group");
    this.#do({ kind: "send", request: this.#leaving });
  }

  #leaveRequest(isForAWhile: boolean): MemberRequest {
    const { groupId, groupInstanceId, requestTimeoutMs } = this.#options;
    return {
      api: "consumer-group-heartbeat",
      body: ConsumerGroupHeartbeatRequest.create({
        groupId,
        memberId: this.memberId,
        memberEpoch: isForAWhile ? LEAVE_FOR_A_WHILE_EPOCH : LEAVE_EPOCH,
        instanceId: groupInstanceId,
      }),
      timeoutMs: requestTimeoutMs,
    };
  }
}

/** Those of the first that are not in the second; a topic that was made anew under its name is another. */
function without(partitions: readonly OwnedPartition[], others: readonly OwnedPartition[]): readonly OwnedPartition[] {
  if (partitions.length === 0 || others.length === 0) return partitions;
  const keyOf = ({ topicId, partition }: OwnedPartition): string => `${topicId}-${partition}`;
  const keys = new Set(others.map(keyOf));
  return partitions.filter((one) => !keys.has(keyOf(one)));
}

/** A pattern that is taken back is sent as empty text. */
function patternToSend(isNew: boolean, pattern: string | undefined, before: string | undefined): string | null {
  if (!isNew) return null;
  return pattern ?? (before === undefined ? null : "");
}

function byTopicId(owned: readonly OwnedPartition[]): TopicIdPartitions {
  const topics = new Map<Uuid, number[]>();
  for (const { topicId, partition } of owned) {
    const same = topics.get(topicId);
    if (same === undefined) topics.set(topicId, [partition]);
    else same.push(partition);
  }
  return Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }));
}
