import fc from "fast-check";
import type { RecordBatch } from "../record/record-batch.ts";
import type { RecordHeader } from "../record/record-cursor.ts";

export interface PlainRecord {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 3 }), fc.nat(70_000)).map(repeated) },
);
const nullableBytes = fc.option(bytes, { freq: 4 });
const PLAIN_OBJECTS = { noNullPrototype: true };
const headers = fc.array(
  fc.record(
    { key: fc.string({ unit: "grapheme", maxLength: 12 }), value: fc.option(fc.uint8Array({ maxLength: 10 })) },
    PLAIN_OBJECTS,
  ),
  { maxLength: 3 },
);
const timestamp = fc.oneof(
  fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 }),
  fc.integer({ min: -1, max: 10 }),
  fc.integer({ min: -(2 ** 51), max: 2 ** 51 }),
);

export const plainRecords: fc.Arbitrary<PlainRecord[]> = fc.array(
  fc.record({ timestamp, key: nullableBytes, value: nullableBytes, headers }, PLAIN_OBJECTS),
  { minLength: 1, maxLength: 30 },
);

/** Everything of a batch's records, copied. */
export function plain(batch: RecordBatch): PlainRecord[] {
  const records: PlainRecord[] = [];
  for (const record of batch.records()) {
    records.push({
      timestamp: record.timestamp,
      key: record.key && record.key.slice(),
      value: record.value && record.value.slice(),
      headers: record.headers().map((header) => ({ key: header.key, value: header.value && header.value.slice() })),
    });
  }
  return records;
}

function repeated([piece, length]: [Uint8Array, number]): Uint8Array {
  const all = new Uint8Array(length);
  for (let at = 0; at < length; at += piece.length) all.set(piece.subarray(0, length - at), at);
  return all;
}
