import type { Disk, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, parseUuid, ZERO_UUID } from "@samsa/base";
import { readWholeFile, writeFileAtomically } from "@samsa/log";

/** What a voter may never forget: the epoch, and whom it voted for or follows in it. */
export interface QuorumState {
  /** -1 while unknown. */
  readonly leaderId: number;
  readonly leaderEpoch: number;
  /** -1 when no vote was cast. */
  readonly votedId: number;
  readonly votedDirectoryId: Uuid;
}

const NOBODY = -1;
const MAX_BYTES = 64 * 1024;

/** The file `quorum-state` beside the metadata log: one line of JSON, data version 1 since kraft.version 1 (KIP-853). */
export class QuorumStateFile {
  readonly path: string;
  readonly #disk: Disk;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.path = path;
  }

  /** @throws KafkaError CORRUPT_MESSAGE when the file is no quorum state: guessing an epoch could elect two leaders */
  async read(): Promise<QuorumState | undefined> {
    const bytes = await readWholeFile(this.#disk, this.path, MAX_BYTES);
    return bytes === undefined ? undefined : this.#parse(new TextDecoder().decode(bytes));
  }

  /** Resolves when the state is on the platter. */
  async write(state: QuorumState): Promise<void> {
    const { leaderId, leaderEpoch, votedId, votedDirectoryId } = state;
    const json = JSON.stringify({ leaderId, leaderEpoch, votedId, votedDirectoryId, data_version: 1 });
    await writeFileAtomically(this.#disk, this.path, new TextEncoder().encode(json));
  }

  #parse(text: string): QuorumState {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw this.#corrupt("no JSON");
    }
    if (typeof json !== "object" || json === null) throw this.#corrupt("no object");
    const fields = new Map<string, unknown>(Object.entries(json));
    const integer = (name: string): number => {
      const value = fields.get(name) ?? NOBODY;
      if (typeof value === "number" && Number.isInteger(value) && value >= NOBODY) return value;
      throw this.#corrupt(`${name} is no id or epoch`);
    };
    const version = integer("data_version");
    if (version !== 0 && version !== 1) throw this.#corrupt(`data_version ${version} is unknown`);
    const directory = fields.get("votedDirectoryId");
    return {
      leaderId: integer("leaderId"),
      leaderEpoch: integer("leaderEpoch"),
      votedId: integer("votedId"),
      votedDirectoryId: typeof directory === "string" ? parseUuid(directory) : ZERO_UUID,
    };
  }

  #corrupt(problem: string): KafkaError {
    return new KafkaError(ErrorCode.CORRUPT_MESSAGE, `${this.path} is damaged: ${problem}`);
  }
}
