import assert from "node:assert/strict";
import { test } from "node:test";
import { MetadataLoader } from "./metadata-loader.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { metadataRecord } from "./metadata-record.ts";

const begin = metadataRecord("BeginTransactionRecord", { name: "several topics" });
const end = metadataRecord("EndTransactionRecord", {});
const abort = metadataRecord("AbortTransactionRecord", { reason: "changed my mind" });
const feature = (name: string, featureLevel = 1): MetadataRecord =>
  metadataRecord("FeatureLevelRecord", { name, featureLevel });

/** Loads each list as a batch, and returns the features after each. */
function load(...batches: MetadataRecord[][]): string[][] {
  const loader = new MetadataLoader();
  return batches.map((records) => {
    loader.load({ records, baseOffset: loader.nextOffset, epoch: 1, timestampMs: 5 });
    return [...loader.take().image.features.finalizedLevels.keys()];
  });
}

test("records of a transaction count from its end on, over batches", () => {
  assert.deepEqual(load([feature("a"), begin, feature("b")], [feature("c")], [end, feature("d")]), [
    ["a"],
    ["a"],
    ["a", "b", "c", "d"],
  ]);
});

test("records of an aborted transaction do not count", () => {
  assert.deepEqual(load([begin, feature("a")], [abort], [feature("b")]), [[], [], ["b"]]);
});

test("an open transaction is known by its name", () => {
  const loader = new MetadataLoader();
  loader.load({ records: [begin], baseOffset: 0, epoch: 1, timestampMs: 5 });
  assert.equal(loader.openTransaction, "several topics");
});

test("transactions do not nest, and end only once", () => {
  assert.throws(() => load([begin, begin]), /the transaction "several topics" has not ended/);
  assert.throws(() => load([end]), /no transaction has begun/);
  assert.throws(() => load([begin, end, abort]), /no transaction has begun/);
});

test("an image knows how much of the log it holds", () => {
  const loader = new MetadataLoader();
  assert.equal(loader.nextOffset, 0);
  loader.load({ records: [feature("a"), feature("b")], baseOffset: 7, epoch: 3, timestampMs: 11 });
  const { image } = loader.take();
  assert.deepEqual(image.provenance, { lastContainedOffset: 8, lastContainedEpoch: 3, lastContainedLogTimeMs: 11 });
  loader.skipTo(9, 4, 12);
  assert.equal(loader.nextOffset, 10);
  assert.equal(loader.peek().features, image.features);
});
