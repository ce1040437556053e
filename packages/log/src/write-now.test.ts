import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DiskFile } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { KafkaStorageError } from "./errors.ts";
import { ioError, WatchedDisk } from "./testing/disks.ts";
import { openLog } from "./testing/logs.ts";
import { batchOf, readAll, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

/** A disk that takes writes at once, and counts them. */
class PromptDisk extends MemoryDisk {
  writes = 0;
  failure: Error | undefined;

  override async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options);
    const writeNow = file.writeNow?.bind(file);
    file.writeNow = (position, chunks) => {
      if (this.failure !== undefined) throw this.failure;
      this.writes++;
      return writeNow?.(position, chunks) ?? false;
    };
    return file;
  }
}

/** A log whose file is open. */
async function usedLog(
  disk: MemoryDisk | WatchedDisk,
  config: { readonly flushMessages?: number } = {},
): Promise<UnifiedLog> {
  const log = await openLog({ disk, config });
  await log.appendAsLeader(batchOf(["a"]), 0).written;
  return log;
}

describe("an append that is asked to be written now", () => {
  test("is on the disk when that returns, and whoever watches the log has been told", async () => {
    const log = await usedLog(new PromptDisk());
    const ends: number[] = [];
    log.onWritten = ({ writtenEndOffset }) => ends.push(writtenEndOffset);
    const append = log.appendAsLeader(batchOf(["b"]), 0);
    assert.equal(append.writeNow(), true);
    assert.deepEqual(ends, [2]);
    assert.equal(append.writeNow(), true, "as often as it is asked");
    await append.written;
    assert.deepEqual(ends, [2]);
    assert.equal(log.pendingBytes, 0);
  });

  test("takes along what was appended before it in this turn, in one write", async () => {
    const disk = new PromptDisk();
    const log = await usedLog(disk);
    disk.writes = 0;
    const before = log.appendAsLeader(batchOf(["b"]), 0);
    const { written } = before;
    assert.equal(log.appendAsLeader(batchOf(["c"]), 0).writeNow(), true);
    assert.equal(before.writeNow(), true);
    await written;
    await log.appendAsLeader(batchOf(["d"]), 0).written;
    assert.equal(disk.writes, 2);
    assert.deepEqual(valuesOf(await readAll(log)), ["a", "b", "c", "d"]);
  });

  test("is not there yet where the disk takes its time, and settles as it would have", async () => {
    const log = await usedLog(new WatchedDisk());
    const append = log.appendAsLeader(batchOf(["b"]), 0);
    assert.equal(append.writeNow(), false);
    assert.equal(log.writtenEndOffset, 1);
    await append.written;
    assert.equal(log.writtenEndOffset, 2);
    assert.equal(append.writeNow(), true);
  });

  test("waits for what is under way before it", async () => {
    const log = await usedLog(new PromptDisk());
    const rolled = log.roll();
    const append = log.appendAsLeader(batchOf(["b"]), 0);
    assert.equal(append.writeNow(), false);
    await rolled;
    await append.written;
    assert.deepEqual(valuesOf(await readAll(log)), ["a", "b"]);
  });

  test("is not there before it is synced, where each message is to be", async () => {
    const log = await usedLog(new PromptDisk(), { flushMessages: 1 });
    const append = log.appendAsLeader(batchOf(["b"]), 0);
    const next = log.appendAsLeader(batchOf(["c"]), 0);
    assert.equal(append.writeNow(), false);
    assert.deepEqual([log.writtenEndOffset, log.recoveryPoint], [1, 1]);
    const last = log.appendAsLeader(batchOf(["d"]), 0);
    assert.equal(last.writeNow(), false);
    await next.written;
    assert.deepEqual([log.writtenEndOffset, log.recoveryPoint], [3, 3]);
    await last.written;
    assert.deepEqual([log.writtenEndOffset, log.recoveryPoint], [4, 4]);
    assert.deepEqual(valuesOf(await readAll(log)), ["a", "b", "c", "d"]);
  });

  test("fences the log when the disk refuses", async () => {
    const disk = new PromptDisk();
    const log = await usedLog(disk);
    disk.failure = ioError("ENOSPC");
    const before = log.appendAsLeader(batchOf(["b"]), 0);
    const append = log.appendAsLeader(batchOf(["c"]), 0);
    assert.equal(append.writeNow(), false);
    assert.equal(append.writeNow(), false);
    for (const { written } of [before, append]) await assert.rejects(written, { code: ErrorCode.KAFKA_STORAGE_ERROR });
    assert.throws(() => log.appendAsLeader(batchOf(["d"]), 0), KafkaStorageError);
    assert.equal(log.writtenEndOffset, 1);
  });
});
