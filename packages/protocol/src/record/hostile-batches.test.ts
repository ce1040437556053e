import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { COMPRESSION_TYPES } from "../compression/compression-type.ts";
import { goldenBytes, goldenNames } from "../testing/golden-batches.ts";
import { answersOrRefuses } from "../testing/typed-errors.ts";
import { readControlRecord } from "./control-records.ts";
import { InvalidRecordError } from "./errors.ts";
import { RecordBatch, recordBatches } from "./record-batch.ts";
import { RecordBatchBuilder } from "./record-batch-builder.ts";

const HEADER_BYTES = 61;

/** Everything a reader may ask of bytes, with and without having looked at the CRC. */
function readAll(bytes: Uint8Array): void {
  for (const batch of recordBatches(bytes)) {
    void [batch.baseOffset, batch.maxTimestamp, batch.lastSequence, batch.compressionType, batch.isValid()];
    for (const record of batch.records({ maxDecompressedBytes: 1 << 20 })) {
      void [record.key, record.value, record.headers()];
      if (batch.isControlBatch) readControlRecord(record);
    }
    batch.checkRecords({ maxDecompressedBytes: 1 << 20 });
    batch.ensureValid();
  }
}

const samples = goldenNames().map((name) => {
  const [first] = recordBatches(goldenBytes(name));
  assert.ok(first !== undefined);
  return { name, bytes: first.bytes.slice() };
});

describe("whatever the bytes, a batch is read or refused with a typed error", () => {
  for (const { name, bytes } of samples) {
    test(`${name}: with any of its bytes inverted, and with any of its bits flipped`, () => {
      let tried = 0;
      let refused = 0;
      for (let at = 0; at < bytes.length; at++) {
        for (const mask of masks(at, bytes)) {
          const damaged = bytes.slice();
          damaged[at] = (damaged[at] ?? 0) ^ mask;
          if (at >= HEADER_BYTES) tried++;
          if (answersOrRefuses(() => readAll(damaged), `byte ${at} ^ ${mask}`) === "refused") refused++;
        }
      }
      assert.ok(refused >= tried, "the CRC alone refuses every change after it");
    });

    test(`${name}: cut anywhere, with its length set to what is left`, () => {
      for (let length = HEADER_BYTES; length < bytes.length; length++) {
        const cut = bytes.slice(0, length);
        new DataView(cut.buffer).setInt32(8, length - 12);
        assert.equal(
          answersOrRefuses(() => readAll(cut), `cut at ${length}`),
          "refused",
        );
      }
    });
  }

  test("random bytes after a plausible header", () => {
    const parts = fc.tuple(fc.uint8Array({ maxLength: 80 }), fc.nat(7), fc.integer({ min: -2, max: 40 }));
    fc.assert(
      fc.property(parts, ([records, attributes, count]) => {
        answersOrRefuses(() => readAll(withHeader(records, attributes, count)), "random records");
      }),
      { numRuns: 3000 },
    );
  });
});

describe("a count or length that the bytes cannot hold is refused before anything is made for it", () => {
  const record = (...body: number[]): Uint8Array => Uint8Array.of(body.length * 2, ...body);
  const cases = [
    { why: "2^31 - 1 records", bytes: withHeader(record(0, 0, 0, 1, 1, 0), 0, 0x7fffffff) },
    { why: "a negative number of records", bytes: withHeader(record(0, 0, 0, 1, 1, 0), 0, -1) },
    {
      why: "fewer records than there are",
      bytes: withHeader(Buffer.concat([record(0, 0, 0, 1, 1, 0), record(0, 0, 2, 1, 1, 0)]), 0, 1),
    },
    { why: "more records than there are", bytes: withHeader(record(0, 0, 0, 1, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0, 2) },
    { why: "a record of a negative length", bytes: withHeader(Uint8Array.of(1, 0, 0, 0, 1, 1, 0), 0, 1) },
    {
      why: "a record of 2^31 - 1 bytes",
      bytes: withHeader(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 1, 0), 0, 1),
    },
    { why: "a key longer than its record", bytes: withHeader(record(0, 0, 0, 60, 1, 0), 0, 1) },
    { why: "a value longer than its record", bytes: withHeader(record(0, 0, 0, 1, 60, 0), 0, 1) },
    { why: "a negative number of headers", bytes: withHeader(record(0, 0, 0, 1, 1, 1), 0, 1) },
    { why: "2^31 - 1 headers", bytes: withHeader(record(0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f), 0, 1) },
    { why: "a header without a key", bytes: withHeader(record(0, 0, 0, 1, 1, 2, 1, 1), 0, 1) },
    { why: "a header key longer than its record", bytes: withHeader(record(0, 0, 0, 1, 1, 2, 20, 1), 0, 1) },
    { why: "a header value longer than its record", bytes: withHeader(record(0, 0, 0, 1, 1, 2, 0, 20), 0, 1) },
    { why: "bytes after the headers", bytes: withHeader(record(0, 0, 0, 1, 1, 0, 0), 0, 1) },
    { why: "a varint of six bytes", bytes: withHeader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 0), 0, 1) },
    { why: "a varint of 33 bits", bytes: withHeader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x1f, 0, 0, 0), 0, 1) },
    {
      why: "a varlong of eleven bytes",
      bytes: withHeader(record(0, ...continued(10), 1, 0, 1, 1, 0), 0, 1),
    },
    {
      why: "a varlong of 65 bits",
      bytes: withHeader(record(0, ...continued(9), 2, 0, 1, 1, 0), 0, 1),
    },
    { why: "a compression that nobody knows", bytes: withHeader(record(0, 0, 0, 1, 1, 0), 7, 1) },
  ];
  for (const { why, bytes } of cases) {
    test(why, () => {
      assert.throws(() => {
        for (const each of new RecordBatch(bytes).records()) each.headers();
      }, InvalidRecordError);
      assert.throws(() => new RecordBatch(bytes).checkRecords(), InvalidRecordError);
    });
  }

  test("while the same record with nothing wrong is read", () => {
    const batch = new RecordBatch(withHeader(record(0, 0, 0, 1, 1, 0), 0, 1));
    assert.equal([...batch.records()].length, 1);
    batch.checkRecords();
  });
});

test("records that are none behind a compression are refused as the bare ones are", () => {
  for (const compressionType of COMPRESSION_TYPES) {
    const builder = new RecordBatchBuilder({ compressionType });
    builder.append({ timestamp: 0, value: new Uint8Array(100) });
    const bytes = builder.build();
    new DataView(bytes.buffer, bytes.byteOffset).setInt32(57, 2); // one record more than there is
    assert.throws(() => [...new RecordBatch(bytes).records()], InvalidRecordError, compressionType);
  }
});

/** All bits at once, and one bit; long batches are expensive to unfold, so there they take turns. */
function masks(at: number, bytes: Uint8Array): number[] {
  const all = [0xff, 1 << (at % 8)];
  return bytes.length < 2500 ? all : all.slice(at % 2, (at % 2) + 1);
}

/** Bytes of a varint that say that more follow. */
function continued(count: number): number[] {
  return Array.from({ length: count }, () => 0x80);
}

/** A batch whose header is right but for what is asked, over these bytes as records. */
function withHeader(records: Uint8Array, attributes: number, count: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + records.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(8, bytes.length - 12);
  view.setInt8(16, 2);
  view.setInt16(21, attributes);
  view.setInt32(23, Math.max(0, count - 1));
  view.setInt32(57, count);
  bytes.set(records, HEADER_BYTES);
  view.setUint32(17, new RecordBatch(bytes).computeCrc());
  return bytes;
}
