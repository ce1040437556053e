import type { KafkaError } from "@samsa/base";
import { assert, ErrorCode } from "@samsa/base";
import type { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import type { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import type { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { BrokerError, toKafkaError } from "../../errors.ts";
import { backoffDelayMs } from "../../retry.ts";
import { decodeAssignment } from "../assignors/consumer-protocol.ts";
import type {
  AssignorTopic,
  LastAssignment,
  PartitionAssignor,
  RebalanceProtocol,
} from "../assignors/partition-assignor.ts";
import { ClassicLeader } from "./classic-leader.ts";
import type { ClassicMemberOptions } from "./classic-requests.ts";
import { heartbeatRequest, joinGroupRequest, leaveGroupRequest, syncGroupRequest } from "./classic-requests.ts";
import { rebalanceProtocolOf } from "./group-options.ts";
import type { GroupMembershipOperation, Member, MemberEffect, MemberInput, MemberRequest } from "./member.ts";
import { NO_GENERATION, NO_MEMBER_ID } from "./member.ts";
import { without } from "./partition-sets.ts";

/*
 *   idle ──subscribed──► preparing ──released──► joining ──► describing ──► syncing ──► adopting ──► stable
 *                            ▲   (gives up what      │ (waits for the   (leader only)        │            │
 *                            │    it has to)         │  back-off too)                        │            │
 *                            └───────────────────────┴───────────────────────────────────────┴────────────┘
 *   stale   left because nobody asked for records; "polled" begins anew
 *   left, failed   the end
 */
const NEXT_STATES = {
  idle: ["preparing", "left"],
  preparing: ["joining", "preparing", "stale", "left", "failed"],
  joining: ["joining", "describing", "syncing", "preparing", "stale", "left", "failed"],
  describing: ["syncing", "preparing", "stale", "left", "failed"],
  syncing: ["adopting", "preparing", "joining", "stale", "left", "failed"],
  adopting: ["stable", "preparing", "stale", "left", "failed"],
  stable: ["preparing", "stale", "left", "failed"],
  stale: ["preparing", "left"],
  failed: ["left"],
  left: ["left"],
} as const satisfies Record<string, readonly string[]>;

type State = keyof typeof NEXT_STATES;

/** A join or sync is answered when the slowest member has come; beyond that something is broken. */
const REBALANCE_GRACE_MS = 5000;

/** States in which the coordinator counts us as a member and wants to hear from us. */
const BEATING: ReadonlySet<State> = new Set<State>(["preparing", "describing", "syncing", "adopting", "stable"]);

/** One member of a group of the classic protocol, as Java's ConsumerCoordinator and AbstractCoordinator. */
export class ClassicMember implements Member {
  readonly #options: ClassicMemberOptions;
  readonly #rebalanceProtocol: RebalanceProtocol;
  #state: State = "idle";
  #effects: MemberEffect[] = [];
  #nowMs = 0;
  #topics: readonly string[] = [];
  #memberId = NO_MEMBER_ID;
  #generationId = NO_GENERATION;
  #protocolName = "";
  #isLeader = false;
  readonly #leader = new ClassicLeader();
  #owned: readonly TopicPartition[] = [];
  #releasing: readonly TopicPartition[] = [];
  #last: LastAssignment | undefined;
  /** Why to join again once this round is over. */
  #rejoinReason: string | undefined;
  /** Join, sync or leave: one of them is under way at most. */
  #awaited: MemberRequest | undefined;
  #heartbeat: MemberRequest | undefined;
  #heartbeatAtMs = Number.POSITIVE_INFINITY;
  #joinAtMs = Number.POSITIVE_INFINITY;
  #failures = 0; // in a row
  #joinReason = "the first time";

  constructor(options: ClassicMemberOptions) {
    this.#options = options;
    this.#rebalanceProtocol = rebalanceProtocolOf(options.assignors);
  }

  get state(): State {
    return this.#state;
  }

  get isStable(): boolean {
    return this.#state === "stable";
  }

  get generationId(): number {
    return this.#generationId;
  }

  get memberId(): string {
    return this.#memberId;
  }

  get owned(): readonly TopicPartition[] {
    return this.#owned;
  }

  get watchedTopics(): readonly string[] {
    return this.#isLeader ? this.#leader.watchedTopics : this.#topics;
  }

  get wakeAtMs(): number {
    if (this.#state === "joining" && this.#awaited === undefined) return this.#joinAtMs;
    return this.#isBeating && this.#heartbeat === undefined ? this.#heartbeatAtMs : Number.POSITIVE_INFINITY;
  }

  step(input: MemberInput, nowMs: number): readonly MemberEffect[] {
    this.#effects = [];
    this.#nowMs = nowMs;
    this.#handle(input);
    return this.#effects;
  }

  #handle(input: MemberInput): void {
    switch (input.kind) {
      case "subscribed":
        this.#topics = input.subscription.topics;
        return this.#state === "idle" ? this.#prepare("it subscribes") : this.#rejoin("its subscription changed");
      case "tick":
        return this.#onTick();
      case "answered":
        return this.#onAnswer(input.request, input.response as never);
      case "unanswered":
        return this.#onNoAnswer(input.request, input.error);
      case "released":
        return this.#onReleased();
      case "assigned":
        return this.#onAssigned();
      case "described":
        return this.#onDescribed(input.topics);
      case "partition-counts":
        return this.#onPartitionCounts(input.counts);
      case "poll-expired":
        return this.#onPollExpired();
      case "polled":
        return this.#state === "stale" ? this.#prepare("it asks for records again") : undefined;
      case "rejoin":
        return this.#rejoin(input.reason);
      case "disowned":
        return this.#onDisowned(input.error, input.generationId);
      case "leave":
        return this.#leave(input.operation);
      case "resolved":
        return; // topics have names in this protocol
    }
  }

  get #isBeating(): boolean {
    return BEATING.has(this.#state) && this.#generationId !== NO_GENERATION;
  }

  #become(state: State): void {
    const allowed: readonly State[] = NEXT_STATES[this.#state];
    assert(allowed.includes(state), `a member goes from ${this.#state} to ${state}`);
    this.#state = state;
  }

  #do(effect: MemberEffect): void {
    this.#effects.push(effect);
  }

  #rejoin(reason: string): void {
    if (this.#state === "stable") this.#prepare(reason);
    else if (this.#state !== "stale" && this.#state !== "idle") this.#rejoinReason = reason;
  }

  /** Gives up what must be given up before joining: all when eager or expelled, else what is not subscribed to any more. */
  #prepare(reason: string): void {
    this.#become("preparing");
    this.#joinReason = reason;
    this.#rejoinReason = undefined;
    this.#awaited = undefined;
    const isLost = this.#generationId === NO_GENERATION;
    const isAll = isLost || this.#rebalanceProtocol === "eager";
    const partitions = isAll ? this.#owned : this.#owned.filter(({ topic }) => !this.#topics.includes(topic));
    this.#release(partitions, isLost);
    if (partitions.length === 0) this.#join();
  }

  #release(partitions: readonly TopicPartition[], isLost: boolean): void {
    this.#releasing = partitions;
    if (partitions.length > 0) this.#do({ kind: "release", partitions, isLost });
  }

  #onReleased(): void {
    this.#owned = without(this.#owned, this.#releasing);
    this.#releasing = [];
    if (this.#state === "adopting") return this.#take();
    if (this.#state !== "preparing") return;
    const isExpelled = this.#generationId === NO_GENERATION && this.#owned.length > 0;
    if (isExpelled) this.#release(this.#owned, true); // it was told so meanwhile
    else this.#join();
  }

  #join(): void {
    this.#become("joining");
    this.#rejoinReason = undefined;
    this.#ask({
      api: "join-group",
      body: joinGroupRequest(this.#options, {
        memberId: this.#memberId,
        generationId: this.#generationId,
        topics: this.#topics,
        owned: this.#owned,
        last: this.#last,
        reason: this.#joinReason,
      }),
      timeoutMs: this.#patienceMs,
    });
  }

  get #patienceMs(): number {
    const { requestTimeoutMs, rebalanceTimeoutMs } = this.#options;
    return Math.min(0x7fffffff, Math.max(requestTimeoutMs, rebalanceTimeoutMs + REBALANCE_GRACE_MS));
  }

  #ask(request: MemberRequest): void {
    this.#awaited = request;
    this.#do({ kind: "send", request });
  }

  #onTick(): void {
    if (this.#state === "joining" && this.#awaited === undefined && this.#nowMs >= this.#joinAtMs) {
      this.#joinAtMs = Number.POSITIVE_INFINITY;
      this.#join();
    } else if (this.#isBeating && this.#heartbeat === undefined && this.#nowMs >= this.#heartbeatAtMs) this.#beat();
  }

  #beat(): void {
    const { requestTimeoutMs, sessionTimeoutMs } = this.#options;
    const request: MemberRequest = {
      api: "heartbeat",
      body: heartbeatRequest(this.#options, this.#memberId, this.#generationId),
      // Without an answer for a session the coordinator is taken to be gone.
      timeoutMs: Math.min(requestTimeoutMs, sessionTimeoutMs),
    };
    this.#heartbeat = request;
    this.#heartbeatAtMs = this.#nowMs + this.#options.heartbeatIntervalMs;
    this.#do({ kind: "send", request });
  }

  #onAnswer(request: MemberRequest, response: never): void {
    if (request === this.#heartbeat) {
      this.#heartbeat = undefined;
      return this.#onHeartbeat(request, response);
    }
    if (request !== this.#awaited) return; // of a round that is over
    this.#awaited = undefined;
    if (request.api === "join-group") this.#onJoin(response);
    else if (request.api === "sync-group") this.#onSync(response);
    else if (request.api === "leave-group") this.#do({ kind: "left" });
  }

  #onNoAnswer(request: MemberRequest, error: KafkaError): void {
    if (request === this.#heartbeat) {
      this.#heartbeat = undefined;
      if (!this.#isBeating) return;
      this.#heartbeatAtMs = Math.min(this.#heartbeatAtMs, this.#nowMs + this.#backoffMs());
    } else if (request === this.#awaited) {
      this.#awaited = undefined;
      if (request.api === "leave-group") return this.#do({ kind: "left" }); // the session ends by itself
      if (error.isRetriable) this.#joinLater(error);
    } else return;
    this.#do({ kind: "forget-coordinator" });
    if (error.isRetriable) this.#do({ kind: "retry", error });
    else this.#fail(error);
  }

  #joinLater(error: KafkaError): void {
    this.#become("joining");
    this.#joinReason = error.codeName;
    this.#joinAtMs = this.#nowMs + this.#backoffMs();
  }

  #backoffMs(): number {
    return backoffDelayMs(this.#options.backoff, this.#failures++, this.#options.random);
  }

  #fail(error: KafkaError): void {
    this.#become("failed");
    this.#awaited = undefined;
    this.#generationId = NO_GENERATION;
    this.#release(this.#owned, true);
    this.#do({ kind: "fail", error });
  }

  #errorOf(code: number, what: string): BrokerError {
    return new BrokerError(code as ErrorCode, `${what} of group ${this.#options.groupId}`);
  }

  /** The coordinator does not know us as who we are: we own nothing any more. */
  #expel(code: number): void {
    this.#generationId = NO_GENERATION;
    this.#isLeader = false;
    if (code !== ErrorCode.ILLEGAL_GENERATION) this.#memberId = NO_MEMBER_ID;
  }

  #onJoin(response: JoinGroupResponse): void {
    const { errorCode } = response;
    switch (errorCode) {
      case ErrorCode.NONE:
        return this.#onJoined(response);
      case ErrorCode.MEMBER_ID_REQUIRED:
        this.#memberId = response.memberId;
        this.#joinReason = "it knows its member id";
        return this.#join();
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
      case ErrorCode.NOT_COORDINATOR:
        this.#do({ kind: "forget-coordinator" });
        break;
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
        this.#expel(errorCode);
        if (this.#owned.length > 0) return this.#prepare("it was unknown");
        break;
      case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      case ErrorCode.REBALANCE_IN_PROGRESS:
        break;
      default:
        return this.#fail(this.#errorOf(errorCode, "JoinGroup"));
    }
    const error = this.#errorOf(errorCode, "JoinGroup");
    this.#do({ kind: "retry", error });
    this.#joinLater(error);
  }

  #onJoined({ generationId, memberId, leader, members, protocolName, skipAssignment }: JoinGroupResponse): void {
    this.#generationId = generationId;
    this.#memberId = memberId;
    this.#protocolName = protocolName ?? "";
    this.#isLeader = leader === memberId;
    this.#heartbeatAtMs = this.#nowMs + this.#options.heartbeatIntervalMs;
    if (!this.#isLeader) return this.#sync([]);
    try {
      this.#leader.begin(members);
    } catch (error) {
      return this.#fail(toKafkaError(error));
    }
    if (skipAssignment) {
      this.#leader.goOn();
      return this.#sync([]);
    }
    this.#become("describing");
    this.#do({ kind: "describe", topics: this.#leader.watchedTopics });
  }

  #onDescribed(topics: ReadonlyMap<string, AssignorTopic>): void {
    if (this.#state !== "describing") return;
    const assignor = this.#assignor;
    if (assignor === undefined) {
      const message = `the group chose the assignor ${JSON.stringify(this.#protocolName)}, which is none of ours`;
      return this.#fail(new BrokerError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, "JoinGroup", message));
    }
    try {
      this.#sync(this.#leader.assign(assignor, topics));
    } catch (error) {
      this.#fail(toKafkaError(error));
    }
  }

  get #assignor(): PartitionAssignor | undefined {
    return this.#options.assignors.find(({ name }) => name === this.#protocolName);
  }

  #sync(assignments: SyncGroupRequest["assignments"]): void {
    this.#become("syncing");
    this.#ask({
      api: "sync-group",
      body: syncGroupRequest(this.#options, {
        memberId: this.#memberId,
        generationId: this.#generationId,
        protocolName: this.#protocolName,
        assignments,
      }),
      timeoutMs: this.#patienceMs,
    });
  }

  #onSync(response: SyncGroupResponse): void {
    const { errorCode } = response;
    switch (errorCode) {
      case ErrorCode.NONE:
        return this.#adopt(response.assignment);
      case ErrorCode.REBALANCE_IN_PROGRESS:
        return this.#prepare("a rebalance came before the assignment");
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
        this.#do({ kind: "retry", error: this.#errorOf(errorCode, "SyncGroup") });
        this.#expel(errorCode);
        return this.#prepare("it was expelled");
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: {
        const error = this.#errorOf(errorCode, "SyncGroup");
        if (errorCode !== ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) this.#do({ kind: "forget-coordinator" });
        this.#do({ kind: "retry", error });
        return this.#joinLater(error);
      }
      default:
        return this.#fail(this.#errorOf(errorCode, "SyncGroup"));
    }
  }

  #adopt(bytes: Uint8Array): void {
    this.#become("adopting");
    this.#failures = 0;
    try {
      this.#last = { ...decodeAssignment(bytes), generationId: this.#generationId };
    } catch (error) {
      return this.#fail(toKafkaError(error));
    }
    const { partitions } = this.#last;
    const revoked = without(this.#owned, partitions);
    if (revoked.length > 0) {
      // Whoever is to have these gets them in the round that begins once we have given them up (KIP-429).
      this.#rejoinReason = "it gave partitions up";
      return this.#release(revoked, false);
    }
    this.#take();
  }

  #take(): void {
    const last = this.#last;
    if (last === undefined) return;
    this.#assignor?.onAssignment?.(last);
    if (last.partitions.some(({ topic }) => !this.#topics.includes(topic))) {
      this.#rejoinReason = "it was assigned what it does not subscribe to any more";
    }
    const added = without(last.partitions, this.#owned);
    this.#owned = last.partitions;
    this.#do({ kind: "assign", added });
  }

  #onAssigned(): void {
    if (this.#state !== "adopting") return;
    this.#become("stable");
    if (this.#rejoinReason !== undefined) this.#prepare(this.#rejoinReason);
  }

  #onHeartbeat(request: MemberRequest, { errorCode }: HeartbeatResponse): void {
    const isOld = request.api === "heartbeat" && request.body.generationId !== this.#generationId;
    if (errorCode === ErrorCode.NONE) {
      this.#failures = 0;
      return;
    }
    if (isOld || !this.#isBeating) return;
    const error = this.#errorOf(errorCode, "Heartbeat");
    switch (errorCode) {
      case ErrorCode.REBALANCE_IN_PROGRESS:
        return this.#state === "stable" ? this.#prepare("the group rebalances") : undefined;
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
      case ErrorCode.NOT_COORDINATOR:
        this.#do({ kind: "forget-coordinator" });
        this.#do({ kind: "retry", error });
        this.#heartbeatAtMs = Math.min(this.#heartbeatAtMs, this.#nowMs + this.#backoffMs());
        return;
      case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
        return this.#do({ kind: "retry", error });
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
        this.#do({ kind: "retry", error });
        return this.#onExpelled(errorCode);
      default:
        return this.#fail(error);
    }
  }

  #onDisowned(error: KafkaError, generationId: number): void {
    if (generationId !== this.#generationId || !this.#isBeating) return;
    if (error.code === ErrorCode.FENCED_INSTANCE_ID) this.#fail(error);
    else if (error.code === ErrorCode.REBALANCE_IN_PROGRESS) this.#rejoin("the group rebalances");
    else this.#onExpelled(error.code);
  }

  #onExpelled(code: number): void {
    this.#expel(code);
    // While something is being given up or taken in, its end comes first; joining then shows what we have become.
    if (this.#state === "stable" || this.#state === "syncing" || this.#state === "describing") {
      this.#prepare("it was expelled");
    } else this.#rejoinReason = "it was expelled";
  }

  /** The partitions of what is subscribed to, by anyone if we are the leader, changed since the assignment. */
  #onPartitionCounts(counts: ReadonlyMap<string, number>): void {
    if (!this.#isLeader || this.#state !== "stable") return;
    const changed = this.#leader.changedTopic(counts);
    if (changed !== undefined) this.#prepare(`topic ${changed} has other partitions`);
  }

  #onPollExpired(): void {
    if (this.#state === "idle" || this.#state === "left" || this.#state === "failed" || this.#state === "stale") return;
    const { groupInstanceId } = this.#options;
    const memberId = this.#memberId;
    this.#become("stale");
    this.#awaited = undefined;
    this.#rejoinReason = undefined;
    if (groupInstanceId === null && memberId !== NO_MEMBER_ID) {
      // Nobody waits for the answer. A static member is expelled when its session ends.
      this.#do({ kind: "send", request: this.#leaveRequest("nobody asked for records for maxPollIntervalMs") });
    }
    this.#expel(ErrorCode.UNKNOWN_MEMBER_ID);
    this.#release(this.#owned, true);
  }

  #leave(operation: GroupMembershipOperation): void {
    const { groupInstanceId } = this.#options;
    const stays = operation === "remain-in-group" || (operation === "default" && groupInstanceId !== null);
    const isMember = this.#memberId !== NO_MEMBER_ID && this.#state !== "stale" && this.#state !== "failed";
    this.#state = "left";
    this.#owned = [];
    if (stays || !isMember) this.#do({ kind: "left" });
    else this.#ask(this.#leaveRequest("the consumer is closed"));
    this.#generationId = NO_GENERATION;
    this.#memberId = NO_MEMBER_ID;
  }

  #leaveRequest(reason: string): MemberRequest {
    return {
      api: "leave-group",
      body: leaveGroupRequest(this.#options, this.#memberId, reason),
      timeoutMs: this.#options.requestTimeoutMs,
    };
  }
}
