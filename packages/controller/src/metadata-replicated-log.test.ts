import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { encodeMetadataBatch, encodeSnapshot, metadataRecord } from "@samsa/metadata";
import { VotersRecord, createVotersRecordVoter } from "@samsa/protocol/messages/voters-record";
import { SeededRandom, VirtualClock } from "@samsa/simulation";
import { METADATA_LOG_FOLDER, recoverMetadataLog } from "./metadata-log-recovery.ts";
import { epochStarts, MetadataReplicatedLog } from "./metadata-replicated-log.ts";

const DIRECTORY = "/data";
const FOLDER = `${DIRECTORY}/${METADATA_LOG_FOLDER}`;
const id = { offset: 42, epoch: 3 };

async function open(disk: Disk) {
  await disk.makeDirectory(FOLDER);
  const ports = { disk, clock: new VirtualClock(), random: new SeededRandom(), directory: DIRECTORY };
  const { log, snapshots, snapshot } = await recoverMetadataLog(ports);
  return { log, snapshots, snapshot, replicated: new MetadataReplicatedLog(log, disk, FOLDER) };
}

function snapshotBytes(): Uint8Array {
  const voters = VotersRecord.create({
    voters: [createVotersRecordVoter({ voterId: 7, voterDirectoryId: ZERO_UUID })],
  });
  const records = [metadataRecord("FeatureLevelRecord", { name: "metadata.version", featureLevel: 33 })];
  return encodeSnapshot({ lastContainedLogTimeMs: 77, kraftVersion: 1, voters, records }, id.epoch, 99);
}

function batch(baseOffset: number, epoch: number): Uint8Array {
  const records = [metadataRecord("FeatureLevelRecord", { name: "group.version", featureLevel: 1 })];
  return encodeMetadataBatch(records, { baseOffset, epoch, timestampMs: 1 });
}

test("a snapshot goes from one replica to another in chunks, and the log begins anew at its end", async () => {
  const bytes = snapshotBytes();
  const leader = await open(new MemoryDisk());
  await leader.replicated.writeSnapshot(id, bytes);
  assert.equal(await leader.replicated.snapshotTimeMs(id), 77);

  const disk = new MemoryDisk();
  const follower = await open(disk);
  await follower.replicated.append(batch(0, 1)); // of a log that went another way
  for (let position = 0; position < bytes.length;) {
    const chunk = await leader.replicated.readSnapshot(id, position, 50);
    assert.ok(chunk !== undefined && chunk.length > 0 && chunk.length <= 50);
    await follower.replicated.writeSnapshotChunk(id, position, chunk);
    position += chunk.length;
  }
  assert.equal(await leader.replicated.readSnapshot(id, bytes.length, 50), undefined);
  const installed = await follower.replicated.installSnapshot(id);
  assert.deepEqual(installed?.snapshot, { ...id, sizeInBytes: bytes.length });
  assert.deepEqual(
    installed.controlRecords.map(({ offset, record }) => [offset, record.type]),
    [
      [41, 5],
      [41, 6],
    ],
  );
  assert.deepEqual([follower.log.logStartOffset, follower.log.logEndOffset], [42, 42]);
  await follower.replicated.append(batch(42, 4));
  assert.deepEqual(epochStarts(follower.log), [{ epoch: 4, startOffset: 42 }]);
  await follower.log.close();
  await leader.log.close();

  const again = await open(disk);
  assert.equal(again.snapshot?.id.endOffset, 42);
  assert.deepEqual(again.snapshots, [{ ...id, sizeInBytes: bytes.length }]);
  assert.deepEqual([again.log.logStartOffset, again.log.logEndOffset], [42, 43]);
  await again.log.close();
});

test("a snapshot that came damaged is not put in the place of the log", async () => {
  const disk = new MemoryDisk();
  const { log, replicated } = await open(disk);
  await replicated.append(batch(0, 1));
  const bytes = snapshotBytes();
  const half = bytes.subarray(0, bytes.length >> 1);
  const flipped = bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte));
  for (const damaged of [half, flipped]) {
    await replicated.writeSnapshotChunk(id, 0, damaged);
    assert.equal(await replicated.installSnapshot(id), undefined);
    assert.equal(log.logEndOffset, 1);
    assert.ok((await disk.list(FOLDER)).every(({ name }) => !name.includes(".checkpoint.part")));
  }
  assert.equal(await replicated.installSnapshot(id), undefined); // nothing came at all
  await log.close();
});

test("a crash between the arrival of a snapshot and the new beginning of the log leaves both, and the snapshot counts", async () => {
  const disk = new MemoryDisk();
  const { log, replicated } = await open(disk);
  for (let offset = 0; offset < 50; offset++) await replicated.append(batch(offset, 1)); // longer, and of an older epoch
  await replicated.writeSnapshot(id, snapshotBytes());
  await log.close();
  const again = await open(disk);
  assert.deepEqual([again.log.logStartOffset, again.log.logEndOffset], [42, 42]);
  await again.log.close();
});
