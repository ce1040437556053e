import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../exit-code.ts";
import { recordMaker } from "./produce.ts";

function made(line: string, options: Parameters<typeof recordMaker>[1]): [key: string | null, value: string | null] {
  const { key = null, value } = recordMaker("t", options)(Buffer.from(line));
  return [key === null ? null : Buffer.from(key).toString(), value === null ? null : Buffer.from(value).toString()];
}

const lines = [
  { line: "a:b", options: {}, record: [null, "a:b"], why: "without -k all of it is the value" },
  { line: "a\tb", options: { keySeparator: true as const }, record: ["a", "b"], why: "-k alone is a tab" },
  { line: "a:b:c", options: { keySeparator: ":" }, record: ["a", "b:c"], why: "the first separator counts" },
  { line: "a\x01b", options: { keySeparator: "\\x01" }, record: ["a", "b"], why: "separators may be escaped" },
  { line: "none", options: { keySeparator: ":" }, record: [null, "none"], why: "a line without it has no key" },
  { line: "k:", options: { keySeparator: ":" }, record: ["k", ""], why: "an empty value is empty" },
  {
    line: "k:",
    options: { keySeparator: ":", emptyAsNull: true },
    record: ["k", null],
    why: "-Z makes it a tombstone",
  },
];
for (const { line, options, record, why } of lines) {
  test(`makes a record of ${JSON.stringify(line)}: ${why}`, () => assert.deepEqual(made(line, options), record));
}

test("headers and partition go with every record", () => {
  const record = recordMaker("t", { header: ["a=1", "b=x=y"], partition: 2 })(Buffer.from(""));
  assert.deepEqual(record.headers, [
    { key: "a", value: "1" },
    { key: "b", value: "x=y" },
  ]);
  assert.equal(record.partition, 2);
  assert.throws(() => recordMaker("t", { header: ["=1"] }), UsageError);
  assert.throws(() => recordMaker("t", { keySeparator: "" }), UsageError);
});
