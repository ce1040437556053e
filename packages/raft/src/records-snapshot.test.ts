import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUuid } from "@samsa/base";
import { ControlRecordType } from "@samsa/protocol";
import {
  checkpointFileName,
  isLogBehindSnapshot,
  parseCheckpointFileName,
  readRecordsSnapshot,
  RecordsSnapshotWriter,
} from "./records-snapshot.ts";
import { VoterSet } from "./voter-set.ts";

const id = { offset: 42, epoch: 3 };
const voterSet = new VoterSet([
  {
    key: { id: 1, directoryId: parseUuid("6VBnhFd3TXOPWF1HKyHIXA") },
    endpoints: [{ name: "CONTROLLER", host: "localhost", port: 9093 }],
    kraftVersions: { min: 0, max: 1 },
  },
]);

function snapshot(kraftVersion: number, count = 5): Uint8Array {
  const options = { id, lastContainedLogTimeMs: 77, kraftVersion, voterSet, nowMs: 99, maxRecordsPerBatch: 2 };
  const writer = new RecordsSnapshotWriter(options);
  const parts = [];
  for (let value = 0; value < count; value++) {
    writer.append(Uint8Array.of(value));
    parts.push(...writer.take());
  }
  return new Uint8Array([...parts, ...writer.freeze()].flatMap((part) => [...part]));
}

test("a snapshot reads back: its time, the quorum's records, the application's", () => {
  const { lastContainedLogTimeMs, controlRecords, batches } = readRecordsSnapshot(snapshot(1), id);
  assert.equal(lastContainedLogTimeMs, 77);
  assert.deepEqual(
    controlRecords.map(({ offset, record }) => ({ offset, type: record.type })),
    [
      { offset: 41, type: ControlRecordType.KRAFT_VERSION },
      { offset: 41, type: ControlRecordType.KRAFT_VOTERS },
    ],
  );
  const values = batches.flatMap((batch) => Array.from(batch.records(), ({ value }) => value?.[0]));
  assert.deepEqual(values, [0, 1, 2, 3, 4]);
  assert.deepEqual(
    batches.map(({ baseOffset, partitionLeaderEpoch, recordCount }) => [baseOffset, partitionLeaderEpoch, recordCount]),
    [
      [3, 3, 2],
      [5, 3, 2],
      [7, 3, 1],
    ],
  );
});

test("before kraft.version 1 it does not name the voters", () => {
  assert.deepEqual(readRecordsSnapshot(snapshot(0), id).controlRecords, []);
});

test("what was cut off anywhere, is followed by more, or has a bit that was flipped, is no snapshot", () => {
  const whole = snapshot(1);
  for (let size = 0; size < whole.length; size++) {
    assert.throws(() => readRecordsSnapshot(whole.subarray(0, size), id), { codeName: "CORRUPT_MESSAGE" });
  }
  const doubled = new Uint8Array([...whole, ...whole]);
  for (let at = 0; at < whole.length; at++) {
    const flipped = whole.map((byte, index) => (index === at ? byte ^ 1 : byte));
    assert.throws(() => readRecordsSnapshot(flipped, id), {
      codeName: /CORRUPT_MESSAGE|UNSUPPORTED_FOR_MESSAGE_FORMAT/,
    });
  }
  assert.throws(() => readRecordsSnapshot(doubled, id), /follow its footer/);
});

test("its file's name says where it stands", () => {
  assert.equal(checkpointFileName(id), "00000000000000000042-0000000003.checkpoint");
  assert.deepEqual(parseCheckpointFileName(checkpointFileName(id)), id);
  assert.equal(parseCheckpointFileName("00000000000000000042-0000000003.checkpoint.part"), undefined);
});

test("a log is behind a snapshot of a later epoch however long it is, and of its own epoch when it is shorter", () => {
  const latest = { ...id, sizeInBytes: 1 };
  assert.ok(isLogBehindSnapshot({ offset: 100, epoch: 2 }, latest));
  assert.ok(isLogBehindSnapshot({ offset: 41, epoch: 3 }, latest));
  assert.ok(!isLogBehindSnapshot({ offset: 42, epoch: 3 }, latest));
  assert.ok(!isLogBehindSnapshot({ offset: 42, epoch: 4 }, latest));
  assert.ok(!isLogBehindSnapshot({ offset: 0, epoch: 0 }, undefined));
});
