import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { IndexCache } from "./index-cache.ts";
import type { LogReadResult } from "./log-reader.ts";
import type { LogSegment } from "./log-segment.ts";
import { ReadAhead, ReadAheadBudget } from "./read-ahead.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import { WatchedDisk } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { batchOf, textRecords, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const SIZE = batchOf(["0000"]).length;
const value = (index: number): string => String(index).padStart(4, "0");
const isRead = (call: string): boolean => call.startsWith("read") && call.includes(".log");

/** A log of twelve records, each a batch, that reads everything from the disk. */
async function logOfTwelve(
  readAheadBytes = 10_000,
): Promise<{ log: UnifiedLog; disk: WatchedDisk; budget: ReadAheadBudget }> {
  const disk = new WatchedDisk();
  const budget = new ReadAheadBudget(readAheadBytes);
  const caches = { tail: new TailCacheBudget(0), indexes: new IndexCache(0), readAhead: budget };
  const log = await openLog({ disk, caches });
  for (let index = 0; index < 12; index++) await log.appendAsLeader(batchOf([value(index)]), 0).written;
  return { log, disk, budget };
}

/** Two records from an offset on. */
const readTwo = (log: UnifiedLog, offset: number): LogReadResult | Promise<LogReadResult> => log.read(offset, 2 * SIZE);

/** Reads 0 to 3 in two steps, and waits for what is read ahead. */
async function readFour(log: UnifiedLog): Promise<void> {
  await readTwo(log, 0);
  await readTwo(log, 2);
  await new Promise(setImmediate);
}

describe("what comes next for a reader that goes on where it stopped", () => {
  test("is there when it is asked for, and so is what follows", async () => {
    const { log } = await logOfTwelve();
    await readFour(log);
    for (const offset of [4, 6, 8]) {
      const result = readTwo(log, offset);
      assert.ok(!(result instanceof Promise));
      assert.deepEqual(valuesOf(textRecords(result.records)), [value(offset), value(offset + 1)]);
      await new Promise(setImmediate);
    }
  });

  test("is not read for one who jumps", async () => {
    const { log, disk } = await logOfTwelve();
    await readTwo(log, 0);
    disk.calls.length = 0;
    await readTwo(log, 6);
    await new Promise(setImmediate);
    assert.equal(
      disk.calls.some((call) => isRead(call)),
      true,
    );
    assert.ok(readTwo(log, 8) instanceof Promise);
  });

  test("is waited for while it is on its way, and read once", async () => {
    const { log, disk } = await logOfTwelve();
    await readTwo(log, 0);
    await readTwo(log, 2);
    disk.calls.length = 0;
    const result = await readTwo(log, 4);
    assert.deepEqual(valuesOf(textRecords(result.records)), ["0004", "0005"]);
    assert.ok(disk.calls.filter((call) => isRead(call)).length <= 2); // its own at most, and the one after it
  });

  test("is handed out once: a second reader gets bytes of its own", async () => {
    const { log } = await logOfTwelve();
    await readFour(log);
    const first = await readTwo(log, 4);
    const second = await readTwo(log, 4);
    assert.deepEqual(valuesOf(textRecords(second.records)), ["0004", "0005"]);
    assert.notEqual(first.records[0]?.buffer, second.records[0]?.buffer);
  });

  test("is not handed out beyond what may be read", async () => {
    const { log } = await logOfTwelve();
    await readFour(log);
    const result = await log.read(4, 2 * SIZE, { upToOffset: 5 });
    assert.deepEqual(valuesOf(textRecords(result.records)), ["0004"]);
  });

  test("is not handed out to one who takes less, or more", async () => {
    for (const count of [1, 3]) {
      const { log } = await logOfTwelve();
      await readFour(log);
      const result = await log.read(4, count * SIZE);
      assert.equal(textRecords(result.records).length, count);
    }
  });

  test("is forgotten when the log is cut", async () => {
    const { log, budget } = await logOfTwelve();
    await readFour(log);
    assert.notEqual(budget.usedBytes, 0);
    await log.truncateTo(5);
    assert.equal(budget.usedBytes, 0);
    for (const text of ["five", "six"]) await log.appendAsLeader(batchOf([text]), 0).written;
    const result = await readTwo(log, 4);
    assert.deepEqual(valuesOf(textRecords(result.records))[1], "five");
  });

  test("is given back when the log is closed", async () => {
    const { log, budget } = await logOfTwelve();
    await readFour(log);
    await log.close();
    assert.equal(budget.usedBytes, 0);
  });

  test("is checked like all that is read: damage takes the log offline for the read that comes upon it, and not before", async () => {
    const { log, disk } = await logOfTwelve();
    const file = await disk.open(`${FOLDER}/00000000000000000000.log`);
    await file.write(5 * SIZE - 1, [new Uint8Array([0x55])]);
    await file.close();
    await readFour(log);
    assert.equal(log.failure, undefined);
    await assert.rejects(async () => await readTwo(log, 4), /no valid batch/);
  });

  test("is left alone when there is no room for it", async () => {
    const { log } = await logOfTwelve(SIZE);
    await readFour(log);
    assert.ok(readTwo(log, 4) instanceof Promise);
  });
});

describe("the budget of what is read ahead", () => {
  const ahead = (): ReadAhead => new ReadAhead({} as LogSegment, 0, 100);
  const ignore = (): void => undefined;

  test("refuses what it has no room for until something is released", () => {
    const budget = new ReadAheadBudget(200);
    const [first, second, third] = [ahead(), ahead(), ahead()];
    assert.deepEqual([budget.charge(first, ignore), budget.charge(second, ignore)], [true, true]);
    assert.equal(budget.charge(third, ignore), false);
    budget.release(first);
    budget.release(first); // once too often
    assert.equal(budget.charge(third, ignore), true);
    assert.equal(budget.usedBytes, 200);
  });

  test("drops what nobody asks for after many refusals", () => {
    const budget = new ReadAheadBudget(100);
    const abandoned = ahead();
    let isForgotten = false;
    budget.charge(abandoned, () => (isForgotten = true));
    let refusals = 0;
    while (!budget.charge(ahead(), ignore)) assert.ok(++refusals < 1000);
    assert.deepEqual([isForgotten, abandoned.isDropped, budget.usedBytes], [true, true, 100]);
    assert.ok(refusals > 100);
  });
});
