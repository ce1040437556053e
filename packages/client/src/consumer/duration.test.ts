import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs } from "./duration.ts";

const cases = [
  { text: "PT1H", ms: 3_600_000 },
  { text: "P1D", ms: 86_400_000 },
  { text: "P2DT3H4M5.5S", ms: 183_845_500 },
  { text: "PT0.001S", ms: 1 },
  { text: "pt15m", ms: 900_000 },
  { text: "P", ms: undefined },
  { text: "P1DT", ms: undefined },
  { text: "1h", ms: undefined },
  { text: "P1M", ms: undefined },
];
for (const { text, ms } of cases) {
  test(`reads the duration ${text}: ${ms ?? "none"}`, () => assert.equal(durationMs(text), ms));
}
