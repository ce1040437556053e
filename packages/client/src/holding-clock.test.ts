import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HoldingClock } from "./holding-clock.ts";
import { ManualClock } from "./testing/manual-clock.ts";

const ENTRY = fileURLToPath(new URL("index.js", import.meta.url));

function program(code: string): { status: number | null; stdout: string } {
  const source = `import { Kafka } from ${JSON.stringify(ENTRY)};\n${code}`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", source], { encoding: "utf8", timeout: 60_000 });
}

test("a program that awaits a call lives until the call has failed", () => {
  const { status, stdout } = program(`
    const kafka = new Kafka({ bootstrapServers: "127.0.0.1:1", bootstrapTimeoutMs: 300 });
    try { await kafka.admin().listTopics(); } catch (error) { console.log(error.name); }
  `);
  assert.deepEqual([status, stdout], [0, "NoBrokerReachableError\n"]);
});

test("a client that does nothing keeps no program alive, closed or not", () => {
  const { status } = program(`
    const kafka = new Kafka({ bootstrapServers: "127.0.0.1:1" });
    kafka.producer();
    kafka.consumer();
  `);
  assert.equal(status, 0);
});

test("timers go off once, or not at all", async () => {
  const inner = new ManualClock();
  const clock = new HoldingClock(inner);
  const fired: string[] = [];
  clock.setTimer(10, () => fired.push("a"));
  const cancelled = clock.setTimer(10, () => fired.push("b"));
  cancelled.cancel();
  cancelled.cancel();
  await inner.advance(20);
  assert.deepEqual(fired, ["a"]);
  assert.equal(clock.monotonicMs(), inner.monotonicMs());
});
