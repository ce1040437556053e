import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import { ControlRecordType, endTransactionMarker } from "@samsa/protocol";
import { LogManager } from "./log-manager.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "./producer-snapshot-file.ts";
import type { ProducerStateFields } from "./producer-state-entry.ts";
import { copyDisk, readFile, readTree, WatchedDisk, writeFile } from "./testing/disks.ts";
import { kafkaDataDirectory } from "./testing/fixtures.ts";
import { FOLDER, openLog, TOPIC_ID } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { batchOf, NOW_MS, readAll, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

/** One record of producer 7; its value is the sequence. */
function idempotent(
  baseSequence: number,
  options: { readonly epoch?: number; readonly isTransactional?: boolean } = {},
) {
  const { epoch = 0, isTransactional = false } = options;
  return batchOf([`${baseSequence}`], { producerId: 7, producerEpoch: epoch, baseSequence, isTransactional });
}

function marker(type: 0 | 1, epoch = 0): Uint8Array {
  return endTransactionMarker({ type, coordinatorEpoch: 0, producerId: 7, producerEpoch: epoch, timestamp: NOW_MS });
}

async function appendSequences(log: UnifiedLog, from: number, to: number): Promise<void> {
  for (let sequence = from; sequence < to; sequence++) await log.appendAsLeader(idempotent(sequence), 0).written;
}

function isDuplicate(log: UnifiedLog, sequence: number): boolean {
  return log.appendAsLeader(idempotent(sequence), 0).info.isDuplicate;
}

async function snapshotNames(disk: MemoryDisk): Promise<string[]> {
  return [...(await readTree(disk, FOLDER)).keys()].filter((name) => name.endsWith(".snapshot")).toSorted();
}

function snapshotName(offset: number): string {
  return `${String(offset).padStart(20, "0")}.snapshot`;
}

const OUT_OF_ORDER = /after/;

describe("a log with an idempotent producer", () => {
  test("appends a batch once, and answers the offsets of then when it comes again", async () => {
    const log = await openLog();
    const first = log.appendAsLeader(batchOf(["a", "b"], { producerId: 7, producerEpoch: 0, baseSequence: 0 }), 0);
    log.appendAsLeader(batchOf(["c"]), 0);
    const again = log.appendAsLeader(batchOf(["a", "b"], { producerId: 7, producerEpoch: 0, baseSequence: 0 }), 0);
    assert.deepEqual([first.info.firstOffset, first.info.lastOffset, first.info.isDuplicate], [0, 1, false]);
    assert.deepEqual([again.info.firstOffset, again.info.lastOffset, again.info.isDuplicate], [0, 1, true]);
    assert.equal(again.info.logAppendTime, NOW_MS, "its largest timestamp, as Kafka answers");
    assert.deepEqual(valuesOf(await readAll(log)), ["a", "b", "c"]);
  });

  test("settles a batch that comes again while it is written when the disk has the first", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    disk.before = (call) => (/^write .*\.log /.test(call) ? held : undefined);
    const first = log.appendAsLeader(idempotent(0), 0);
    const second = log.appendAsLeader(idempotent(0), 0);
    assert.equal(second.written, first.written);
    assert.throws(() => log.appendAsLeader(idempotent(2), 0), OUT_OF_ORDER);
    release();
    await second.written;
    assert.equal(log.logEndOffset, 1);
  });

  test("changes nothing when it refuses a batch", async () => {
    const log = await openLog();
    log.appendAsLeader(idempotent(0), 0);
    assert.throws(() => log.appendAsLeader(idempotent(5), 0), OUT_OF_ORDER);
    assert.throws(() => log.appendAsLeader(idempotent(3, { epoch: 1 }), 0), /begins epoch 1 with sequence 3/);
    assert.equal(log.logEndOffset, 1);
    assert.equal(log.appendAsLeader(idempotent(1), 0).info.firstOffset, 1);
  });

  test("learns from a leader's batches, too, and believes them", async () => {
    const leader = await openLog();
    const batches = [0, 1].map((sequence) => idempotent(sequence));
    for (const batch of batches) leader.appendAsLeader(batch, 0);
    const follower = await openLog();
    for (const batch of batches) follower.appendAsFollower(batch.slice());
    assert.equal(isDuplicate(follower, 1), true);
    assert.throws(() => follower.appendAsLeader(idempotent(3), 0), OUT_OF_ORDER);
  });

  test("forgets who has been silent for producer.id.expiration.ms", async () => {
    const clock = new ManualClock(NOW_MS);
    const log = await openLog({ clock, producerIdExpirationMs: 1000 });
    await appendSequences(log, 0, 2);
    clock.advance(999);
    log.removeExpiredProducers();
    assert.throws(() => log.appendAsLeader(idempotent(9), 0), OUT_OF_ORDER);
    clock.advance(1);
    log.removeExpiredProducers();
    assert.equal(log.producerCount, 0);
    assert.equal(log.appendAsLeader(idempotent(9), 0).info.firstOffset, 2);
  });

  test("forgets them from time to time without being asked", async () => {
    const clock = new ManualClock(NOW_MS);
    const manager = await LogManager.open({
      disk: new MemoryDisk(),
      clock,
      random: new SeededRandom(),
      directory: "/data",
      producerIdExpirationMs: 1000,
      producerIdExpirationCheckIntervalMs: 5000,
    });
    const log = await manager.getOrCreate({ topic: "t", partition: 0 }, TOPIC_ID);
    await appendSequences(log, 0, 1);
    clock.advance(4999);
    assert.equal(log.producerCount, 1);
    clock.advance(1);
    assert.equal(log.producerCount, 0);
    await manager.close();
  });
});

describe("producers after a restart", () => {
  const config = { segmentBytes: 300 }; // four batches

  test("are known by their last batch after a clean stop", async () => {
    const disk = new MemoryDisk();
    const first = await openLog({ disk, config });
    await appendSequences(first, 0, 10);
    await first.close();
    assert.deepEqual(await snapshotNames(disk), [4, 8, 10].map(snapshotName));
    const log = await openLog({ disk, config, hadCleanShutdown: true });
    assert.equal(isDuplicate(log, 9), true);
    assert.throws(() => log.appendAsLeader(idempotent(8), 0), OUT_OF_ORDER, "only the last is in a snapshot");
    assert.equal(log.appendAsLeader(idempotent(10), 0).info.firstOffset, 10);
  });

  test("are known by what the log holds after a crash", async () => {
    const disk = new MemoryDisk();
    await appendSequences(await openLog({ disk, config }), 0, 10);
    const log = await openLog({ disk: await copyDisk(disk, FOLDER), config });
    for (const sequence of [9, 8, 7]) assert.equal(isDuplicate(log, sequence), true);
    assert.throws(() => log.appendAsLeader(idempotent(11), 0), OUT_OF_ORDER);
  });

  const losses: {
    what: string;
    offsets: number[];
    lose: (disk: MemoryDisk, path: string) => Promise<void>;
    says: number;
  }[] = [
    { what: "the last snapshot is missing", offsets: [10], lose: (disk, path) => disk.remove(path), says: 0 },
    { what: "all snapshots are missing", offsets: [4, 8, 10], lose: (disk, path) => disk.remove(path), says: 0 },
    {
      what: "the last is empty",
      offsets: [10],
      lose: (disk, path) => writeFile(disk, path, new Uint8Array(0)),
      says: 1,
    },
    {
      what: "all have a bit that has changed",
      offsets: [4, 8, 10],
      lose: async (disk, path) => {
        const bytes = await readFile(disk, path);
        bytes[20] = (bytes[20] ?? 0) ^ 4;
        await writeFile(disk, path, bytes);
      },
      says: 3,
    },
  ];
  for (const { what, offsets, lose, says } of losses) {
    test(`are read from the log when ${what}`, async () => {
      const disk = new MemoryDisk();
      const first = await openLog({ disk, config });
      await appendSequences(first, 0, 10);
      await first.close();
      for (const offset of offsets) await lose(disk, `${FOLDER}/${snapshotName(offset)}`);
      const reports: string[] = [];
      const report = (_path: string, message: string): number => reports.push(message);
      const log = await openLog({ disk, config, hadCleanShutdown: true, report });
      assert.equal(reports.length, says);
      for (const sequence of [9, 8]) assert.equal(isDuplicate(log, sequence), true);
      assert.throws(() => log.appendAsLeader(idempotent(11), 0), OUT_OF_ORDER);
      assert.ok((await snapshotNames(disk)).includes(snapshotName(10)), "there is a new one");
    });
  }

  test("are those of the log that is left when a torn tail is cut", async () => {
    const disk = new MemoryDisk();
    await appendSequences(await openLog({ disk }), 0, 3);
    const torn = await copyDisk(disk, FOLDER, (path, bytes) => (path.endsWith(".log") ? bytes.subarray(0, -1) : bytes));
    const log = await openLog({ disk: torn });
    assert.equal(log.logEndOffset, 2);
    assert.equal(log.appendAsLeader(idempotent(2), 0).info.firstOffset, 2);
  });

  test("that were silent for too long are not taken from a snapshot", async () => {
    const disk = new MemoryDisk();
    const first = await openLog({ disk, clock: new ManualClock(NOW_MS) });
    await appendSequences(first, 0, 3);
    await first.close();
    const clock = new ManualClock(NOW_MS + 24 * 3600 * 1000);
    assert.equal((await openLog({ disk, clock, hadCleanShutdown: true })).producerCount, 0);
  });

  test("leave no snapshots behind but those of segments and of the last stop", async () => {
    const disk = new MemoryDisk();
    for (const [from, to] of [
      [0, 2],
      [2, 5],
      [5, 7],
    ] as const) {
      const log = await openLog({ disk, config, hadCleanShutdown: true });
      await appendSequences(log, from, to);
      await log.close();
    }
    await openLog({ disk, config, hadCleanShutdown: true });
    assert.deepEqual(await snapshotNames(disk), [4, 7].map(snapshotName));
  });
});

test("a producer that sends again what was not answered has each record there once, wherever a crash came", async () => {
  const config = { segmentBytes: 300, flushMessages: 1 }; // so that there is a moment between the write and the answer
  const memory = new MemoryDisk();
  const disk = new WatchedDisk(memory);
  const crashes: { readonly disk: MemoryDisk; readonly answered: number }[] = [];
  let answered = 0;
  const log = await openLog({ disk, config });
  disk.before = async () => void crashes.push({ disk: await copyDisk(memory, FOLDER), answered });
  while (answered < 10) {
    await log.appendAsLeader(idempotent(answered), 0).written;
    answered++;
    if (answered === 6) await log.flush();
  }
  await log.close();
  assert.ok(crashes.length > 50);
  for (const crash of crashes) {
    const again = await openLog({ disk: crash.disk, config });
    for (let sequence = crash.answered; sequence < 10; sequence++) again.appendAsLeader(idempotent(sequence), 0);
    const all = Array.from({ length: 10 }, (_, sequence) => `${sequence}`);
    assert.deepEqual(valuesOf(await readAll(again)), all, `${crash.answered} were answered`);
    await again.close();
  }
});

describe("producers after retention", () => {
  test("are still known, and the snapshots of the segments that went are gone", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config: { segmentBytes: 300, retentionBytes: 300 } });
    await appendSequences(log, 0, 10);
    log.updateHighWatermark(10);
    assert.equal(await log.deleteOldSegments(), 1);
    assert.equal(log.maybeIncrementLogStartOffset(9), true);
    assert.equal(await log.deleteOldSegments(), 1);
    assert.deepEqual(await snapshotNames(disk), [snapshotName(8)]);
    assert.equal(isDuplicate(log, 5), true);
  });
});

describe("producers after a truncation", () => {
  const config = { segmentBytes: 300 };

  test("are what they were at that offset", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config });
    await appendSequences(log, 0, 10);
    await log.truncateTo(6);
    assert.deepEqual(await snapshotNames(disk), [snapshotName(4)]);
    assert.equal(isDuplicate(log, 5), true);
    assert.throws(() => log.appendAsLeader(idempotent(7), 0), OUT_OF_ORDER);
    assert.equal(log.appendAsLeader(idempotent(6), 0).info.firstOffset, 6);
  });

  test("are nobody when everything went", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config });
    await appendSequences(log, 0, 10);
    await log.truncateFullyAndStartAt(3);
    assert.deepEqual(await snapshotNames(disk), []);
    assert.equal(log.producerCount, 0);
    assert.equal(log.appendAsLeader(idempotent(77), 0).info.firstOffset, 3);
  });
});

describe("a transaction in a log", () => {
  test("holds the last stable offset back until its marker is below the high watermark", async () => {
    const log = await openLog();
    await log.appendAsLeader(batchOf(["before"]), 0).written;
    await log.appendAsLeader(idempotent(0, { isTransactional: true }), 0).written;
    log.updateHighWatermark(2);
    assert.equal(log.lastStableOffset, 1);
    await log.appendAsLeader(marker(ControlRecordType.COMMIT), 0, "coordinator").written;
    assert.equal(log.lastStableOffset, 1);
    log.updateHighWatermark(3);
    assert.equal(log.lastStableOffset, 3);
  });

  test("is still open after a restart, and after a truncation that removes its marker", async () => {
    const disk = new MemoryDisk();
    const first = await openLog({ disk });
    first.appendAsLeader(idempotent(0, { isTransactional: true }), 0);
    await first.close();
    const second = await openLog({ disk, hadCleanShutdown: true, highWatermark: 1 });
    assert.equal(second.lastStableOffset, 0);
    second.appendAsLeader(marker(ControlRecordType.ABORT, 1), 0, "coordinator");
    second.updateHighWatermark(2);
    assert.equal(second.lastStableOffset, 2);
    assert.throws(() => second.appendAsLeader(idempotent(1), 0), /epoch 0, where 1 has been seen/);
    await second.truncateTo(1);
    assert.equal(second.lastStableOffset, 0);
    assert.throws(() => second.appendAsLeader(idempotent(1), 0), /outside of its transaction/);
  });
});

describe("producers that Apache Kafka kept", () => {
  const clock = new ManualClock(NOW_MS); // before the capture, so that nobody has expired
  const random = new SeededRandom();
  const byProducerId = (one: ProducerStateFields, other: ProducerStateFields): number =>
    one.producerId - other.producerId;
  const snapshots = [
    { folder: "idempotent-0", offset: 114 },
    { folder: "transactions-0", offset: 114 },
    { folder: "transactions-0", offset: 140 },
  ];

  for (const { folder, offset } of snapshots) {
    const path = `/data/${folder}/${snapshotName(offset)}`;

    test(`are written as Kafka wrote them, byte for byte: ${offset} of ${folder}`, async () => {
      const bytes = await readFile(await kafkaDataDirectory("producers"), path);
      assert.deepEqual(encodeProducerSnapshot(decodeProducerSnapshot(bytes, path)), bytes);
    });

    test(`are the same when they are read from Kafka's log: ${offset} of ${folder}`, async () => {
      const kafka = await kafkaDataDirectory("producers");
      const disk = await kafkaDataDirectory("producers");
      for (const each of snapshots) await disk.remove(`/data/${each.folder}/${snapshotName(each.offset)}`);
      const manager = await LogManager.open({ disk, clock, random, directory: "/data" });
      const log = manager.get(folder.slice(0, -2), 0);
      assert.ok(log !== undefined);
      let at = offset;
      if (offset < log.logEndOffset) {
        // What Kafka wrote on a roll. The state has to be that of this offset; the batch after it is nobody's.
        await log.truncateTo(offset);
        log.appendAsLeader(batchOf(["the next one"]), 0);
        await log.roll();
        at = offset + 1;
      }
      const ours = decodeProducerSnapshot(await readFile(disk, `/data/${folder}/${snapshotName(at)}`), path);
      const theirs = decodeProducerSnapshot(await readFile(kafka, path), path);
      assert.deepEqual(ours.toSorted(byProducerId), theirs.toSorted(byProducerId));
    });
  }

  test("are taken up: the open transaction holds the last stable offset", async () => {
    const disk = await kafkaDataDirectory("producers");
    const manager = await LogManager.open({ disk, clock, random, directory: "/data" });
    const problems = manager.problems.filter(({ message }) => !message.includes("the folder is gone")); // not all were taken along
    assert.deepEqual(problems, []);
    const log = manager.get("transactions", 0);
    assert.deepEqual([log?.highWatermark, log?.lastStableOffset, log?.producerCount], [140, 136, 2]);
    assert.equal(manager.get("idempotent", 0)?.producerCount, 2);
  });
});
