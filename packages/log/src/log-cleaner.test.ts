import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Disk } from "@samsa/base";
import { RecordBatchBuilder } from "@samsa/protocol";
import { MemoryDisk } from "@samsa/io";
import { DEFAULT_LOG_CLEANER_CONFIG } from "./log-cleaner-config.ts";
import type { LogConfig } from "./log-config.ts";
import { defaultLogConfig } from "./log-config.ts";
import { LogManager } from "./log-manager.ts";
import type { LogManagerOptions } from "./log-manager.ts";
import { ioError, readFile, WatchedDisk, writeFile } from "./testing/disks.ts";
import { TOPIC_ID } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { NOW_MS } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const encoder = new TextEncoder();
const CHECKPOINT = "/data/cleaner-offset-checkpoint";
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
};
const textOf = async (disk: Disk): Promise<string> => new TextDecoder().decode(await readFile(disk, CHECKPOINT));

class Directory {
  readonly clock: ManualClock;
  readonly manager: LogManager;

  private constructor(clock: ManualClock, manager: LogManager) {
    this.clock = clock;
    this.manager = manager;
  }

  static async open(
    disk: Disk,
    options: Partial<LogManagerOptions> = {},
    clock = new ManualClock(NOW_MS),
  ): Promise<Directory> {
    const ports = { disk, clock, random: new SeededRandom(), directory: "/data" };
    const defaultConfig = defaultLogConfig({ cleanupPolicy: ["compact"] });
    return new Directory(clock, await LogManager.open({ ...ports, defaultConfig, ...options }));
  }

  log(topic: string, config: Partial<LogConfig> = {}): Promise<UnifiedLog> {
    const logConfig = defaultLogConfig({ cleanupPolicy: ["compact"], ...config });
    return this.manager.getOrCreate({ topic, partition: 0 }, TOPIC_ID, logConfig);
  }
}

/** One more segment of so many records, all of one key, then a roll. */
async function addSegment(log: UnifiedLog, records: number, timestamp = NOW_MS): Promise<void> {
  for (let index = 0; index < records; index++) {
    const builder = new RecordBatchBuilder();
    builder.append({ timestamp, key: encoder.encode("k"), value: encoder.encode(`${index}`) });
    await log.appendAsLeader(builder.build().slice(), 0).written;
  }
  await log.roll();
  await log.flush();
  log.updateHighWatermark(log.logEndOffset);
}

describe("the log cleaner", () => {
  test("compacts a log that is dirty enough, and remembers how far in Kafka's checkpoint", async () => {
    const disk = new MemoryDisk();
    const { manager, clock } = await Directory.open(disk);
    const log = await manager.getOrCreate({ topic: "t", partition: 0 }, TOPIC_ID);
    await addSegment(log, 10);
    const before = log.sizeInBytes;
    clock.advance(14_999);
    await turns();
    assert.equal(log.sizeInBytes, before);
    clock.advance(1);
    await turns();
    assert.ok(log.sizeInBytes < before / 5);
    assert.equal(await textOf(disk), "0\n1\nt 0 10\n");
    assert.equal(await manager.close(), true);
  });

  test("begins where the checkpoint says, and leaves a log alone until half of it is dirty", async () => {
    const disk = new MemoryDisk();
    const first = await Directory.open(disk);
    const log = await first.log("t");
    for (let round = 0; round < 2; round++) await addSegment(log, 1);
    await first.manager.cleanDirtyLogs();
    assert.equal(await textOf(disk), "0\n1\nt 0 2\n");
    await first.manager.close();

    const watched = new WatchedDisk(disk);
    const second = await Directory.open(watched);
    const again = await second.log("t");
    again.updateHighWatermark(again.logEndOffset);
    await second.manager.cleanDirtyLogs();
    assert.ok(!watched.calls.some((call) => call.includes(".cleaned")), "nothing is dirty");
    await addSegment(again, 1);
    await addSegment(again, 1);
    await second.manager.cleanDirtyLogs();
    assert.equal(await textOf(disk), "0\n1\nt 0 4\n");
    await second.manager.close();
  });

  const cases: [boolean, string, Partial<LogConfig>, number?][] = [
    [true, "all of it is dirty", {}],
    [false, "min.cleanable.dirty.ratio is 1", { minCleanableDirtyRatio: 1 }],
    [
      true,
      "max.compaction.lag.ms has passed, whatever the ratio",
      { minCleanableDirtyRatio: 1, maxCompactionLagMs: 5 },
      10,
    ],
    [false, "max.compaction.lag.ms has not passed", { minCleanableDirtyRatio: 1, maxCompactionLagMs: 10 }, 10],
    [false, "min.compaction.lag.ms has not passed", { minCompactionLagMs: 11 }, 10],
    [true, "min.compaction.lag.ms has passed", { minCompactionLagMs: 10 }, 10],
    [true, "it is compacted and deleted", { cleanupPolicy: ["compact", "delete"] }],
    [false, "it is not compacted", { cleanupPolicy: ["delete"] }],
  ];
  for (const [isCleaned, why, config, ageMs = 0] of cases) {
    test(`${isCleaned ? "compacts" : "does not compact"}: ${why}`, async () => {
      const { manager } = await Directory.open(new MemoryDisk());
      const log = await manager.getOrCreate(
        { topic: "t", partition: 0 },
        TOPIC_ID,
        defaultLogConfig({ cleanupPolicy: ["compact"], ...config }),
      );
      await addSegment(log, 3, NOW_MS - ageMs);
      const before = log.sizeInBytes;
      await manager.cleanDirtyLogs();
      assert.equal(log.sizeInBytes < before, isCleaned);
    });
  }

  test("goes no further than the high watermark, the recovery point and the active segment", async () => {
    const directory = await Directory.open(new MemoryDisk());
    const log = await directory.log("t");
    for (let round = 0; round < 3; round++) await addSegment(log, 2);
    log.updateHighWatermark(5);
    await directory.manager.cleanDirtyLogs();
    const bases = (): number[] => log.segments.map(({ baseOffset }) => baseOffset);
    assert.deepEqual(bases(), [0, 4, 6], "the third segment reaches above the high watermark");
    log.updateHighWatermark(6);
    await directory.manager.cleanDirtyLogs();
    assert.deepEqual(bases(), [0, 6]);
  });

  test("takes the dirtiest first", async () => {
    const disk = new WatchedDisk();
    const directory = await Directory.open(disk);
    const [some, all] = [await directory.log("some", { minCleanableDirtyRatio: 0.1 }), await directory.log("all")];
    await addSegment(some, 2);
    await directory.manager.cleanDirtyLogs();
    for (const log of [some, all]) await addSegment(log, 2);
    disk.calls.length = 0;
    await directory.manager.cleanDirtyLogs();
    const order = disk.calls.flatMap((call) => /^rename \/data\/(\w+)-0\/\d+\.log\.cleaned/.exec(call)?.[1] ?? []);
    assert.deepEqual(order, ["all", "some"]);
  });

  test("goes on with the rest where memory does not suffice for all keys of a log", async () => {
    const cleaner = { ...DEFAULT_LOG_CLEANER_CONFIG, dedupeBufferBytes: 17 * 24 };
    const disk = new MemoryDisk();
    const directory = await Directory.open(disk, { cleaner });
    const log = await directory.log("t", { minCleanableDirtyRatio: 0 });
    const builder = new RecordBatchBuilder();
    for (let key = 0; key < 50; key++) {
      builder.append({ timestamp: NOW_MS, key: encoder.encode(`${key}`), value: null });
    }
    await log.appendAsLeader(builder.build().slice(), 0).written;
    await addSegment(log, 1);
    await directory.manager.cleanDirtyLogs();
    assert.equal(await textOf(disk), "0\n1\nt 0 51\n");
  });

  test("writes the recovery points down before it makes gaps", async () => {
    const disk = new WatchedDisk();
    const directory = await Directory.open(disk);
    await addSegment(await directory.log("t"), 3);
    disk.calls.length = 0;
    await directory.manager.cleanDirtyLogs();
    const checkpoint = disk.calls.findIndex((call) =>
      call.startsWith("rename /data/recovery-point-offset-checkpoint.tmp"),
    );
    const replaced = disk.calls.findIndex((call) => call.includes(".log.cleaned ") && call.startsWith("rename"));
    assert.ok(checkpoint >= 0 && checkpoint < replaced, `${checkpoint} and ${replaced}`);
  });

  test("begins a log anew that was deleted and made again", async () => {
    const disk = new MemoryDisk();
    const directory = await Directory.open(disk);
    await addSegment(await directory.log("t"), 5);
    await directory.manager.cleanDirtyLogs();
    await directory.manager.delete({ topic: "t", partition: 0 });
    const log = await directory.log("t");
    await addSegment(log, 8);
    await directory.manager.cleanDirtyLogs();
    assert.equal(await log.segments[0]?.readNextOffset(), 8);
    let batches = 0;
    for await (const header of log.segments[0]?.headers(0) ?? []) batches += header.sizeInBytes > 0 ? 1 : 0;
    assert.equal(batches, 1);
  });

  test("takes for dirty what comes in the place of what was cut, and says so before it is cut", async () => {
    const disk = new WatchedDisk();
    const directory = await Directory.open(disk);
    const log = await directory.log("t", { minCleanableDirtyRatio: 0.1 });
    for (let round = 0; round < 3; round++) await addSegment(log, 4);
    await directory.manager.cleanDirtyLogs();
    assert.equal(await textOf(disk), "0\n1\nt 0 12\n");
    disk.calls.length = 0;
    await directory.manager.truncateTo(log.topicPartition, 5);
    assert.equal(await textOf(disk), "0\n1\nt 0 5\n");
    const written = disk.calls.findIndex((call) => call.startsWith(`rename ${CHECKPOINT}.tmp`));
    const cut = disk.calls.findIndex((call) => /^(truncate|remove) \/data\/t-0\//.test(call));
    assert.ok(written >= 0 && written < cut, `${written} and ${cut}`);
    await addSegment(log, 20);
    await directory.manager.cleanDirtyLogs();
    assert.equal(await textOf(disk), `0\n1\nt 0 ${log.logEndOffset}\n`);
    assert.ok(log.sizeInBytes < 200, `${log.sizeInBytes} bytes`);
  });

  test("begins with the log start offset where DeleteRecords has passed the checkpoint", async () => {
    const disk = new MemoryDisk();
    const directory = await Directory.open(disk);
    const log = await directory.log("t");
    await addSegment(log, 4);
    await directory.manager.cleanDirtyLogs();
    for (let round = 0; round < 2; round++) await addSegment(log, 4);
    log.maybeIncrementLogStartOffset(6);
    await directory.manager.cleanDirtyLogs();
    assert.equal(await textOf(disk), "0\n1\nt 0 12\n");
    assert.deepEqual(
      log.segments.map(({ baseOffset }) => baseOffset),
      [0, 12],
      "what lies below the start goes with its segment",
    );
  });

  test("takes the segments of compacted logs away that retention does not keep", async () => {
    const directory = await Directory.open(new MemoryDisk());
    const log = await directory.log("t", {
      cleanupPolicy: ["compact", "delete"],
      retentionMs: 1000,
      minCleanableDirtyRatio: 1,
    });
    await addSegment(log, 4, NOW_MS - 2000);
    await addSegment(log, 4);
    await directory.manager.cleanDirtyLogs();
    assert.equal(log.logStartOffset, 4);
  });

  test("compacts as many logs at a time as log.cleaner.threads says", async () => {
    for (const threads of [1, 2]) {
      const disk = new WatchedDisk();
      const cleaner = { ...DEFAULT_LOG_CLEANER_CONFIG, threads };
      const directory = await Directory.open(disk, { cleaner });
      for (const name of ["a", "b", "c"]) await addSegment(await directory.log(name), 4);
      let [open, most] = [0, 0];
      disk.before = (call) => {
        if (/^open .*\.log\.cleaned$/.test(call)) most = Math.max(most, ++open);
        if (/^rename .*\.log\.swap /.test(call)) open--;
        return new Promise(setImmediate);
      };
      await directory.manager.cleanDirtyLogs();
      assert.equal(most, threads);
      assert.equal(await textOf(disk), "0\n3\na 0 4\nb 0 4\nc 0 4\n");
    }
  });

  test("pauses when it reads and writes more than log.cleaner.io.max.bytes.per.second", async () => {
    const cleaner = { ...DEFAULT_LOG_CLEANER_CONFIG, ioMaxBytesPerSecond: 100 };
    const disk = new MemoryDisk();
    const directory = await Directory.open(disk, { cleaner });
    await addSegment(await directory.log("t"), 20);
    directory.clock.advance(400); // at which the rate is looked at
    const cleaning = directory.manager.cleanDirtyLogs();
    for (let second = 0; second < 5; second++) {
      directory.clock.advance(1000);
      await turns();
    }
    assert.equal(await disk.fileSize(CHECKPOINT), undefined);
    directory.manager.reconfigureCleaner(DEFAULT_LOG_CLEANER_CONFIG); // a new rate holds at once
    for (let turn = 0; turn < 3; turn++) {
      await turns();
      directory.clock.advance(0);
    }
    await cleaning;
    assert.equal(await textOf(disk), "0\n1\nt 0 20\n");
  });

  test("looks as often as log.cleaner.backoff.ms says, also when that changes", async () => {
    const disk = new MemoryDisk();
    const directory = await Directory.open(disk);
    await addSegment(await directory.log("t"), 4);
    directory.manager.reconfigureCleaner({ ...DEFAULT_LOG_CLEANER_CONFIG, backoffMs: 100 });
    directory.clock.advance(100);
    await turns();
    assert.equal(await textOf(disk), "0\n1\nt 0 4\n");
    assert.equal(await directory.manager.close(), true);
  });

  test("takes a damaged checkpoint for empty, and says so", async () => {
    const disk = new MemoryDisk();
    await writeFile(disk, CHECKPOINT, encoder.encode("0\nx\n"));
    const directory = await Directory.open(disk);
    assert.match(directory.manager.problems[0]?.message ?? "", /cleaner-offset-checkpoint.*taken for empty/);
    await addSegment(await directory.log("t"), 2);
    await directory.manager.cleanDirtyLogs();
    assert.equal(await textOf(disk), "0\n1\nt 0 2\n");
  });

  test("leaves a log alone that failed, and compacts the others", async () => {
    const disk = new WatchedDisk();
    const directory = await Directory.open(disk);
    const [bad, good] = [await directory.log("bad"), await directory.log("good")];
    for (const log of [bad, good]) await addSegment(log, 3);
    disk.before = (call) => {
      if (call.startsWith("write /data/bad-0/")) throw ioError("ENOSPC");
    };
    await directory.manager.cleanDirtyLogs();
    assert.ok(bad.failure !== undefined && good.failure === undefined);
    assert.equal(await textOf(disk), "0\n1\ngood 0 3\n");
    assert.match(directory.manager.problems[0]?.message ?? "", /not compacted.*ENOSPC/);
  });

  test("breaks off when the directory is closed, and leaves nothing behind", async () => {
    const disk = new WatchedDisk();
    const directory = await Directory.open(disk);
    await addSegment(await directory.log("t"), 3);
    let closing: Promise<boolean> | undefined;
    disk.before = (call) => {
      if (call.startsWith("sync") && call.includes(".log.cleaned")) closing ??= directory.manager.close();
    };
    await directory.manager.cleanDirtyLogs();
    assert.equal(await closing, true);
    const names = (await disk.list("/data/t-0")).map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => /\.(cleaned|swap)$/.test(name)),
      [],
    );
    const again = await Directory.open(disk);
    assert.deepEqual(again.manager.problems, []);
  });

  test("does not wait out a pause when the directory is closed", async () => {
    class SlowClock extends ManualClock {
      #ms = 0;
      override monotonicMs(): number {
        return (this.#ms += 10); // every look takes a while, and timers never fire
      }
    }
    const directory = await Directory.open(new MemoryDisk(), {}, new SlowClock(NOW_MS));
    await addSegment(await directory.log("t"), 3);
    const cleaning = directory.manager.cleanDirtyLogs();
    await turns();
    assert.equal(await directory.manager.close(), true);
    await cleaning;
  });

  test("does nothing when log.cleaner.enable is false", async () => {
    const disk = new MemoryDisk();
    const cleaner = { ...DEFAULT_LOG_CLEANER_CONFIG, isEnabled: false, backoffMs: 1 };
    const directory = await Directory.open(disk, { cleaner });
    await addSegment(await directory.log("t"), 3);
    directory.clock.advance(1000);
    await turns();
    assert.equal(await disk.fileSize(CHECKPOINT), undefined);
  });
});
