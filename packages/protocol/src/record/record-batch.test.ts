import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { COMPRESSION_TYPES } from "../compression/compression-type.ts";
import { plain, plainRecords } from "../testing/record-arbitraries.ts";
import {
  emptyRecordBatch,
  incrementSequence,
  peekBatchSize,
  peekCompressionType,
  peekIsTransactional,
  RecordBatch,
  recordBatches,
} from "./record-batch.ts";
import { RecordBatchBuilder } from "./record-batch-builder.ts";
import type { RecordBatchBuilderOptions } from "./record-batch-builder.ts";
import { CorruptRecordError, InvalidRecordError, InvalidTimestampError } from "./errors.ts";

const TIME = 1_700_000_000_000;

describe("a batch of records", () => {
  for (const compressionType of COMPRESSION_TYPES) {
    test(`reads back as it was built, with ${compressionType}`, () => {
      fc.assert(
        fc.property(plainRecords, fc.nat(2 ** 31 - 1), (records, baseSequence) => {
          const builder = new RecordBatchBuilder({ compressionType, producerId: 7, producerEpoch: 2, baseSequence });
          for (const record of records) builder.append(record);
          const batch = new RecordBatch(builder.build());
          batch.ensureValid();
          assert.deepEqual(plain(batch), records);
          const { maxTimestamp, offsetOfMaxTimestamp, minTimestamp, hasNullKey } = batch.checkRecords();
          const timestamps = records.map(({ timestamp }) => timestamp);
          assert.equal(maxTimestamp, Math.max(...timestamps));
          assert.equal(minTimestamp, Math.min(...timestamps));
          assert.equal(offsetOfMaxTimestamp, timestamps.indexOf(maxTimestamp));
          assert.equal(
            hasNullKey,
            records.some(({ key }) => key === null),
          );
        }),
        { numRuns: 60 },
      );
    });
  }

  test("says what it is to who only peeks, and is refused there as elsewhere", () => {
    const outcome = (peek: () => unknown): unknown => {
      try {
        return peek();
      } catch (error) {
        return String(error);
      }
    };
    const isTransactional = fc.boolean();
    const place = fc.record({ at: fc.nat(30), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.constantFrom(...COMPRESSION_TYPES), isTransactional, fc.option(place), fc.nat(80), (...drawn) => {
        const [compressionType, isTransactional, damage, missing] = drawn;
        const whole = batchOf(["a"], { compressionType, isTransactional, producerId: 5, producerEpoch: 1 }).bytes;
        const bytes = missing < 70 ? whole.slice() : whole.slice(0, -missing);
        if (damage !== null) bytes[damage.at] = damage.value;
        assert.deepEqual(
          [outcome(() => peekIsTransactional(bytes)), outcome(() => peekCompressionType(bytes))],
          [
            outcome(() => new RecordBatch(bytes).isTransactional),
            outcome(() => new RecordBatch(bytes).compressionType),
          ],
        );
      }),
    );
  });

  test("shows every record through the same object", () => {
    const batch = batchOf(["a", "b", "c"]);
    assert.equal(new Set(batch.records()).size, 1);
  });

  test("says its header in Kafka's words", () => {
    const batch = batchOf(["a", "b", "c"], {
      baseOffset: 10,
      producerId: 5,
      producerEpoch: 1,
      baseSequence: 0x7ffffffe,
    });
    const { baseOffset, lastOffset, nextOffset, lastSequence, recordCount, magic, maxTimestamp, baseTimestamp } = batch;
    assert.deepEqual(
      { baseOffset, lastOffset, nextOffset, lastSequence, recordCount, magic, maxTimestamp, baseTimestamp },
      {
        baseOffset: 10,
        lastOffset: 12,
        nextOffset: 13,
        lastSequence: 0,
        recordCount: 3,
        magic: 2,
        maxTimestamp: TIME + 2,
        baseTimestamp: TIME,
      },
    );
  });

  test("has no last sequence without a first", () => assert.equal(batchOf(["a"]).lastSequence, -1));

  test("gives every record the append time once it is stamped", () => {
    const batch = batchOf(["a", "b"]);
    batch.setMaxTimestamp("log-append-time", TIME + 99);
    batch.ensureValid();
    assert.equal(batch.timestampType, "log-append-time");
    assert.deepEqual([...batch.records()].length, 2);
    for (const { timestamp } of batch.records()) assert.equal(timestamp, TIME + 99);
  });

  test("keeps the other attributes when it is stamped", () => {
    const batch = batchOf(["a"], { isTransactional: true, compressionType: "lz4" });
    batch.setMaxTimestamp("log-append-time", TIME + 99);
    assert.deepEqual([batch.isTransactional, batch.compressionType], [true, "lz4"]);
    batch.setMaxTimestamp("create-time", TIME);
    assert.equal(batch.timestampType, "create-time");
    batch.ensureValid();
  });

  test("is known to be damaged by any bit under its CRC", () => {
    const bytes = batchOf(["some value"]).bytes;
    for (let at = 17; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      assert.equal(new RecordBatch(damaged).isValid(), false);
      assert.throws(() => new RecordBatch(damaged).ensureValid(), CorruptRecordError);
    }
  });

  test("keeps offsets and producer when it is emptied", () => {
    const batch = batchOf(["a", "b"], {
      baseOffset: 5,
      producerId: 9,
      producerEpoch: 3,
      baseSequence: 4,
      compressionType: "gzip",
    });
    const empty = new RecordBatch(emptyRecordBatch(batch));
    empty.ensureValid();
    const { baseOffset, lastOffset, producerId, lastSequence, recordCount, compressionType, maxTimestamp } = empty;
    assert.deepEqual(
      { baseOffset, lastOffset, producerId, lastSequence, recordCount, compressionType, maxTimestamp },
      {
        baseOffset: 5,
        lastOffset: 6,
        producerId: 9,
        lastSequence: 5,
        recordCount: 0,
        compressionType: "none",
        maxTimestamp: TIME + 1,
      },
    );
    assert.deepEqual([...empty.records()], []);
  });
});

describe("the check of what a producer sent", () => {
  const refused = [
    { why: "no record", batch: new RecordBatch(new RecordBatchBuilder().build()) },
    { why: "a gap in the offsets", batch: batchWith((builder) => builder.append({ timestamp: TIME, offset: 1 })) },
    {
      why: "a last offset beyond its records",
      batch: batchWith((builder) => {
        builder.append({ timestamp: TIME });
        builder.overrideLastOffset(4);
      }),
    },
  ];
  for (const { why, batch } of refused) {
    test(`refuses a batch with ${why}`, () => {
      batch.ensureValid();
      assert.throws(() => batch.checkRecords(), InvalidRecordError);
    });
  }

  test("refuses a batch whose offsets repeat", () => {
    const { bytes } = batchOf(["a", "b"]);
    const second = bytes.lastIndexOf(2); // the offset delta 1, zigzag
    assert.ok(second > 61);
    bytes[second] = 0;
    assert.throws(() => new RecordBatch(bytes).checkRecords(), InvalidRecordError);
  });

  for (const compressionType of COMPRESSION_TYPES.slice(1)) {
    test(`refuses ${compressionType} records that unfold beyond the bound`, () => {
      const batch = batchOf(["x".repeat(100_000)], { compressionType });
      assert.throws(() => batch.checkRecords({ maxDecompressedBytes: 99_999 }), CorruptRecordError);
      assert.equal(batch.checkRecords({ maxDecompressedBytes: 101_000 }).maxTimestamp, TIME);
    });
  }
});

describe("batches in a range of bytes", () => {
  const one = batchOf(["a"]).bytes;
  const two = batchOf(["b", "c"], { baseOffset: 1 }).bytes;
  const both = Buffer.concat([one, two]);

  test("come in order", () => {
    assert.deepEqual(
      Array.from(recordBatches(both), ({ baseOffset }) => baseOffset),
      [0, 1],
    );
  });

  test("stop before one that is not whole, wherever it is cut", () => {
    for (let length = one.length; length < both.length; length++) {
      assert.equal([...recordBatches(both.subarray(0, length))].length, 1, `at ${length}`);
    }
    for (let length = 0; length < one.length; length++)
      assert.equal([...recordBatches(both.subarray(0, length))].length, 0);
  });

  test("know their size before they are there", () => {
    assert.equal(peekBatchSize(both), one.length);
    assert.equal(peekBatchSize(both, one.length), two.length);
    assert.equal(peekBatchSize(both.subarray(0, 12)), one.length);
    assert.equal(peekBatchSize(both.subarray(0, 11)), undefined);
    assert.equal(peekBatchSize(both, both.length), undefined);
  });

  const impossible = [
    { why: "a negative length", at: 8, byte: 0xff },
    { why: "a length below any header", at: 11, byte: 13 },
    { why: "a length below the header of v2", at: 11, byte: 48 },
    { why: "a magic of the future", at: 16, byte: 3 },
    { why: "a magic of nobody", at: 16, byte: 0xff },
  ];
  for (const { why, at, byte } of impossible) {
    test(`are refused for ${why}`, () => {
      const bytes = one.slice();
      bytes[at] = byte;
      assert.throws(() => [...recordBatches(bytes)], CorruptRecordError);
      assert.throws(() => new RecordBatch(bytes), CorruptRecordError);
    });
  }

  test("cannot be viewed alone when they are not whole", () => {
    for (let length = 0; length < one.length; length++) {
      assert.throws(() => new RecordBatch(one.subarray(0, length)), CorruptRecordError);
    }
  });
});

describe("numbers that no number holds", () => {
  const fields = [
    { name: "base offset", at: 0, error: CorruptRecordError },
    { name: "base timestamp", at: 27, error: InvalidTimestampError },
    { name: "max timestamp", at: 35, error: InvalidTimestampError },
    { name: "producer id", at: 43, error: InvalidRecordError },
  ];
  for (const { name, at, error } of fields) {
    test(`are refused as ${name}`, () => {
      const { bytes } = batchOf(["a"]);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      view.setBigInt64(at, 2n ** 53n);
      const batch = new RecordBatch(bytes);
      view.setUint32(17, batch.computeCrc());
      assert.throws(() => batch.ensureValid(), error);
    });
  }

  test("are refused as a sum of base timestamp and delta", () => {
    const { bytes } = batchWith((builder) => {
      builder.append({ timestamp: 0 });
      builder.append({ timestamp: Number.MAX_SAFE_INTEGER });
    });
    new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(27, 1n);
    assert.throws(() => [...new RecordBatch(bytes).records()], InvalidTimestampError);
  });

  test("are refused by the builder", () => {
    const builder = new RecordBatchBuilder();
    for (const timestamp of [2 ** 53, Number.NaN, 0.5]) {
      assert.throws(() => builder.append({ timestamp }), InvalidTimestampError);
    }
    builder.append({ timestamp: Number.MAX_SAFE_INTEGER });
    assert.throws(() => builder.append({ timestamp: -1 }), InvalidTimestampError);
    assert.equal(builder.recordCount, 1);
    assert.equal(new RecordBatch(builder.build()).checkRecords().maxTimestamp, Number.MAX_SAFE_INTEGER);
  });
});

test("sequences wrap to zero", () => {
  assert.equal(incrementSequence(5, 3), 8);
  assert.equal(incrementSequence(0x7fffffff, 1), 0);
  assert.equal(incrementSequence(0x7ffffffe, 5), 3);
});

function batchOf(values: readonly string[], options: RecordBatchBuilderOptions = {}): RecordBatch {
  return batchWith((builder) => {
    for (const [i, value] of values.entries()) builder.append({ timestamp: TIME + i, value: Buffer.from(value) });
  }, options);
}

function batchWith(fill: (builder: RecordBatchBuilder) => void, options: RecordBatchBuilderOptions = {}): RecordBatch {
  const builder = new RecordBatchBuilder(options);
  fill(builder);
  return new RecordBatch(builder.build());
}
