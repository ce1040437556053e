import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { constants, hostname } from "node:os";
import { dirname } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A lock between processes of one checkout: a file that exists while it is held. The owner touches it every second, so a
 * waiter recognises a dead owner either by its process id (same host) or by a file that stays untouched for STALE_MS on the
 * waiter's own clock. Comparing the file's time with the wall clock instead would break a lock whose owner slept with the laptop.
 */

const HEARTBEAT_MS = 1_000;
const STALE_MS = 20_000;
const POLL_MS = 50;
const ENDINGS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * @typedef {object} Owner
 * @property {string} token unique for this taking of the lock
 * @property {number} pid
 * @property {string} host
 */

/**
 * Runs `work` while holding the lock, and frees it whatever happens.
 *
 * @template T
 * @param {string} path of the lock file; its folder is made
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (owner: string) => void, staleMs?: number }} [options] `onWait` is called once, when somebody else holds the lock
 * @returns {Promise<T>}
 */
export async function withLock(path, work, options = {}) {
  const release = await acquire(path, options);
  try {
    return await work();
  } finally {
    release();
  }
}

/**
 * @param {string} path
 * @param {{ onWait?: (owner: string) => void, staleMs?: number }} options
 * @returns {Promise<() => void>}
 */
async function acquire(path, { onWait, staleMs = STALE_MS }) {
  mkdirSync(dirname(path), { recursive: true });
  const owner = { token: randomUUID(), pid: process.pid, host: hostname() };
  let seen = "";
  let seenAt = performance.now();
  while (!create(path, owner)) {
    const holder = look(path);
    if (holder === undefined) continue; // freed between our two looks
    const isAbandoned = isDead(holder.owner);
    if (seen === "" && !isAbandoned)
      onWait?.(holder.owner === undefined ? "another run" : `process ${holder.owner.pid}`);
    const mark = `${holder.owner?.token ?? ""} ${holder.touchedMs}`;
    if (mark !== seen) {
      seen = mark;
      seenAt = performance.now();
    }
    if (isAbandoned || performance.now() - seenAt > staleMs) {
      breakLock(path, holder.owner?.token);
    }
    await sleep(POLL_MS);
  }
  return hold(path, owner);
}

/**
 * @param {string} path
 * @param {Owner} owner
 * @returns {() => void} frees the lock
 */
function hold(path, owner) {
  const heartbeat = setInterval(() => {
    try {
      const now = new Date();
      utimesSync(path, now, now);
    } catch {
      // Somebody removed the file by hand: there is nothing left to keep alive.
    }
  }, HEARTBEAT_MS);
  heartbeat.unref();
  // A signal ends us through process.exit(), so that what waits for that (this lock, the programs we run) is put in order.
  const end = (/** @type {NodeJS.Signals} */ signal) => process.exit(128 + constants.signals[signal]);
  const free = () => {
    clearInterval(heartbeat);
    process.off("exit", free);
    for (const signal of ENDINGS) process.off(signal, end);
    if (look(path)?.owner?.token === owner.token) rmSync(path, { force: true });
  };
  process.on("exit", free);
  for (const signal of ENDINGS) process.on(signal, end);
  return free;
}

/**
 * @param {string} path
 * @param {Owner} owner
 * @returns {boolean} false when it exists already
 */
function create(path, owner) {
  try {
    writeFileSync(path, JSON.stringify(owner), { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * @param {string} path
 * @returns {{ owner: Owner | undefined, touchedMs: number } | undefined} undefined when nobody holds it; the owner is
 *   undefined while its line is being written
 */
function look(path) {
  try {
    const touchedMs = statSync(path).mtimeMs;
    const text = readFileSync(path, "utf8");
    return { owner: text.endsWith("}") ? /** @type {Owner} */ (JSON.parse(text)) : undefined, touchedMs };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * @param {Owner | undefined} owner
 * @returns {boolean} true only when it is certain
 */
function isDead(owner) {
  if (owner === undefined || owner.host !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}

/**
 * Removes a lock whose owner is dead. Two waiters may come here at once, and the slower one must not remove the lock the
 * faster one has taken since. So only one at a time breaks, and it looks again first. The second lock is held for an instant;
 * left behind by a crash in that instant, it goes stale by its age.
 *
 * @param {string} path
 * @param {string | undefined} token of the owner found dead
 */
function breakLock(path, token) {
  const guard = `${path}.break`;
  try {
    writeFileSync(guard, "", { flag: "wx" });
  } catch {
    const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > STALE_MS) rmSync(guard, { force: true });
    return;
  }
  try {
    const holder = look(path);
    if (holder !== undefined && holder.owner?.token === token) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

/**
 * @param {unknown} error
 * @returns {unknown}
 */
function codeOf(error) {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
