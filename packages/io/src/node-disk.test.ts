import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, mock, test } from "node:test";

import { bytesOf, diskSuite, rejectsWith } from "./disk.test.suite.ts";
import { NodeDisk } from "./node-disk.ts";
import { temporaryDirectory, type TemporaryDirectory } from "./temporary-directory.ts";

diskSuite("NodeDisk", async () => {
  const folder = await temporaryDirectory("samsa-disk-");
  return { disk: new NodeDisk(folder.path), remove: () => folder.remove() };
});

describe("NodeDisk on a disk that misbehaves", () => {
  let folder: TemporaryDirectory;
  let disk: NodeDisk;
  before(async () => {
    folder = await temporaryDirectory("samsa-disk-");
    disk = new NodeDisk(folder.path);
  });
  after(() => folder.remove());

  /** No write takes any time, and the last slow one is long ago: on a busy machine nothing would be written at once. */
  function stoppedTime(): { restore: () => void } {
    return mock.method(performance, "now", () => Number.MAX_SAFE_INTEGER).mock;
  }

  type Writev = (fd: number, chunks: readonly Uint8Array[], position: number, done: WritevDone) => void;
  type WritevSync = (fd: number, chunks: readonly Uint8Array[], position: number) => number;
  type WriteSync = (fd: number, chunk: Uint8Array, offset: number, length: number, position: number) => number;
  type WritevDone = (error: NodeJS.ErrnoException | null, bytesWritten: number) => void;

  test("goes on where a short write stopped", async () => {
    const file = await disk.open("short", { create: true });
    const { writev } = fs;
    const short = mock.method(fs, "writev", ((fd, chunks, position, done) => {
      const first = chunks.find((chunk) => chunk.length > 0) as Uint8Array;
      writev(fd, [first.subarray(0, 2)], position, done);
    }) as Writev as typeof writev);
    await file.write(0, ["abc", "", "defgh", "i"].map(bytesOf));
    short.mock.restore();
    assert.equal(short.mock.callCount(), 6);
    assert.equal(fs.readFileSync(path.join(folder.path, "short"), "utf8"), "abcdefghi");
    await file.close();
  });

  test("goes on where a short write at once stopped, and gives up on one that does not get on", async () => {
    const file = await disk.open("prompt", { create: true });
    const time = stoppedTime();
    const { writevSync, writeSync } = fs;
    const short = [
      mock.method(fs, "writevSync", ((fd, chunks, position) =>
        writevSync(fd, [(chunks[0] as Uint8Array).subarray(0, 2)], position)) as WritevSync as typeof writevSync),
      mock.method(fs, "writeSync", ((fd, chunk, offset, length, position) =>
        writeSync(fd, chunk, offset, Math.min(length, 2), position)) as WriteSync as typeof writeSync),
    ];
    const calls = (): number[] => short.map(({ mock: mocked }) => mocked.callCount());
    assert.equal(file.writeNow?.(0, ["abc", "", "defgh", "ijkl"].map(bytesOf)), true);
    assert.deepEqual(calls(), [7, 0]);
    assert.equal(file.writeNow?.(12, [bytesOf("mnopq")]), true);
    assert.deepEqual(calls(), [9, 1]); // one chunk has a way of its own
    for (const { mock: mocked } of short) mocked.restore();
    assert.equal(fs.readFileSync(path.join(folder.path, "prompt"), "utf8"), "abcdefghijklmnopq");
    const stuck = [
      mock.method(fs, "writevSync", (() => 0) as WritevSync as typeof writevSync),
      mock.method(fs, "writeSync", (() => 0) as WriteSync as typeof writeSync),
    ];
    for (const chunks of [["x"], ["x", "y"]]) {
      assert.throws(() => file.writeNow?.(0, chunks.map(bytesOf)), { name: "DiskError", code: "EIO" });
    }
    for (const { mock: mocked } of stuck) mocked.restore();
    time.restore();
    await file.close();
  });

  test("writes nothing at once that is large, or while the file is synced or closed", async () => {
    const file = await disk.open("patient", { create: true });
    const time = stoppedTime();
    const writeSync = mock.method(fs, "writeSync");
    assert.equal(file.writeNow?.(0, [new Uint8Array(100_000), new Uint8Array(100_000)]), false);
    const syncing = file.sync();
    assert.equal(file.writeNow?.(0, [bytesOf("x")]), false);
    await syncing;
    assert.equal(file.writeNow?.(0, [bytesOf("x")]), true);
    const closing = file.close();
    assert.equal(file.writeNow?.(1, [bytesOf("y")]), false);
    await closing;
    writeSync.mock.restore();
    time.restore();
    assert.equal(writeSync.mock.callCount(), 1);
    assert.equal(await disk.fileSize("patient"), 1);
  });

  test("hands no more than 1024 chunks to one writev", async () => {
    const file = await disk.open("many", { create: true });
    const writev = mock.method(fs, "writev");
    await file.write(
      0,
      Array.from({ length: 2049 }, () => bytesOf("x")),
    );
    writev.mock.restore();
    assert.deepEqual(
      writev.mock.calls.map((call) => (call.arguments as unknown[] as Parameters<Writev>)[1].length),
      [1024, 1024, 1],
    );
    await file.close();
  });

  test("gives up on a write that neither fails nor gets on", async () => {
    const file = await disk.open("stuck", { create: true });
    const stuck = mock.method(fs, "writev", ((_fd, _chunks, _position, done) =>
      done(null, 0)) as Writev as typeof fs.writev);
    await rejectsWith("EIO", file.write(0, [bytesOf("x")]));
    stuck.mock.restore();
    await file.close();
  });

  test("never syncs again once a sync has failed", async () => {
    const file = await disk.open("lost", { create: true });
    const failing = mock.method(fs, "fdatasync", ((_fd: number, done: (error: Error | null) => void) => {
      done(Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" }));
    }) as typeof fs.fdatasync);
    await rejectsWith("EIO", file.sync());
    failing.mock.restore();
    await rejectsWith("EIO", file.sync());
    assert.equal(failing.mock.callCount(), 1);
    await file.close();
  });

  test("holds the close back until a write of several steps is through", async () => {
    const file = await disk.open("closing", { create: true });
    const close = mock.method(fs, "close");
    const writing = file.write(
      0,
      Array.from({ length: 3000 }, () => bytesOf("x")),
    );
    const closing = file.close();
    await writing;
    assert.equal(close.mock.callCount(), 0);
    await closing;
    assert.equal(close.mock.callCount(), 1);
    close.mock.restore();
    assert.equal(await disk.fileSize("closing"), 3000);
  });

  test("gives the system's own code", async () => {
    const full = mock.method(fs, "writev", ((_fd, _chunks, _position, done) => {
      done(Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }), 0);
    }) as Writev as typeof fs.writev);
    const file = await disk.open("full", { create: true });
    await assert.rejects(file.write(0, [bytesOf("x")]), {
      name: "DiskError",
      code: "ENOSPC",
      path: path.join(folder.path, "full"),
      message: `write ${path.join(folder.path, "full")}: no space left on device (ENOSPC)`,
    });
    full.mock.restore();
    await file.close();
  });
});

describe("NodeDisk", () => {
  let folder: TemporaryDirectory;
  before(async () => {
    folder = await temporaryDirectory("samsa-disk-");
  });
  after(() => folder.remove());

  test("makes its root when asked, and takes absolute paths as they are", async () => {
    const root = path.join(folder.path, "data/broker-1");
    const disk = new NodeDisk(root);
    await disk.makeDirectory("");
    const file = await disk.open(`${root}/file`, { create: true });
    await file.close();
    assert.deepEqual(await disk.list(""), [{ name: "file", isDirectory: false }]);
  });

  test("follows links when it lists, and removes the link and not where it leads", async () => {
    const disk = new NodeDisk(folder.path);
    await disk.makeDirectory("elsewhere/kept");
    await disk.makeDirectory("links");
    fs.symlinkSync(path.join(folder.path, "elsewhere"), path.join(folder.path, "links/topic-0"), "dir");
    fs.symlinkSync(path.join(folder.path, "nowhere"), path.join(folder.path, "links/topic-1"), "dir");
    const entries = [...(await disk.list("links"))].sort((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(entries, [
      { name: "topic-0", isDirectory: true },
      { name: "topic-1", isDirectory: false },
    ]);
    await disk.removeDirectory("links/topic-0");
    assert.deepEqual(await disk.list("elsewhere"), [{ name: "kept", isDirectory: true }]);
  });

  test("gives a temporary folder of its own each time, and removes it with all in it", async () => {
    const [one, two] = await Promise.all([temporaryDirectory("samsa-"), temporaryDirectory("samsa-")]);
    assert.notEqual(one.path, two.path);
    assert.match(path.basename(one.path), /^samsa-/);
    fs.mkdirSync(path.join(one.path, "full/of/things"), { recursive: true });
    await one.remove();
    await one.remove();
    await two.remove();
    assert.equal(fs.existsSync(one.path), false);
    assert.equal(fs.existsSync(two.path), false);
  });
});
