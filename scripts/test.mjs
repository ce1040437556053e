/**
 * Runs the tests that need only Node: those of every package, and those of scripts/. `npm test -- packages/coordinator log-indexes`
 * runs the files whose path has one of the words; `--test-name-pattern PATTERN` selects by name, as in node.
 */
import { join } from "node:path";
import { compiledTests } from "./lib/dist.mjs";
import { programArguments } from "./lib/options.mjs";
import { filesBelow, ROOT } from "./lib/paths.mjs";
import { runTests } from "./lib/test-run.mjs";

process.exitCode = await main();

/** @returns {Promise<number>} the exit code */
async function main() {
  const { positionals, values } = programArguments({
    "test-name-pattern": { type: "string", multiple: true, short: "t" },
  });
  const files = select(positionals);
  if (files.length === 0) {
    process.stderr.write(`samsa: no test file has ${positionals.join(" or ")} in its path\n`);
    return 2;
  }
  const { passed, failed, skipped } = await runTests(files, { namePatterns: values["test-name-pattern"] ?? [] });
  if (skipped > 0) process.stdout.write(`${skipped} skipped\n`);
  if (passed + failed === 0) process.stderr.write("samsa: no test was executed\n");
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

/**
 * @param {readonly string[]} words
 * @returns {string[]} absolute paths
 */
function select(words) {
  const ofScripts = filesBelow(join(ROOT, "scripts"))
    .filter((file) => file.endsWith(".test.mjs"))
    .map((file) => ({ path: join(ROOT, "scripts", file), source: `scripts/${file}` }));
  return [...compiledTests(), ...ofScripts]
    .filter(({ source }) => words.length === 0 || words.some((word) => source.includes(word)))
    .map(({ path }) => path);
}
