import assert from "node:assert/strict";
import { test } from "node:test";
import { optionalPackage } from "./optional-package.ts";

test("a package that is not installed is undefined, not an error", () => {
  assert.equal(optionalPackage("@samsa/there-is-no-such-package"), undefined);
});

test("a package that is installed is what it exports", () => {
  assert.equal(typeof (optionalPackage("node:zlib") as { gzipSync: unknown }).gzipSync, "function");
});
