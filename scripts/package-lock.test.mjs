/** What the committed package-lock.json promises to every machine that runs `npm ci`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { missingFromLock } from "./lib/package-lock.mjs";
import { readJson, ROOT } from "./lib/paths.mjs";

/** @typedef {import("./lib/package-lock.mjs").PackageLock} PackageLock */

const lock = /** @type {PackageLock} */ (readJson(join(ROOT, "package-lock.json")));

test("it has an entry for the binaries of every platform, or npm ci refuses it", () => {
  const missing = missingFromLock(lock).map(({ name }) => name);
  assert.deepEqual(missing, [], "npm run lock adds them");
});

test("it names no registry but npm's", () => {
  for (const [path, { resolved, link }] of Object.entries(lock.packages)) {
    if (resolved !== undefined && link !== true) assert.match(resolved, /^https:\/\/registry\.npmjs\.org\//, path);
  }
});

test("nothing that users install has an install script", () => {
  const scripted = Object.entries(lock.packages).filter(
    ([, entry]) => entry.hasInstallScript === true && entry.dev !== true,
  );
  assert.deepEqual(
    scripted.map(([path]) => path),
    [],
  );
});

test("a missing entry is noticed at the top and beside the package that asks for it", () => {
  const asks = { optionalDependencies: { "x-linux-x64": "1.0.0" } };
  /** @param {PackageLock["packages"]} packages */
  const missing = (packages) => missingFromLock({ packages }).map(({ name }) => name);
  assert.deepEqual(missing({ "node_modules/x": asks }), ["x-linux-x64"]);
  assert.deepEqual(missing({ "node_modules/x": asks, "node_modules/x-linux-x64": {} }), []);
  assert.deepEqual(missing({ "node_modules/x": asks, "node_modules/x/node_modules/x-linux-x64": {} }), []);
});
