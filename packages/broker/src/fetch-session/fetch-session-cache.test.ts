import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@samsa/simulation";
import { wishesOf } from "./fetch-session.ts";
import { FetchSessionCache } from "./fetch-session-cache.ts";
import { fetchTopics } from "../testing/fetch-requests.ts";

const MINUTE = 60_000;

function cacheOf(maxSessions: number, maxPartitions = 1000): FetchSessionCache {
  return new FetchSessionCache({ maxSessions, maxPartitions, random: new SeededRandom(1) });
}

/** Makes a session of `size` partitions; returns its id, 0 when there was no room. */
function open(cache: FetchSessionCache, nowMs: number, { size = 1, isPrivileged = false } = {}): number {
  const session = cache.create({ isPrivileged, usesTopicIds: false, size }, nowMs);
  if (session === undefined) return 0;
  cache.use(session, nowMs, () => session.update(wishesOf(fetchTopics({ orders: [...Array(size).keys()] }))));
  return session.id;
}

function touch(cache: FetchSessionCache, id: number, nowMs: number): void {
  const session = cache.get(id);
  assert.ok(session !== undefined);
  cache.use(session, nowMs, () => {});
}

test("each session has a positive id of its own", () => {
  const cache = cacheOf(100);
  const ids = Array.from({ length: 100 }, () => open(cache, 0));
  assert.equal(new Set(ids).size, 100);
  assert.ok(ids.every((id) => id > 0 && id < 2 ** 31));
});

test("a full cache of young sessions makes room for none", () => {
  const cache = cacheOf(2);
  open(cache, 0);
  open(cache, 0);
  assert.equal(open(cache, 2 * MINUTE), 0);
  assert.equal(cache.size, 2);
});

test("a cache of no slots makes no session", () => {
  assert.equal(open(cacheOf(0), 0), 0);
});

test("the session that was not used for more than two minutes makes room", () => {
  const cache = cacheOf(2);
  const idle = open(cache, 0);
  const busy = open(cache, 0);
  touch(cache, busy, 2 * MINUTE);
  assert.ok(open(cache, 2 * MINUTE + 1) > 0);
  assert.equal(cache.get(idle), undefined);
  assert.ok(cache.get(busy) !== undefined);
});

test("of sessions in use, the smallest old one makes room for one that is as large", () => {
  const cache = cacheOf(2);
  const small = open(cache, 0, { size: 2 });
  const large = open(cache, 0, { size: 5 });
  for (const id of [small, large]) touch(cache, id, 3 * MINUTE);
  assert.equal(open(cache, 3 * MINUTE, { size: 1 }), 0);
  assert.ok(open(cache, 3 * MINUTE, { size: 2 }) > 0);
  assert.deepEqual([cache.get(small), cache.get(large)?.size], [undefined, 5]);
});

test("a follower takes the place of a young consumer, and a consumer never that of a young follower", () => {
  const cache = cacheOf(1);
  const consumer = open(cache, 0, { size: 9 });
  const follower = open(cache, 0, { isPrivileged: true });
  assert.ok(follower > 0);
  assert.equal(cache.get(consumer), undefined);
  assert.equal(open(cache, MINUTE, { size: 9 }), 0);
});

test("all sessions together hold a bounded number of partitions", () => {
  const cache = cacheOf(100, 10);
  const first = open(cache, 0, { size: 6 });
  assert.equal(open(cache, 0, { size: 5 }), 0);
  cache.remove(first);
  assert.ok(open(cache, 0, { size: 5 }) > 0);
  assert.equal(cache.partitions, 5);
});
