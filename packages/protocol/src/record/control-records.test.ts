import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  controlRecordKey,
  controlRecordType,
  ControlRecordType,
  endTransactionMarker,
  readControlRecord,
} from "./control-records.ts";
import { InvalidRecordError } from "./errors.ts";
import { RecordBatch } from "./record-batch.ts";

test("the key of a control record is a version and a type", () => {
  assert.deepEqual([...controlRecordKey(ControlRecordType.KRAFT_VOTERS)], [0, 0, 0, 6]);
  for (const type of Object.values(ControlRecordType)) assert.equal(controlRecordType(controlRecordKey(type)), type);
});

test("a type of the future is passed over", () => {
  const key = Uint8Array.of(0, 0, 0, 99);
  assert.equal(controlRecordType(key), undefined);
  assert.equal(readControlRecord({ key, value: null }), undefined);
});

describe("a control record is refused", () => {
  const commit = controlRecordKey(ControlRecordType.COMMIT);
  const refused = [
    { why: "without a key", key: null, value: new Uint8Array(6) },
    { why: "with half a key", key: Uint8Array.of(0, 0, 0), value: new Uint8Array(6) },
    { why: "with a key of a negative version", key: Uint8Array.of(0xff, 0xff, 0, 1), value: new Uint8Array(6) },
    { why: "without a value", key: commit, value: null },
    { why: "with half a value", key: commit, value: new Uint8Array(5) },
    { why: "with a value of a negative version", key: commit, value: Uint8Array.of(0xff, 0xff, 0, 0, 0, 0) },
    { why: "with a voter it does not hold", key: controlRecordKey(2), value: Uint8Array.of(0, 0, 0, 0, 0, 1, 2) },
  ];
  for (const { why, key, value } of refused) {
    test(why, () => assert.throws(() => readControlRecord({ key, value }), InvalidRecordError));
  }
});

test("a marker of a newer version is read as the one we know", () => {
  const key = controlRecordKey(ControlRecordType.ABORT);
  const value = Uint8Array.of(0, 9, 0, 0, 0, 7, 1, 2, 3);
  assert.deepEqual(readControlRecord({ key, value }), { type: 0, value: { coordinatorEpoch: 7 } });
});

test("the batch that ends a transaction is a control batch of one marker, without a sequence", () => {
  const bytes = endTransactionMarker({
    type: ControlRecordType.COMMIT,
    coordinatorEpoch: 3,
    producerId: 11,
    producerEpoch: 4,
    timestamp: 99,
    baseOffset: 1000,
    partitionLeaderEpoch: 2,
  });
  const batch = new RecordBatch(bytes);
  batch.ensureValid();
  const { isControlBatch, isTransactional, producerId, producerEpoch, baseSequence, baseOffset, lastOffset } = batch;
  assert.deepEqual(
    { isControlBatch, isTransactional, producerId, producerEpoch, baseSequence, baseOffset, lastOffset },
    {
      isControlBatch: true,
      isTransactional: true,
      producerId: 11,
      producerEpoch: 4,
      baseSequence: -1,
      baseOffset: 1000,
      lastOffset: 1000,
    },
  );
  const [record] = batch.records();
  assert.ok(record !== undefined);
  assert.deepEqual(readControlRecord(record), { type: 1, value: { coordinatorEpoch: 3 } });
});
