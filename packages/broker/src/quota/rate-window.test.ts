import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RateWindow, throttleTimeMs } from "./rate-window.ts";

const CONFIG = { samples: 11, sampleMs: 1000 };

test("a window counts as full from its start: a burst after silence is let pass", () => {
  const window = new RateWindow(CONFIG);
  window.record(1000, 5000);
  assert.equal(window.windowMs(5000), 10_000);
  assert.equal(window.perSecond(5000), 100);
  assert.equal(throttleTimeMs(window, 100, 5000), 0);
});

test("what is beyond the limit is worked off at the limit", () => {
  const window = new RateWindow(CONFIG);
  window.record(1500, 0);
  assert.equal(throttleTimeMs(window, 100, 0), 5000);
});

test("once a client has waited as long as it was told, it is within its limit", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), afterMs: fc.integer({ min: 0, max: 900 }) }), {
        minLength: 1,
        maxLength: 60,
      }),
      (events) => {
        const window = new RateWindow(CONFIG);
        let nowMs = 0;
        let total = 0;
        for (const { bytes, afterMs } of events) {
          nowMs += afterMs;
          window.record(bytes, nowMs);
          total += bytes;
          nowMs += throttleTimeMs(window, 1000, nowMs);
        }
        // Over the whole time no more than the limit and one window full.
        assert.ok(total <= 1000 * (nowMs / 1000 + 11) + 5000, `${total} in ${nowMs} ms`);
      },
    ),
  );
});

test("samples leave when they are older than the window, and one in part stays", () => {
  const window = new RateWindow(CONFIG);
  window.record(500, 0);
  window.record(700, 1500);
  assert.equal(window.perSecond(10_999), 1200 / 10.999);
  assert.equal(window.windowMs(11_000), 10_500); // of the sample from 1500 on, with one missing
  assert.equal(window.isIdle(12_499), false);
  assert.equal(window.isIdle(12_500), true);
});

test("what is taken back does not count", () => {
  const window = new RateWindow(CONFIG);
  window.record(10_000, 0);
  window.record(-10_000, 0);
  assert.equal(throttleTimeMs(window, 1, 0), 0);
});

test("a throttle time fits into a response, however small the limit", () => {
  const window = new RateWindow(CONFIG);
  window.record(1e12, 0);
  assert.equal(throttleTimeMs(window, 0.000_1, 0), 2 ** 31 - 1);
});
