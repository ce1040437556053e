import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, errorCodeOf, ERRORS } from "@samsa/base";
import { ControlRecordType, crc32c, endTransactionMarker, RecordBatch } from "@samsa/protocol";
import fc from "fast-check";
import { RecordValidationError } from "./errors.ts";
import { defaultLogConfig } from "./log-config.ts";
import { validateAndAssignOffsets, validateAssigned } from "./log-validator.ts";
import type { ValidatedBatch, ValidationContext } from "./log-validator.ts";
import { batchOf, NOW_MS, textRecords } from "./testing/records.ts";

const HOUR_MS = 3_600_000;
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

function validate(records: Uint8Array, context: Partial<ValidationContext> = {}): ValidatedBatch {
  return validateAndAssignOffsets(records, {
    topicPartition: "t-0",
    config: defaultLogConfig(),
    origin: "client",
    nowMs: NOW_MS,
    nextOffset: 100,
    leaderEpoch: 7,
    ...context,
  });
}

/** The batch with bytes changed and the CRC made right again. */
function changed(batch: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = batch.slice();
  change(new DataView(copy.buffer));
  const crc = crc32c(copy, 21);
  new DataView(copy.buffer).setUint32(17, crc);
  return copy;
}

describe("a topic that says how its batches are compressed", () => {
  const values = ["a", "b", "c"].map((letter) => letter.repeat(300));
  const timestamps = [NOW_MS - 5, NOW_MS, NOW_MS - 1];
  for (const sentAs of CODECS) {
    for (const compressionType of CODECS) {
      test(`has them with ${compressionType} where they come with ${sentAs}`, () => {
        const sent = batchOf(values, {
          compressionType: sentAs,
          timestamps,
          key: "k",
          producerId: 4,
          producerEpoch: 1,
          baseSequence: 10,
          isTransactional: true,
        });
        const { batch, maxTimestamp } = validate(sent.slice(), { config: defaultLogConfig({ compressionType }) });
        assert.equal(batch.compressionType, compressionType);
        batch.ensureValid();
        assert.deepEqual([batch.baseOffset, batch.lastOffset, batch.partitionLeaderEpoch], [100, 102, 7]);
        assert.deepEqual([maxTimestamp, batch.maxTimestamp, batch.recordCount], [NOW_MS, NOW_MS, 3]);
        assert.deepEqual([batch.producerId, batch.producerEpoch, batch.baseSequence], [4, 1, 10]);
        assert.ok(batch.isTransactional);
        assert.deepEqual(
          Array.from(batch.records(), ({ offset, timestamp }) => [offset, timestamp]),
          timestamps.map((timestamp, index) => [100 + index, timestamp]),
        );
        assert.deepEqual(
          textRecords([batch.bytes]).map(({ value }) => value),
          values,
        );
        if (sentAs === compressionType) assert.deepEqual(batch.bytes.slice(16), sent.slice(16), "its very bytes");
      });
    }
  }

  test("has the time of arrival in a batch that was compressed anew", () => {
    const config = defaultLogConfig({ compressionType: "gzip", messageTimestampType: "log-append-time" });
    const { batch, maxTimestamp, logAppendTime } = validate(batchOf(values, { timestamps }), { config });
    assert.deepEqual([maxTimestamp, logAppendTime, batch.timestampType], [NOW_MS, NOW_MS, "log-append-time"]);
    batch.ensureValid();
    for (const record of batch.records()) assert.equal(record.timestamp, NOW_MS);
  });

  test("compresses as hard as it is told, and leaves alone what comes with the same codec", () => {
    const text = Array.from({ length: 2000 }, (_, index) => `${(index * 7919) % 1009} and ${index % 13}`);
    const sizeAt = (compressionLevel: number, sentAs: "none" | "gzip"): number => {
      const config = defaultLogConfig({ compressionType: "gzip", compressionLevel });
      return validate(batchOf(text, { compressionType: sentAs, compressionLevel: 1 }), { config }).batch.sizeInBytes;
    };
    assert.ok(sizeAt(9, "none") < sizeAt(1, "none"));
    assert.equal(sizeAt(9, "gzip"), sizeAt(1, "gzip"));
  });

  test("refuses what is too large once it is uncompressed", () => {
    const config = defaultLogConfig({ compressionType: "none", maxMessageBytes: 400 });
    const sent = batchOf(values, { compressionType: "gzip" });
    assert.ok(sent.length < 400);
    assert.throws(() => validate(sent, { config }), { code: ErrorCode.MESSAGE_TOO_LARGE });
  });

  test("refuses a bomb, however small it comes", () => {
    const config = defaultLogConfig({ compressionType: "none" });
    const sent = batchOf(["\0".repeat(1 << 20)], { compressionType: "gzip" });
    assert.throws(() => validate(sent, { config, maxDecompressedBytes: 1 << 16 }), {
      code: ErrorCode.CORRUPT_MESSAGE,
    });
  });

  test("leaves the markers of transactions uncompressed", () => {
    const config = defaultLogConfig({ compressionType: "zstd" });
    const marker = endTransactionMarker({
      producerId: 4,
      producerEpoch: 1,
      type: ControlRecordType.COMMIT,
      coordinatorEpoch: 0,
      timestamp: NOW_MS,
    });
    const { batch } = validate(marker, { config, origin: "coordinator" });
    assert.equal(batch.compressionType, "none");
    assert.ok(batch.isControlBatch);
  });

  test("refuses records of the wrong time and without keys as any other", () => {
    const config = defaultLogConfig({
      compressionType: "lz4",
      cleanupPolicy: ["compact"],
      messageTimestampAfterMaxMs: HOUR_MS,
    });
    assert.throws(() => validate(batchOf(["a"]), { config }), { code: ErrorCode.INVALID_RECORD });
    const late = batchOf(["a"], { key: "k", timestamps: [NOW_MS + 2 * HOUR_MS] });
    assert.throws(() => validate(late, { config }), { code: ErrorCode.INVALID_TIMESTAMP });
  });
});

describe("a batch that a producer sends", () => {
  for (const compressionType of CODECS) {
    test(`gets its offsets, epoch and nothing else, compressed with ${compressionType}`, () => {
      const sent = batchOf(["a", "b", "c"], { compressionType });
      const { batch, maxTimestamp, logAppendTime } = validate(sent.slice());
      assert.deepEqual([batch.baseOffset, batch.lastOffset, batch.partitionLeaderEpoch], [100, 102, 7]);
      assert.deepEqual([maxTimestamp, logAppendTime], [NOW_MS, -1]);
      assert.deepEqual(batch.bytes.slice(16), sent.slice(16));
      assert.ok(batch.isValid());
      assert.deepEqual(
        textRecords([batch.bytes]).map((record) => record.offset),
        [100, 101, 102],
      );
    });

    test(`gets the time of its arrival where the topic says so, compressed with ${compressionType}`, () => {
      const config = defaultLogConfig({ messageTimestampType: "log-append-time" });
      const { batch, maxTimestamp, logAppendTime } = validate(
        batchOf(["a", "b"], { compressionType, timestamps: [5, NOW_MS + 1000 * HOUR_MS] }),
        { config },
      );
      assert.deepEqual([maxTimestamp, logAppendTime, batch.timestampType], [NOW_MS, NOW_MS, "log-append-time"]);
      assert.ok(batch.isValid());
      for (const record of batch.records()) assert.equal(record.timestamp, NOW_MS);
    });

    test(`is refused with an error for each record of the wrong time, compressed with ${compressionType}`, () => {
      const config = defaultLogConfig({ messageTimestampBeforeMaxMs: HOUR_MS, messageTimestampAfterMaxMs: HOUR_MS });
      const timestamps = [NOW_MS - HOUR_MS, NOW_MS - HOUR_MS - 1, -1, NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + 1];
      assert.throws(
        () => validate(batchOf(["a", "b", "c", "d", "e"], { compressionType, timestamps }), { config }),
        (error) => {
          assert.ok(error instanceof RecordValidationError);
          assert.equal(error.code, ErrorCode.INVALID_TIMESTAMP);
          assert.deepEqual(
            error.recordErrors.map(({ batchIndex }) => batchIndex),
            [1, 4],
          );
          return true;
        },
      );
    });
  }

  test("has the largest of its timestamps in the header, whatever it said there", () => {
    const lying = changed(batchOf(["a", "b"], { timestamps: [1000, 2000] }), (view) => view.setUint32(39, 999_999));
    const { batch, maxTimestamp } = validate(lying);
    assert.deepEqual([maxTimestamp, batch.maxTimestamp], [2000, 2000]);
    assert.ok(batch.isValid());
  });

  test("needs a key in every record of a compacted topic", () => {
    const config = defaultLogConfig({ cleanupPolicy: ["compact", "delete"] });
    assert.throws(
      () => validate(batchOf(["a", "b"]), { config }),
      (error) => {
        assert.ok(error instanceof RecordValidationError);
        assert.equal(error.code, ErrorCode.INVALID_RECORD);
        assert.deepEqual(
          error.recordErrors.map(({ batchIndex }) => batchIndex),
          [0, 1],
        );
        return true;
      },
    );
    assert.equal(validate(batchOf(["a"], { key: "k" }), { config }).batch.lastOffset, 100);
  });

  test("may not say that its timestamps are those of the broker", () => {
    const config = defaultLogConfig({ messageTimestampType: "log-append-time" });
    const sent = batchOf(["a"], { timestampType: "log-append-time" });
    assert.throws(() => validate(sent, { config }), { code: ErrorCode.INVALID_TIMESTAMP });
  });

  test("has at most a thousand errors told, however many records are wrong", () => {
    const config = defaultLogConfig({ cleanupPolicy: ["compact"] });
    const values = Array.from({ length: 1500 }, () => "");
    assert.throws(
      () => validate(batchOf(values), { config }),
      (error) => error instanceof RecordValidationError && error.recordErrors.length === 1000,
    );
  });

  const good = batchOf(["a", "b", "c"]);
  const refusals: { why: string; records: Uint8Array; code: ErrorCode; context?: Partial<ValidationContext> }[] = [
    { why: "nothing", records: new Uint8Array(0), code: ErrorCode.INVALID_RECORD },
    { why: "half a batch", records: good.slice(0, 50), code: ErrorCode.INVALID_RECORD },
    { why: "two batches", records: Uint8Array.of(...good, ...good), code: ErrorCode.INVALID_RECORD },
    { why: "an old format", records: changed(good, (view) => view.setInt8(16, 1)), code: ErrorCode.INVALID_RECORD },
    {
      why: "an unknown format",
      records: changed(good, (view) => view.setInt8(16, 3)),
      code: ErrorCode.CORRUPT_MESSAGE,
    },
    { why: "an offset of its own", records: batchOf(["a"], { baseOffset: 5 }), code: ErrorCode.INVALID_RECORD },
    { why: "no records", records: changed(good, (view) => view.setInt32(57, 0)), code: ErrorCode.INVALID_RECORD },
    {
      why: "more records than it has",
      records: changed(good, (view) => view.setInt32(57, 4)),
      code: ErrorCode.INVALID_RECORD,
    },
    {
      why: "2^31 - 1 records",
      records: changed(good, (view) => view.setInt32(57, 0x7fffffff)),
      code: ErrorCode.INVALID_RECORD,
    },
    {
      why: "a wrong last offset",
      records: changed(good, (view) => view.setInt32(23, 7)),
      code: ErrorCode.INVALID_RECORD,
    },
    {
      why: "a negative last offset",
      records: changed(good, (view) => view.setInt32(23, -1)),
      code: ErrorCode.INVALID_RECORD,
    },
    { why: "a control batch", records: batchOf(["a"], { isControlBatch: true }), code: ErrorCode.INVALID_RECORD },
    {
      why: "a producer without a sequence",
      records: batchOf(["a"], { producerId: 5, producerEpoch: 0 }),
      code: ErrorCode.INVALID_RECORD,
    },
    { why: "an unknown codec", records: changed(good, (view) => view.setInt16(21, 5)), code: ErrorCode.INVALID_RECORD },
    {
      why: "compressed records that are none",
      records: changed(good, (view) => view.setInt16(21, 1)),
      code: ErrorCode.CORRUPT_MESSAGE,
    },
    {
      why: "an offset that jumps",
      records: changed(good, (view) => view.setInt8(72, 8)),
      code: ErrorCode.INVALID_RECORD,
    },
    {
      why: "more than max.message.bytes",
      records: good,
      code: ErrorCode.MESSAGE_TOO_LARGE,
      context: { config: defaultLogConfig({ maxMessageBytes: good.length - 1 }) },
    },
    {
      why: "more than segment.bytes",
      records: good,
      code: ErrorCode.RECORD_LIST_TOO_LARGE,
      context: { config: defaultLogConfig({ segmentBytes: good.length - 1 }) },
    },
  ];
  for (const { why, records, code, context } of refusals) {
    test(`is refused with ${ERRORS.get(code)?.name}: ${why}`, () => {
      assert.throws(() => validate(records.slice(), context), { code });
    });
  }

  test("is refused as corrupt when any bit under its CRC is another", () => {
    for (let bit = 21 * 8; bit < good.length * 8; bit++) {
      const flipped = good.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => validate(flipped), { code: ErrorCode.CORRUPT_MESSAGE });
    }
  });

  test("is taken or refused with a code, whatever its bytes", () => {
    const position = fc.nat(good.length - 1);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 5 }),
        fc.nat(80),
        (edits, cut) => {
          const bytes = good.slice(0, good.length - Math.max(0, cut - 60));
          for (const [at, value] of edits) bytes[at % bytes.length] = value;
          if (bytes.length >= 61) new DataView(bytes.buffer).setUint32(17, crc32c(bytes, 21));
          try {
            validate(bytes);
          } catch (error) {
            assert.notEqual(errorCodeOf(error), ErrorCode.UNKNOWN_SERVER_ERROR, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("may be followed by less than another batch, which is left out", () => {
    const { batch } = validate(Uint8Array.of(...good, ...good.slice(0, 30)));
    assert.equal(batch.bytes.length, good.length);
  });
});

describe("a batch of our own", () => {
  test("may be a control batch", () => {
    const { batch } = validate(batchOf(["a"], { isControlBatch: true }), { origin: "coordinator" });
    assert.equal(batch.baseOffset, 100);
  });

  test("of the metadata log has its epoch and any size", () => {
    const config = defaultLogConfig({ maxMessageBytes: 10 });
    const records = batchOf(["a"], { partitionLeaderEpoch: 7 });
    assert.equal(validate(records, { origin: "raft-leader", config }).batch.partitionLeaderEpoch, 7);
    assert.throws(() => validate(batchOf(["a"], { partitionLeaderEpoch: 6 }), { origin: "raft-leader" }), {
      code: ErrorCode.INVALID_RECORD,
    });
  });
});

describe("batches from a leader", () => {
  const placed = (baseOffset: number, count: number): Uint8Array =>
    batchOf(
      Array.from({ length: count }, () => "x"),
      { baseOffset, partitionLeaderEpoch: 1 },
    );

  test("may leave gaps, as after compaction, and end with half a batch", () => {
    const batches = validateAssigned(
      Uint8Array.of(...placed(10, 2), ...placed(20, 1), ...placed(21, 1).slice(0, 40)),
      10,
    );
    assert.deepEqual(
      batches.map((batch) => batch.baseOffset),
      [10, 20],
    );
  });

  test("may not go back", () => {
    assert.throws(() => validateAssigned(Uint8Array.of(...placed(10, 2), ...placed(11, 1)), 10));
    assert.throws(() => validateAssigned(placed(9, 2), 10));
  });

  test("are refused when one is damaged", () => {
    const bytes = Uint8Array.of(...placed(10, 2), ...placed(12, 1));
    bytes[bytes.length - 1] = 77;
    assert.throws(() => validateAssigned(bytes, 10), { code: ErrorCode.CORRUPT_MESSAGE });
    assert.ok(new RecordBatch(bytes).isValid());
  });
});
