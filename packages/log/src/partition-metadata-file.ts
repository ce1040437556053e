import type { Disk, Uuid } from "@samsa/base";
import { parseUuid, ZERO_UUID } from "@samsa/base";
import { readWholeFile, writeFileAtomically } from "./atomic-file.ts";
import { CorruptFileError } from "./errors.ts";

const FILE_NAME = "partition.metadata";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * `partition.metadata`: which topic the folder belongs to, so that a topic of the same name that was made anew is told apart.
 *
 *     version: 0
 *     topic_id: GcnynczvRom65cq5HE6Fiw
 */
export class PartitionMetadataFile {
  readonly path: string;
  readonly #disk: Disk;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.path = `${directory}/${FILE_NAME}`;
  }

  // Kafka ends the file without a line break.
  async write(topicId: Uuid): Promise<void> {
    await writeFileAtomically(this.#disk, this.path, encoder.encode(`version: 0\ntopic_id: ${topicId}`));
  }

  /** The topic's id; undefined when there is no file. @throws CorruptFileError */
  async read(): Promise<Uuid | undefined> {
    const bytes = await readWholeFile(this.#disk, this.path, 4096);
    if (bytes === undefined) return undefined;
    const match = /^version: 0\r?\ntopic_id: ?([A-Za-z0-9_-]{22})\s*$/.exec(decoder.decode(bytes));
    if (match?.[1] === undefined) throw new CorruptFileError(this.path, "no version 0 with a topic id");
    let topicId: Uuid;
    try {
      topicId = parseUuid(match[1]);
    } catch {
      throw new CorruptFileError(this.path, `no topic id: ${match[1]}`);
    }
    if (topicId === ZERO_UUID) throw new CorruptFileError(this.path, "the topic id is all zeros");
    return topicId;
  }
}
