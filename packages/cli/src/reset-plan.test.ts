import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./exit-code.ts";
import type { ResetTarget, ResetTargetOptions } from "./reset-plan.ts";
import { plannedOffset, resetLines, resetTarget, topicScope } from "./reset-plan.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12);
const facts = { committed: 50, earliest: 10, latest: 100 };

const plans: readonly { target: ResetTarget; known?: object; offset: number; remark?: RegExp }[] = [
  { target: { kind: "earliest" }, offset: 10 },
  { target: { kind: "latest" }, offset: 100 },
  { target: { kind: "current" }, offset: 50 },
  { target: { kind: "current" }, known: { committed: undefined }, offset: 100, remark: /nothing is committed/u },
  { target: { kind: "offset", offset: 70 }, offset: 70 },
  { target: { kind: "offset", offset: 3 }, offset: 10, remark: /before the first/u },
  { target: { kind: "offset", offset: 300 }, offset: 100, remark: /behind the end/u },
  { target: { kind: "shift", by: -10 }, offset: 40 },
  { target: { kind: "shift", by: -45 }, offset: 10, remark: /^5 is before/u },
  { target: { kind: "shift", by: 51 }, offset: 100, remark: /^101 is behind/u },
  { target: { kind: "time", timestampMs: 1 }, known: { atTime: 33 }, offset: 33 },
  { target: { kind: "time", timestampMs: 1 }, offset: 100, remark: /young/u },
];
for (const { target, known = {}, offset, remark } of plans) {
  test(`${JSON.stringify({ ...target, ...known })} goes to ${offset}`, () => {
    const planned = plannedOffset(target, { ...facts, ...known }, "t-0");
    assert.equal(planned.offset, offset);
    assert.match(planned.remark ?? "", remark ?? /^$/u);
  });
}

test("what is not committed cannot be shifted", () => {
  const shift = { kind: "shift", by: 1 } as const;
  assert.throws(() => plannedOffset(shift, { ...facts, committed: undefined }, "t-0"), UsageError);
});

const times: readonly { options: ResetTargetOptions; timestampMs: number }[] = [
  { options: { toDatetime: "2026-01-31T11:00:00.000" }, timestampMs: NOW_MS - 3_600_000 },
  { options: { toDatetime: "2026-01-31T11:00:00Z" }, timestampMs: NOW_MS - 3_600_000 },
  { options: { toDatetime: "2026-01-31T12:00:00+01:00" }, timestampMs: NOW_MS - 3_600_000 },
  { options: { toDatetime: "2026-01-31" }, timestampMs: Date.UTC(2026, 0, 31) },
  { options: { toDatetime: "-15m" }, timestampMs: NOW_MS - 900_000 },
  { options: { byDuration: "PT15M" }, timestampMs: NOW_MS - 900_000 },
  { options: { byDuration: "P1D" }, timestampMs: NOW_MS - 86_400_000 },
];
for (const { options, timestampMs } of times) {
  test(`${JSON.stringify(options)} is a time`, () => {
    assert.deepEqual(resetTarget(options, NOW_MS), { kind: "time", timestampMs });
  });
}

for (const options of [{}, { toEarliest: true, toLatest: true }, { byDuration: "soon" }, { toDatetime: "soon" }]) {
  test(`${JSON.stringify(options)} is no target`, () => {
    assert.throws(() => resetTarget(options, NOW_MS), UsageError);
  });
}

test("a file has lines with a group or without, in quotes or not", () => {
  assert.deepEqual(resetLines('g,t,0,5\n"t","1","6"\r\n\n', "f"), [
    { groupId: "g", topic: "t", partition: 0, offset: 5 },
    { groupId: undefined, topic: "t", partition: 1, offset: 6 },
  ]);
  for (const line of ["t", "t,0", "t,a,1", "t,0,-1", "a,b,c,d,e"]) {
    assert.throws(() => resetLines(`t,0,1\n${line}`, "offsets.csv"), /offsets\.csv:2/u);
  }
});

test("a topic may come with partitions", () => {
  assert.deepEqual(topicScope("orders:0,2"), { topic: "orders", partitions: [0, 2] });
  assert.deepEqual(topicScope("orders"), { topic: "orders", partitions: undefined });
  for (const text of ["", ":1", "a:", "a:x", "a:1:2"]) assert.throws(() => topicScope(text), UsageError);
});
