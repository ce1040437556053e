import type { Disk } from "@samsa/base";
import { readWholeFile, writeFileAtomically } from "./atomic-file.ts";
import { CorruptFileError } from "./errors.ts";

const VERSION = "0";
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
    if (lines[0] !== VERSION)
      throw new CorruptFileError(this.path, `version ${JSON.stringify(lines[0])}, not ${VERSION}`);
    if (lines[1] !== String(lines.length - 2)) {
      throw new CorruptFileError(this.path, `${JSON.stringify(lines[1])} entries announced, ${lines.length - 2} there`);
    }
    return lines.slice(2).map((line) => {
      const entry = this.#parse(line);
      if (entry === undefined) throw new CorruptFileError(this.path, `the line ${JSON.stringify(line)}`);
      return entry;
    });
  }
}

/** An offset as a checkpoint writes it; undefined for anything else. */
export function parseOffset(digits: string | undefined): number | undefined {
  if (digits === undefined || !/^(0|[1-9][0-9]*)$/.test(digits)) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? offset : undefined;
}
