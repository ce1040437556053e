import { readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

/** @typedef {NonNullable<import("node:util").ParseArgsConfig["options"]>} Options as `parseArgs` takes them */

/**
 * What a program of scripts/, compat/ or bench/ was told. With `--help` it prints the comment that its file opens with, which says what
 * the program does and what may be told, and ends; what nobody knows ends it with 2.
 *
 * @template {Options} T
 * @param {T} options
 * @returns {ReturnType<typeof parseArgs<{ options: T }>>["values"]}
 */
export function programOptions(options) {
  return parse({ options }).values;
}

/**
 * The same for one that takes words, too.
 *
 * @template {Options} T
 * @param {T} options
 * @returns {ReturnType<typeof parseArgs<{ options: T, allowPositionals: true }>>}
 */
export function programArguments(options) {
  return parse({ options, allowPositionals: true });
}

/**
 * @template {import("node:util").ParseArgsConfig} T
 * @param {T} config
 */
function parse(config) {
  const file = /** @type {string} */ (process.argv[1]);
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
    process.stdout.write(openingComment(readFileSync(file, "utf8")));
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split(". ");
    process.stderr.write(`${basename(file, ".mjs")}: ${reason}; --help says what there is\n`);
    process.exit(2);
  }
}

/**
 * The words of the comment, without what makes it one.
 *
 * @param {string} source
 * @returns {string}
 */
export function openingComment(source) {
  const [first = "", ...others] = source.split("\n");
  const lines = first.startsWith("#!") ? others : [first, ...others];
  const isBlock = lines[0]?.startsWith("/**") === true;
  const end = isBlock
    ? lines.findIndex((line) => line.endsWith("*/"))
    : lines.findIndex((line) => !line.startsWith("//"));
  const words = lines.slice(isBlock ? 1 : 0, end).map((line) => line.replace(isBlock ? /^ \* ?/ : /^\/\/ ?/, ""));
  return `${words.join("\n")}\n`;
}
