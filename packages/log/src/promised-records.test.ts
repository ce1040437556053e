import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BrokenPromiseError } from "./errors.ts";
import { IndexCache } from "./index-cache.ts";
import type { LogReadResult, PromisedRecords } from "./log-reader.ts";
import { ReadAheadBudget } from "./read-ahead.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import { WatchedDisk } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { batchOf, textRecords, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const value = (index: number): string => String(index).padStart(40_000, "-");
const SIZE = batchOf([value(0)]).length;
const isRead = (call: string): boolean => call.startsWith("read") && call.includes(".log");

/** Twelve batches of 40 KB that are read from the disk, of which the first four have been. */
async function logOfTwelve(): Promise<{ log: UnifiedLog; disk: WatchedDisk }> {
  const disk = new WatchedDisk();
  const caches = {
    tail: new TailCacheBudget(0),
    indexes: new IndexCache(1 << 20),
    readAhead: new ReadAheadBudget(1 << 20),
  };
  const log = await openLog({ disk, caches });
  for (let index = 0; index < 12; index++) await log.appendAsLeader(batchOf([value(index)]), 0).written;
  await log.read(0, 4 * SIZE);
  disk.calls.length = 0;
  return { log, disk };
}

const readTwo = (log: UnifiedLog, offset: number, upToOffset = 12): LogReadResult | Promise<LogReadResult> =>
  log.read(offset, 2 * SIZE + 100, { mayPromise: true, upToOffset });

async function promiseOf(log: UnifiedLog, offset: number): Promise<PromisedRecords> {
  const { promised, records } = await readTwo(log, offset);
  assert.ok(promised !== undefined);
  assert.deepEqual(records, []);
  return promised;
}

const valuesAt = (bytes: Uint8Array): readonly string[] => valuesOf(textRecords([bytes]));

describe("records that are promised to a reader who goes on where it stopped", () => {
  test("are read when he wants them, and not before", async () => {
    const { log, disk } = await logOfTwelve();
    const promised = await promiseOf(log, 4);
    assert.deepEqual(disk.calls, []);
    const bytes = await promised.read();
    assert.equal(disk.calls.filter((call) => isRead(call)).length, 1);
    assert.equal(bytes.length, promised.sizeInBytes);
    assert.deepEqual(valuesAt(bytes), [value(4), value(5)]);
  });

  test("follow each other to the end of the log, the last of which are read at once", async () => {
    const { log } = await logOfTwelve();
    for (const offset of [4, 6, 8]) {
      const promised = await promiseOf(log, offset);
      assert.deepEqual(valuesAt(await promised.read()), [value(offset), value(offset + 1)]);
    }
    const { records, promised } = await readTwo(log, 10);
    assert.deepEqual([promised, valuesOf(textRecords(records))], [undefined, [value(10), value(11)]]);
  });

  test("are not promised to one who jumps, and not to one who wants records", async () => {
    const { log } = await logOfTwelve();
    assert.equal((await readTwo(log, 7)).promised, undefined);
    assert.equal((await log.read(4, 2 * SIZE)).promised, undefined);
  });

  test("end where he may read", async () => {
    const { log } = await logOfTwelve();
    const { records, promised } = await readTwo(log, 4, 5);
    assert.deepEqual([promised, valuesOf(textRecords(records))], [undefined, [value(4)]]);
  });

  test("are not to be had once the log was cut, which goes on", async () => {
    const { log } = await logOfTwelve();
    const promised = await promiseOf(log, 4);
    await log.truncateTo(5);
    for (const text of ["five", "six"]) await log.appendAsLeader(batchOf([text]), 0).written;
    await assert.rejects(promised.read(), BrokenPromiseError);
    assert.equal(log.failure, undefined);
    assert.deepEqual(valuesOf(textRecords((await readTwo(log, 5)).records)), ["five", "six"]);
  });

  test("are not to be had once the log was closed", async () => {
    const { log } = await logOfTwelve();
    const promised = await promiseOf(log, 4);
    await log.close();
    await assert.rejects(promised.read(), /is closed/);
  });

  test("are checked like all that is read: damage takes the log offline", async () => {
    const { log, disk } = await logOfTwelve();
    const promised = await promiseOf(log, 4);
    const file = await disk.open(`${FOLDER}/00000000000000000000.log`);
    await file.write(6 * SIZE - 1, [new Uint8Array([0x55])]);
    await file.close();
    await assert.rejects(promised.read(), /no valid batch/);
    assert.notEqual(log.failure, undefined);
  });

  test("are not believed twice of an index that misleads", async () => {
    const { log } = await logOfTwelve();
    const [segment] = log.segments;
    assert.ok(segment !== undefined);
    segment.offsetIndex.lastAt = () => ({ offset: 6, position: 6 * SIZE - 10 });
    const promised = await promiseOf(log, 4);
    await assert.rejects(promised.read(), BrokenPromiseError);
    assert.equal(log.failure, undefined);
    const { records } = await readTwo(log, 4);
    assert.deepEqual(valuesOf(textRecords(records)), [value(4), value(5)]);
  });
});
