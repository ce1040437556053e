import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import fc from "fast-check";
import { OffsetIndex } from "./offset-index.ts";
import { PooledDisk } from "./pooled-disk.ts";
import { TimeIndex } from "./time-index.ts";
import { readFile, WatchedDisk, writeFile } from "./testing/disks.ts";

const BASE = 1000;
const rising = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 })), { maxLength: 60 })
  .map((steps) => {
    let offset = BASE;
    let other = 0;
    return steps.map(([offsetStep, otherStep]) => [(offset += offsetStep), (other += otherStep)] as const);
  });

describe("an index", () => {
  async function flushedIndex(): Promise<{
    watched: WatchedDisk;
    index: OffsetIndex;
    callsOf: (act: () => Promise<void>) => Promise<string[]>;
  }> {
    const watched = new WatchedDisk();
    const index = new OffsetIndex(PooledDisk.of(watched), "/0.index", 0, 800);
    index.reset();
    index.append(1, 1);
    await index.flush(false);
    const callsOf = async (act: () => Promise<void>): Promise<string[]> => {
      watched.calls.length = 0;
      await act();
      return watched.calls.filter((call) => !call.startsWith("open"));
    };
    return { watched, index, callsOf };
  }

  test("is synced though its memory was given back after it was written: no scan would find it torn", async () => {
    const { index, callsOf } = await flushedIndex();
    index.unload();
    assert.deepEqual(await callsOf(() => index.flush(true)), ["sync /0.index"]);
    assert.deepEqual(await callsOf(() => index.flush(true)), []);
  });

  test("is not synced again as long as nothing was written to it", async () => {
    const { index, callsOf } = await flushedIndex();
    assert.deepEqual(await callsOf(() => index.flush(true)), ["sync /0.index"]);
    assert.deepEqual(await callsOf(() => index.flush(true)), []);
    index.append(2, 2);
    assert.deepEqual(await callsOf(() => index.flush(true)), ["write /0.index 1 chunks at 8", "sync /0.index"]);
    index.truncateTo(2);
    assert.deepEqual(await callsOf(() => index.flush(true)), ["truncate /0.index to 8", "sync /0.index"]);
  });

  test("has its bytes in the file before it is synced, though two ask at once", async () => {
    const { watched, index, callsOf } = await flushedIndex();
    index.append(2, 2);
    watched.before = () => new Promise(setImmediate);
    const both = async (): Promise<void> => void (await Promise.all([index.flush(false), index.flush(true)]));
    assert.deepEqual(await callsOf(both), ["write /0.index 1 chunks at 8", "sync /0.index"]);
  });
});

describe("the offset index", () => {
  const newIndex = (disk = new MemoryDisk()): OffsetIndex =>
    new OffsetIndex(PooledDisk.of(disk), "/0.index", BASE, 800);

  test("writes relative offset and position, four bytes each", async () => {
    const disk = new MemoryDisk();
    const index = newIndex(disk);
    index.reset();
    index.append(BASE + 258, 65_537);
    await index.flush(true);
    assert.deepEqual([...(await readFile(disk, "/0.index"))], [0, 0, 1, 2, 0, 1, 0, 1]);
  });

  test("finds what a walk over the entries finds, also when it is read back", async () => {
    await fc.assert(
      fc.asyncProperty(rising, fc.integer({ min: BASE - 1, max: BASE + 3000 }), async (entries, target) => {
        const disk = new MemoryDisk();
        const index = newIndex(disk);
        index.reset();
        for (const [offset, position] of entries) index.append(offset, position);
        const expected = entries.findLast(([offset]) => offset <= target)?.[1] ?? 0;
        assert.equal(index.lookup(target), expected);
        await index.flush(false);
        index.unload();
        assert.equal(entries.length === 0 ? undefined : await index.load(), undefined);
        if (entries.length > 0) assert.equal(index.lookup(target), expected);
      }),
    );
  });

  test("keeps what lies below the offset it is cut at, in the file too", async () => {
    await fc.assert(
      fc.asyncProperty(rising, fc.integer({ min: BASE, max: BASE + 3000 }), async (entries, target) => {
        const disk = new MemoryDisk();
        const index = newIndex(disk);
        index.reset();
        for (const [offset, position] of entries) index.append(offset, position);
        await index.flush(false);
        index.truncateTo(target);
        await index.flush(false);
        const kept = entries.filter(([offset]) => offset < target).length;
        assert.equal(index.entryCount, kept);
        if (entries.length > 0) assert.equal((await readFile(disk, "/0.index")).length, kept * 8);
      }),
    );
  });

  test("is full when it has the entries that its size allows", () => {
    const index = new OffsetIndex(PooledDisk.of(new MemoryDisk()), "/0.index", 0, 17);
    index.reset();
    index.append(1, 1);
    assert.equal(index.isFull, false);
    index.append(2, 2);
    assert.equal(index.isFull, true);
  });

  const insane = [
    { bytes: [0, 0, 0, 1, 0, 0, 0], why: "no multiple of 8" },
    { bytes: [0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 10], why: "offset does not rise" },
    { bytes: [0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 9], why: "position does not rise" },
    { bytes: [0x80, 0, 0, 0, 0, 0, 0, 9], why: "negative offset" },
    { bytes: Array.from({ length: 16 }, () => 0), why: "zeros, as Kafka leaves them in front of a crash" },
    { bytes: Array.from({ length: 808 }, () => 1), why: "longer than it may be" },
  ];
  for (const { bytes, why } of insane) {
    test(`is not believed: ${why}`, async () => {
      const disk = new MemoryDisk();
      await writeFile(disk, "/0.index", Uint8Array.from(bytes));
      assert.equal(typeof (await newIndex(disk).load()), "string");
    });
  }
});

describe("the time index", () => {
  const newIndex = (disk = new MemoryDisk()): TimeIndex =>
    new TimeIndex(PooledDisk.of(disk), "/0.timeindex", BASE, 1200);

  test("writes timestamp and relative offset, eight and four bytes", async () => {
    const disk = new MemoryDisk();
    const index = newIndex(disk);
    index.reset();
    index.maybeAppend(0x0102_0304_0506, BASE + 7);
    await index.flush(true);
    assert.deepEqual([...(await readFile(disk, "/0.timeindex"))], [0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 7]);
  });

  test("leaves out a timestamp that is not above the last", () => {
    const index = newIndex();
    index.reset();
    index.maybeAppend(-1, BASE);
    assert.equal(index.entryCount, 0);
    index.maybeAppend(5, BASE + 1);
    index.maybeAppend(5, BASE + 2);
    index.maybeAppend(4, BASE + 3);
    assert.deepEqual([index.entryCount, index.lastEntry], [1, { timestamp: 5, offset: BASE + 1 }]);
  });

  test("finds what a walk over the entries finds, also when it is read back", async () => {
    await fc.assert(
      fc.asyncProperty(rising, fc.integer({ min: -5, max: 3000 }), async (entries, target) => {
        const disk = new MemoryDisk();
        const index = newIndex(disk);
        index.reset();
        for (const [offset, timestamp] of entries) index.maybeAppend(timestamp, offset);
        const [offset, timestamp] = entries.findLast(([, timestamp]) => timestamp <= target) ?? [BASE, -1];
        assert.deepEqual(index.lookup(target), { timestamp, offset });
        await index.flush(true);
        index.unload();
        assert.equal(await index.load(), undefined);
        assert.deepEqual(index.lookup(target), { timestamp, offset });
      }),
    );
  });

  test("keeps a place for its last entry", () => {
    const index = new TimeIndex(PooledDisk.of(new MemoryDisk()), "/0.timeindex", 0, 36);
    index.reset();
    index.maybeAppend(1, 1);
    assert.equal(index.isFull, false);
    index.maybeAppend(2, 2);
    assert.equal(index.isFull, true);
  });

  for (const { bytes, why } of [
    { bytes: Array.from({ length: 24 }, () => 0), why: "two entries of zeros" },
    { bytes: [0x40, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], why: "a timestamp that no number holds" },
    { bytes: [0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1], why: "a negative offset" },
    { bytes: [0, 0, 0, 0, 0, 0, 0, 1], why: "no multiple of 12" },
  ]) {
    test(`is not believed: ${why}`, async () => {
      const disk = new MemoryDisk();
      await writeFile(disk, "/0.timeindex", Uint8Array.from(bytes));
      assert.equal(typeof (await newIndex(disk).load()), "string");
    });
  }
});
