import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerThreads } from "./worker-threads.ts";

const script = new URL("testing/echo-thread.js", import.meta.url);

interface Heard {
  readonly messages: unknown[];
  readonly ended: Promise<Error | undefined>;
  readonly thread: ReturnType<WorkerThreads["start"]>;
  readonly next: () => Promise<unknown>;
}

function start(from = script): Heard {
  const messages: unknown[] = [];
  const waiting: ((message: unknown) => void)[] = [];
  let onEnd: (error?: Error) => void = () => {};
  const ended = new Promise<Error | undefined>((resolve) => {
    onEnd = resolve;
  });
  const thread = new WorkerThreads().start(from, {
    onMessage: (message) => {
      messages.push(message);
      waiting.shift()?.(message);
    },
    onEnd,
  });
  return { messages, ended, thread, next: () => new Promise((resolve) => waiting.push(resolve)) };
}

test("a thread answers, and is told to end", async () => {
  const { thread, ended, next } = start();
  const bytes = Uint8Array.of(1, 2);
  const answer = next();
  thread.post({ echo: bytes }, [bytes.buffer]);
  assert.deepEqual(await answer, { echo: Uint8Array.of(1, 2) });
  assert.equal(bytes.length, 0); // it has moved
  await thread.terminate();
  assert.equal(await ended, undefined);
  thread.post({ echo: 1 });
});

test("what a thread throws is told at its end", async () => {
  const { thread, ended } = start();
  thread.post({ fail: "oh" });
  assert.equal((await ended)?.message, "oh");
});

test("a script that is not there ends at once", async () => {
  const { ended } = start(new URL("nowhere.js", import.meta.url));
  assert.ok((await ended) instanceof Error);
});

test("there is at least one thread to run at a time", () => assert.ok(new WorkerThreads().parallelism >= 1));
