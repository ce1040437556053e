import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ROOT } from "./lib/paths.mjs";
import { applyPatch, TRANSACTION_MUTATIONS } from "./lib/transaction-mutations.mjs";

/** @param {string[]} args */
function run(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, said: stdout + stderr };
}

for (const { name, patches } of TRANSACTION_MUTATIONS) {
  test(`the mistake "${name}" can be made in what is built, which is a program still`, () => {
    const texts = new Map();
    for (const patch of patches) {
      const before = texts.get(patch.file) ?? readFileSync(join(ROOT, "packages", patch.file), "utf8");
      const after = applyPatch(before, patch);
      assert.notEqual(after, before);
      texts.set(patch.file, after);
    }
    const dir = mkdtempSync(join(tmpdir(), "samsa-mutation-"));
    try {
      for (const [index, text] of [...texts.values()].entries()) {
        const file = join(dir, `${index}.mjs`);
        writeFileSync(file, text);
        assert.deepEqual(run("--check", file), { status: 0, said: "" });
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

test("the simulation finds a mistake that was made in a copy of what is built", () => {
  const { status, said } = run(join(ROOT, "scripts/mutate-transactions.mjs"), "--only", "late-write", "--seeds", "20");
  assert.equal(status, 0, said);
  assert.match(said, /^\| late-write \|.*\| \d+ seeds? \|/m);
});
