import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "./run.mjs";

const folder = mkdtempSync(join(tmpdir(), "samsa-run-"));
after(() => rmSync(folder, { recursive: true }));

const START = `import { describe, test } from "node:test"; import assert from "node:assert/strict";`;

const cases = [
  {
    name: "passes",
    text: `${START} test("a", () => {}); describe("s", () => { test("b", () => {}); });`,
    counts: [2, 0, 0],
  },
  {
    name: "fails",
    text: `${START} test("a", () => assert.equal("left", "right"));`,
    counts: [0, 1, 0],
    says: /left.*right/s,
  },
  {
    name: "fails in a suite",
    text: `${START} describe("s", () => { test("a", () => { throw new Error("why"); }); });`,
    counts: [0, 1, 0],
    says: /why/,
  },
  {
    name: "fails in a subtest",
    text: `${START} test("a", async (t) => { await t.test("b", () => { throw new Error("why"); }); });`,
    counts: [0, 1, 0],
  },
  {
    name: "skips",
    text: `${START} test("a", { skip: true }, () => {}); test("b", { todo: true }, () => {});`,
    counts: [0, 0, 2],
  },
  { name: "cannot be loaded", text: `import "./nowhere.mjs";`, counts: [0, 1, 0], says: /nowhere/ },
  { name: "holds no test", text: `console.log("hello");`, counts: [0, 1, 0], says: /holds no test/ },
  {
    name: "ends in the middle",
    text: `${START} test("a", () => {}); test("b", () => process.exit(7));`,
    counts: [0, 1, 0],
    says: /exit code 7/,
  },
];

for (const { name, text, counts, says } of cases) {
  test(`counts a file that ${name}`, async () => {
    const file = join(folder, `${name.replaceAll(" ", "-")}.test.mjs`);
    writeFileSync(file, text);
    const { output } = await runFiles([file]);
    const [passed, failed, skipped] = counts;
    assert.deepEqual(JSON.parse(output.trimEnd().split("\n").at(-1) ?? ""), { passed, failed, skipped }, output);
    assert.match(output, says ?? /./);
  });
}

/**
 * In a process of its own: node:test does not run files from inside a test.
 *
 * @param {readonly string[]} files
 */
async function runFiles(files) {
  const module = pathToFileURL(join(import.meta.dirname, "test-run.mjs")).href;
  const runner = join(folder, "runner.mjs");
  writeFileSync(
    runner,
    `import { runTests } from ${JSON.stringify(module)}; console.log(JSON.stringify(await runTests(process.argv.slice(2))));`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return await run(process.execPath, [runner, ...files], { env });
}
