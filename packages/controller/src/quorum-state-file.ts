import type { Disk } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import { readWholeFile, writeFileAtomically } from "@samsa/log";
import type { ElectionState } from "@samsa/raft";
import { decodeQuorumState } from "@samsa/raft";

const MAX_BYTES = 64 * 1024;

/** The file `quorum-state` beside the metadata log: what a voter may never forget. */
export class QuorumStateFile {
  readonly path: string;
  readonly #disk: Disk;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.path = path;
  }

  /** @throws KafkaError CORRUPT_MESSAGE when the file is no quorum state: guessing an epoch could elect two leaders */
  async read(): Promise<ElectionState | undefined> {
    const bytes = await readWholeFile(this.#disk, this.path, MAX_BYTES);
    if (bytes === undefined) return undefined;
    try {
      return decodeQuorumState(bytes);
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      throw new KafkaError(error.code, `${this.path}: ${error.message}`, { cause: error });
    }
  }

  /** Resolves when the state is on the platter. */
  async write(bytes: Uint8Array): Promise<void> {
    await writeFileAtomically(this.#disk, this.path, bytes);
  }
}
