import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { TopicRegex } from "./topic-regex.ts";

const NAME = `${"a".repeat(248)}b`; // as long as a topic's may be

for (const pattern of ["(a+)+", "(a|aa)+", "(a|a?)+", "(.*a){30}", "((a*)*)*"]) {
  // An engine that goes back and tries again would be at it for longer than the universe is old.
  test(`${pattern} is held against a name that it nearly matches`, () => {
    assert.equal(new TopicRegex(pattern).matches(NAME), false);
  });
}

for (const { pattern, why } of [
  { pattern: "(", why: "it has no end" },
  { pattern: "(?=a)", why: "RE2 does not look ahead" },
  { pattern: "(a)\\1", why: "RE2 does not look back" },
  { pattern: "a".repeat(6000), why: "it is too long" },
  { pattern: "(((a{10}){10}){10}){10}", why: "it takes too many steps" },
]) {
  test(`${pattern.slice(0, 30)} is refused: ${why}`, () => {
    assert.throws(
      () => new TopicRegex(pattern),
      (error) => error instanceof KafkaError && error.code === ErrorCode.INVALID_REGULAR_EXPRESSION,
    );
  });
}
