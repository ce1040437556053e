import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";

import { SystemClock } from "./system-clock.ts";

describe("SystemClock", () => {
  const clock = new SystemClock();

  test("shows the wall time, and a monotonic time that does not go back", () => {
    const before = Date.now();
    const wall = clock.wallMs();
    assert.ok(wall >= before && wall <= Date.now());
    const first = clock.monotonicMs();
    assert.ok(clock.monotonicMs() >= first);
  });

  test("never calls before its time has come", async () => {
    for (const delayMs of [0, 0.4, 1, 1.9, 3, 7.5]) {
      const start = clock.monotonicMs();
      await called((callback) => clock.setTimer(delayMs, callback));
      assert.ok(clock.monotonicMs() - start >= delayMs);
    }
  });

  test("takes a delay in the past for now", async () => {
    await called((callback) => clock.setTimer(-1000, callback));
  });

  test("takes no delay for the next turn of the event loop, not for a millisecond", async () => {
    const order: string[] = [];
    clock.setTimer(0, () => order.push("timer"));
    const cancelled = clock.setTimer(0, () => order.push("cancelled"));
    cancelled.cancel();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, ["timer"]);
  });

  test("comes to the next turn also from a timer, though nothing else wakes the loop", async () => {
    await new Promise<void>((resolve, reject) => {
      const alarm = setTimeout(() => reject(new Error("the loop slept until the alarm")), 20_000);
      clock.setTimer(1, () =>
        clock.setTimer(0, () => {
          clearTimeout(alarm);
          resolve();
        }),
      );
    });
  });

  test("does not call a timer that was cancelled", async () => {
    const cancelled = clock.setTimer(1, () => assert.fail("it was cancelled"));
    cancelled.cancel();
    cancelled.cancel();
    await called((callback) => clock.setTimer(5, callback));
  });

  for (const delayMs of [2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
    test(`waits longer than Node can: ${delayMs} ms`, async () => {
      const timer = clock.setTimer(delayMs, () => assert.fail("far too early"));
      await called((callback) => clock.setTimer(5, callback));
      timer.cancel();
    });
  }

  test("goes on counting where Node's longest timeout ends", async (context) => {
    const { setTimeout } = globalThis;
    const delays: (number | undefined)[] = [];
    context.mock.method(globalThis, "setTimeout", ((callback: () => void, delayMs: number) => {
      delays.push(delayMs);
      return setTimeout(callback, delays.length < 3 ? 0 : 2 ** 30);
    }) as typeof setTimeout);
    const timer = clock.setTimer(2 ** 33, () => assert.fail("far too early"));
    while (delays.length < 3) await called((callback) => setImmediate(callback));
    timer.cancel();
    assert.deepEqual(delays, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]);
  });

  test("takes a delay that is no number for a mistake of ours", () => {
    assert.throws(() => clock.setTimer(Number.NaN, () => {}), { name: "InvariantError" });
  });

  test("lets the process end while a timer is pending", () => {
    const module = new URL("./system-clock.js", import.meta.url).href;
    const script = `import { SystemClock } from ${JSON.stringify(module)}; new SystemClock().setTimer(3_600_000, () => {});`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      timeout: 60_000,
    });
    assert.equal(status, 0, String(stderr));
  });
});

/** Waits for a callback, and keeps the process alive meanwhile, which a pending timer of the clock does not. */
async function called(start: (callback: () => void) => unknown): Promise<void> {
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    start(resolve);
  });
  clearInterval(alive);
}
