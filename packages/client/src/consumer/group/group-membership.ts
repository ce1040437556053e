import type { KafkaError, Timer, Uuid } from "@samsa/base";
import type { Cluster } from "../../cluster/cluster.ts";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { toKafkaError } from "../../errors.ts";
import { eventLoopBlocked, groupRebalanced } from "../../observability/channels.ts";
import { backoffDelayMs, sleep } from "../../retry.ts";
import { AssignedPartition } from "../assigned-partition.ts";
import type { AssignedPartitions } from "../assigned-partitions.ts";
import type { InHand } from "../in-hand.ts";
import type { GroupCoordinator } from "./group-coordinator.ts";
import { EventLoopBlockedError, MaxPollIntervalExceededError } from "./group-errors.ts";
import type { GroupMembershipOperation, Member, MemberEffect, MemberInput, MemberRequest } from "./member.ts";
import { NO_GENERATION } from "./member.ts";
import { sendMemberRequest } from "./member-requests.ts";
import { PollWatch } from "./poll-watch.ts";
import type { RebalanceListener } from "./rebalance-listener.ts";
import type { SubscribedTopics } from "./subscribed-topics.ts";
import { describeTopics } from "./subscribed-topics.ts";

export interface GroupMembershipOptions {
  readonly cluster: Cluster;
  readonly coordinator: GroupCoordinator;
  readonly purpose: string; // of the connection
  readonly partitions: AssignedPartitions;
  readonly inHand: InHand;
  readonly maxPollIntervalMs: number;
  readonly blockedMs: number;
  readonly topics: SubscribedTopics;
  /** Matched by the broker, where it can; `topics` are empty then. */
  readonly pattern: string | undefined;
  readonly member: Member;
  readonly listener: RebalanceListener;
  /** Commits what is completed of these, where that is wanted; never rejects. */
  readonly commitCompleted: (partitions: readonly AssignedPartition[]) => Promise<void>;
  /** Finds where to begin. */
  readonly place: (partitions: readonly AssignedPartition[]) => void;
  /** The broker does not have the protocol: another member takes the place of this one. */
  readonly onUnsupported: (error: KafkaError) => void;
  readonly onRetry: (error: KafkaError) => void;
}

interface Release {
  isLost: boolean;
  /** Somebody waits for what is in hand. */
  wake: () => void;
}

/** A topic that is subscribed to and does not exist is looked for so often. */
const MISSING_TOPIC_MS = 5000;

/**
 * Performs what a `Member` decides: requests, timers, and the partitions that come and go with the listener's consent. One of
 * these lives from a subscription to its end.
 */
export class GroupMembership {
  readonly #options: GroupMembershipOptions;
  readonly #watch: PollWatch;
  #listener: RebalanceListener;
  #topics: SubscribedTopics;
  #pattern: string | undefined;
  /** Partitions come and go one change after another. */
  #changes: Promise<void> = Promise.resolve();
  #lastChange = 0;
  #release: Release | undefined;
  #timer: Timer | undefined;
  #refreshTimer: Timer | undefined;
  #isOver = false;
  #isLeaving = false;
  #whenLeft: (() => void)[] = [];

  constructor(options: GroupMembershipOptions) {
    const { clock } = options.cluster.options;
    this.#options = options;
    this.#listener = options.listener;
    this.#topics = options.topics;
    this.#pattern = options.pattern;
    this.#watch = new PollWatch({
      clock,
      inHand: options.inHand,
      maxPollIntervalMs: options.maxPollIntervalMs,
      blockedMs: options.blockedMs,
      onExpired: () => this.#onPollExpired(),
      onPolled: () => this.#step({ kind: "polled" }),
      onBlocked: (blockedMs) => this.#onBlocked(blockedMs),
    });
  }

  get member(): Member {
    return this.#options.member;
  }

  start(): void {
    this.#watch.start();
    void this.#refresh(true);
  }

  /** Another subscription in the same group. */
  resubscribe(topics: SubscribedTopics, pattern: string | undefined, listener: RebalanceListener): void {
    this.#topics = topics;
    this.#pattern = pattern;
    this.#listener = listener;
    void this.#refresh(true);
  }

  rejoin(reason: string): void {
    this.#step({ kind: "rejoin", reason });
  }

  onDisowned(error: KafkaError, generationId: number): void {
    this.#step({ kind: "disowned", error, generationId });
  }

  /** Commits, tells the listener, leaves. @param limitMs how long to wait for handlers and the coordinator */
  async leave(operation: GroupMembershipOperation, limitMs: number): Promise<void> {
    if (this.#isOver) return;
    const { partitions, member, cluster } = this.#options;
    this.#isLeaving = true;
    this.#watch.stop();
    this.#refreshTimer?.cancel();
    this.#release?.wake();
    let isLate = false;
    const left = new Promise<void>((resolve) => this.#whenLeft.push(resolve));
    const limit = cluster.options.clock.setTimer(limitMs, () => {
      isLate = true;
      this.#end();
    });
    const isLost = member.generationId === NO_GENERATION;
    const change = this.#change(() => this.#giveUp(partitions.list, { isLost, wake: () => {} }));
    await Promise.race([change, left]);
    if (!isLate) {
      this.#step({ kind: "leave", operation });
      await left;
    }
    limit.cancel();
  }

  /** Stops at once. The partitions stay as they are. */
  abandon(): void {
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#watch.stop();
    this.#timer?.cancel();
    this.#refreshTimer?.cancel();
    this.#release?.wake();
    for (const callback of this.#whenLeft.splice(0)) callback();
  }

  #step(input: MemberInput): void {
    if (this.#isOver) return;
    const { member, cluster } = this.#options;
    try {
      for (const effect of member.step(input, cluster.options.clock.monotonicMs())) this.#perform(effect);
    } catch (error) {
      this.#end();
      this.#options.partitions.fail(toKafkaError(error));
      return;
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { wakeAtMs } = this.#options.member;
    if (this.#isOver || wakeAtMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#options.cluster.options;
    this.#timer = clock.setTimer(Math.max(0, wakeAtMs - clock.monotonicMs()), () => this.#step({ kind: "tick" }));
  }

  #perform(effect: MemberEffect): void {
    const { coordinator, partitions, onRetry } = this.#options;
    switch (effect.kind) {
      case "send":
        return void this.#send(effect.request);
      case "forget-coordinator":
        return coordinator.forget();
      case "release":
        return this.#startRelease(effect.partitions, effect.isLost);
      case "assign":
        return this.#startAssign(effect.added);
      case "describe":
        return void this.#describe(effect.topics);
      case "resolve":
        return void this.#resolve(effect.topicIds);
      case "retry":
        return onRetry(effect.error);
      case "fail":
        return partitions.fail(effect.error);
      case "unsupported":
        this.#end();
        return this.#options.onUnsupported(effect.error);
      case "left":
        return this.#end();
    }
  }

  async #send(request: MemberRequest): Promise<void> {
    const { coordinator, purpose } = this.#options;
    try {
      // A join may wait for long, and whoever leaves does not wait behind it.
      const connection = await coordinator.connection(request.api === "leave-group" ? undefined : purpose);
      const response = await sendMemberRequest(connection, request);
      this.#step({ kind: "answered", request, response });
    } catch (error) {
      this.#step({ kind: "unanswered", request, error: toKafkaError(error) });
    }
  }

  #change(change: () => Promise<void>): Promise<void> {
    this.#lastChange++;
    this.#changes = this.#changes.then(change);
    return this.#changes;
  }

  #startRelease(wanted: readonly TopicPartition[], isLost: boolean): void {
    const { partitions } = this.#options;
    const current = this.#release;
    if (isLost && current !== undefined) {
      current.isLost = true; // while it was being given up it was taken away
      current.wake();
    }
    const release: Release = { isLost, wake: () => {} };
    const held = wanted.flatMap((one) => partitions.find(one) ?? []);
    partitions.hold(held);
    void this.#change(async () => {
      await this.#giveUp(
        held.filter((one) => partitions.list.includes(one)),
        release,
      );
    });
    const number = this.#lastChange;
    void this.#changes.then(() => {
      if (number === this.#lastChange) this.#step({ kind: "released" });
    });
  }

  async #giveUp(held: readonly AssignedPartition[], release: Release): Promise<void> {
    if (held.length === 0) return;
    const { partitions, commitCompleted } = this.#options;
    partitions.hold(held);
    partitions.wake(); // whoever is in the middle of a batch lets go of it
    this.#release = release;
    if (!release.isLost) await this.#whenFree(held, release);
    if (!release.isLost) await commitCompleted(held);
    this.#publish(release.isLost ? "lost" : "revoked", held);
    const isLostTold = release.isLost && this.#listener.onLost !== undefined;
    await this.#tell(isLostTold ? "onLost" : "onRevoked", held);
    this.#release = undefined;
    partitions.remove(held);
  }

  /** Until nobody works on these any more, or they are lost, or the consumer is being closed, perhaps by who works on them. */
  #whenFree(held: readonly AssignedPartition[], release: Release): Promise<void> {
    const { inHand } = this.#options;
    return new Promise((resolve) => {
      const look = (): void => {
        if (release.isLost || this.#isLeaving || this.#isOver || inHand.isFree(held)) resolve();
        else inHand.onceMoved(look);
      };
      release.wake = look;
      look();
    });
  }

  #startAssign(added: readonly TopicPartition[]): void {
    const { partitions, place } = this.#options;
    void this.#change(async () => {
      if (this.#isLeaving) return;
      const created = added.map(
        ({ topic, partition }) => new AssignedPartition(topic, partition, "committed", Number.POSITIVE_INFINITY),
      );
      partitions.hold(created);
      partitions.add(created);
      this.#publish("assigned", created);
      if (created.length > 0) await this.#tell("onAssigned", created);
      partitions.release(created);
      place(created);
    });
    const number = this.#lastChange;
    void this.#changes.then(() => {
      if (number === this.#lastChange) this.#step({ kind: "assigned" });
    });
  }

  async #tell(what: keyof RebalanceListener, partitions: readonly AssignedPartition[]): Promise<void> {
    const named = partitions.map(({ topic, partition }) => ({ topic, partition }));
    try {
      await this.#listener[what]?.(named);
    } catch (error) {
      this.#options.partitions.fail(error instanceof Error ? error : toKafkaError(error));
    }
  }

  #publish(kind: "assigned" | "revoked" | "lost", partitions: readonly AssignedPartition[]): void {
    if (!groupRebalanced.hasSubscribers) return;
    const { coordinator, member } = this.#options;
    const { memberId, generationId } = member;
    const named = partitions.map(({ topic, partition }) => ({ topic, partition }));
    groupRebalanced.publish({ groupId: coordinator.groupId, memberId, generationId, [kind]: named });
  }

  async #describe(topics: readonly string[]): Promise<void> {
    const { cluster } = this.#options;
    await this.#insist(() => cluster.refreshMetadata(topics));
    this.#step({ kind: "described", topics: describeTopics(cluster, topics) });
  }

  async #resolve(topicIds: readonly Uuid[]): Promise<void> {
    const { cluster } = this.#options;
    await this.#insist(() => cluster.refreshTopicIds(topicIds));
    const names = new Map(
      topicIds.flatMap((id) => {
        const name = cluster.metadata.topicName(id);
        return name === undefined ? [] : [[id, name] as const];
      }),
    );
    this.#step({ kind: "resolved", names });
  }

  /** Tries until it works or is of no use any more. */
  async #insist(work: () => Promise<unknown>): Promise<void> {
    const { cluster, onRetry, partitions } = this.#options;
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs, random } = cluster.options;
    for (let failures = 0; !this.#isOver; failures++) {
      try {
        await work();
        return;
      } catch (thrown) {
        const error = toKafkaError(thrown);
        if (cluster.isClosed) return this.#end();
        if (error.isRetriable) onRetry(error);
        else partitions.fail(error);
        await sleep(backoffDelayMs({ backoffMs, backoffMaxMs }, failures, random), cluster.retries).catch(() => {});
      }
    }
  }

  /** Looks at the metadata, now and from time to time. */
  async #refresh(isNew: boolean): Promise<void> {
    const { cluster, member } = this.#options;
    const topics = this.#topics;
    let isOther = false;
    await this.#insist(async () => {
      isOther = await topics.refresh(member.watchedTopics);
    });
    if (topics !== this.#topics || this.#isOver || this.#isLeaving) return; // another took its place meanwhile
    if (isNew || isOther) {
      this.#step({ kind: "subscribed", subscription: { topics: topics.topics, pattern: this.#pattern } });
    }
    const counts = new Map<string, number>();
    for (const [name, { partitionCount }] of describeTopics(cluster, member.watchedTopics))
      counts.set(name, partitionCount);
    this.#step({ kind: "partition-counts", counts });
    const { clock, metadataMaxAgeMs } = cluster.options;
    const delayMs = topics.isIncomplete ? Math.min(MISSING_TOPIC_MS, metadataMaxAgeMs) : metadataMaxAgeMs;
    this.#refreshTimer?.cancel();
    if (this.#isOver || delayMs === Number.POSITIVE_INFINITY) return;
    this.#refreshTimer = clock.setTimer(delayMs, () => void this.#refresh(false));
  }

  #onPollExpired(): void {
    const { maxPollIntervalMs, inHand, onRetry } = this.#options;
    onRetry(new MaxPollIntervalExceededError(maxPollIntervalMs, inHand.describe()));
    this.#step({ kind: "poll-expired" });
  }

  #onBlocked(blockedMs: number): void {
    const { coordinator, inHand, onRetry } = this.#options;
    const records = inHand.describe();
    onRetry(new EventLoopBlockedError(blockedMs, records));
    if (eventLoopBlocked.hasSubscribers) eventLoopBlocked.publish({ groupId: coordinator.groupId, blockedMs, records });
  }
}
