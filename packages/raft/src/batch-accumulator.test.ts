import assert from "node:assert/strict";
import { test } from "node:test";
import { ControlRecordType, RecordBatch } from "@samsa/protocol";
import { LeaderChangeMessage } from "@samsa/protocol/messages/leader-change-message";
import { BatchAccumulator } from "./batch-accumulator.ts";

function accumulator(options: { maxBatchBytes?: number; maxUnwrittenBytes?: number } = {}): BatchAccumulator {
  return new BatchAccumulator({
    epoch: 5,
    baseOffset: 100,
    lingerMs: 25,
    maxBatchBytes: options.maxBatchBytes ?? 1000,
    maxUnwrittenBytes: options.maxUnwrittenBytes ?? 10_000,
  });
}

const values = (count: number, size = 10): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array(size));

test("records linger together, and come out as one batch with their offsets and the epoch", () => {
  const records = accumulator();
  assert.equal(records.append(values(2), 1, 1000, false), 101);
  assert.equal(records.append(values(1), 1, 1010, false), 102);
  assert.equal(records.drainAtMs, 1025);
  const [batch, ...others] = records.drain();
  assert.ok(batch !== undefined && others.length === 0);
  assert.deepEqual([batch.baseOffset, batch.endOffset], [100, 103]);
  const read = new RecordBatch(batch.bytes);
  read.ensureValid();
  assert.deepEqual([read.recordCount, read.partitionLeaderEpoch, read.isControlBatch], [3, 5, false]);
  assert.equal(records.drainAtMs, Infinity);
});

test("urgent records do not linger, and take along what does", () => {
  const records = accumulator();
  records.append(values(1), 1, 1000, false);
  records.append(values(1), 1, 1001, true);
  assert.equal(records.drainAtMs, 1001);
});

test("what comes together stays together: a full batch is closed before", () => {
  const records = accumulator({ maxBatchBytes: 500 });
  for (let part = 0; part < 3; part++) records.append(values(6, 30), 1, 1000, false);
  assert.equal(records.drainAtMs, 1000);
  assert.deepEqual(
    records.drain().map(({ baseOffset, endOffset }) => [baseOffset, endOffset]),
    [
      [100, 106],
      [106, 112],
      [112, 118],
    ],
  );
});

test("the quorum's own records have a batch of their own", () => {
  const records = accumulator();
  records.append(values(1), 1, 1000, false);
  const value = LeaderChangeMessage.create({ leaderId: 1 });
  assert.equal(records.appendControl([{ type: ControlRecordType.LEADER_CHANGE, value }], 1, 1000), 101);
  const kinds = records.drain().map(({ bytes }) => new RecordBatch(bytes).isControlBatch);
  assert.deepEqual(kinds, [false, true]);
});

test("what fits in no batch is refused, and so is more than may wait; nothing has changed then", () => {
  const records = accumulator({ maxUnwrittenBytes: 500 });
  assert.throws(() => records.append(values(1, 1000), 1, 0, false), { codeName: "RECORD_LIST_TOO_LARGE" });
  records.append(values(5, 40), 1, 0, false);
  assert.throws(() => records.append(values(5, 40), 1, 0, false), { codeName: "THROTTLING_QUOTA_EXCEEDED" });
  assert.equal(records.nextOffset, 105);
});
