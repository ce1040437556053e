import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "./virtual-clock.ts";

test("timers fire in order of time, then of their making, each seeing its own time", () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name}@${clock.monotonicMs()}`);
  clock.setTimer(20, note("late"));
  clock.setTimer(10, note("first"));
  clock.setTimer(10, note("second"));
  clock.setTimer(31, note("never"));
  clock.advance(30);
  assert.deepEqual(fired, ["first@10", "second@10", "late@20"]);
  assert.equal(clock.monotonicMs(), 30);
  assert.equal(clock.pendingTimers, 1);
});

test("a timer that is set by a timer fires within the same advance when it is due", () => {
  const clock = new VirtualClock();
  let firedAt = -1;
  clock.setTimer(10, () => clock.setTimer(5, () => (firedAt = clock.monotonicMs())));
  clock.advance(15);
  assert.equal(firedAt, 15);
});

test("a cancelled timer stays silent", () => {
  const clock = new VirtualClock();
  clock.setTimer(1, () => assert.fail("it was cancelled")).cancel();
  clock.advance(2);
});
