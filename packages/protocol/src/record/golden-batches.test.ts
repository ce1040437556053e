import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Digest, GoldenBatch, GoldenRecord } from "../testing/golden-batches.ts";
import { goldenBytes, goldenExpectations, goldenNames } from "../testing/golden-batches.ts";
import { readControlRecord, writeControlRecord } from "./control-records.ts";
import { crc32c } from "./crc32c.ts";
import { UnsupportedMagicError } from "./errors.ts";
import type { RecordBatch } from "./record-batch.ts";
import { incrementSequence, recordBatches } from "./record-batch.ts";
import { RecordBatchBuilder } from "./record-batch-builder.ts";
import type { RecordView } from "./record-cursor.ts";

const expectations = goldenExpectations();

test("every captured file is described by Kafka", () => {
  assert.deepEqual(goldenNames().toSorted(), Object.keys(expectations).toSorted());
});

for (const [name, expected] of Object.entries(expectations)) {
  describe(`${name}, written by Apache Kafka`, () => {
    test("reads as Kafka reads it", () => {
      assert.deepEqual([...recordBatches(goldenBytes(name))].map(describeBatch), expected);
    });

    test("has a valid CRC in every batch, also after the patches of a leader", () => {
      for (const batch of recordBatches(goldenBytes(name))) {
        batch.ensureValid();
        batch.setLastOffset(2 ** 40 + 7);
        batch.setPartitionLeaderEpoch(42);
        batch.ensureValid();
        assert.equal(batch.lastOffset, 2 ** 40 + 7);
        assert.equal(batch.partitionLeaderEpoch, 42);
      }
    });

    test("is written again byte for byte where nothing is compressed", () => {
      for (const batch of recordBatches(goldenBytes(name))) {
        if (batch.compressionType === "none" && batch.timestampType === "create-time") {
          assert.deepEqual(rewritten(batch), batch.bytes);
        }
      }
    });

    test("passes the check of what a producer sends, where a producer sent it", () => {
      for (const batch of recordBatches(goldenBytes(name))) {
        if (batch.deleteHorizonMs === undefined) assert.equal(batch.checkRecords().maxTimestamp, batch.maxTimestamp);
      }
    });
  });
}

test("control records read as what they say, and are written again byte for byte", () => {
  const types = new Set<number>();
  for (const name of Object.keys(expectations)) {
    for (const batch of recordBatches(goldenBytes(name))) {
      if (!batch.isControlBatch) continue;
      for (const record of batch.records()) {
        const control = readControlRecord(record);
        assert.ok(control !== undefined);
        types.add(control.type);
        const { key, value } = writeControlRecord(control);
        assert.deepEqual([key, value], [record.key, record.value]);
      }
    }
  }
  assert.deepEqual(
    [...types].toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6],
  );
});

test("a broker's stamp of append time is ours", () => {
  const [batch] = recordBatches(goldenBytes("log-append-time.log"));
  assert.ok(batch !== undefined);
  const builder = new RecordBatchBuilder();
  for (let i = 0; i < 3; i++) {
    builder.append({ timestamp: 1_700_000_000_000 + i, key: Buffer.from(`k${i}`), value: Buffer.from(`v${i}`) });
  }
  const [ours] = recordBatches(builder.build());
  assert.ok(ours !== undefined);
  ours.setLastOffset(2);
  ours.setPartitionLeaderEpoch(batch.partitionLeaderEpoch);
  ours.setMaxTimestamp("log-append-time", batch.maxTimestamp);
  assert.deepEqual(ours.bytes, batch.bytes);
});

for (const magic of [0, 1]) {
  test(`a batch of magic ${magic} is refused by its own error`, () => {
    assert.throws(() => [...recordBatches(goldenBytes(`magic-${magic}.log`))], UnsupportedMagicError);
  });
}

function rewritten(batch: RecordBatch): Uint8Array {
  const { baseOffset, producerId, producerEpoch, baseSequence, isTransactional, isControlBatch } = batch;
  const { partitionLeaderEpoch, deleteHorizonMs } = batch;
  const builder = new RecordBatchBuilder({
    baseOffset,
    producerId,
    producerEpoch,
    baseSequence,
    isTransactional,
    isControlBatch,
    partitionLeaderEpoch,
    ...(deleteHorizonMs === undefined ? {} : { deleteHorizonMs }),
  });
  for (const record of batch.records()) {
    const { timestamp, key, value, offset } = record;
    builder.append({ timestamp, key, value, offset, headers: record.headers() });
  }
  builder.overrideLastOffset(batch.lastOffset);
  assert.equal(builder.estimatedSizeInBytes, batch.sizeInBytes);
  return builder.build();
}

function describeBatch(batch: RecordBatch): GoldenBatch {
  const { baseOffset, lastOffset, nextOffset, sizeInBytes, magic, crc, maxTimestamp, compressionType } = batch;
  const { producerId, producerEpoch, baseSequence, lastSequence, isTransactional, isControlBatch } = batch;
  const { partitionLeaderEpoch, recordCount } = batch;
  return {
    baseOffset,
    lastOffset,
    nextOffset,
    sizeInBytes,
    magic,
    crc,
    isValid: batch.isValid(),
    maxTimestamp,
    timestampType: batch.timestampType === "create-time" ? "CreateTime" : "LogAppendTime",
    compressionType,
    producerId,
    producerEpoch,
    baseSequence,
    lastSequence,
    isTransactional,
    isControlBatch,
    partitionLeaderEpoch,
    recordCount,
    deleteHorizonMs: batch.deleteHorizonMs ?? null,
    records: Array.from(batch.records(), (record) => describeRecord(record, batch)),
  };
}

function describeRecord(record: RecordView, { baseSequence }: RecordBatch): GoldenRecord {
  const sequence = baseSequence < 0 ? -1 : incrementSequence(baseSequence, record.offsetDelta);
  const headers = record.headers().map(({ key, value }) => [key, digest(value)] as const);
  const { offset, timestamp, key, value } = record;
  return { offset, timestamp, sequence, key: digest(key), value: digest(value), headers };
}

function digest(bytes: Uint8Array | null): Digest {
  if (bytes === null) return null;
  return bytes.length <= 48 ? Buffer.from(bytes).toString("hex") : { length: bytes.length, crc32c: crc32c(bytes) };
}
