import type { Disk } from "@samsa/base";
import { ByteReader, ByteWriter, DiskError, ProtocolError } from "@samsa/base";
import { crc32c } from "@samsa/protocol";
import { ProducerSnapshot } from "@samsa/protocol/messages/producer-snapshot";
import { readWholeFile, writeFileAtomically, writeFileUnsynced } from "./atomic-file.ts";
import { CorruptFileError } from "./errors.ts";
import { logFileName, PRODUCER_SNAPSHOT_SUFFIX } from "./log-file-names.ts";
import type { ProducerStateFields } from "./producer-state-entry.ts";

const CRC_AT = 2; // after the version
const ENTRIES_AT = 6;
const MOST_SNAPSHOT_BYTES = 1024 ** 3;

/**
 * The `.snapshot` files of a log: the producers as they were when the log ended at the offset in the name. One is written
 * for the start of each segment, and one when the log closes.
 *
 * ```
 * int16 version | uint32 crc of what follows | int32 count | producers of 46 bytes
 * ```
 */
export class ProducerSnapshots {
  readonly #disk: Disk;
  #directory: string;
  readonly #offsets: Set<number>;

  /** @param offsets of the files that are there */
  constructor(disk: Disk, directory: string, offsets: readonly number[]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#offsets = new Set(offsets);
  }

  /** In rising order. */
  get offsets(): number[] {
    return [...this.#offsets].toSorted((one, other) => one - other);
  }

  async write(offset: number, producers: readonly ProducerStateFields[]): Promise<void> {
    await writeFileAtomically(this.#disk, this.#path(offset), encodeProducerSnapshot(producers));
    this.#offsets.add(offset);
  }

  /** Not synced: what a crash leaves of it is found out by its CRC, and the one before it is taken. */
  async writeUnsynced(offset: number, producers: readonly ProducerStateFields[]): Promise<void> {
    await writeFileUnsynced(this.#disk, this.#path(offset), encodeProducerSnapshot(producers));
    this.#offsets.add(offset);
  }

  /** @throws CorruptFileError */
  async read(offset: number): Promise<ProducerStateFields[]> {
    const path = this.#path(offset);
    const bytes = await readWholeFile(this.#disk, path, MOST_SNAPSHOT_BYTES);
    if (bytes === undefined) throw new CorruptFileError(path, "it is gone");
    return decodeProducerSnapshot(bytes, path);
  }

  async remove(offset: number): Promise<void> {
    if (!this.#offsets.delete(offset)) return;
    try {
      await this.#disk.remove(this.#path(offset));
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOENT") throw error;
    }
  }

  async removeWhere(isStale: (offset: number) => boolean): Promise<void> {
    for (const offset of this.offsets) if (isStale(offset)) await this.remove(offset);
  }

  /**
   * Keeps those at the start of a segment and the latest one, unless that is older than the last segment, too. The others
   * are what earlier stops have left.
   */
  async removeStray(segmentBaseOffsets: readonly number[]): Promise<void> {
    const latest = this.offsets.findLast((offset) => !segmentBaseOffsets.includes(offset));
    const isCurrent = latest !== undefined && latest >= Math.max(...segmentBaseOffsets);
    await this.removeWhere((offset) => !segmentBaseOffsets.includes(offset) && !(isCurrent && offset === latest));
  }

  /** The folder has another name now. */
  moveTo(directory: string): void {
    this.#directory = directory;
  }

  #path(offset: number): string {
    return `${this.#directory}/${logFileName(offset, PRODUCER_SNAPSHOT_SUFFIX)}`;
  }
}

export function encodeProducerSnapshot(producers: readonly ProducerStateFields[]): Uint8Array {
  const version = ProducerSnapshot.highestVersion;
  const writer = new ByteWriter(64 + producers.length * 46);
  writer.int16(version);
  ProducerSnapshot.write(writer, { crc: 0, producerEntries: producers }, version);
  const bytes = writer.toBytes().slice();
  new DataView(bytes.buffer).setUint32(CRC_AT, crc32c(bytes, ENTRIES_AT));
  return bytes;
}

/** @throws CorruptFileError */
export function decodeProducerSnapshot(bytes: Uint8Array, path: string): ProducerStateFields[] {
  const reader = new ByteReader(bytes);
  try {
    const version = reader.int16();
    if (version !== ProducerSnapshot.highestVersion) throw new CorruptFileError(path, `version ${version}`);
    const { crc, producerEntries } = ProducerSnapshot.read(reader, version);
    const computed = crc32c(bytes, ENTRIES_AT);
    if (crc !== computed) throw new CorruptFileError(path, `its CRC is ${computed} and not ${crc} as stored`);
    return [...producerEntries];
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new CorruptFileError(path, error.message);
  }
}
