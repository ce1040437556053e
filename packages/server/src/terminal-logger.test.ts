import assert from "node:assert/strict";
import { test } from "node:test";
import { terminalLogger } from "./terminal-logger.ts";

function linesOf(tell: (logger: ReturnType<typeof terminalLogger>) => void, hasColor = false): string {
  let text = "";
  const clock = { wallMs: () => Date.parse("2026-01-31T15:04:05.123Z") };
  tell(terminalLogger((more) => (text += more), { hasColor, clock }));
  return text;
}

test("an event is one line: when, how bad, what, and the facts", () => {
  const facts = { client: "10.0.0.1:9", most: 3, reason: "it is idle", keys: ["a", "b"] };
  assert.equal(
    linesOf((logger) => logger.warn(facts, "closing a connection")),
    `15:04:05.123 WARN  closing a connection client=10.0.0.1:9 most=3 reason="it is idle" keys=[ 'a', 'b' ]\n`,
  );
});

test("an error has its stack below it", () => {
  const text = linesOf((logger) => logger.error({ err: new RangeError("too far") }, "a fetch failed"));
  assert.match(text, /^15:04:05\.123 ERROR a fetch failed err="too far"\n {4}RangeError: too far\n {8}at /);
});

test("what a client sent cannot steer the terminal, nor make lines of its own", () => {
  const text = linesOf((logger) => logger.info({ clientId: "a\u001b[2J\nb" }, "request"));
  assert.equal(text, `15:04:05.123 INFO  request clientId="a\\u001b[2J\\nb"\n`);
});

test("colours show only where they are wanted", () => {
  assert.ok(linesOf((logger) => logger.error({}, "oh"), true).includes("\u001b[31mERROR\u001b[0m"));
});
