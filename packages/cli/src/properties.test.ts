import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./exit-code.ts";
import { addPairs, parseProperties } from "./properties.ts";

const cases = [
  {
    text: "a=1\nb: 2\nc 3\nd",
    entries: { a: "1", b: "2", c: "3", d: "" },
    why: "the three separators, and a bare key",
  },
  { text: "# no\n! no\n\n  a = 1  ", entries: { a: "1  " }, why: "comments go, and blanks at the end stay" },
  { text: "a=1,\\\n   2,\\\n   3", entries: { a: "1,2,3" }, why: "a backslash joins lines" },
  { text: "a=x\\\\\nb=2", entries: { a: "x\\", b: "2" }, why: "an escaped backslash joins nothing" },
  { text: "a\\=b=c=d", entries: { "a=b": "c=d" }, why: "a key may hold an escaped separator, a value any" },
  { text: "a=\\u0041\\t\\q", entries: { a: "A\tq" }, why: "escapes are read" },
  { text: "a=1\r\na=2\r\n", entries: { a: "2" }, why: "the last of two wins, whatever the line ends" },
  { text: "#a=1\\\nb=2", entries: { b: "2" }, why: "a comment goes on to no second line" },
];
for (const { text, entries, why } of cases) {
  test(`reads ${JSON.stringify(text)}: ${why}`, () =>
    assert.deepEqual(Object.fromEntries(parseProperties(text)), entries));
}

test("refuses a pair without a key or a value's sign", () => {
  for (const pair of ["num.partitions", "=3", ""]) {
    assert.throws(() => addPairs(new Map(), [pair], "-X"), UsageError);
  }
});

test("a later pair goes over an earlier one and over the file", () => {
  const properties = parseProperties("num.partitions=1");
  addPairs(properties, ["num.partitions=2", "num.partitions=a=b"], "-X");
  assert.equal(properties.get("num.partitions"), "a=b");
});
