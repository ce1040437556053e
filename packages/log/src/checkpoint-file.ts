import type { Disk } from "@samsa/base";
import { readWholeFile, writeFileAtomically } from "./atomic-file.ts";
import { CorruptFileError } from "./errors.ts";

const VERSION = "0";
const MOST_SHOWN = 40; // characters
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Kafka's checkpoint: lines of text, first the version (0), then the number of entries, then one line an entry.
 *
 *     0
 *     2
 *     orders 0 1400
 *     orders 1 1377
 *
 * Every write replaces the whole file and is synced.
 */
export class CheckpointFile<Entry> {
  readonly path: string;
  readonly #disk: Disk;
  readonly #format: (entry: Entry) => string;
  readonly #parse: (line: string) => Entry | undefined;

  constructor(disk: Disk, path: string, format: (entry: Entry) => string, parse: (line: string) => Entry | undefined) {
    this.#disk = disk;
    this.path = path;
    this.#format = format;
    this.#parse = parse;
  }

  async write(entries: readonly Entry[]): Promise<void> {
    let text = `${VERSION}\n${entries.length}\n`;
    for (const entry of entries) text += `${this.#format(entry)}\n`;
    await writeFileAtomically(this.#disk, this.path, encoder.encode(text));
  }

  /** The entries; undefined when the file is missing or empty (Kafka makes it empty at first). @throws CorruptFileError */
  async read(): Promise<Entry[] | undefined> {
    const bytes = await readWholeFile(this.#disk, this.path);
    if (bytes === undefined || bytes.length === 0) return undefined;
    const lines = decoder.decode(bytes).split("\n");
    if (lines.at(-1) === "") lines.pop();
    const [version, count] = lines;
    if (version !== VERSION) throw this.#corrupt(`it begins with ${shown(version)}, not with the version ${VERSION}`);
    if (count === undefined || !/^\d+$/.test(count)) {
      throw this.#corrupt(`its second line is ${shown(count)}, not the number of entries`);
    }
    if (count !== String(lines.length - 2)) {
      throw this.#corrupt(`${count} entries are announced, ${lines.length - 2} are there`);
    }
    return lines.slice(2).map((line) => {
      const entry = this.#parse(line);
      if (entry === undefined) throw this.#corrupt(`its line ${shown(line)} is no entry`);
      return entry;
    });
  }

  #corrupt(problem: string): CorruptFileError {
    return new CorruptFileError(this.path, problem);
  }
}

/** Bytes of anything may stand there, and as many as there are: enough for a line in a log. */
function shown(line: string | undefined): string {
  if (line === undefined) return "missing";
  return JSON.stringify(line.length <= MOST_SHOWN ? line : `${line.slice(0, MOST_SHOWN)}…`);
}

/** An offset as a checkpoint writes it; undefined for anything else. */
export function parseOffset(digits: string | undefined): number | undefined {
  if (digits === undefined || !/^(0|[1-9][0-9]*)$/.test(digits)) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? offset : undefined;
}
