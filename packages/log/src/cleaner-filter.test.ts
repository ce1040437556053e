import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ControlRecordType, endTransactionMarker, RecordBatch, RecordBatchBuilder } from "@samsa/protocol";
import type { CompressionType, RecordBatchBuilderOptions } from "@samsa/protocol";
import { CleanedTransactionMetadata } from "./cleaned-transaction-metadata.ts";
import type { CleanerFilterOptions } from "./cleaner-filter.ts";
import { addToOffsetMap, CleanerFilter } from "./cleaner-filter.ts";
import { OffsetMap } from "./offset-map.ts";
import { NOW_MS } from "./testing/records.ts";
import { SeededRandom } from "./testing/ports.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const HOUR_MS = 3600 * 1000;

/** Records `key` or `key=value`, from offset 10 on; a `-` stands for no key. */
function batchOf(records: readonly string[], options: RecordBatchBuilderOptions = {}): RecordBatch {
  const builder = new RecordBatchBuilder({ baseOffset: 10, partitionLeaderEpoch: 3, ...options });
  for (const [index, record] of records.entries()) {
    const [key = "", value] = record.split("=");
    builder.append({
      timestamp: NOW_MS + index,
      key: key === "-" ? null : encoder.encode(key),
      value: value === undefined ? null : encoder.encode(value),
      headers: [{ key: "h", value: encoder.encode(record) }],
    });
  }
  return new RecordBatch(builder.build().slice());
}

function contextOf(
  later: Readonly<Record<string, number>>,
  options: Partial<CleanerFilterOptions> = {},
): CleanerFilterOptions {
  const offsets = new OffsetMap(1 << 16, 100, new SeededRandom());
  for (const [key, offset] of Object.entries(later)) offsets.put(encoder.encode(key), offset);
  return {
    offsets,
    transactions: new CleanedTransactionMetadata(),
    mapEndOffset: 1000,
    firstUncleanableOffset: 1000,
    nowMs: NOW_MS,
    deleteRetentionMs: HOUR_MS,
    lastRecordOf: () => undefined,
    ...options,
  };
}

function filterBatch(batch: RecordBatch, context: CleanerFilterOptions): Uint8Array | undefined {
  return new CleanerFilter(context).filter(batch);
}

function markerOf(type: 0 | 1, producerId: number, baseOffset: number): RecordBatch {
  const marker = { type, coordinatorEpoch: 0, producerId, producerEpoch: 2, timestamp: NOW_MS, baseOffset };
  return new RecordBatch(endTransactionMarker(marker).slice());
}

/** Only of producer 7 is anything known. */
function lastRecord(lastDataOffset: number, producerId = 7): Partial<CleanerFilterOptions> {
  return { lastRecordOf: (asked) => (asked === producerId ? { lastDataOffset, producerEpoch: 2 } : undefined) };
}

function textOf(bytes: Uint8Array | undefined): string[] {
  if (bytes === undefined) return ["nothing"];
  const batch = new RecordBatch(bytes);
  batch.ensureValid();
  return Array.from(batch.records(), ({ offset, key, value }) => {
    const text = value === null ? "" : `=${decoder.decode(value)}`;
    return `${offset} ${key === null ? "-" : decoder.decode(key)}${text}`;
  });
}

describe("a batch that is compacted", () => {
  test("is left byte for byte when no record has a later one", () => {
    const batch = batchOf(["a=1", "b=2"]);
    assert.equal(filterBatch(batch, contextOf({ a: 10, b: 11 })), batch.bytes);
  });

  for (const compressionType of ["none", "gzip", "lz4"] satisfies CompressionType[]) {
    test(`keeps its offsets, its producer and its codec (${compressionType}) without the records that have a later one`, () => {
      const producer = { producerId: 7, producerEpoch: 2, baseSequence: 40 };
      const batch = batchOf(["a=1", "b=2", "c=3", "a=4", "b=5"], { compressionType, ...producer });
      const kept = filterBatch(batch, contextOf({ a: 13, b: 99, c: 12 }));
      assert.deepEqual(textOf(kept), ["12 c=3", "13 a=4"]);
      const view = new RecordBatch(kept ?? new Uint8Array(0));
      assert.deepEqual([view.baseOffset, view.lastOffset, view.partitionLeaderEpoch], [10, 14, 3]);
      assert.deepEqual([view.producerId, view.producerEpoch, view.baseSequence, view.lastSequence], [7, 2, 40, 44]);
      assert.deepEqual([view.compressionType, view.deleteHorizonMs], [compressionType, undefined]);
      for (const record of view.records()) assert.equal(record.headers()[0]?.key, "h");
      assert.equal(view.maxTimestamp, NOW_MS + 3);
    });
  }

  test("keeps the log append time", () => {
    const batch = batchOf(["a=1", "b=2"]);
    batch.setMaxTimestamp("log-append-time", NOW_MS + 77);
    const kept = new RecordBatch(filterBatch(batch, contextOf({ a: 99, b: 11 })) ?? new Uint8Array(0));
    assert.deepEqual([kept.timestampType, kept.maxTimestamp], ["log-append-time", NOW_MS + 77]);
    for (const { timestamp } of kept.records()) assert.equal(timestamp, NOW_MS + 77);
  });

  test("goes when nothing is left of it", () => {
    assert.equal(filterBatch(batchOf(["a=1"]), contextOf({ a: 99 })), undefined);
  });

  test("drops what has no key, from before the topic was compacted", () => {
    assert.deepEqual(textOf(filterBatch(batchOf(["-=1", "a=2"]), contextOf({ a: 11 }))), ["11 a=2"]);
  });

  test("may have more keys than the map looks at together", () => {
    const offsets = new OffsetMap(1 << 20, 10_000, new SeededRandom());
    const transactions = new CleanedTransactionMetadata();
    const keys = Array.from({ length: 3000 }, (_, index) => (index % 5 === 0 ? "-" : `k${index}`));
    const batch = batchOf(keys.map((key) => `${key}=1`));
    const later = batchOf(
      keys.filter((_, index) => index % 2 === 0).map((key) => `${key}=2`),
      { baseOffset: 5000 },
    );
    for (const each of [batch, later]) assert.equal(addToOffsetMap(each, 0, offsets, transactions), true);
    assert.equal(offsets.size, 2400);
    const context = contextOf({}, { offsets, mapEndOffset: 10_000, firstUncleanableOffset: 10_000 });
    const kept = keys.flatMap((key, index) => (key === "-" || index % 2 === 0 ? [] : [`${10 + index} ${key}=1`]));
    assert.deepEqual(textOf(filterBatch(batch, context)), kept);
  });

  test("counts as far as the map has room, whatever becomes of the rest", () => {
    const offsets = new OffsetMap(64 * 24, 1e9, new SeededRandom());
    const batch = batchOf(Array.from({ length: 60 }, (_, index) => `k${index}`));
    assert.equal(addToOffsetMap(batch, 0, offsets, new CleanedTransactionMetadata()), false);
    assert.deepEqual([offsets.size, offsets.latestOffset], [54, 10 + 53]);
  });

  test("keeps what lies past the part that was looked at", () => {
    const context = contextOf({ a: 99 }, { mapEndOffset: 11 });
    assert.deepEqual(textOf(filterBatch(batchOf(["a=1", "a=2", "-=3"]), context)), ["11 a=2", "12 -=3"]);
    const after = batchOf(["a=1"]);
    assert.equal(filterBatch(after, contextOf({ a: 99 }, { mapEndOffset: 10 })), after.bytes);
  });

  const headers: [string, Partial<CleanerFilterOptions>, boolean][] = [
    ["it is where the log ends that was looked at", { firstUncleanableOffset: 12 }, true],
    ["it is not", { firstUncleanableOffset: 13 }, false],
    ["its producer is remembered for it", lastRecord(11), true],
    ["its producer has gone on", lastRecord(50), false],
    ["its producer is forgotten", lastRecord(11, 8), false],
  ];
  for (const [why, options, stays] of headers) {
    test(`of which nothing is left ${stays ? "keeps" : "loses"} its header: ${why}`, () => {
      const batch = batchOf(["a=1", "b=2"], {
        producerId: 7,
        producerEpoch: 2,
        baseSequence: 5,
        compressionType: "gzip",
      });
      const kept = filterBatch(batch, contextOf({ a: 99, b: 99 }, options));
      assert.equal(kept !== undefined, stays);
      if (kept === undefined) return;
      const view = new RecordBatch(kept);
      view.ensureValid();
      assert.deepEqual([view.baseOffset, view.lastOffset, view.recordCount, view.lastSequence], [10, 11, 0, 6]);
    });
  }
});

describe("a tombstone", () => {
  const latest = { a: 10, b: 11 };

  test("gets a delete horizon when it is first seen, and what it was before stays readable", () => {
    const kept = filterBatch(batchOf(["a", "b=2"]), contextOf(latest));
    assert.deepEqual(textOf(kept), ["10 a", "11 b=2"]);
    const view = new RecordBatch(kept ?? new Uint8Array(0));
    assert.equal(view.deleteHorizonMs, NOW_MS + HOUR_MS);
    assert.deepEqual(
      Array.from(view.records(), ({ timestamp }) => timestamp),
      [NOW_MS, NOW_MS + 1],
    );
  });

  test("stays until then, and is gone afterwards", () => {
    const first = new RecordBatch(filterBatch(batchOf(["a", "b=2"]), contextOf(latest)) ?? new Uint8Array(0));
    const before = filterBatch(first, contextOf(latest, { nowMs: NOW_MS + HOUR_MS - 1 }));
    assert.equal(before, first.bytes);
    const after = filterBatch(first, contextOf(latest, { nowMs: NOW_MS + HOUR_MS }));
    assert.deepEqual(textOf(after), ["11 b=2"]);
    assert.equal(new RecordBatch(after ?? new Uint8Array(0)).deleteHorizonMs, NOW_MS + HOUR_MS);
  });

  test("with a later record of its key goes at once", () => {
    assert.deepEqual(textOf(filterBatch(batchOf(["a", "b=2"]), contextOf({ a: 99, b: 11 }))), ["11 b=2"]);
  });
});

describe("of a transaction", () => {
  const offsetsOf = (): OffsetMap => new OffsetMap(1 << 16, 100, new SeededRandom());
  const data = batchOf(["a=1", "b=2"], { isTransactional: true, producerId: 7, producerEpoch: 0, baseSequence: 0 });

  test("records that were committed are as any others", () => {
    const offsets = offsetsOf();
    addToOffsetMap(data, 0, offsets, new CleanedTransactionMetadata());
    assert.equal(offsets.size, 2);
    const kept = filterBatch(data, contextOf({ a: 99, b: 11 }));
    assert.deepEqual(textOf(kept), ["11 b=2"]);
    assert.equal(new RecordBatch(kept ?? new Uint8Array(0)).isTransactional, true);
  });

  const ranges: [boolean, string, { producerId: number; firstOffset: number; lastOffset: number }[]][] = [
    [true, "its producer aborted", [{ producerId: 7, firstOffset: 10, lastOffset: 12 }]],
    [true, "after others", [1, 5, 10].map((at) => ({ producerId: 7, firstOffset: at, lastOffset: at + 2 }))],
    [false, "another producer aborted", [{ producerId: 8, firstOffset: 10, lastOffset: 12 }]],
    [false, "the one before", [{ producerId: 7, firstOffset: 1, lastOffset: 9 }]],
    [false, "the one after", [{ producerId: 7, firstOffset: 12, lastOffset: 19 }]],
  ];
  for (const [goes, what, transactions] of ranges) {
    test(`records ${goes ? "go and hide nothing" : "stay"}: ${what}`, () => {
      const offsets = offsetsOf();
      const read = (): CleanedTransactionMetadata => {
        const metadata = new CleanedTransactionMetadata();
        metadata.addAborted(transactions.map((range) => ({ ...range, lastStableOffset: 0 })));
        for (const { producerId, lastOffset } of transactions) {
          if (lastOffset < 10) metadata.onControlBatchRead(markerOf(ControlRecordType.ABORT, producerId, lastOffset));
        }
        return metadata;
      };
      addToOffsetMap(data, 0, offsets, read());
      assert.equal(offsets.size, goes ? 0 : 2);
      const kept = filterBatch(data, contextOf({ a: 10, b: 11 }, { transactions: read() }));
      assert.equal(kept, goes ? undefined : data.bytes);
    });
  }

  test("the marker hides nothing, and stays as it is while batches of the transaction are there", () => {
    const marker = markerOf(ControlRecordType.COMMIT, 7, 12);
    const offsets = offsetsOf();
    addToOffsetMap(marker, 0, offsets, new CleanedTransactionMetadata());
    assert.equal(offsets.size, 0);
    const filter = new CleanerFilter(contextOf({ a: 99, b: 99 }));
    assert.equal(filter.filter(data), undefined);
    assert.equal(filter.filter(marker), marker.bytes);
  });

  test("the marker gets a delete horizon when no batch is left, and goes when that is over", () => {
    const marker = markerOf(ControlRecordType.COMMIT, 7, 12);
    const first = new RecordBatch(filterBatch(marker, contextOf({})) ?? new Uint8Array(0));
    first.ensureValid();
    assert.deepEqual([first.deleteHorizonMs, first.isControlBatch, first.recordCount], [NOW_MS + HOUR_MS, true, 1]);
    for (const { timestamp } of first.records()) assert.equal(timestamp, NOW_MS);
    assert.equal(filterBatch(first, contextOf({}, { nowMs: NOW_MS + HOUR_MS - 1 })), first.bytes);
    assert.equal(filterBatch(first, contextOf({}, { nowMs: NOW_MS + HOUR_MS })), undefined);
  });

  test("the marker keeps its header where nothing else says what epoch its producer has", () => {
    const marker = markerOf(ControlRecordType.COMMIT, 7, 12);
    const first = new RecordBatch(filterBatch(marker, contextOf({})) ?? new Uint8Array(0));
    const context = contextOf({}, { nowMs: NOW_MS + HOUR_MS, ...lastRecord(-1) });
    const header = new RecordBatch(filterBatch(first, context) ?? new Uint8Array(0));
    assert.deepEqual([header.recordCount, header.isControlBatch, header.producerEpoch], [0, true, 2]);
    assert.equal(filterBatch(header, contextOf({}, { nowMs: NOW_MS + HOUR_MS })), undefined);
  });

  test("the index entry of an aborted transaction stays with its marker, as long as a batch was there", () => {
    const aborted = { producerId: 7, firstOffset: 10, lastOffset: 12, lastStableOffset: 13 };
    for (const hasBatches of [true, false]) {
      const retained: unknown[] = [];
      const transactions = new CleanedTransactionMetadata((transaction) => retained.push(transaction));
      transactions.addAborted([aborted]);
      transactions.addAborted([aborted]); // as of two segments
      if (hasBatches) assert.equal(transactions.onBatchRead(data), true);
      assert.equal(transactions.onControlBatchRead(markerOf(ControlRecordType.ABORT, 7, 12)), !hasBatches);
      assert.deepEqual(retained, hasBatches ? [aborted] : []);
    }
  });
});

describe("left as it is", () => {
  test("is a batch with a good CRC whose records cannot be read", () => {
    const builder = new RecordBatchBuilder({ baseOffset: 10 });
    builder.append({ timestamp: NOW_MS, key: encoder.encode("a"), value: null });
    const bytes = builder.build().slice();
    new DataView(bytes.buffer).setInt32(57, 1000); // so many records are announced
    const batch = new RecordBatch(bytes);
    new DataView(bytes.buffer).setUint32(17, batch.computeCrc());
    const offsets = new OffsetMap(1 << 16, 100, new SeededRandom());
    assert.equal(addToOffsetMap(batch, 0, offsets, new CleanedTransactionMetadata()), true);
    assert.equal(filterBatch(batch, contextOf({ a: 99 })), batch.bytes);
  });
});
