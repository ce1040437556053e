import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { ConfigurationError } from "../../errors.ts";
import type { OptionRule } from "../../options.ts";
import { anything, oneOf, optional, resolveOptions } from "../../options.ts";
import type { Data } from "../../producer/record.ts";
import type { Transaction } from "../../producer/transaction.ts";
import { abandon, isRecoverable } from "../../producer/transaction-recovery.ts";
import type { BackoffOptions, RetryContext } from "../../retry.ts";
import { backoffDelayMs, sleep } from "../../retry.ts";
import type { ConsumerBatch, ConsumerRecord } from "../consumer-record.ts";
import type { ConsumerGroupMetadata } from "../group/member.ts";
import { partitionName } from "../group/partition-sets.ts";

/** Handlers that write: what they write and how far was read count together, or not at all. */
export interface ExactlyOnceRunOptions<K, V, OutKey = Data, OutValue = Data> {
  readonly deliveryGuarantee: "exactly-once";
  /** With a `transactionalId`, and nothing else to do meanwhile: each batch is a transaction of it. */
  readonly producer: TransactionalProducer<OutKey, OutValue>;
  readonly eachRecord?: (
    record: ConsumerRecord<K, V>,
    transaction: Transaction<OutKey, OutValue>,
  ) => Promise<void> | void;
  readonly eachBatch?: (batch: ConsumerBatch<K, V>, transaction: Transaction<OutKey, OutValue>) => Promise<void> | void;
  /** Ends the run once the batch in hand is committed; `run` then resolves. */
  readonly signal?: AbortSignal;
}

/** A producer, as such a run sees it. */
export interface TransactionalProducer<K, V> {
  initTransactions(): Promise<void>;
  beginTransaction(): Promise<Transaction<K, V>>;
}

/** A consumer, as such a run sees it. */
export interface TransactionalSource<K, V> {
  readonly assignment: readonly TopicPartition[];
  batches(options: { readonly signal?: AbortSignal }): AsyncIterable<ConsumerBatch<K, V>>;
  groupMetadata(): ConsumerGroupMetadata;
  committed(partitions: readonly TopicPartition[]): Promise<readonly ({ readonly offset: number } | undefined)[]>;
  seek(partition: TopicPartition, offset: number): void;
}

const RULES: { readonly [Name in keyof Required<ExactlyOnceRunOptions<unknown, unknown>>]: OptionRule } = {
  deliveryGuarantee: oneOf("exactly-once"),
  producer: (value) =>
    typeof value === "object" && value !== null && "beginTransaction" in value
      ? undefined
      : "a producer with a transactionalId",
  eachRecord: optional((value) => (typeof value === "function" ? undefined : "a function")),
  eachBatch: optional((value) => (typeof value === "function" ? undefined : "a function")),
  signal: optional(anything),
};
const DEFAULTS = { producer: undefined, eachRecord: undefined, eachBatch: undefined, signal: undefined };

/**
 * Hands out a batch at a time, in a transaction that ends with the offset behind it (KIP-447). The offset is committed as of the
 * generation in which the batch was handed out: when the partitions have changed hands since, the coordinator refuses it, and
 * nothing of the batch counts. What failed for a reason that may pass is read again from what the group has committed.
 *
 * @throws what a handler throws, once the transaction is aborted and reading stands where the batch began
 */
export async function runExactlyOnce<K, V, OutKey, OutValue>(
  source: TransactionalSource<K, V>,
  given: ExactlyOnceRunOptions<K, V, OutKey, OutValue>,
  retries: RetryContext & BackoffOptions,
): Promise<void> {
  resolveOptions("consumer.run exactly-once", given, { ...DEFAULTS, deliveryGuarantee: "exactly-once" }, RULES);
  const { producer, eachRecord, eachBatch, signal } = given;
  if ((producer as unknown) === undefined) {
    throw new ConfigurationError("consumer.run: exactly-once wants a producer, with a transactionalId");
  }
  if ((eachRecord === undefined) === (eachBatch === undefined)) {
    throw new ConfigurationError("consumer.run: one of eachRecord and eachBatch is wanted");
  }
  await producer.initTransactions(); // what a crash has left open is aborted before anybody asks how far it came
  let failuresInARow = 0;
  const recover = async (
    transaction: Transaction<OutKey, OutValue> | undefined,
    batch: ConsumerBatch<K, V>,
  ): Promise<void> => {
    for (;;) {
      await sleep(backoffDelayMs(retries, failuresInARow++, retries.random), retries);
      try {
        if (transaction !== undefined) await abandon(transaction, producer);
        return await readAgain(source, batch);
      } catch (error) {
        if (!isRecoverable(error) || signal?.aborted === true) throw error;
      }
    }
  };
  try {
    for await (const batch of source.batches(signal === undefined ? {} : { signal })) {
      const group = source.groupMetadata();
      if (!holds(source, batch)) continue;
      let transaction: Transaction<OutKey, OutValue> | undefined;
      try {
        transaction = await producer.beginTransaction();
        if (eachBatch !== undefined) await eachBatch(batch, transaction);
        else for (const record of batch.records()) await eachRecord?.(record, transaction);
        const { topic, partition, lastOffset, leaderEpoch } = batch;
        await transaction.commitOffsets([{ topic, partition, offset: lastOffset + 1, leaderEpoch }], group);
        await transaction.commitOrAbort();
        failuresInARow = 0;
      } catch (error) {
        if (!isRecoverable(error)) {
          await transaction?.[Symbol.asyncDispose]().catch(() => undefined); // what went wrong first says more
          if (holds(source, batch)) source.seek(batch, batch.firstOffset);
          throw error;
        }
        await recover(transaction, batch);
      }
    }
  } catch (error) {
    if (signal?.aborted !== true || error !== signal.reason) throw error;
  }
}

/** A commit of which nobody heard may have come to pass. */
async function readAgain<K, V>(source: TransactionalSource<K, V>, batch: ConsumerBatch<K, V>): Promise<void> {
  const [committed] = await source.committed([batch]);
  if (holds(source, batch)) source.seek(batch, Math.max(batch.firstOffset, committed?.offset ?? 0));
}

function holds<K, V>({ assignment }: TransactionalSource<K, V>, batch: TopicPartition): boolean {
  return assignment.some((one) => partitionName(one) === partitionName(batch));
}
