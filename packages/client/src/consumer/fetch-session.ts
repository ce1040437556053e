import type { Uuid } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { FetchRequestFetchTopic, FetchRequestForgottenTopic } from "@samsa/protocol/messages/fetch-request";
import { createFetchRequestFetchPartition } from "@samsa/protocol/messages/fetch-request";

/** What is wanted of one partition. */
export interface Wanted {
  readonly name: string; // of the partition
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly fetchOffset: number;
  readonly currentLeaderEpoch: number;
  readonly lastFetchedEpoch: number;
  readonly partitionMaxBytes: number;
}

/** The part of a fetch request that the session decides. */
export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly topics: readonly FetchRequestFetchTopic[];
  readonly forgottenTopicsData: readonly FetchRequestForgottenTopic[];
}

/** What the broker was told of a partition, and the last request that asked for it. */
interface Known {
  wanted: Wanted;
  request: number;
}

const NO_SESSION = 0;
const FIRST_EPOCH = 0; // asks for a new session
const FINAL_EPOCH = -1; // ends it
const INT32_MAX = 0x7fffffff;

/**
 * The memory that one broker keeps of what this consumer fetches from it, so that a request need only say what changed (KIP-227).
 * A broker without sessions, or without room for one more, answers with session 0, and every request says everything.
 */
export class FetchSession {
  #id = NO_SESSION;
  #epoch = FIRST_EPOCH;
  readonly #known = new Map<string, Known>(); // by name
  #requests = 0;
  #failures = 0; // in a row

  get id(): number {
    return this.#id;
  }

  /** Most requests change little: of what is as it was, nothing is kept and nothing is made. */
  next(wanted: readonly Wanted[]): SessionRequest {
    if (this.#epoch === FIRST_EPOCH) this.#known.clear();
    const request = ++this.#requests;
    const added: Wanted[] = [];
    const forgotten: Wanted[] = [];
    for (const one of wanted) {
      const known = this.#known.get(one.name);
      if (known === undefined) {
        added.push(one);
        this.#known.set(one.name, { wanted: one, request });
        continue;
      }
      known.request = request;
      if (isSame(known.wanted, one)) continue;
      added.push(one);
      if (known.wanted.topicId !== one.topicId) forgotten.push(known.wanted); // deleted and made again
      known.wanted = one;
    }
    if (this.#known.size > wanted.length) this.#forget(request, forgotten);
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      topics: byTopic(added).map((some) => ({
        topic: some[0].topic,
        topicId: some[0].topicId,
        partitions: some.map(({ partition, fetchOffset, currentLeaderEpoch, lastFetchedEpoch, partitionMaxBytes }) =>
          createFetchRequestFetchPartition({
            partition,
            fetchOffset,
            currentLeaderEpoch,
            lastFetchedEpoch,
            partitionMaxBytes,
          }),
        ),
      })),
      forgottenTopicsData: byTopic(forgotten).map((some) => ({
        topic: some[0].topic,
        topicId: some[0].topicId,
        partitions: some.map(({ partition }) => partition),
      })),
    };
  }

  /** What this request does not ask for any more. */
  #forget(request: number, forgotten: Wanted[]): void {
    for (const known of this.#known.values()) {
      if (known.request === request) continue;
      forgotten.push(known.wanted);
      this.#known.delete(known.wanted.name);
    }
  }

  /** Says goodbye, so that the broker need not keep it. */
  final(): SessionRequest {
    return { sessionId: this.#id, sessionEpoch: FINAL_EPOCH, topics: [], forgottenTopicsData: [] };
  }

  /** The names and ids of what the broker was told. */
  topicName(topicId: Uuid): string | undefined {
    for (const { wanted } of this.#known.values()) if (wanted.topicId === topicId) return wanted.topic;
    return undefined;
  }

  /** @returns whether to wait before the next request: the session was refused, and not for the first time */
  onResponse(errorCode: number, sessionId: number): boolean {
    if (errorCode !== ErrorCode.NONE) {
      this.onFailure();
      if (errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND) this.#id = NO_SESSION;
      return ++this.#failures > 1;
    }
    this.#failures = 0;
    this.#id = sessionId;
    this.#epoch = sessionId === NO_SESSION ? FIRST_EPOCH : this.#epoch === INT32_MAX ? 1 : this.#epoch + 1;
    return false;
  }

  /** Nobody knows what the broker heard: a new session takes the place of the old one. */
  onFailure(): void {
    this.#epoch = FIRST_EPOCH;
  }
}

export function isSessionError(errorCode: number): boolean {
  return (
    errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND ||
    errorCode === ErrorCode.INVALID_FETCH_SESSION_EPOCH ||
    errorCode === ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
  );
}

function isSame(a: Wanted, b: Wanted): boolean {
  return (
    a.fetchOffset === b.fetchOffset &&
    a.topicId === b.topicId &&
    a.currentLeaderEpoch === b.currentLeaderEpoch &&
    a.lastFetchedEpoch === b.lastFetchedEpoch
  );
}

/** Brokers without topic ids have the zero id for all, so the name counts too. */
function byTopic(wanted: readonly Wanted[]): readonly (readonly [Wanted, ...Wanted[]])[] {
  const topics = new Map<string, [Wanted, ...Wanted[]]>();
  for (const one of wanted) {
    const key = `${one.topicId}/${one.topic}`;
    const same = topics.get(key);
    if (same === undefined) topics.set(key, [one]);
    else same.push(one);
  }
  return [...topics.values()];
}
