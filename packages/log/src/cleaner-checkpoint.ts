import type { Disk } from "@samsa/base";
import { CorruptFileError } from "./errors.ts";
import { CLEANER_OFFSET_CHECKPOINT, OffsetCheckpointFile } from "./offset-checkpoint-file.ts";
import type { TopicPartition } from "./topic-partition.ts";
import { logDirName } from "./topic-partition.ts";

/** How far each log of a data directory is clean: its `cleaner-offset-checkpoint`. */
export class CleanerCheckpoint {
  readonly #file: OffsetCheckpointFile;
  readonly #path: string;
  readonly #offsets = new Map<string, TopicPartition & { readonly offset: number }>(); // by the name of the folder
  #writing: Promise<void> = Promise.resolve();

  constructor(disk: Disk, directory: string) {
    this.#path = `${directory}/${CLEANER_OFFSET_CHECKPOINT}`;
    this.#file = new OffsetCheckpointFile(disk, this.#path);
  }

  /** One that is damaged is taken for empty, so that all is compacted again. @throws DiskError */
  async load(report: (path: string, message: string) => void): Promise<void> {
    try {
      for (const [name, entry] of await this.#file.read()) this.#offsets.set(name, entry);
    } catch (error) {
      if (!(error instanceof CorruptFileError)) throw error;
      report(this.#path, `${error.message}: taken for empty`);
    }
  }

  get(topicPartition: TopicPartition): number | undefined {
    return this.#offsets.get(logDirName(topicPartition))?.offset;
  }

  /** Not before the next `write` does the file say so. */
  set({ topic, partition }: TopicPartition, offset: number): void {
    this.#offsets.set(logDirName({ topic, partition }), { topic, partition, offset });
  }

  /** Returns whether anything was known of it. */
  delete(topicPartition: TopicPartition): boolean {
    return this.#offsets.delete(logDirName(topicPartition));
  }

  /** One write after the other. @throws DiskError */
  write(): Promise<void> {
    const written = this.#writing.then(() => this.#file.write(this.#offsets.values()));
    this.#writing = written.catch(() => undefined);
    return written;
  }
}
