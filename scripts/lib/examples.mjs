import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT } from "./paths.mjs";

/**
 * @typedef {object} Example
 * @property {string} name
 * @property {string} program absolute path of the compiled file
 * @property {string} about what its first comment says, in a line
 * @property {string[]} prints the comments at its end: the lines that it prints
 */

/** @returns {Example[]} in order of their names */
export function examples() {
  const folder = join(ROOT, "examples");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .toSorted()
    .map((file) => {
      const name = basename(file, ".ts");
      const text = readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n");
      return { name, program: join(folder, "dist", `${name}.js`), about: firstSentence(text), prints: ending(text) };
    });
}

/** @param {string} text */
function firstSentence(text) {
  const comment = /^\/\*\*([^]*?)\*\//.exec(text)?.[1] ?? "";
  const line = comment.replaceAll(/\s*\n \*\s*/g, " ").trim();
  return /^.*?[.:](?= |$)/.exec(line)?.[0].slice(0, -1) ?? line;
}

/** @param {string} text */
function ending(text) {
  const block = /\n\n((?:\/\/ .*\n)+)$/.exec(text)?.[1] ?? "";
  return block
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.slice("// ".length));
}
