import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Disk } from "@samsa/base";
import { DiskError } from "@samsa/base";
import { SimulatedDisk } from "./simulated-disk.ts";
import { VirtualClock } from "./virtual-clock.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function write(disk: Disk, path: string, text: string, options: { at?: number; sync?: boolean } = {}) {
  const file = await disk.open(path, { create: true });
  await file.write(options.at ?? 0, [encoder.encode(text)]);
  if (options.sync === true) await file.sync();
  await file.close();
}

function textOf(disk: SimulatedDisk, path: string): string | undefined {
  const bytes = disk.files().get(path);
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

/** What all seeds together make of the same calls. */
async function outcomes(act: (disk: SimulatedDisk) => Promise<void>, path = "/f"): Promise<Set<string | undefined>> {
  const seen = new Set<string | undefined>();
  for (let seed = 1; seed <= 200; seed++) {
    const disk = new SimulatedDisk({ seed });
    await act(disk);
    seen.add(textOf(disk.crash(), path));
  }
  return seen;
}

describe("after a loss of power", () => {
  test("what was synced is there, name and content", async () => {
    const seen = await outcomes(async (disk) => {
      await write(disk, "/f", "safe", { sync: true });
      await disk.syncDirectory("/");
    });
    assert.deepEqual(seen, new Set(["safe"]));
  });

  test("what was written and not synced is there, or not, or torn, or zeros", async () => {
    const seen = await outcomes(async (disk) => {
      await write(disk, "/f", "safe", { sync: true });
      await disk.syncDirectory("/");
      await write(disk, "/f", "more", { at: 4 });
    });
    for (const text of ["safe", "safemore", "safem", "safe\0\0\0\0"]) assert.ok(seen.has(text), JSON.stringify(text));
    for (const text of seen) assert.match(text ?? "", /^safe(m?o?r?e?|\0+)$/, "nothing else");
  });

  test("a sync makes safe only what had been written when it was called", async () => {
    const seen = await outcomes(async (disk) => {
      await write(disk, "/f", "a", { sync: true });
      await disk.syncDirectory("/");
      const file = await disk.open("/f");
      const synced = file.sync();
      await file.write(1, [encoder.encode("b")]);
      await synced;
    });
    assert.deepEqual(seen, new Set(["a", "ab", "a\0"]));
  });

  test("a new file may be gone although it was synced, until its folder was", async () => {
    const seen = await outcomes((disk) => write(disk, "/f", "x", { sync: true }));
    assert.deepEqual(seen, new Set([undefined, "x"]));
  });

  test("a rename has happened or not, and nothing in between", async () => {
    const seen = await outcomes(async (disk) => {
      await write(disk, "/f", "old", { sync: true });
      await write(disk, "/f.tmp", "new", { sync: true });
      await disk.syncDirectory("/");
      await disk.rename("/f.tmp", "/f");
    });
    assert.deepEqual(seen, new Set(["old", "new"]));
  });

  test("a rename from folder to folder leaves the file in one of them", async () => {
    const counts = new Set<string>();
    for (let seed = 1; seed <= 100; seed++) {
      const disk = new SimulatedDisk({ seed });
      await disk.makeDirectory("/a");
      await disk.makeDirectory("/b");
      await write(disk, "/a/f", "x", { sync: true });
      for (const folder of ["/", "/a"]) await disk.syncDirectory(folder);
      await write(disk, "/b/g", "y", { sync: true });
      await disk.rename("/a/f", "/b/f");
      if (seed % 2 === 0) await disk.syncDirectory("/b");
      counts.add([...disk.crash().files().keys()].filter((path) => path.endsWith("/f")).join());
    }
    assert.deepEqual(counts, new Set(["/a/f", "/b/f"]));
  });

  test("the changes of a folder that are left are the first ones", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const disk = new SimulatedDisk({ seed });
      for (const name of ["1", "2", "3"]) await write(disk, name, "");
      const names = [...disk.crash().files().keys()].join("");
      assert.ok("/1/2/3".startsWith(names), names);
    }
  });

  test("a removed file may be back", async () => {
    const seen = await outcomes(async (disk) => {
      await write(disk, "/f", "x", { sync: true });
      await disk.syncDirectory("/");
      await disk.remove("/f");
    });
    assert.deepEqual(seen, new Set(["x", undefined]));
  });

  test("what a failed sync lost stays lost, though the process still reads it and a later sync succeeds", async () => {
    const seen = await outcomes(async (disk) => {
      await write(disk, "/f", "x", { sync: true });
      await disk.syncDirectory("/");
      disk.inject({ kinds: ["sync"], nth: 1, code: "EIO" });
      const file = await disk.open("/f");
      await file.write(0, [encoder.encode("y")]);
      await assert.rejects(file.sync(), DiskError);
      await file.sync();
      assert.equal(textOf(disk, "/f"), "y");
    });
    assert.ok(seen.has("x"));
  });
});

test("the end of the process alone loses nothing", async () => {
  const disk = new SimulatedDisk();
  await write(disk, "/f", "x");
  assert.equal(textOf(disk.crash({ power: "kept" }), "/f"), "x");
});

test("the n-th operation fails, and only that one", async () => {
  const disk = new SimulatedDisk();
  const pending = disk.inject({ nth: 2, kinds: ["write"], code: "EIO" });
  await write(disk, "/f", "a");
  await assert.rejects(write(disk, "/f", "b"), { code: "EIO" });
  assert.ok(pending.hasStruck);
  await write(disk, "/f", "c");
  assert.equal(textOf(disk, "/f"), "c");
  assert.deepEqual(
    disk.trace.filter(({ failure }) => failure !== undefined).map(({ kind, path, failure }) => [kind, path, failure]),
    [["write", "/f", "EIO"]],
  );
});

test("a full disk takes some of the bytes, and stays full", async () => {
  const lengths = new Set<number>();
  for (let seed = 1; seed <= 30; seed++) {
    const disk = new SimulatedDisk({ seed });
    disk.inject({ nth: 1, kinds: ["write"], code: "ENOSPC", isShort: true, isLasting: true });
    await assert.rejects(write(disk, "/f", "abc"), { code: "ENOSPC" });
    lengths.add(textOf(disk, "/f")?.length ?? -1);
    await assert.rejects(write(disk, "/g", "abc"), { code: "ENOSPC" });
  }
  assert.deepEqual(lengths, new Set([0, 1, 2]));
});

test("a crash in the middle of an operation ends everything on this disk", async () => {
  const disk = new SimulatedDisk({ seed: 3 });
  const crashed = new Promise<void>((resolve) => (disk.onCrash = resolve));
  disk.crashAt(2);
  const written = write(disk, "/f", "x");
  await crashed;
  assert.equal(await Promise.race([written, new Promise((resolve) => setImmediate(resolve, "never"))]), "never");
  assert.deepEqual([...disk.crash().files().keys()].length <= 1, true);
});

test("a slow operation waits for the clock", async () => {
  const clock = new VirtualClock();
  const disk = new SimulatedDisk({ slowness: { clock, delayMs: ({ kind }) => (kind === "sync" ? 100 : 0) } });
  let isDone = false;
  const written = write(disk, "/f", "x", { sync: true }).then(() => (isDone = true));
  for (const ms of [0, 99]) {
    clock.advance(ms);
    await new Promise(setImmediate);
    assert.equal(isDone, false);
  }
  clock.advance(1);
  await written;
});

test("the same seed and the same calls give the same", async () => {
  const run = async (seed: number) => {
    const disk = new SimulatedDisk({ seed, mostTurns: 5 });
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4].map(async (n) => order.push(await write(disk, `/${n}`, `${n}`).then(() => n))));
    return JSON.stringify([order, disk.trace, [...disk.crash().files()].map(([path, bytes]) => [path, [...bytes]])]);
  };
  assert.equal(await run(1), await run(1));
  const others = new Set(await Promise.all([1, 2, 3, 4, 5].map(run)));
  assert.ok(others.size > 1, "another seed gives another order");
});
