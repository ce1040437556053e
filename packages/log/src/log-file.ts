import type { Disk, DiskFile } from "@samsa/base";
import { KafkaStorageError } from "./errors.ts";

/**
 * One file of a log, opened when it is first used and closed when it is not: all files are opened through here, so that a
 * pool may one day bound how many are open at a time. Methods reject with DiskError.
 */
export class LogFile {
  readonly #disk: Disk;
  #path: string;
  #file: Promise<DiskFile> | undefined;
  #users = 0;
  #idle: (() => void) | undefined;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  get path(): string {
    return this.#path;
  }

  /** Makes an empty file when there is none. */
  async create(): Promise<void> {
    await this.#use((file) => file.size(), true);
  }

  /** Size in bytes, or undefined when there is no such file. */
  size(): Promise<number | undefined> {
    return this.#disk.fileSize(this.#path);
  }

  /** Fills `into` from `position`; returns the bytes read, fewer only at the end of the file. */
  read(position: number, into: Uint8Array): Promise<number> {
    return this.#use((file) => file.read(position, into));
  }

  /** Exactly `length` bytes from `position`, in `bytes` when that is given. A file that ends before is a KafkaStorageError. */
  async readFully(position: number, length: number, bytes: Uint8Array = new Uint8Array(length)): Promise<Uint8Array> {
    const read = await this.read(position, bytes);
    if (read === length) return bytes;
    throw new KafkaStorageError(`${this.#path} ends at ${position + read}, before ${position + length}`);
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#use((file) => file.write(position, chunks), true);
  }

  truncate(size: number): Promise<void> {
    return this.#use((file) => file.truncate(size), true);
  }

  sync(): Promise<void> {
    return this.#use((file) => file.sync());
  }

  /** Closes after what is under way has ended; the next use opens it again. */
  async close(): Promise<void> {
    while (this.#users > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    const opened = this.#file;
    this.#file = undefined;
    if (opened !== undefined) await (await opened).close();
  }

  /** Closes the file and removes it; content when it is gone already. */
  async remove(): Promise<void> {
    await this.close();
    await this.#disk.remove(this.#path);
  }

  /** Gives the file another name, if there is one: open descriptors stay good, and nobody may be about to open it. */
  async rename(path: string): Promise<void> {
    if ((await this.#disk.fileSize(this.#path)) !== undefined) await this.#disk.rename(this.#path, path);
    this.#path = path;
  }

  /** Another name for the folder above: open descriptors stay good, later openings use it. */
  moveTo(path: string): void {
    this.#path = path;
  }

  async #use<T>(action: (file: DiskFile) => Promise<T>, create = false): Promise<T> {
    this.#users++;
    try {
      this.#file ??= this.#disk.open(this.#path, { create });
      let file: DiskFile;
      try {
        file = await this.#file;
      } catch (error) {
        this.#file = undefined;
        throw error;
      }
      return await action(file);
    } finally {
      this.#users--;
      if (this.#users === 0) {
        this.#idle?.();
        this.#idle = undefined;
      }
    }
  }
}
