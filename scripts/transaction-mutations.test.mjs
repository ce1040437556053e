import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./lib/paths.mjs";
import { applyPatch, TRANSACTION_MUTATIONS } from "./lib/transaction-mutations.mjs";

for (const { name, patches } of TRANSACTION_MUTATIONS) {
  test(`the mistake "${name}" can be made in what is built`, () => {
    for (const patch of patches) {
      const before = readFileSync(join(ROOT, "packages", patch.file), "utf8");
      assert.notEqual(applyPatch(before, patch), before);
    }
  });
}
