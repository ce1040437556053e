/** Every example runs by itself, ends by itself and prints what its last comment says. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { examples } from "./lib/examples.mjs";

const execute = promisify(execFile);
const MUST_HAVE_ENDED_MS = 60_000;

describe("the examples", { concurrency: 2 }, () => {
  for (const { name, program, about, prints } of examples()) {
    test(`${name} prints what it says it prints`, async () => {
      assert.notEqual(about, "", "its first comment says what it is about");
      assert.notEqual(prints.length, 0, "its last comment says what it prints");
      const env = { ...process.env, BOOTSTRAP_SERVERS: "" };
      const { stdout, stderr } = await execute(process.execPath, [program], { env, timeout: MUST_HAVE_ENDED_MS });
      assert.deepEqual(stdout.trimEnd().split("\n"), prints);
      assert.equal(stderr, "");
    });
  }
});
