import { readFileSync } from "node:fs";
import { UsageError } from "./exit-code.ts";

const NAMED_ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

/**
 * Reads Java's properties format, as `server.properties` has it: `key=value`, `key: value` or `key value`, comments with `#`
 * or `!`, a backslash at the end of a line joins the next, `\t`, `\n`, `\u0041` and an escaped separator in a key. A key
 * that stands twice has its last value.
 */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const match = /^((?:\\.|[^\\=:\s])*)(?:\s*[=:]\s*|\s+|$)(.*)$/su.exec(line);
    if (match !== null) properties.set(unescape(match[1] ?? ""), unescape(match[2] ?? ""));
  }
  return properties;
}

/** @throws UsageError when the file cannot be read */
export function readPropertiesFile(file: string): Map<string, string> {
  try {
    return parseProperties(readFileSync(file, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`the configuration file ${file} cannot be read: ${reason}`, { cause: error });
  }
}

/**
 * Adds the `key=value` pairs of `-X`.
 * @throws UsageError for a pair without a key or without `=`
 */
export function addPairs(properties: Map<string, string>, pairs: readonly string[], option: string): void {
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`${option} wants key=value, not ${JSON.stringify(pair)}`);
    properties.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
}

function* logicalLines(text: string): Generator<string> {
  let joined: string | undefined;
  for (const raw of text.split(/\r\n|\r|\n/u)) {
    const line = raw.trimStart();
    if (joined === undefined && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue;
    const whole: string = (joined ?? "") + line;
    const backslashes = /\\*$/u.exec(line)?.[0].length ?? 0;
    if (backslashes % 2 === 1) {
      joined = whole.slice(0, -1);
      continue;
    }
    joined = undefined;
    yield whole;
  }
  if (joined !== undefined) yield joined;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/gsu, (_, hex: string | undefined, char: string | undefined) =>
    hex === undefined ? (NAMED_ESCAPES[char ?? ""] ?? char ?? "") : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
