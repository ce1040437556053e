import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { CompressionType } from "../compression/compression-type.ts";
import { RecordBatch } from "./record-batch.ts";
import { RecordBatchBuilder } from "./record-batch-builder.ts";
import type { NewRecord, RecordBatchBuilderOptions } from "./record-batch-builder.ts";
import { RecordRetention } from "./record-retention.ts";

const bytes = fc.option(fc.uint8Array({ maxLength: 40 }));
const farthest = 8_000_000_000_000_000;
const record = fc.record({
  timestamp: fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: -1, max: farthest })),
  key: bytes,
  value: bytes,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: bytes }), { maxLength: 2 }),
});

function build(records: readonly NewRecord[], options: RecordBatchBuilderOptions): RecordBatch {
  const builder = new RecordBatchBuilder({ baseOffset: 40, partitionLeaderEpoch: 3, ...options });
  for (const each of records) builder.append(each);
  return new RecordBatch(builder.build().slice());
}

describe("a batch out of which records are taken", () => {
  test("is the batch that a builder makes of the records that stay", () => {
    const retention = new RecordRetention();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(record, fc.boolean()), { minLength: 1, maxLength: 30 }),
        fc.constantFrom<CompressionType>("none", "none", "lz4"),
        fc.constantFrom("create-time", "log-append-time"),
        fc.option(fc.integer({ min: 0, max: farthest }), { nil: undefined }),
        (all, compressionType, timestampType, deleteHorizonMs) => {
          const options = { compressionType, timestampType, producerId: 9, producerEpoch: 1, baseSequence: 5 };
          const batch = build(
            all.map(([each]) => each),
            options,
          );
          retention.select(batch, ({ offsetDelta }) => all[offsetDelta]?.[1] === true);
          const kept = all.flatMap(([each, isKept], index) => (isKept ? [{ ...each, offset: 40 + index }] : []));
          assert.equal(retention.keptCount, kept.length);
          assert.equal(
            retention.keepsTombstone,
            kept.some(({ value }) => value === null),
          );
          if (kept.length === 0) return;
          const timestamps = timestampType === "log-append-time" ? { timestamp: batch.maxTimestamp } : {};
          const horizon = deleteHorizonMs === undefined ? {} : { deleteHorizonMs };
          const builder = new RecordBatchBuilder({ baseOffset: 40, partitionLeaderEpoch: 3, ...options, ...horizon });
          for (const each of kept) builder.append({ ...each, ...timestamps });
          builder.overrideLastOffset(batch.lastOffset);
          assert.deepEqual(retention.build(batch, deleteHorizonMs), builder.build().slice());
        },
      ),
    );
  });
});
