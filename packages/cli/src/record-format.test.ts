import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./exit-code.ts";
import type { RecordFormat, ShownRecord } from "./record-format.ts";
import { jsonLines, recordFormat, unescapeBytes, valueLines } from "./record-format.ts";

const RECORD: ShownRecord = {
  topic: "orders",
  partition: 3,
  offset: 42,
  timestamp: 1_700_000_000_000,
  key: Buffer.from("k"),
  value: Buffer.from("grüße"),
  headers: () => [
    { key: "a", value: Buffer.from("1") },
    { key: "b", value: null },
  ],
};
const EMPTY: ShownRecord = { ...RECORD, key: null, value: null, headers: () => [] };

function shown(format: RecordFormat, record: ShownRecord): string {
  const parts: Uint8Array[] = [];
  format(record, (bytes) => parts.push(bytes));
  return Buffer.concat(parts).toString("latin1");
}

const formats = [
  { format: "%t %p %o %T", full: "orders 3 42 1700000000000", empty: "orders 3 42 1700000000000" },
  { format: "%k=%s|%v", full: "k=grÃ¼Ã\x9fe|grÃ¼Ã\x9fe", empty: "=|" },
  { format: "%K %S", full: "1 7", empty: "-1 -1" },
  { format: "[%h]", full: "[a=1,b=]", empty: "[]" },
  { format: "100%%\\n\\t\\\\\\x00\\xff", full: "100%\n\t\\\0\xff", empty: "100%\n\t\\\0\xff" },
  { format: "", full: "", empty: "" },
];
for (const { format, full, empty } of formats) {
  test(`shows a record as ${JSON.stringify(format)}`, () => {
    assert.equal(shown(recordFormat(format), RECORD), full);
    assert.equal(shown(recordFormat(format), EMPTY), empty);
  });
}

for (const format of ["%", "%q", "a%", "\\q", "\\", "\\x1", "%constructor"]) {
  test(`refuses the format ${JSON.stringify(format)}`, () => assert.throws(() => recordFormat(format), UsageError));
}

test("a value and a newline is all there is unless asked", () => {
  assert.equal(shown(valueLines, { ...RECORD, value: Uint8Array.of(0xff, 0) }), "\xff\0\n");
  assert.equal(shown(valueLines, EMPTY), "\n");
});

test("JSON has text where it is text, null where it is null, and base64 where it is neither", () => {
  const record = { ...RECORD, key: Uint8Array.of(0xff), headers: () => [{ key: "h", value: null }] };
  const line = Buffer.from(shown(jsonLines, record), "latin1").toString("utf8");
  assert.ok(line.endsWith("}\n") && !line.slice(0, -1).includes("\n"));
  assert.deepEqual(JSON.parse(line), {
    topic: "orders",
    partition: 3,
    offset: 42,
    timestamp: 1_700_000_000_000,
    key: { base64: "/w==" },
    value: "grüße",
    headers: [{ key: "h", value: null }],
  });
});

test("text beside escapes keeps its bytes", () => {
  assert.deepEqual([...unescapeBytes("é\\n→")], [...Buffer.from("é\n→")]);
});
