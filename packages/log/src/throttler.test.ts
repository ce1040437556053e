import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Throttler } from "./throttler.ts";

describe("a rate", () => {
  test("asks for a pause that makes good what was too fast, as Kafka's Throttler does", () => {
    const throttler = new Throttler(1000, 0);
    assert.equal(throttler.observe(500, 100), 0, "it is not looked at yet");
    assert.equal(throttler.observe(500, 400), 600, "1000 a second take a second");
    assert.equal(throttler.observe(250, 1310), 0, "310 ms later 250 is no more than is due");
  });

  test("begins a new count with each look: what was slow gives nothing to what follows", () => {
    const throttler = new Throttler(1000, 0);
    assert.equal(throttler.observe(1, 5000), 0);
    assert.equal(throttler.observe(1000, 5400), 600);
  });

  test("without a bound never asks for one, and takes another bound at once", () => {
    const throttler = new Throttler(Infinity, 0);
    assert.equal(throttler.observe(1e12, 1000), 0);
    throttler.setRate(100);
    assert.equal(throttler.observe(100, 1400), 600);
  });
});
