import assert from "node:assert/strict";
import { test } from "node:test";
import { validateTopicName } from "./topic-name.ts";

const refused = [
  { name: "", message: "Topic name is invalid: the empty string is not allowed" },
  { name: ".", message: "Topic name is invalid: '.' is not allowed" },
  { name: "..", message: "Topic name is invalid: '..' is not allowed" },
  {
    name: "a b/ü",
    message:
      "Topic name is invalid: 'a b/ü' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
  },
  {
    name: "newline\n",
    message:
      "Topic name is invalid: 'newline\n' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
  },
  {
    name: "a".repeat(250),
    message: `Topic name is invalid: the length of '${"a".repeat(250)}' is longer than the max allowed length 249`,
  },
];
for (const { name, message } of refused) {
  test(`refuses the topic name ${JSON.stringify(name.slice(0, 20))}`, () => {
    assert.throws(() => validateTopicName(name), {
      name: "InvalidTopicError",
      codeName: "INVALID_TOPIC_EXCEPTION",
      message,
    });
  });
}

for (const name of ["a", "...", "a.b_c-D9", "a".repeat(249), "__proto__", "constructor", "__cluster_metadata"]) {
  test(`accepts the topic name ${JSON.stringify(name.slice(0, 20))}`, () => validateTopicName(name));
}
