import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import fc from "fast-check";
import { defaultLogConfig } from "./log-config.ts";
import { LogFile } from "./log-file.ts";
import { LogManager } from "./log-manager.ts";
import { defaultLogCaches } from "./load-log.ts";
import { OpenFiles } from "./open-files.ts";
import { PooledDisk } from "./pooled-disk.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import { ioError, readFile, WatchedDisk } from "./testing/disks.ts";
import { TOPIC_ID } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { batchOf, readAll, valuesOf } from "./testing/records.ts";

const turn = (): Promise<void> => new Promise(setImmediate);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const PARTITIONS = 6;

/** A disk on which everything takes a turn of the event loop, so that much is under way at a time. */
function slowDisk(maxOpen: number): { readonly watched: WatchedDisk; readonly disk: PooledDisk } {
  const watched = new WatchedDisk();
  watched.before = turn;
  return { watched, disk: new PooledDisk(watched, new OpenFiles(maxOpen)) };
}

describe("the bound of open files", () => {
  const step = fc.tuple(
    fc.nat(PARTITIONS - 1),
    fc.constantFrom("append", "roll", "read", "flush", "delete", "truncate"),
  );

  test("holds whatever the logs do at the same time, and nobody notices it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 12 }),
        async (maxOpen, rounds) => {
          const { watched, disk } = slowDisk(maxOpen);
          const open = (): Promise<LogManager> =>
            LogManager.open({
              disk,
              clock: new ManualClock(),
              random: new SeededRandom(),
              directory: "/data",
              defaultConfig: defaultLogConfig({ retentionBytes: 200 }),
              caches: { ...defaultLogCaches(), tail: new TailCacheBudget(0) },
            });
          let manager = await open();
          const expected = Array.from({ length: PARTITIONS }, (): string[] => []); // by partition, from offset 0 on
          const logs = await Promise.all(
            expected.map((_, partition) => manager.getOrCreate({ topic: "t", partition }, TOPIC_ID)),
          );
          const perform = async (partition: number, what: string): Promise<void> => {
            const log = logs[partition];
            const values = expected[partition];
            if (log === undefined || values === undefined) return;
            if (what === "append") {
              const value = `${partition}-${values.push("") - 1}`;
              values[values.length - 1] = value;
              await log.appendAsLeader(batchOf([value]), 0).written;
              log.updateHighWatermark(log.writtenEndOffset);
            } else if (what === "roll") await log.roll();
            else if (what === "flush") await log.flush();
            else if (what === "delete") await log.deleteOldSegments();
            else if (what === "read") {
              const from = log.logStartOffset;
              const end = log.logEndOffset;
              const { nextOffset } = await log.read(from, 70);
              assert.ok(nextOffset > from || end === from);
            }
          };
          for (const round of rounds) {
            await Promise.all(round.filter(([, what]) => what !== "truncate").map((one) => perform(...one)));
            for (const [partition, what] of round) {
              if (what !== "truncate") continue;
              const log = logs[partition];
              const end = Math.max(log?.logStartOffset ?? 0, (log?.logEndOffset ?? 0) - 2);
              await log?.truncateTo(end);
              expected[partition]?.splice(end);
            }
          }
          assert.equal(await manager.close(), true);
          assert.equal(watched.openFiles, 0);
          manager = await open();
          for (const [partition, values] of expected.entries()) {
            const log = manager.get("t", partition);
            assert.ok(log !== undefined);
            assert.deepEqual(valuesOf(await readAll(log)), values.slice(log.logStartOffset));
          }
          await manager.close();
          assert.ok(watched.mostOpenFiles <= maxOpen, `${watched.mostOpenFiles} of ${maxOpen}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("makes those wait for whom there is no place, and serves them in their order", async () => {
    const files = new OpenFiles(1);
    assert.equal(files.acquire(), undefined);
    const order: string[] = [];
    const first = files.acquire()?.then(() => order.push("first"));
    const second = files.acquire()?.then(() => order.push("second"));
    await turn();
    assert.deepEqual(order, []);
    files.release();
    await first;
    files.release();
    await second;
    assert.deepEqual(order, ["first", "second"]);
    assert.equal(files.openCount, 1);
  });

  test("closes what has not been used for the longest time, and of that what is synced first", async () => {
    const watched = new WatchedDisk();
    const disk = new PooledDisk(watched, new OpenFiles(3));
    const newFile = async (name: string): Promise<LogFile> => {
      const file = new LogFile(disk, `/${name}`);
      await file.write(0, [bytes(name)]);
      return file;
    };
    const [a, b, c] = [await newFile("a"), await newFile("b"), await newFile("c")];
    await c.sync();
    const opened = async (act: () => Promise<unknown>): Promise<string[]> => {
      watched.calls.length = 0;
      await act();
      return watched.calls.filter((call) => call.startsWith("open"));
    };
    assert.deepEqual(await opened(() => newFile("d")), ["open /d"]);
    assert.deepEqual(await opened(() => a.read(0, new Uint8Array(1))), [], "c went, which is synced");
    assert.deepEqual(await opened(() => c.read(0, new Uint8Array(1))), ["open /c"]);
    assert.deepEqual(await opened(() => a.read(0, new Uint8Array(1))), [], "b went, the oldest of those left");
    assert.deepEqual(await opened(() => b.read(0, new Uint8Array(1))), ["open /b"]);
  });

  test("gives way when the system has fewer descriptors than was thought", async () => {
    const watched = new WatchedDisk();
    watched.before = (call) => {
      if (call.startsWith("open") && watched.openFiles >= 2) throw ioError("EMFILE");
    };
    const disk = new PooledDisk(watched);
    const files = Array.from({ length: 8 }, (_, index) => new LogFile(disk, `/${index}`));
    for (const file of [...files, ...files]) await file.write(0, [bytes("x")]);
    assert.equal(watched.mostOpenFiles, 2);
    watched.before = (call) => {
      if (call.startsWith("open")) throw ioError("EMFILE");
    };
    for (const file of files) await file.close();
    await assert.rejects(files[0]?.sync() ?? Promise.resolve(), /EMFILE/, "there is none to close any more");
    assert.equal(disk.files.openCount, 0);
  });
});

describe("a file that the pool has closed", () => {
  async function closedByPool(): Promise<{ memory: MemoryDisk; disk: PooledDisk; file: LogFile }> {
    const memory = new MemoryDisk();
    const disk = new PooledDisk(memory, new OpenFiles(1));
    const file = new LogFile(disk, "/first");
    await file.write(0, [bytes("one")]);
    await new LogFile(disk, "/second").create();
    return { memory, disk, file };
  }

  test("is found again under its new name", async () => {
    const { memory, file } = await closedByPool();
    await file.rename("/renamed");
    await file.write(3, [bytes(" two")]);
    assert.equal(new TextDecoder().decode(await readFile(memory, "/renamed")), "one two");
    assert.equal(await memory.fileSize("/first"), undefined);
  });

  test("is removed, and does not come back", async () => {
    const { memory, file } = await closedByPool();
    await file.remove();
    await assert.rejects(file.read(0, new Uint8Array(1)), /ENOENT/);
    assert.equal(await memory.fileSize("/first"), undefined);
  });

  test("tells the next user when closing it failed, because a write may be lost", async () => {
    const disk = new MemoryDisk();
    const open = disk.open.bind(disk);
    disk.open = async (path, options) => {
      const file = await open(path, options);
      if (path === "/first") file.close = () => Promise.reject(ioError());
      return file;
    };
    const pooled = new PooledDisk(disk, new OpenFiles(1));
    const file = new LogFile(pooled, "/first");
    await file.write(0, [bytes("one")]);
    await new LogFile(pooled, "/second").create();
    await assert.rejects(file.sync(), /EIO/);
    assert.equal(pooled.files.openCount, 1);
  });
});
