/**
 * Everything about the source that can be known without running it: types, lint, format, layers, unused code. All of them run,
 * and what failed is listed at the end. `npm run check -- lint format` runs only the named ones.
 */
import { join } from "node:path";
import { readJson, ROOT } from "./lib/paths.mjs";
import { run } from "./lib/run.mjs";

/** @type {Readonly<Record<string, readonly (readonly string[])[]>>} the commands of each check; it passes when all do */
const CHECKS = {
  types: [
    tool("typescript", "tsc", "-b"),
    tool("typescript", "tsc", "-p", "scripts"),
    // The programs that drive other people's clients and benchmarks are proved by running them; those that begin with
    // `// @ts-check` are checked here too.
    tool("typescript", "tsc", "-p", "tsconfig.tools.json"),
  ],
  lint: [tool("oxlint", "oxlint", "--type-aware", "--deny-warnings")],
  format: [tool("oxfmt", "oxfmt", "--check")],
  layers: [[join(ROOT, "scripts/test.mjs"), "scripts/layers.test"]],
  // Generated messages are ignored by git, and still they are what uses the primitives of the protocol.
  unused: [tool("knip", "knip", "--no-progress", "--no-config-hints", "--no-gitignore")],
};

process.exitCode = await main(process.argv.slice(2));

/**
 * @param {readonly string[]} asked names of checks, all when none
 * @returns {Promise<number>} the exit code
 */
async function main(asked) {
  const unknown = asked.filter((name) => !(name in CHECKS));
  if (unknown.length > 0) {
    process.stderr.write(
      `samsa: there is no check named ${unknown.join(", ")}; there are ${Object.keys(CHECKS).join(", ")}\n`,
    );
    return 2;
  }
  const selected = Object.entries(CHECKS).filter(([name]) => asked.length === 0 || asked.includes(name));
  const failed = [];
  for (const [name, commands] of selected) if (!(await check(name, commands))) failed.push(name);
  if (failed.length > 0) process.stdout.write(`\nfailed: ${failed.join(", ")}\n`);
  process.stdout.write(`${selected.length - failed.length} passed, ${failed.length} failed\n`);
  return failed.length > 0 ? 1 : 0;
}

/**
 * @param {string} name
 * @param {readonly (readonly string[])[]} commands
 * @returns {Promise<boolean>} whether it passed
 */
async function check(name, commands) {
  const started = Date.now();
  const outputs = [];
  for (const args of commands) {
    const { code, output } = await run(process.execPath, args);
    if (code !== 0) outputs.push(output.trimEnd() || `exit code ${code}, without a word`);
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${outputs.length === 0 ? "ok    " : "not ok"} ${name} (${seconds} s)\n`);
  for (const output of outputs) process.stdout.write(`${output.replaceAll(/^/gm, "    ")}\n`);
  return outputs.length === 0;
}

/**
 * A program of node_modules, by its JavaScript file: the links in .bin are shell scripts on Windows.
 *
 * @param {string} packageName
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {string[]} arguments for node
 */
function tool(packageName, command, ...args) {
  const folder = join(ROOT, "node_modules", packageName);
  const { bin } = /** @type {{ bin: string | Record<string, string> }} */ (readJson(join(folder, "package.json")));
  const file = typeof bin === "string" ? bin : bin[command];
  if (file === undefined) throw new Error(`${packageName} has no command ${command}`);
  return [join(folder, file), ...args];
}
