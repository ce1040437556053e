// A real text to send: the sources and documentation in the installed npm trees, line after line.
import { createHash } from "node:crypto";
import { createReadStream, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const KINDS = [".js", ".mjs", ".cjs", ".ts", ".md", ".json"];
const LONGEST_LINE = 4000;
export const CORPUS_LINES = 120_000;

function* textFiles(folder) {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* textFiles(path);
    else if (entry.isFile() && KINDS.some((kind) => entry.name.endsWith(kind))) yield path;
  }
}

/** Console tools cut at line ends and some drop empty lines, so a line is neither empty nor holds control characters. */
function isSendable(line) {
  // eslint-disable-next-line no-control-regex
  return line.length > 0 && line.length <= LONGEST_LINE && !/[\u0000-\u0008\u000a-\u001f\u007f\ufffd]/.test(line);
}

/** Writes the corpus to `file`; returns its lines. Throws when the trees hold too little. */
export function buildCorpus(folders, file) {
  const lines = [];
  const seen = new Set(); // the same licence a hundred times would make compression look too good
  for (const folder of folders) {
    for (const path of textFiles(folder)) {
      const text = readFileSync(path, "utf8");
      const mark = `${text.length}:${text.slice(0, 200)}`;
      if (seen.has(mark)) continue;
      seen.add(mark);
      for (const line of text.split(/\r?\n/)) if (isSendable(line)) lines.push(line);
      if (lines.length >= CORPUS_LINES) {
        lines.length = CORPUS_LINES;
        writeFileSync(file, `${lines.join("\n")}\n`);
        return lines;
      }
    }
  }
  throw new Error(`only ${lines.length} lines of text found in ${folders.join(", ")}`);
}

export async function sha256(file) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

/** Throws with the first difference unless both files hold the same bytes. */
export async function expectSameFile(expected, actual) {
  if ((await sha256(expected)) === (await sha256(actual))) return;
  expectSameLines(readFileSync(expected, "utf8").split("\n"), readFileSync(actual, "utf8").split("\n"));
  throw new Error("the files differ, though not as text");
}

export function expectSameLines(expected, actual) {
  const length = Math.max(expected.length, actual.length);
  for (let i = 0; i < length; i++) {
    if (expected[i] === actual[i]) continue;
    const show = (line) => (line === undefined ? "nothing" : JSON.stringify(line.slice(0, 120)));
    const counts = `${expected.length} lines sent, ${actual.length} came back`;
    throw new Error(`${counts}; line ${i + 1} was ${show(expected[i])} and came back as ${show(actual[i])}`);
  }
}
