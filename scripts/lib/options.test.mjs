import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { openingComment } from "./options.mjs";
import { ROOT } from "./paths.mjs";

const opening = [
  { source: "#!/usr/bin/env node\n// One.\n//\n//   two\nimport x;\n// three\n", why: "lines of their own" },
  { source: "/**\n * One.\n *\n *   two\n */\nimport x;\n", why: "a block" },
];
for (const { source, why } of opening) {
  test(`the help of a program is the comment its file opens with: ${why}`, () => {
    assert.equal(openingComment(source), "One.\n\n  two\n");
  });
}

/** @param {readonly string[]} args */
function run(...args) {
  return spawnSync(process.execPath, [join(ROOT, "scripts/simulate-log.mjs"), ...args], { encoding: "utf8" });
}

test("a program that is asked for help does nothing else", () => {
  const { status, stdout } = run("--help");
  assert.equal(status, 0);
  assert.match(stdout, /^Random scripts against the log [^]* node scripts\/simulate-log\.mjs --seeds 5000/);
});

test("an option that nobody knows ends a program in one line", () => {
  const { status, stdout, stderr } = run("--sede", "3");
  assert.equal(status, 2);
  assert.equal(stdout, "");
  assert.equal(stderr, "simulate-log: Unknown option '--sede'; --help says what there is\n");
});
