import type { Disk } from "@samsa/base";
import { parentOf, readWholeFile, writeFileAtomically } from "./atomic-file.ts";
import { CorruptFileError } from "./errors.ts";

const FILE_NAME = ".kafka_cleanshutdown";
export const NO_BROKER_EPOCH = -1;

/**
 * The marker of a complete stop, with the broker's epoch (KIP-966): `{"version":0,"brokerEpoch":13}`. It is removed before the
 * first log is loaded: left in place it would vouch for what a crash during loading left behind (KAFKA-10471).
 */
export class CleanShutdownFile {
  readonly path: string;
  readonly #disk: Disk;

  constructor(disk: Disk, dataDirectory: string) {
    this.#disk = disk;
    this.path = `${dataDirectory}/${FILE_NAME}`;
  }

  async write(brokerEpoch: number): Promise<void> {
    const text = JSON.stringify({ version: 0, brokerEpoch });
    await writeFileAtomically(this.#disk, this.path, new TextEncoder().encode(text));
  }

  async exists(): Promise<boolean> {
    return (await this.#disk.fileSize(this.path)) !== undefined;
  }

  /** The broker's epoch at the stop; NO_BROKER_EPOCH when the file is missing or does not tell. */
  async readBrokerEpoch(): Promise<number> {
    try {
      const bytes = await readWholeFile(this.#disk, this.path, 4096);
      if (bytes === undefined) return NO_BROKER_EPOCH;
      const content: unknown = JSON.parse(new TextDecoder().decode(bytes));
      if (typeof content !== "object" || content === null || !("brokerEpoch" in content)) return NO_BROKER_EPOCH;
      return Number.isSafeInteger(content.brokerEpoch) ? Number(content.brokerEpoch) : NO_BROKER_EPOCH;
    } catch (error) {
      // Kafka takes an unreadable marker for a stop without an epoch, too.
      if (error instanceof SyntaxError || error instanceof CorruptFileError) return NO_BROKER_EPOCH;
      throw error;
    }
  }

  async delete(): Promise<void> {
    await this.#disk.remove(this.path);
    await this.#disk.syncDirectory(parentOf(this.path));
  }
}
