import assert from "node:assert/strict";
import { test } from "node:test";
import type { Thread, ThreadHandler, Threads } from "@samsa/base";
import { ClosedError, ConfigurationError } from "../../errors.ts";
import type { ConsumerRecord } from "../consumer-record.ts";
import { handleRecords, WorkerEndedError, WorkerPool } from "./worker-pool.ts";

const script = new URL("../../testing/worker-script.js", import.meta.url);

function record(value: string, offset = 0): ConsumerRecord {
  const all = new TextEncoder().encode(`fetched with ${value}`);
  return {
    topic: "t",
    partition: 0,
    offset,
    timestamp: 1,
    timestampType: "create-time",
    leaderEpoch: 0,
    key: null,
    value: all.subarray("fetched with ".length),
    headers: [{ key: "h", value: Uint8Array.of(1) }],
  };
}

test("a thread handles records, and what its handler throws is thrown here", async () => {
  await using pool = new WorkerPool(script, { threads: 2 });
  await Promise.all([pool.eachRecord(record("a")), pool.eachRecord(record("b"))]);
  await assert.rejects(pool.eachRecord(record("throw", 7)), (error) => {
    assert.ok(error instanceof RangeError);
    assert.equal(error.message, "no 7");
    return true;
  });
  await assert.rejects(pool.eachRecord(record("throw a function")), /with more/u);
});

test("a thread that dies fails what it had, and another takes its place", async () => {
  await using pool = new WorkerPool(script, { threads: 1 });
  await assert.rejects(pool.eachRecord(record("exit")), WorkerEndedError);
  await pool.eachRecord(record("a"));
});

test("what cannot be copied to another thread fails, and nothing else", async () => {
  await using pool = new WorkerPool<() => void>(script, { threads: 1 });
  const strange = { ...record("a"), key: () => {} };
  await assert.rejects(pool.eachRecord(strange), DOMException);
});

test("a pool that is closed handles nothing", async () => {
  const pool = new WorkerPool(script, { threads: 1 });
  await pool.close();
  await assert.rejects(pool.eachRecord(record("a")), ClosedError);
});

class FakeThreads implements Threads {
  readonly parallelism = 3;
  readonly started: { readonly handler: ThreadHandler; readonly posted: { readonly id: number }[] }[] = [];

  start(_script: URL, handler: ThreadHandler): Thread {
    const one = { handler, posted: [] as { readonly id: number }[] };
    this.started.push(one);
    return {
      post: (message) => void one.posted.push(message as { readonly id: number }),
      terminate: () => Promise.resolve(handler.onEnd()),
    };
  }
}

test("records go to the thread that has least to do, and threads are started as they are needed", async () => {
  const source = new FakeThreads();
  const pool = new WorkerPool(script, { source });
  const handled = Array.from({ length: 7 }, (_, offset) => pool.eachRecord(record("a", offset)));
  assert.deepEqual(
    source.started.map(({ posted }) => posted.length),
    [3, 2, 2],
  );
  const [, second] = source.started;
  for (const { id } of second?.posted ?? []) second?.handler.onMessage({ id, failure: undefined });
  void pool.eachRecord(record("a")).catch(() => {});
  assert.equal(second?.posted.length, 3);
  const settled = Promise.allSettled(handled);
  await pool.close();
  const states = (await settled).map(({ status }) => status);
  assert.equal(states.filter((status) => status === "fulfilled").length, 2);
});

test("bytes are moved without what was fetched around them", () => {
  const source = new FakeThreads();
  const pool = new WorkerPool(script, { source, threads: 1 });
  void pool.eachRecord(record("abc"));
  const [{ posted } = assert.fail()] = source.started;
  const [{ record: sent }] = posted as unknown as [{ record: ConsumerRecord }];
  assert.deepEqual([sent.value?.byteLength, sent.value?.buffer.byteLength], [3, 3]);
});

test("handlers of threads are refused in the main thread, and pools without threads everywhere", () => {
  assert.throws(() => handleRecords(() => {}), ConfigurationError);
  assert.throws(() => new WorkerPool(script, { threads: 0 }), ConfigurationError);
});
