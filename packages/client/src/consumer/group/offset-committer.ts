import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../../cluster/cluster.ts";
import { BrokerError, ClosedError, TimeLimitError, toKafkaError } from "../../errors.ts";
import { backoffDelayMs, sleep } from "../../retry.ts";
import { CommitFailedError, RetriableCommitFailedError } from "./commit-errors.ts";
import type { GroupCoordinator } from "./group-coordinator.ts";
import type { ConsumerGroupMetadata } from "./member.ts";
import type { OffsetToCommit } from "./offset-requests.ts";
import { commitOffsets } from "./offset-requests.ts";
import { partitionName } from "./partition-sets.ts";

export interface OffsetCommitterOptions {
  readonly cluster: Cluster;
  readonly coordinator: GroupCoordinator;
  /** Who commits; undefined while we are between two generations. */
  readonly member: () => ConsumerGroupMetadata | undefined;
  /** Whether a commit that was refused once has a reason to be tried again. */
  readonly mayCommit: (offset: OffsetToCommit) => boolean;
  /** The coordinator does not know us as who we were. */
  readonly onDisowned: (error: KafkaError, generationId: number) => void;
  readonly onCommitted: (offset: OffsetToCommit) => void;
}

interface Commit {
  readonly offsets: ReadonlyMap<string, OffsetToCommit>;
  /** Until when it is tried again; undefined for once. */
  readonly deadlineMs: number | undefined;
  readonly timeoutMs: number;
  /** Whether a member asks for it. A group that has no members takes commits of anybody, those of past members too. */
  readonly isOfMember: boolean;
  hasFailed: boolean;
  resolve(): void;
  reject(error: KafkaError): void;
}

/** What says that we are not, or not any more, who we said. */
const DISOWNED: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.STALE_MEMBER_EPOCH,
  ErrorCode.FENCED_MEMBER_EPOCH,
  ErrorCode.FENCED_INSTANCE_ID,
]);

/** Said of what is being made or deleted: it goes by, or it does not. */
const NO_TOPIC: ReadonlySet<ErrorCode> = new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID]);

const MOVED: ReadonlySet<ErrorCode> = new Set([ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE]);

/** Commits that wait; each has its offsets in memory. Beyond it something is wrong with the coordinator for long. */
const MAX_WAITING_COMMITS = 100_000;

/**
 * Commits in the order of the calls, one request at a time. What is asked for while a request is under way goes out with the
 * next, the later offset of a partition in place of the earlier, so that a commit for each record costs no request for each.
 */
export class OffsetCommitter {
  readonly #options: OffsetCommitterOptions;
  #waiting: Commit[] = [];
  #running: Promise<void> | undefined;

  constructor(options: OffsetCommitterOptions) {
    this.#options = options;
  }

  /**
   * @param timeoutMs how long it may be tried again; undefined for once
   * @throws CommitFailedError, RetriableCommitFailedError for once, TimeLimitError, BrokerError
   */
  commit(offsets: readonly OffsetToCommit[], timeoutMs: number | undefined): Promise<void> {
    if (offsets.length === 0 && this.#waiting.length === 0 && this.#running === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= MAX_WAITING_COMMITS) {
        const cause = new BrokerError(
          ErrorCode.COORDINATOR_NOT_AVAILABLE,
          `${MAX_WAITING_COMMITS} commits wait already`,
        );
        return reject(new RetriableCommitFailedError(cause));
      }
      this.#waiting.push({
        offsets: new Map(offsets.map((one) => [partitionName(one), one])),
        deadlineMs: timeoutMs === undefined ? undefined : this.#nowMs() + timeoutMs,
        timeoutMs: timeoutMs ?? 0,
        isOfMember: isMember(this.#options.member()),
        hasFailed: false,
        resolve,
        reject,
      });
      this.#running ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what is asked for in the same turn goes together
    const { cluster } = this.#options;
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs, random } = cluster.options;
    for (let failures = 0; this.#waiting.length > 0;) {
      const again = await this.#round(this.#waiting.splice(0));
      failures = again.length > 0 ? failures + 1 : 0;
      if (again.length === 0) continue;
      try {
        await sleep(backoffDelayMs({ backoffMs, backoffMaxMs }, failures - 1, random), cluster.retries);
      } catch {
        for (const one of [...again, ...this.#waiting.splice(0)]) one.reject(new ClosedError("the client"));
        break;
      }
      this.#waiting.unshift(...again);
    }
    this.#running = undefined;
  }

  /** @returns those to be tried again */
  async #round(commits: readonly Commit[]): Promise<Commit[]> {
    const { member: whoWeAre, mayCommit } = this.#options;
    const member = whoWeAre();
    const offsets = new Map<string, OffsetToCommit>();
    const asked: Commit[] = [];
    for (const commit of commits) {
      if (commit.isOfMember && !isMember(member)) {
        const cause = new BrokerError(ErrorCode.UNKNOWN_MEMBER_ID, "commit");
        commit.reject(new CommitFailedError("this member has left the group", cause));
        continue;
      }
      const lost = commit.hasFailed && Array.from(commit.offsets.values()).find((one) => !mayCommit(one));
      if (lost !== undefined && lost !== false) {
        const cause = new BrokerError(ErrorCode.REBALANCE_IN_PROGRESS, partitionName(lost));
        commit.reject(new CommitFailedError("a rebalance gave it to another member, or its topic is gone", cause));
        continue;
      }
      asked.push(commit);
      for (const [name, offset] of commit.offsets) offsets.set(name, offset);
    }
    const errors = await this.#send(member, [...offsets.values()]);
    await this.#lookForTopics(errors, offsets);
    const again: Commit[] = [];
    for (const commit of asked) {
      const error = errors instanceof Error ? errors : firstError(errors, commit.offsets);
      if (error === undefined) {
        commit.resolve();
      } else if (this.#isWorthAnother(error, member) && !(commit.hasFailed && this.#isGone(commit, errors))) {
        commit.hasFailed = true;
        if (commit.deadlineMs === undefined) commit.reject(new RetriableCommitFailedError(error));
        else if (this.#nowMs() < commit.deadlineMs) again.push(commit);
        else commit.reject(new TimeLimitError("commit", commit.timeoutMs, "defaultApiTimeoutMs", error));
      } else {
        const isDisowned = DISOWNED.has(error.code);
        commit.reject(isDisowned ? new CommitFailedError("this member is not in the group any more", error) : error);
      }
    }
    return again;
  }

  async #send(
    member: ConsumerGroupMetadata | undefined,
    offsets: readonly OffsetToCommit[],
  ): Promise<ReadonlyMap<string, KafkaError> | KafkaError> {
    const { cluster, coordinator, onCommitted, onDisowned } = this.#options;
    if (offsets.length === 0) return new Map<string, KafkaError>();
    if (member === undefined) return new BrokerError(ErrorCode.REBALANCE_IN_PROGRESS, "commit");
    try {
      const errors = await commitOffsets(cluster, await coordinator.connection(), member, offsets);
      for (const one of offsets) if (!errors.has(partitionName(one))) onCommitted(one);
      const [first] = errors.values();
      if (first === undefined) return errors;
      if (MOVED.has(first.code)) coordinator.forget();
      const isMeant = DISOWNED.has(first.code) || first.code === ErrorCode.REBALANCE_IN_PROGRESS;
      if (isMeant) onDisowned(first, member.generationId);
      return errors;
    } catch (error) {
      coordinator.forget();
      return toKafkaError(error);
    }
  }

  /** A topic that was deleted must not hold up a commit, and whoever waits for it, until its time is over. */
  async #lookForTopics(
    errors: ReadonlyMap<string, KafkaError> | KafkaError,
    offsets: ReadonlyMap<string, OffsetToCommit>,
  ): Promise<void> {
    if (errors instanceof Error) return;
    const topics = new Set<string>();
    for (const [name, { code }] of errors) {
      const offset = offsets.get(name);
      if (offset !== undefined && NO_TOPIC.has(code)) topics.add(offset.topic);
    }
    // Without an answer it is as before.
    if (topics.size > 0) await this.#options.cluster.refreshMetadata(topics).catch(() => {});
  }

  /** Whether nothing but partitions that do not exist is left of it. */
  #isGone({ offsets }: Commit, errors: ReadonlyMap<string, KafkaError> | KafkaError): boolean {
    if (errors instanceof Error) return false;
    const { metadata } = this.#options.cluster;
    return Array.from(offsets).every(([name, { topic, partition }]) => {
      const error = errors.get(name);
      if (error === undefined) return true;
      return NO_TOPIC.has(error.code) && metadata.topic(topic)?.partitions[partition] === undefined;
    });
  }

  /** What was said of a generation or epoch that is past meanwhile is no word about the present one. */
  #isWorthAnother(error: KafkaError, asked: ConsumerGroupMetadata | undefined): boolean {
    // An epoch that is behind is told of by the next heartbeat, for which `onDisowned` has asked.
    if (error.isRetriable || error.code === ErrorCode.STALE_MEMBER_EPOCH) return true;
    if (error.code === ErrorCode.REBALANCE_IN_PROGRESS) return true;
    if (!DISOWNED.has(error.code) || error.code === ErrorCode.FENCED_INSTANCE_ID) return false;
    const now = this.#options.member();
    return now !== undefined && (now.generationId !== asked?.generationId || now.memberId !== asked.memberId);
  }

  #nowMs(): number {
    return this.#options.cluster.options.clock.monotonicMs();
  }
}

/** Whether it commits as one of the group, or will when it knows its generation. */
function isMember(who: ConsumerGroupMetadata | undefined): boolean {
  return who === undefined || who.generationId >= 0;
}

function firstError(
  errors: ReadonlyMap<string, KafkaError>,
  offsets: ReadonlyMap<string, OffsetToCommit>,
): KafkaError | undefined {
  for (const name of offsets.keys()) {
    const error = errors.get(name);
    if (error !== undefined) return error;
  }
  return undefined;
}
