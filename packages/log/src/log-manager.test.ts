import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseUuid, ZERO_UUID } from "@samsa/base";
import type { Disk } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { KafkaStorageError } from "./errors.ts";
import { defaultLogConfig } from "./log-config.ts";
import { LogManager } from "./log-manager.ts";
import type { LogManagerOptions } from "./log-manager.ts";
import { copyDisk, ioError, readFile, readTree, WatchedDisk, writeFile } from "./testing/disks.ts";
import { TOPIC_ID } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { batchOf, readAll, valuesOf } from "./testing/records.ts";

const OTHER_ID = parseUuid("BcnynczvRom65cq5HE6Fiw");
const tp = (topic: string, partition = 0): { topic: string; partition: number } => ({ topic, partition });
const textOf = async (disk: Disk, path: string): Promise<string> =>
  new TextDecoder().decode(await readFile(disk, path));
const folders = async (disk: Disk): Promise<string[]> =>
  (await disk.list("/data"))
    .filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name)
    .toSorted();

function open(disk: Disk, options: Partial<LogManagerOptions> = {}): Promise<LogManager> {
  return LogManager.open({
    disk,
    clock: new ManualClock(),
    random: new SeededRandom(),
    directory: "/data",
    ...options,
  });
}

describe("a data directory", () => {
  test("is kept from one run to the next", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    assert.equal(first.hadCleanShutdown, false);
    for (const partition of [0, 1]) {
      const log = await first.getOrCreate(tp("orders", partition), TOPIC_ID);
      await log.appendAsLeader(batchOf(["a", `b${partition}`]), 1).written;
      log.updateHighWatermark(2);
      if (partition === 1) log.maybeIncrementLogStartOffset(1);
    }
    assert.equal(await first.close({ brokerEpoch: 9 }), true);
    assert.equal(await textOf(disk, "/data/recovery-point-offset-checkpoint"), "0\n2\norders 0 2\norders 1 2\n");
    assert.equal(await textOf(disk, "/data/replication-offset-checkpoint"), "0\n2\norders 0 2\norders 1 2\n");
    assert.equal(await textOf(disk, "/data/log-start-offset-checkpoint"), "0\n1\norders 1 1\n");
    assert.equal(await textOf(disk, "/data/.kafka_cleanshutdown"), '{"version":0,"brokerEpoch":9}');

    const second = await open(disk);
    assert.deepEqual([second.hadCleanShutdown, second.previousBrokerEpoch, second.problems], [true, 9, []]);
    assert.equal(await disk.fileSize("/data/.kafka_cleanshutdown"), undefined);
    const log = second.get("orders", 1);
    assert.deepEqual([log?.logStartOffset, log?.highWatermark, log?.logEndOffset], [1, 2, 2]);
    assert.equal(log?.topicId, TOPIC_ID);
    assert.deepEqual(valuesOf(await readAll(log)), ["b1"]);
  });

  test("has no marker of a clean stop from before the first log is loaded until all are closed", async () => {
    const memory = new MemoryDisk();
    const first = await open(memory);
    await first.getOrCreate(tp("a"), TOPIC_ID);
    await first.close();
    const disk = new WatchedDisk(memory);
    const second = await open(disk);
    const removed = disk.calls.indexOf("remove /data/.kafka_cleanshutdown");
    assert.ok(removed >= 0 && removed < disk.calls.findIndex((call) => call.includes("/data/a-0")));
    disk.calls.length = 0;
    await second.close();
    const written = disk.calls.findIndex((call) => call.includes(".kafka_cleanshutdown"));
    assert.ok(disk.calls.slice(written).every((call) => call.includes("cleanshutdown") || call === "sync /data/"));
  });

  test("gets no marker when a log has failed", async () => {
    const memory = new MemoryDisk();
    const disk = new WatchedDisk(memory);
    const manager = await open(disk);
    const [bad, good] = [
      await manager.getOrCreate(tp("bad"), TOPIC_ID),
      await manager.getOrCreate(tp("good"), OTHER_ID),
    ];
    disk.before = (call) => {
      if (call.startsWith("write /data/bad-0/")) throw ioError();
    };
    await assert.rejects(bad.appendAsLeader(batchOf(["x"]), 0).written, KafkaStorageError);
    await good.appendAsLeader(batchOf(["x"]), 0).written;
    assert.equal(await manager.close(), false);
    assert.equal(await memory.fileSize("/data/.kafka_cleanshutdown"), undefined);
    const again = await open(await copyDisk(memory, "/"));
    assert.deepEqual([again.get("bad", 0)?.logEndOffset, again.get("good", 0)?.logEndOffset], [0, 1]);
  });

  test("serves its other logs when one is damaged", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    for (const topic of ["a", "b"]) {
      await (await first.getOrCreate(tp(topic), TOPIC_ID)).appendAsLeader(batchOf(["x"]), 0).written;
    }
    await first.close();
    await disk.remove("/data/.kafka_cleanshutdown");
    const path = "/data/a-0/00000000000000000000.log";
    const bytes = await readFile(disk, path);
    bytes[30] = 99;
    await writeFile(disk, path, bytes);
    const second = await open(disk);
    assert.deepEqual([...second.offlineLogs().keys()], ["a-0"]);
    assert.match(second.problems.map((problem) => problem.message).join(), /offline: .*below the recovery point 1/);
    assert.equal(second.get("b", 0)?.logEndOffset, 1);
    await assert.rejects(second.getOrCreate(tp("a"), TOPIC_ID), KafkaStorageError);

    // Another stop and start do not make the damage pass for a torn tail.
    assert.equal(await second.close(), false);
    const third = await open(disk);
    assert.deepEqual([third.hadCleanShutdown, [...third.offlineLogs().keys()]], [false, ["a-0"]]);
  });

  test("leaves alone what is not its own, and says so", async () => {
    const disk = new MemoryDisk();
    for (const path of [
      "lost+found/x",
      "__cluster_metadata-0/00000000000000000000.log",
      "a-0.0123-stray/x",
      "meta.properties",
    ]) {
      await writeFile(disk, `/data/${path}`, Uint8Array.of(1));
    }
    const manager = await open(disk);
    assert.deepEqual([...manager.logs()], []);
    assert.deepEqual(manager.problems.map(({ path }) => path).toSorted(), ["/data/a-0.0123-stray", "/data/lost+found"]);
    assert.equal((await readTree(disk, "/data")).size, 4);
  });

  test("says what is gone since the last complete stop: folders with records, and checkpoints", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    for (const topic of ["a", "b", "empty"]) {
      const log = await first.getOrCreate(tp(topic), TOPIC_ID);
      if (topic !== "empty") await log.appendAsLeader(batchOf(["x"]), 0).written;
    }
    await first.close();
    const whole = await copyDisk(disk, "/");
    await disk.removeDirectory("/data/a-0");
    await disk.removeDirectory("/data/empty-0");
    const told: string[] = [];
    await open(disk, { onProblem: ({ path, message }) => told.push(`${path}: ${message}`) });
    assert.deepEqual(told, ["/data/a-0: the folder is gone, with its records below offset 1"]);

    for (const name of ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"]) {
      const lacking = await copyDisk(whole, "/");
      await lacking.remove(`/data/${name}`);
      const { problems } = await open(lacking);
      assert.deepEqual(problems, [
        {
          path: `/data/${name}`,
          message: "it is missing or empty after a complete stop: done without",
          isOffline: false,
        },
      ]);
    }
  });

  test("says at once what goes wrong later", async () => {
    const disk = new WatchedDisk();
    const clock = new ManualClock();
    const told: string[] = [];
    const manager = await open(disk, { clock, onProblem: ({ message }) => told.push(message) });
    await (await manager.getOrCreate(tp("a"), TOPIC_ID)).appendAsLeader(batchOf(["x"]), 0).written;
    disk.before = (call) => {
      if (call.includes("-checkpoint")) throw ioError("ENOSPC");
    };
    clock.advance(60_000);
    while (told.length === 0) await new Promise(setImmediate);
    assert.match(told[0] ?? "", /^checkpoints not written: .*ENOSPC/);
  });

  test("takes a damaged checkpoint for an empty one", async () => {
    const disk = new MemoryDisk();
    await (await open(disk)).close();
    await writeFile(disk, "/data/recovery-point-offset-checkpoint", Uint8Array.of(0xff));
    const manager = await open(disk);
    assert.match(manager.problems[0]?.message ?? "", /taken for empty/);
  });

  test("sets aside a folder that belongs to no partition of this broker", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    await first.getOrCreate(tp("a"), TOPIC_ID);
    await first.getOrCreate(tp("b"), OTHER_ID);
    await first.close();
    const second = await open(disk, { isStray: (_partition, topicId) => topicId === TOPIC_ID });
    assert.equal(second.get("a", 0), undefined);
    assert.match((await folders(disk)).join(" "), /^a-0\.[0-9a-f]{32}-stray b-0$/);
  });
});

describe("a folder that names no topic", () => {
  for (const [what, hasRecords] of [
    ["with records is offline: they may be of the topic of that name, or of one before it", true],
    ["without records is set aside, as it was never finished", false],
  ] as const) {
    test(what, async () => {
      const disk = new MemoryDisk();
      const first = await open(disk);
      const log = await first.getOrCreate(tp("a"), TOPIC_ID);
      if (hasRecords) await log.appendAsLeader(batchOf(["x"]), 0).written;
      await first.close();
      await disk.remove("/data/a-0/partition.metadata");
      const second = await open(disk, {
        isStray: (_partition, topicId) => topicId !== TOPIC_ID && topicId !== ZERO_UUID,
      });
      assert.match((await folders(disk)).join(), hasRecords ? /^a-0$/ : /^a-0\.[0-9a-f]{32}-stray$/);
      assert.deepEqual([...second.offlineLogs().keys()], hasRecords ? ["a-0"] : []);
      if (hasRecords) await assert.rejects(second.getOrCreate(tp("a"), TOPIC_ID), /partition\.metadata: it is missing/);
    });
  }
});

describe("a log of a data directory", () => {
  test("is made once, however many ask", async () => {
    const manager = await open(new MemoryDisk());
    const [one, two] = await Promise.all([
      manager.getOrCreate(tp("a"), TOPIC_ID),
      manager.getOrCreate(tp("a"), TOPIC_ID),
    ]);
    assert.equal(one, two);
    await assert.rejects(manager.getOrCreate(tp("a"), OTHER_ID), /belongs to topic id/);
    for (const name of ["..", "a/b", ""]) await assert.rejects(manager.getOrCreate(tp(name), TOPIC_ID), { code: 17 });
  });

  test("is out of service at once when it is deleted, and its files go after the delay", async () => {
    const disk = new MemoryDisk();
    const clock = new ManualClock();
    const manager = await open(disk, { clock });
    const log = await manager.getOrCreate(tp("a"), TOPIC_ID);
    await log.appendAsLeader(batchOf(["x"]), 0).written;
    await manager.delete(tp("a"));
    assert.equal(manager.get("a", 0), undefined);
    assert.throws(() => log.read(0, 1), KafkaStorageError);
    assert.match((await folders(disk)).join(), /^a-0\.[0-9a-f]{32}-delete$/);
    clock.advance(59_999);
    assert.equal((await folders(disk)).length, 1);
    clock.advance(1);
    await manager.close();
    assert.deepEqual(await folders(disk), []);
  });

  test("that was deleted is gone after the next start, and leaves no offset to a successor", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    const log = await first.getOrCreate(tp("a"), TOPIC_ID);
    await log.appendAsLeader(batchOf(["x", "y", "z"]), 0).written;
    await log.flush();
    await first.checkpoint();
    await first.delete(tp("a"));
    await first.getOrCreate(tp("a"), OTHER_ID);
    const second = await open(await copyDisk(disk, "/")); // as after a crash
    assert.deepEqual([second.problems, second.get("a", 0)?.logEndOffset], [[], 0]);
    await second.close();
  });

  test("that vanished with its folder leaves no offset to a successor either", async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    await (await first.getOrCreate(tp("a"), TOPIC_ID)).appendAsLeader(batchOf(["x"]), 0).written;
    await first.close();
    await disk.removeDirectory("/data/a-0");
    const second = await open(disk);
    await (await second.getOrCreate(tp("a"), OTHER_ID)).appendAsLeader(batchOf(["y"]), 0).written;
    const third = await open(await copyDisk(disk, "/"));
    assert.deepEqual([third.offlineLogs().size, third.get("a", 0)?.logEndOffset], [0, 1]);
  });

  test("may be deleted and made again in one breath", async () => {
    const disk = new MemoryDisk();
    const manager = await open(disk);
    const first = await manager.getOrCreate(tp("a"), TOPIC_ID);
    await first.appendAsLeader(batchOf(["x"]), 0).written;
    const [, second] = await Promise.all([manager.delete(tp("a")), manager.getOrCreate(tp("a"), OTHER_ID)]);
    assert.deepEqual([second.topicId, second.logEndOffset, (await folders(disk)).length], [OTHER_ID, 0, 2]);
  });

  test("has its offsets written down from time to time, when they have changed", async () => {
    const clock = new ManualClock();
    const disk = new WatchedDisk();
    const manager = await open(disk, { clock });
    const log = await manager.getOrCreate(tp("a"), TOPIC_ID);
    await log.appendAsLeader(batchOf(["x", "y"]), 0).written;
    await log.flush();
    log.updateHighWatermark(2);
    const settle = async (): Promise<string[]> => {
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      return disk.calls
        .splice(0)
        .filter((call) => call.startsWith("rename"))
        .map((call) => call.split("/").at(-1) ?? "");
    };
    await settle();
    clock.advance(5000);
    assert.deepEqual(await settle(), ["replication-offset-checkpoint"]);
    clock.advance(5000);
    assert.deepEqual(await settle(), []);
    clock.advance(50_000);
    assert.deepEqual(await settle(), ["recovery-point-offset-checkpoint", "log-start-offset-checkpoint"]);
    assert.equal(await textOf(disk, "/data/recovery-point-offset-checkpoint"), "0\n1\na 0 2\n");
    assert.equal(await textOf(disk, "/data/replication-offset-checkpoint"), "0\n1\na 0 2\n");
  });

  test("is synced when it has waited for flush.ms", async () => {
    const clock = new ManualClock();
    const manager = await open(new MemoryDisk(), { clock, defaultConfig: defaultLogConfig({ flushMs: 1000 }) });
    const log = await manager.getOrCreate(tp("a"), TOPIC_ID);
    await log.appendAsLeader(batchOf(["x"]), 0).written;
    clock.advance(999);
    await manager.flushDirtyLogs();
    assert.equal(log.recoveryPoint, 0);
    clock.advance(1);
    await manager.flushDirtyLogs();
    assert.equal(log.recoveryPoint, 1);
  });

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  };

  test("writes each checkpoint at the interval that is configured for it", async () => {
    const disk = new WatchedDisk();
    const clock = new ManualClock();
    const manager = await open(disk, {
      clock,
      highWatermarkCheckpointIntervalMs: 10,
      recoveryPointCheckpointIntervalMs: 20,
      startOffsetCheckpointIntervalMs: 30,
    });
    const log = await manager.getOrCreate(tp("a"), TOPIC_ID);
    await log.appendAsLeader(batchOf(["x", "y"]), 0).written;
    await log.flush();
    log.updateHighWatermark(2);
    log.maybeIncrementLogStartOffset(1);
    await settle();
    const written = async (): Promise<string[]> => {
      disk.calls.length = 0;
      clock.advance(10);
      await settle();
      return disk.calls
        .filter((call) => /^rename .*checkpoint$/.test(call))
        .map((call) => call.split("/").at(-1) ?? "");
    };
    assert.deepEqual(await written(), ["replication-offset-checkpoint"]);
    assert.deepEqual(await written(), ["recovery-point-offset-checkpoint"]);
    assert.deepEqual(await written(), ["log-start-offset-checkpoint"]);
  });

  test("syncs what has waited at the interval of the flush scheduler, after the initial delay", async () => {
    const clock = new ManualClock();
    const manager = await open(new MemoryDisk(), {
      clock,
      defaultConfig: defaultLogConfig({ flushMs: 1000 }),
      flushSchedulerIntervalMs: 300,
      initialTaskDelayMs: 500,
    });
    const log = await manager.getOrCreate(tp("a"), TOPIC_ID);
    await log.appendAsLeader(batchOf(["x"]), 0).written;
    const recoveryPoints: number[] = [];
    for (let elapsed = 100; elapsed <= 1200; elapsed += 100) {
      clock.advance(100);
      await settle();
      recoveryPoints.push(log.recoveryPoint);
    }
    // It looks at 500, 800 and 1100 ms, and only then the log has waited long enough.
    assert.deepEqual(recoveryPoints, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  });

  test("looks for old segments as soon as log.initial.task.delay.ms says", async () => {
    const clock = new ManualClock();
    const config = defaultLogConfig({ retentionMs: 1, fileDeleteDelayMs: 7 });
    const disk = new MemoryDisk({ clock });
    const manager = await open(disk, { clock, defaultConfig: config, initialTaskDelayMs: 500 });
    const log = await manager.getOrCreate(tp("a"), TOPIC_ID);
    await log.appendAsLeader(batchOf(["x"], { timestamps: [1] }), 0).written;
    log.updateHighWatermark(1);
    const filesAfter = async (ms: number): Promise<string[]> => {
      clock.advance(ms);
      await settle();
      return (await disk.list("/data/a-0")).map(({ name }) => name).filter((name) => name.includes(".log"));
    };
    const [first, second] = ["00000000000000000000.log", "00000000000000000001.log"];
    assert.deepEqual(await filesAfter(499), [first]);
    assert.deepEqual((await filesAfter(1)).toSorted(), [`${first}.deleted`, second]);
    assert.deepEqual((await filesAfter(6)).toSorted(), [`${first}.deleted`, second]);
    assert.deepEqual(await filesAfter(1), [second], "file.delete.delay.ms");
  });

  test("forgets producers by the time that counts now", async () => {
    const clock = new ManualClock();
    const manager = await open(new MemoryDisk(), { clock, producerIdExpirationCheckIntervalMs: 100 });
    const append = async (topic: string): Promise<() => number> => {
      const log = await manager.getOrCreate(tp(topic), TOPIC_ID);
      const batch = batchOf(["x"], { producerId: 1, producerEpoch: 0, baseSequence: 0, timestamps: [clock.wallMs()] });
      await log.appendAsLeader(batch, 0).written;
      return () => log.producerCount;
    };
    const before = await append("a");
    manager.reconfigureProducerIdExpiration(150);
    const after = await append("b");
    clock.advance(100);
    await settle();
    assert.deepEqual([before(), after()], [1, 1]);
    clock.advance(100);
    await settle();
    assert.deepEqual([before(), after()], [0, 0]);
  });
});
