import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { METADATA_RECORDS, NAMED_MESSAGES } from "./generated/stored-messages.ts";
import { PartitionRecord } from "./generated/partition-record.ts";
import { base64, fromBase64, javaDouble, jsonText, messageToJson } from "./message-json.ts";

describe("a message as JSON", () => {
  const stored = METADATA_RECORDS.get(PartitionRecord.apiKey);
  assert.ok(stored !== undefined);

  test("has the fields of its version, in their order", () => {
    const message = PartitionRecord.create({ partitionId: 1, replicas: [1], directories: [] });
    const names = "partitionId topicId replicas isr removingReplicas addingReplicas leader leaderEpoch partitionEpoch";
    assert.deepEqual(Object.keys(messageToJson(stored, message, 0) as object), names.split(" "));
    assert.ok("directories" in (messageToJson(stored, message, 1) as object));
  });

  test("leaves a tagged field out when it has its default, and shows it otherwise", () => {
    const json = (leaderRecoveryState: number, eligibleLeaderReplicas: readonly number[] | null) =>
      messageToJson(stored, PartitionRecord.create({ leaderRecoveryState, eligibleLeaderReplicas }), 2) as object;
    assert.ok(!("leaderRecoveryState" in json(0, null)) && !("eligibleLeaderReplicas" in json(0, null)));
    assert.ok("leaderRecoveryState" in json(1, []) && "eligibleLeaderReplicas" in json(1, []));
  });

  test("is there for every record of the metadata, with its defaults", () => {
    for (const { codec, fields } of METADATA_RECORDS.values())
      assert.ok(codec.name.endsWith("Record") && fields.length >= 0);
    assert.equal(METADATA_RECORDS.size, 27);
    assert.equal(NAMED_MESSAGES.VotersRecord.codec.name, "VotersRecord");
  });
});

test("base64 is that of everybody else, both ways", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = base64(bytes);
      assert.equal(text, Buffer.from(bytes).toString("base64"));
      assert.deepEqual([...fromBase64(text)], [...bytes]);
    }),
  );
});

const doubles = [
  { value: 0, text: "0.0" },
  { value: -0, text: "-0.0" },
  { value: 1000, text: "1000.0" },
  { value: 0.001, text: "0.001" },
  { value: 1e7, text: "1.0E7" },
  { value: 12_345_678.5, text: "1.23456785E7" },
  { value: 1e-4, text: "1.0E-4" },
  { value: Number.MAX_VALUE, text: "1.7976931348623157E308" },
  { value: NaN, text: "NaN" },
  { value: -Infinity, text: "-Infinity" },
];
for (const { value, text } of doubles) {
  test(`the double ${value} is ${text}, as Java writes it`, () => assert.equal(javaDouble(value), text));
}

test("JSON keeps every digit of an int64, leaves out what is undefined and escapes with capitals", () => {
  assert.equal(
    jsonText({ a: 2 ** 63, b: undefined, c: [-(2 ** 63), 7n, null, true, '\u001f"ä'] }),
    '{"a":9223372036854775807,"c":[-9223372036854775808,7,null,true,"\\u001F\\"ä"]}',
  );
});
