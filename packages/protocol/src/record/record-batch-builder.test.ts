import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { plain, plainRecords } from "../testing/record-arbitraries.ts";
import { RecordBatch } from "./record-batch.ts";
import { RecordBatchBuilder, recordSizeUpperBound } from "./record-batch-builder.ts";

test("says the exact size so far while nothing is compressed", () => {
  fc.assert(
    fc.property(plainRecords, (records) => {
      const builder = new RecordBatchBuilder({ initialCapacity: 0 });
      for (const record of records) {
        const before = builder.estimatedSizeInBytes;
        builder.append(record);
        assert.ok(builder.estimatedSizeInBytes - before <= recordSizeUpperBound(record));
      }
      assert.equal(builder.estimatedSizeInBytes, builder.build().length);
    }),
    { numRuns: 50 },
  );
});

test("estimates a compressed size by the ratio it is told", () => {
  const value = new Uint8Array(10_000);
  const builder = new RecordBatchBuilder({ compressionType: "zstd", estimatedCompressionRatio: 0.1 });
  builder.append({ timestamp: 0, value });
  assert.ok(builder.estimatedSizeInBytes > 1000 && builder.estimatedSizeInBytes < 1100);
});

test("leaves out what is not given: key, value and headers", () => {
  const builder = new RecordBatchBuilder();
  builder.append({ timestamp: 5 });
  assert.deepEqual(plain(new RecordBatch(builder.build())), [{ timestamp: 5, key: null, value: null, headers: [] }]);
});

test("takes offsets with gaps", () => {
  const builder = new RecordBatchBuilder({ baseOffset: 100 });
  for (const offset of [100, 107, 2 ** 31]) builder.append({ timestamp: 0, offset });
  const batch = new RecordBatch(builder.build());
  assert.deepEqual(
    Array.from(batch.records(), ({ offset }) => offset),
    [100, 107, 2 ** 31],
  );
  assert.equal(batch.lastOffset, 2 ** 31);
});

test("writes a lone surrogate as the replacement character, in as many bytes as it announces", () => {
  const builder = new RecordBatchBuilder();
  builder.append({ timestamp: 0, headers: [{ key: "a\ud800b", value: null }] });
  const batch = new RecordBatch(builder.build());
  batch.checkRecords();
  assert.equal(plain(batch)[0]?.headers[0]?.key, "a\ufffdb");
});

test("keeps records that compression makes larger", () => {
  const value = Uint8Array.from({ length: 5000 }, (_, i) => (i * i * 31 + i * 17) >>> 3);
  for (const compressionType of ["gzip", "snappy", "lz4", "zstd"] as const) {
    const builder = new RecordBatchBuilder({ compressionType, initialCapacity: 1 });
    builder.append({ timestamp: 0, value });
    assert.deepEqual(plain(new RecordBatch(builder.build()))[0]?.value, value);
  }
});

test("text becomes the bytes that its UTF-8 would have been, whatever its length", () => {
  const encoder = new TextEncoder();
  const text = fc.option(fc.string({ unit: "binary", maxLength: 300 }));
  const headers = fc.array(fc.record({ key: fc.string({ unit: "binary" }), value: text }), { maxLength: 2 });
  fc.assert(
    fc.property(text, text, headers, (key, value, some) => {
      const [direct, detour] = [new RecordBatchBuilder(), new RecordBatchBuilder()];
      const bytes = (data: string | null): Uint8Array | null => (data === null ? null : encoder.encode(data));
      direct.add(7, key, value, some);
      detour.append({
        timestamp: 7,
        key: bytes(key),
        value: bytes(value),
        headers: some.map((header) => ({ key: header.key, value: bytes(header.value) })),
      });
      assert.deepEqual(direct.build(), detour.build());
    }),
  );
});

test("the producer of a batch may be told when it is built, and told anew afterwards", () => {
  const builder = new RecordBatchBuilder({ buffer: new Uint8Array(100).fill(255) });
  builder.add(1, null, "value", []);
  const producer = { producerId: 2 ** 40, producerEpoch: 3, baseSequence: 9, isTransactional: true };
  const batch = new RecordBatch(builder.build(producer));
  const said = ({ producerId, producerEpoch, baseSequence, isTransactional }: RecordBatch): unknown => ({
    producerId,
    producerEpoch,
    baseSequence,
    isTransactional,
  });
  assert.deepEqual(said(batch), producer);
  const next = { producerId: 5, producerEpoch: 0, baseSequence: 0, isTransactional: false };
  batch.setProducerState(next);
  assert.deepEqual(said(batch), next);
  batch.ensureValid();
});
