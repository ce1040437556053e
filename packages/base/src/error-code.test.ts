import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ErrorCode, ERRORS } from "./error-code.ts";
import { errorCodeOf, KafkaError, ProtocolError, refusal } from "./kafka-error.ts";

/** Apache's table, where it lies beside the checkout. */
const APACHE = new URL("../../../../shared/kafka-4.4/errors.json", import.meta.url);

interface ApacheError {
  readonly code: number;
  readonly name: string;
  readonly retriable: boolean;
  readonly invalidMetadata: boolean;
}

test("the table has every code from -1 to 136, in order", () => {
  assert.deepEqual(
    [...ERRORS.keys()],
    Array.from({ length: 138 }, (_, index) => index - 1),
  );
  for (const [name, code] of Object.entries(ErrorCode)) assert.equal(ERRORS.get(code)?.name, name);
});

test("every error says what it means in a sentence of its own", () => {
  const sentences = [...ERRORS.values()].map(({ description }) => description);
  for (const sentence of sentences) assert.match(sentence, /^\S.{7,}\.$/);
  assert.equal(new Set(sentences).size, sentences.length);
});

test("what asks for new metadata can be retried", () => {
  for (const { isRetriable, isInvalidMetadata } of ERRORS.values()) assert.ok(isRetriable || !isInvalidMetadata);
});

if (existsSync(APACHE)) {
  test("names, numbers and retriability are Apache Kafka's", () => {
    const apache = JSON.parse(readFileSync(APACHE, "utf8")) as readonly ApacheError[];
    assert.deepEqual(
      [...ERRORS.values()].map(({ code, name, isRetriable, isInvalidMetadata }) => ({
        code,
        name,
        retriable: isRetriable,
        invalidMetadata: isInvalidMetadata,
      })),
      apache.map(({ code, name, retriable, invalidMetadata }) => ({ code, name, retriable, invalidMetadata })),
    );
  });
}

test("an error knows its name, its sentence and whether a retry helps", () => {
  const error = new KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assert.equal(error.codeName, "NOT_LEADER_OR_FOLLOWER");
  assert.equal(error.message, ERRORS.get(6)?.description);
  assert.equal(error.isRetriable, true);
  assert.equal(new ProtocolError("no").isRetriable, false);
});

test("whatever was thrown has a code", () => {
  assert.equal(errorCodeOf(new KafkaError(ErrorCode.INVALID_CONFIG)), 40);
  assert.equal(errorCodeOf(new ProtocolError("no")), 42);
  assert.equal(errorCodeOf(new TypeError("ours")), -1);
  assert.equal(errorCodeOf(undefined), -1);
});

test("what is fatal helps no retry, and names its code", () => {
  const fatal = [...ERRORS.keys()].map((code) => new KafkaError(code as ErrorCode)).filter(({ isFatal }) => isFatal);
  assert.ok(fatal.some(({ code }) => code === ErrorCode.PRODUCER_FENCED));
  assert.deepEqual(
    fatal.filter(({ isRetriable }) => isRetriable),
    [],
  );
});

test("a refusal says what and not where, and the errors after it say where again", () => {
  const refused = refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
  assert.ok(refused instanceof KafkaError);
  assert.equal(refused.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.doesNotMatch(refused.stack ?? "", /\n/);
  assert.match(new KafkaError(ErrorCode.NONE).stack ?? "", /\n {4}at /);
});
