import type { SendOptions } from "./producer.ts";
import type { ProducerTransactions } from "./producer-transactions.ts";
import type { Data, DeliveryCallback, ProducerRecord, RecordMetadata } from "./record.ts";
import type { ConsumerGroupMetadata } from "../consumer/group/member.ts";
import type { OffsetToCommit } from "../consumer/group/offset-requests.ts";
import { checkOffsets } from "../consumer/check-calls.ts";
import { ConfigurationError } from "../errors.ts";
import { TransactionStateError } from "./transaction-errors.ts";

/** A consumer, as a transaction sees it: who has read, and up to where. */
export interface OffsetSource {
  groupMetadata(): ConsumerGroupMetadata;
  /** Behind everything that was handed out and is completed. */
  consumedOffsets(): readonly OffsetToCommit[];
}

/** What a transaction needs of its producer. */
export interface RecordSink<K, V> {
  send(record: ProducerRecord<K, V>, options?: SendOptions): Promise<RecordMetadata>;
  sendBatch(records: readonly ProducerRecord<K, V>[], options?: SendOptions): Promise<RecordMetadata[]>;
  write(record: ProducerRecord<K, V>, callback?: DeliveryCallback): boolean;
  ready(): Promise<void>;
}

/**
 * A transaction that is open: readers with `read_committed` see all of what is sent here, and the offsets that are committed here
 * count, or nothing of it. One at a time for each producer.
 */
export class Transaction<K = Data, V = Data> {
  readonly #producer: RecordSink<K, V>;
  readonly #transactions: ProducerTransactions;
  #isOver = false;

  constructor(producer: RecordSink<K, V>, transactions: ProducerTransactions) {
    this.#producer = producer;
    this.#transactions = transactions;
  }

  /** As `producer.send`; need not be awaited, since `commit` waits for it and fails when it has failed. */
  send(record: ProducerRecord<K, V>, options?: SendOptions): Promise<RecordMetadata> {
    if (this.#isOver) return Promise.reject(isOver());
    return quietly(this.#producer.send(record, options));
  }

  sendBatch(records: readonly ProducerRecord<K, V>[], options?: SendOptions): Promise<RecordMetadata[]> {
    if (this.#isOver) return Promise.reject(isOver());
    return quietly(this.#producer.sendBatch(records, options));
  }

  /** @returns false when the buffer is full: wait for `ready()` before the next */
  write(record: ProducerRecord<K, V>, callback?: DeliveryCallback): boolean {
    if (this.#isOver) throw isOver();
    return this.#producer.write(record, callback);
  }

  ready(): Promise<void> {
    return this.#producer.ready();
  }

  /**
   * Commits offsets with the transaction (KIP-447): those of a consumer behind what it has handed out, or those that are given.
   * @throws BrokerError ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID when the partitions are another member's now: the
   *   transaction can only be aborted
   */
  commitOffsets(consumer: OffsetSource): Promise<void>;
  commitOffsets(offsets: readonly OffsetToCommit[], group: ConsumerGroupMetadata | string): Promise<void>;
  async commitOffsets(
    from: OffsetSource | readonly OffsetToCommit[],
    group?: ConsumerGroupMetadata | string,
  ): Promise<void> {
    if (this.#isOver) throw isOver();
    if ("groupMetadata" in from) {
      await this.#transactions.commitOffsets(from.consumedOffsets(), from.groupMetadata());
      return;
    }
    checkOffsets("transaction.commitOffsets", from);
    if (group === undefined || group === "") {
      throw new ConfigurationError(
        "transaction.commitOffsets: name the group whose offsets they are, as the second argument",
      );
    }
    const metadata = typeof group === "string" ? groupAlone(group) : group;
    await this.#transactions.commitOffsets(from, metadata);
  }

  /** See ProducerTransactions.commit. */
  async commit(): Promise<void> {
    if (this.#isOver) throw isOver();
    await this.#transactions.commit();
    this.#isOver = true;
  }

  /** See ProducerTransactions.commitOrAbort. */
  async commitOrAbort(): Promise<void> {
    if (this.#isOver) throw isOver();
    this.#isOver = true;
    await this.#transactions.commitOrAbort();
  }

  async abort(): Promise<void> {
    if (this.#isOver) throw isOver();
    this.#isOver = true;
    await this.#transactions.abort();
  }

  /** Aborts, unless it is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    await this.abort();
  }
}

/** Nobody's in particular: a consumer that assigns its partitions itself. */
function groupAlone(groupId: string): ConsumerGroupMetadata {
  return { groupId, generationId: -1, memberId: "", groupInstanceId: null };
}

/** Whoever does not await it learns from the commit. */
function quietly<T>(sent: Promise<T>): Promise<T> {
  sent.catch(() => undefined);
  return sent;
}

function isOver(): TransactionStateError {
  return new TransactionStateError("this transaction is over: begin another");
}
