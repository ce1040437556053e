import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { withLock } from "./lock.mjs";

const folder = mkdtempSync(join(tmpdir(), "samsa-lock-"));
after(() => rmSync(folder, { recursive: true }));

test("lets one in at a time, and everybody in the end", async () => {
  const path = join(folder, "contended.lock");
  let inside = 0;
  let done = 0;
  const work = async () => {
    inside += 1;
    assert.equal(inside, 1);
    await turn();
    inside -= 1;
    done += 1;
  };
  await Promise.all(Array.from({ length: 8 }, () => withLock(path, work)));
  assert.equal(done, 8);
  assert.ok(!existsSync(path));
});

test("is free again after work that failed", async () => {
  const path = join(folder, "failed.lock");
  await assert.rejects(
    withLock(path, () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await withLock(path, () => Promise.resolve(1)), 1);
});

test("is taken from an owner whose process is gone, by one waiter only", async () => {
  const path = join(folder, "dead.lock");
  const { pid } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(path, JSON.stringify({ token: "dead", pid, host: hostname() }));
  let inside = 0;
  const work = async () => {
    inside += 1;
    assert.equal(inside, 1);
    await turn();
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 4 }, () => withLock(path, work)));
});

test("is taken from an owner on another machine once it no longer touches the lock", async () => {
  const path = join(folder, "foreign.lock");
  writeFileSync(path, JSON.stringify({ token: "foreign", pid: 1, host: "another-machine" }));
  /** @type {string[]} */
  const told = [];
  await withLock(path, () => Promise.resolve(), { staleMs: 200, onWait: (owner) => told.push(owner) });
  assert.deepEqual(told, ["process 1"]);
});
