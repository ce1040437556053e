import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { advisoryLockHolder, lockDataDirectory } from "./data-directory-lock.ts";
import { StartError } from "./server-error.ts";

function folder(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "samsa-lock-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("a data directory belongs to one broker at a time, also within a process", (t) => {
  const directory = folder(t);
  const unlock = lockDataDirectory(directory);
  assert.throws(() => lockDataDirectory(directory), StartError);
  unlock();
  assert.equal(existsSync(path.join(directory, ".lock")), false);
  lockDataDirectory(directory)();
});

test("another process that lives keeps us out", (t) => {
  const directory = folder(t);
  writeFileSync(path.join(directory, ".lock"), `${process.ppid}\n`);
  assert.throws(() => lockDataDirectory(directory), new RegExp(`process ${process.ppid}`));
});

test("the lock of a process that is gone is taken over", (t) => {
  const directory = folder(t);
  const { pid } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(path.join(directory, ".lock"), `${pid}\n`);
  lockDataDirectory(directory)();
});

test("a pid that was given to another process since does not count", (t) => {
  const directory = folder(t);
  writeFileSync(path.join(directory, ".lock"), `${process.ppid} 1\n`);
  // Only where the system tells when a process started; elsewhere a living pid is believed.
  if (existsSync("/proc/self/stat")) lockDataDirectory(directory)();
  else assert.throws(() => lockDataDirectory(directory), StartError);
});

test("a lock file that another program left, without an owner, is taken over", (t) => {
  const directory = folder(t);
  writeFileSync(path.join(directory, ".lock"), ""); // Apache Kafka's is empty
  lockDataDirectory(directory)();
});

test("the lock of a running Apache Kafka is seen where Linux shows it", () => {
  const locks = "1: POSIX  ADVISORY  WRITE 4711 fe:00:9977878 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 00:2b:42 0 EOF\n";
  assert.equal(advisoryLockHolder(locks, 9_977_878), 4711);
  assert.equal(advisoryLockHolder(locks, 42), 12);
  assert.equal(advisoryLockHolder(locks, 77_878), undefined);
  assert.equal(advisoryLockHolder("", 42), undefined);
});
