import assert from "node:assert/strict";
import { test } from "node:test";
import { failuresFirst } from "./step-log.mjs";

test("what went wrong in the suites of others' clients comes first, with its reason", () => {
  const log = [
    "installing the npm clients",
    "ok      groups: a group is read (1.0 s)",
    "        52 APIs are served",
    "FAILED  tools: a topic is described (3.0 s)",
    "        it says nothing",
    "time    tools took 9 s",
    "",
    "failed:",
    "  tools: a topic is described",
    "",
    "1 passed, 1 failed",
    "",
  ].join("\n");

  assert.equal(
    failuresFirst(log),
    [
      "FAILED  tools: a topic is described (3.0 s)",
      "        it says nothing",
      "installing the npm clients",
      "failed:",
      "  tools: a topic is described",
    ].join("\n"),
  );
});

test("a failed test comes before the file it is of has had its say", () => {
  const log = [
    "npm warn Unknown user config",
    "samsa: building ...",
    "ok     packages/base/src/a.test.ts 1 (41 ms)",
    "not ok packages/io/src/b.test.ts 9 (457 ms)",
    "",
    "  not ok: it goes on",
    "    AssertionError: false !== true",
    "",
    "8 passed, 1 failed",
  ].join("\n");

  assert.equal(
    failuresFirst(log),
    [
      "not ok packages/io/src/b.test.ts 9 (457 ms)",
      "",
      "  not ok: it goes on",
      "    AssertionError: false !== true",
      "",
      "samsa: building ...",
    ].join("\n"),
  );
});

test("a log without failures keeps what is no success, for those who end with a bad exit code only", () => {
  assert.equal(failuresFirst("ok      a\nsamsa: it cannot\n"), "samsa: it cannot");
});
