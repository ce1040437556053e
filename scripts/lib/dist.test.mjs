import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { removeStaleOutput } from "./dist.mjs";
import { filesBelow } from "./paths.mjs";

const folder = mkdtempSync(join(tmpdir(), "samsa-dist-"));
after(() => rmSync(folder, { recursive: true }));

test("removes what was compiled from a source that is gone, and only that", () => {
  const path = packageWith(["src/a.ts", "src/deep/b.test.ts"], ["a", "deep/b.test", "deep/gone.test", "gone"]);
  removeStaleOutput(path);
  assert.deepEqual(filesBelow(join(path, "dist")), [
    ...outputsOf("a"),
    ...outputsOf("deep/b.test"),
    "tsconfig.tsbuildinfo",
  ]);
});

test("forgets the compiler's notes when output of a source is missing, so that it writes it again", () => {
  const path = packageWith(["src/a.ts", "src/b.ts"], ["a"]);
  removeStaleOutput(path);
  assert.deepEqual(filesBelow(join(path, "dist")), outputsOf("a"));
});

/**
 * @param {readonly string[]} sources
 * @param {readonly string[]} stems of what was compiled
 */
function packageWith(sources, stems) {
  const path = mkdtempSync(join(folder, "package-"));
  const files = [...sources, "dist/tsconfig.tsbuildinfo", ...stems.flatMap((stem) => outputsOf(`dist/${stem}`))];
  for (const file of files) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), "");
  }
  return path;
}

/** @param {string} stem */
function outputsOf(stem) {
  return [".d.ts", ".d.ts.map", ".js", ".js.map"].map((ending) => stem + ending);
}
