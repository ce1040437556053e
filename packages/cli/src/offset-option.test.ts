import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./exit-code.ts";
import { startAt } from "./offset-option.ts";

const NOW_MS = 1_700_000_000_000;
const places = [
  { text: "start", at: { kind: "start" } },
  { text: "earliest", at: { kind: "start" } },
  { text: "end", at: { kind: "end" } },
  { text: "0", at: { kind: "offset", offset: 0 } },
  { text: "42", at: { kind: "offset", offset: 42 } },
  { text: "-10", at: { kind: "last", count: 10 } },
  { text: "@1234", at: { kind: "time", timestampMs: 1234 } },
  { text: "@-15m", at: { kind: "time", timestampMs: NOW_MS - 900_000 } },
  { text: "@-2d", at: { kind: "time", timestampMs: NOW_MS - 172_800_000 } },
  { text: "@2026-01-31T12:00:00Z", at: { kind: "time", timestampMs: Date.UTC(2026, 0, 31, 12) } },
];
for (const { text, at } of places) {
  test(`${text} is a place to begin`, () => assert.deepEqual(startAt(text, NOW_MS), at));
}
for (const text of ["", "middle", "1.5", "1e3", "@", "@soon", "@-5y", "--5", "99999999999999999999"]) {
  test(`${JSON.stringify(text)} is none`, () => assert.throws(() => startAt(text, NOW_MS), UsageError));
}
