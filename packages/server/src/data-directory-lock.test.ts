import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { lockDataDirectory } from "./data-directory-lock.ts";
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
