/** A slice of `node --expose-gc scripts/fuzz-requests.mjs`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzRequests } from "./lib/fuzz-requests.mjs";

test("a broker survives hostile requests of every API and version", async () => {
  const { exits, unhandled, unexpected, answered, versions } = await fuzzRequests({ inputs: 10_000, seed: 7 });
  assert.deepEqual(
    { exits, unhandled, unexpected: [...unexpected.keys()] },
    { exits: 0, unhandled: [], unexpected: [] },
  );
  assert.ok(answered > 0 && versions > 200);
});
