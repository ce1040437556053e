import { ByteReader, ByteWriter, ErrorCode, KafkaError } from "@samsa/base";
import { NO_PRODUCER_EPOCH, NO_PRODUCER_ID } from "@samsa/protocol";
import { TransactionLogKey } from "@samsa/protocol/messages/transaction-log-key";
import { TransactionLogValue } from "@samsa/protocol/messages/transaction-log-value";
import type { RecordSerde, StoredRecord } from "../runtime/coordinator-shard.ts";
import { NO_PARTITIONS, topicPartitions } from "./topic-partitions.ts";
import type { TransactionMetadata } from "./transaction-metadata.ts";
import { TRANSACTION_STATES } from "./transaction-state.ts";

/** A record of `__transaction_state`: what is known of a transactional id, or that it is forgotten. */
export interface TransactionRecord {
  readonly transactionalId: string;
  readonly metadata: TransactionMetadata | null;
}

const KEY_VERSION = 0;
/** Flexible: below transaction.version 1 Kafka writes version 0, which has no place for what came since. */
const VALUE_VERSION = 1;
const VALUE_VERSION_WITHOUT_TAGS = 0;

/** @param transactionVersion the level that the cluster has agreed on, at any time */
export function transactionRecordSerde(transactionVersion: () => number): RecordSerde<TransactionRecord> {
  return {
    encode({ transactionalId, metadata }): StoredRecord {
      const keyWriter = new ByteWriter("shared");
      keyWriter.int16(KEY_VERSION);
      TransactionLogKey.write(keyWriter, { transactionalId }, KEY_VERSION);
      const key = keyWriter.toBytes();
      if (metadata === null) return { key, value: null };
      const version = transactionVersion() > 0 ? VALUE_VERSION : VALUE_VERSION_WITHOUT_TAGS;
      const writer = new ByteWriter("shared");
      writer.int16(version);
      TransactionLogValue.write(writer, valueOf(metadata, version), version);
      return { key, value: writer.toBytes() };
    },

    decode(key: Uint8Array, value: Uint8Array | null): TransactionRecord | undefined {
      const keyReader = new ByteReader(key);
      if (keyReader.int16() !== KEY_VERSION) return undefined;
      const { transactionalId } = TransactionLogKey.read(keyReader, KEY_VERSION);
      if (value === null) return { transactionalId, metadata: null };
      const reader = new ByteReader(value);
      const version = reader.int16();
      if (version < TransactionLogValue.lowestVersion || version > TransactionLogValue.highestVersion) {
        throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `${TransactionLogValue.name} of version ${version}`);
      }
      return { transactionalId, metadata: metadataOf(TransactionLogValue.read(reader, version)) };
    },
  };
}

function valueOf(metadata: TransactionMetadata, version: number): TransactionLogValue {
  const hasTags = version > VALUE_VERSION_WITHOUT_TAGS;
  const partitions: { topic: string; partitionIds: readonly number[] }[] = [];
  for (const [topic, ids] of metadata.partitions) partitions.push({ topic, partitionIds: [...ids] });
  return TransactionLogValue.create({
    producerId: metadata.producerId,
    producerEpoch: metadata.producerEpoch,
    transactionTimeoutMs: metadata.transactionTimeoutMs,
    transactionStatus: TRANSACTION_STATES.indexOf(metadata.state),
    transactionPartitions: metadata.state === "Empty" ? null : partitions,
    transactionLastUpdateTimestampMs: metadata.lastUpdateTimestampMs,
    transactionStartTimestampMs: metadata.startTimestampMs,
    previousProducerId: hasTags ? metadata.previousProducerId : NO_PRODUCER_ID,
    nextProducerId: hasTags ? metadata.nextProducerId : NO_PRODUCER_ID,
    nextProducerEpoch: hasTags ? metadata.nextProducerEpoch : NO_PRODUCER_EPOCH,
    clientTransactionVersion: hasTags ? metadata.clientTransactionVersion : 0,
  });
}

function metadataOf(value: TransactionLogValue): TransactionMetadata {
  const state = TRANSACTION_STATES[value.transactionStatus];
  // Neither is ever written: one has a tombstone, the other lasts for no time.
  const isWritten = state !== undefined && state !== "Dead" && state !== "PrepareEpochFence";
  if (!isWritten || value.producerId < 0 || value.producerEpoch < 0) {
    const { transactionStatus, producerId, producerEpoch } = value;
    const what = `status ${transactionStatus}, producer id ${producerId}, epoch ${producerEpoch}`;
    throw new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, `a transaction that cannot be: ${what}`);
  }
  const partitions = value.transactionPartitions ?? [];
  return {
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    nextProducerEpoch: value.nextProducerEpoch,
    producerEpoch: value.producerEpoch,
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    transactionTimeoutMs: value.transactionTimeoutMs,
    state,
    partitions:
      state === "Empty" ? NO_PARTITIONS : topicPartitions(partitions.map((p) => [p.topic, p.partitionIds] as const)),
    startTimestampMs: value.transactionStartTimestampMs,
    lastUpdateTimestampMs: value.transactionLastUpdateTimestampMs,
    clientTransactionVersion: value.clientTransactionVersion,
  };
}
