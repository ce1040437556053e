import type { Uuid } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";

export type FetchPartitionRequest = FetchRequest["topics"][number]["partitions"][number];

/** What a client wants of one partition. */
export interface FetchWish {
  /** The name it was asked by; empty when it was asked by its id. */
  readonly topic: string;
  readonly topicId: Uuid;
  readonly request: FetchPartitionRequest;
}

/** The wishes of a request by partition. One that is named twice stands in the first place with the last wish, as in Kafka. */
export function wishesOf(topics: FetchRequest["topics"]): ReadonlyMap<string, FetchWish> {
  const wishes = new Map<string, FetchWish>();
  for (const { topic, topicId, partitions } of topics) {
    for (const request of partitions) {
      wishes.set(partitionKey(topic, topicId, request.partition), { topic, topicId, request });
    }
  }
  return wishes;
}

interface CachedPartition extends FetchWish {
  readonly highWatermark: number; // as the client was last told; -1 when it must be told again
  readonly logStartOffset: number;
}

const NEVER_TOLD = { highWatermark: -1, logStartOffset: -1 };
const MAX_EPOCH = 2 ** 31 - 1;

/** The epoch that follows in a session: the first is 1, and after the largest comes 1 again. */
export function nextSessionEpoch(epoch: number): number {
  return epoch === MAX_EPOCH ? 1 : epoch + 1;
}

export interface FetchSessionOptions {
  readonly id: number;
  /** A follower's: it outlives those of consumers. */
  readonly isPrivileged: boolean;
  readonly usesTopicIds: boolean;
  readonly nowMs: number; // monotonic
}

/** What the broker remembers of a client between its fetches: the partitions, and what it knows of each (KIP-227). */
export class FetchSession {
  readonly id: number;
  readonly isPrivileged: boolean;
  readonly usesTopicIds: boolean;
  readonly createdMs: number;
  lastUsedMs: number;
  /** Of the request that is expected next. */
  epoch = 1;
  /** In the order in which they are read: who was given records goes to the end, so that none starves. */
  readonly #partitions = new Map<string, CachedPartition>();

  constructor({ id, isPrivileged, usesTopicIds, nowMs }: FetchSessionOptions) {
    this.id = id;
    this.isPrivileged = isPrivileged;
    this.usesTopicIds = usesTopicIds;
    this.createdMs = nowMs;
    this.lastUsedMs = nowMs;
  }

  get size(): number {
    return this.#partitions.size;
  }

  get wishes(): readonly FetchWish[] {
    return [...this.#partitions.values()];
  }

  /** Takes up new partitions and new wishes. */
  update(wishes: ReadonlyMap<string, FetchWish>): void {
    for (const [key, wish] of wishes) {
      const { highWatermark, logStartOffset } = this.#partitions.get(key) ?? NEVER_TOLD;
      this.#partitions.set(key, { ...wish, highWatermark, logStartOffset });
    }
  }

  forget(topics: FetchRequest["forgottenTopicsData"]): void {
    for (const { topic, topicId, partitions } of topics) {
      for (const partition of partitions) this.#partitions.delete(partitionKey(topic, topicId, partition));
    }
  }

  /** Notes what the client is told of a partition; true when there is something that it does not know yet. */
  tell(wish: FetchWish, data: FetchResponsePartitionData): boolean {
    const key = partitionKey(wish.topic, wish.topicId, data.partitionIndex);
    const known = this.#partitions.get(key);
    if (known === undefined) return true; // forgotten meanwhile, by a request on another connection
    const hasRecords = (data.records?.length ?? 0) > 0;
    const isError = data.errorCode !== ErrorCode.NONE;
    const { logStartOffset } = data;
    if (hasRecords) this.#partitions.delete(key);
    this.#partitions.set(key, { ...known, highWatermark: isError ? -1 : data.highWatermark, logStartOffset });
    return (
      hasRecords ||
      isError ||
      known.highWatermark !== data.highWatermark ||
      known.logStartOffset !== logStartOffset ||
      data.preferredReadReplica !== -1 ||
      data.divergingEpoch.epoch !== -1
    );
  }
}

function partitionKey(topic: string, topicId: Uuid, partition: number): string {
  return `${partition}/${topicId}/${topic}`;
}
