import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { RaftLog } from "./raft-log.ts";

/** Epoch 1 from 0, epoch 3 from 10, epoch 4 from 20 to 30. */
function log(snapshotAt?: { offset: number; epoch: number }): RaftLog {
  const raftLog = new RaftLog({ logStartOffset: 0, endOffset: 0, epochs: [], snapshots: [] });
  raftLog.append(0, 10, 1);
  raftLog.append(10, 15, 3);
  raftLog.append(15, 20, 3);
  raftLog.append(20, 30, 4);
  raftLog.noteDurable(30, 0);
  if (snapshotAt === undefined) return raftLog;
  raftLog.advanceHighWatermark(25);
  raftLog.addSnapshot({ ...snapshotAt, sizeInBytes: 100 });
  raftLog.deleteBefore(snapshotAt);
  return raftLog;
}

describe("a follower whose log ends at an offset of an epoch", () => {
  const whole = [
    { offset: 0, epoch: 0, says: { kind: "valid" }, why: "an empty log continues every log from 0 on" },
    { offset: 30, epoch: 4, says: { kind: "valid" }, why: "it has all" },
    { offset: 10, epoch: 1, says: { kind: "valid" }, why: "it ends with an epoch" },
    { offset: 12, epoch: 1, says: { kind: "diverging", end: { offset: 10, epoch: 1 } }, why: "its epoch went on" },
    { offset: 12, epoch: 2, says: { kind: "diverging", end: { offset: 10, epoch: 1 } }, why: "nobody else had it" },
    { offset: 31, epoch: 4, says: { kind: "diverging", end: { offset: 30, epoch: 4 } }, why: "it is longer" },
    { offset: 30, epoch: 9, says: { kind: "diverging", end: { offset: 30, epoch: 4 } }, why: "its epoch is unknown" },
  ];
  for (const { offset, epoch, says, why } of whole) {
    test(`${offset} of ${epoch}: ${why}`, () => assert.deepEqual(log().validate(offset, epoch), says));
  }
  const id = { offset: 15, epoch: 3 };
  const cut = [
    { offset: 0, epoch: 0, says: { kind: "snapshot", id }, why: "the beginning is gone" },
    { offset: 14, epoch: 3, says: { kind: "snapshot", id }, why: "the next record is gone" },
    { offset: 15, epoch: 3, says: { kind: "valid" }, why: "it ends where the log starts" },
    { offset: 15, epoch: 1, says: { kind: "snapshot", id }, why: "it ends there in another epoch" },
    { offset: 25, epoch: 2, says: { kind: "snapshot", id }, why: "its epoch is older than what is left" },
    { offset: 25, epoch: 3, says: { kind: "diverging", end: { offset: 20, epoch: 3 } }, why: "its epoch ended before" },
  ];
  for (const { offset, epoch, says, why } of cut) {
    test(`${offset} of ${epoch}, the log starting at 15: ${why}`, () =>
      assert.deepEqual(log(id).validate(offset, epoch), says));
  }
});

test("after the whole log was summed up, the snapshot's epoch is the log's", () => {
  const raftLog = log();
  raftLog.advanceHighWatermark(30);
  raftLog.addSnapshot({ offset: 30, epoch: 4, sizeInBytes: 1 });
  assert.ok(raftLog.deleteBefore({ offset: 30, epoch: 4 }));
  assert.deepEqual(raftLog.end, { offset: 30, epoch: 4 });
  assert.deepEqual(raftLog.validate(30, 4), { kind: "valid" });
});

test("a snapshot of what is not committed, or of another epoch, is refused", () => {
  const raftLog = log({ offset: 15, epoch: 3 });
  for (const id of [
    { offset: 26, epoch: 4 },
    { offset: 14, epoch: 3 },
    { offset: 22, epoch: 3 },
  ]) {
    assert.throws(() => raftLog.addSnapshot({ ...id, sizeInBytes: 1 }), { codeName: "INVALID_REQUEST" });
  }
});

test("what the disk says of appends that were cut off since does not count", () => {
  const raftLog = log();
  raftLog.append(30, 40, 4);
  raftLog.truncateTo(20);
  raftLog.append(20, 35, 5);
  raftLog.noteDurable(40, 0);
  assert.equal(raftLog.durableEndOffset, 20);
  raftLog.noteDurable(35, raftLog.truncationCount);
  assert.ok(raftLog.isDurable);
});

/** Batches of one record: the epoch of each. */
const epochs = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 12 }).map((steps) => {
  let epoch = 1;
  return steps.map((step) => (epoch += step));
});

function logOf(records: readonly number[]): RaftLog {
  const raftLog = new RaftLog({ logStartOffset: 0, endOffset: 0, epochs: [], snapshots: [] });
  for (const [offset, epoch] of records.entries()) raftLog.append(offset, offset + 1, epoch);
  return raftLog;
}

test("cut as the leader says, a follower agrees with the leader, and loses nothing that both have", () => {
  fc.assert(
    fc.property(epochs, epochs, epochs, (common, mine, theirs) => {
      // Leader and follower share a beginning. The epochs after it are of one or the other: the leader's are even.
      const base = common.at(-1) ?? 0;
      const led = [...common, ...theirs.map((epoch) => 2 * (base + epoch))];
      const followed = [...common, ...mine.map((epoch) => 2 * (base + epoch) + 1)];
      const [leader, follower] = [logOf(led), logOf(followed)];
      for (let rounds = 0; ; rounds++) {
        assert.ok(rounds <= followed.length, "it comes to an end");
        const { offset, epoch } = follower.end;
        const answer = leader.validate(offset, epoch);
        if (answer.kind === "valid") break;
        assert.equal(answer.kind, "diverging");
        if (answer.kind === "diverging") follower.truncateTo(follower.truncationOffset(answer.end));
      }
      assert.equal(follower.endOffset, common.length);
    }),
  );
});
