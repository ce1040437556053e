import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualClock } from "./manual-clock.ts";

describe("ManualClock", () => {
  test("stands still until it is told to move, and begins with the time it is given", async () => {
    const clock = new ManualClock({ startMs: 1000 });
    assert.deepEqual([clock.wallMs(), clock.monotonicMs()], [1000, 0]);
    await clock.advance(5);
    assert.deepEqual([clock.wallMs(), clock.monotonicMs()], [1005, 5]);
  });

  test("timers fire in order of time, then of their making, each seeing its own time", async () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.monotonicMs()}`);
    clock.setTimer(20, note("late"));
    clock.setTimer(10, note("first"));
    clock.setTimer(10, note("second"));
    clock.setTimer(31, note("never"));
    clock.setTimer(15, note("cancelled")).cancel();
    await clock.advance(30);
    assert.deepEqual(fired, ["first@10", "second@10", "late@20"]);
    assert.equal(clock.monotonicMs(), 30);
  });

  test("a task that sets its next timer when it is done runs as often as its time comes", async () => {
    const clock = new ManualClock();
    let runs = 0;
    const again = async (): Promise<void> => {
      await Promise.resolve();
      runs++;
      clock.setTimer(100, () => void again());
    };
    clock.setTimer(100, () => void again());
    await clock.advance(1000);
    assert.equal(runs, 10);
  });

  test("a delay of nothing waits for nobody", async () => {
    const clock = new ManualClock();
    await new Promise<void>((resolve) => clock.setTimer(0, resolve));
  });

  test("one that runs calls by itself, and at once for what is skipped", async () => {
    const clock = new ManualClock({ runs: true });
    const alive = setInterval(() => {}, 1000); // a timer of the clock does not keep the process alive
    await new Promise<void>((resolve) => clock.setTimer(2, resolve));
    clearInterval(alive);
    let fired = false;
    clock.setTimer(86_400_000, () => (fired = true));
    await clock.advance(86_400_000);
    assert.ok(fired);
    assert.ok(clock.monotonicMs() >= 86_400_000);
  });
});
