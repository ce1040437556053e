/** What a reader of a build server's output looks for in the log of a step that failed. */

const SUMMARY = /^\d+ passed, \d+ failed$/;
const WENT_WELL = /^(?:ok\b|time\b|npm warn )/;
const WENT_WRONG = /^\s*(?:not ok\b|FAILED\b)/;

/**
 * What went wrong first, then everything else that is no success: a build server may show the beginning only, and among seven thousand
 * lines a failure would not be found. What is said of a line stands below it, further to the right.
 *
 * @param {string} text the log of `npm test`, `npm run check` or `npm run compat`
 * @returns {string}
 */
export function failuresFirst(text) {
  const failures = [];
  const others = [];
  for (const said of sayings(text)) {
    const [line = ""] = said;
    if (WENT_WRONG.test(line)) failures.push(...said);
    else if (!SUMMARY.test(line) && !WENT_WELL.test(line)) others.push(...said);
  }
  return [...failures, ...others].join("\n").trimEnd();
}

/**
 * @param {string} text
 * @returns {string[][]} each a line with those that are said of it
 */
function sayings(text) {
  /** @type {string[][]} */
  const all = [];
  for (const line of text.split("\n")) {
    const current = all.at(-1);
    const isOfIt = line === "" || indent(line) > indent(current?.[0] ?? line);
    if (current !== undefined && isOfIt && !WENT_WRONG.test(line)) current.push(line);
    else all.push([line]);
  }
  return all;
}

/** @param {string} line */
const indent = (line) => line.length - line.trimStart().length;
