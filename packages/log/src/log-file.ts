import type { DiskFile } from "@samsa/base";
import { KafkaStorageError } from "./errors.ts";
import type { IdleFile } from "./open-files.ts";
import type { PooledDisk } from "./pooled-disk.ts";

/**
 * One file of a log, opened when it is used. It stays open afterwards as long as there is room for it (OpenFiles), and is
 * opened again when it is used again. Methods reject with DiskError.
 */
export class LogFile implements IdleFile {
  readonly #disk: PooledDisk;
  #path: string;
  #file: DiskFile | undefined;
  #opening: Promise<DiskFile> | undefined;
  #users = 0;
  #whenIdle: (() => void)[] = [];
  #closing: Promise<void> | undefined; // by the pool
  #closeFailure: unknown; // of the pool, for the next user
  #isUnsynced = false;

  constructor(disk: PooledDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  get path(): string {
    return this.#path;
  }

  get isUnsynced(): boolean {
    return this.#isUnsynced;
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
    this.#isUnsynced = true;
    return this.#use((file) => file.write(position, chunks), true);
  }

  /**
   * `write` that is over when it returns. False, and nothing is written, where the file is not open or the disk may take a while.
   * @throws DiskError
   */
  writeNow(position: number, chunks: readonly Uint8Array[]): boolean {
    const file = this.#file;
    if (file?.writeNow === undefined || this.#closeFailure !== undefined) return false;
    this.#isUnsynced = true;
    if (!file.writeNow(position, chunks)) return false;
    if (this.#users === 0) this.#disk.files.used(this);
    return true;
  }

  truncate(size: number): Promise<void> {
    this.#isUnsynced = true;
    return this.#use((file) => file.truncate(size), true);
  }

  sync(): Promise<void> {
    // Before it, not after: what is written meanwhile is not synced.
    this.#isUnsynced = false;
    return this.#use((file) => file.sync());
  }

  /** Closes after what is under way has ended; the next use opens it again. */
  async close(): Promise<void> {
    while (this.#users > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    this.#disk.files.busy(this);
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) await file.close();
    await this.#closing;
    this.#throwCloseFailure();
  }

  /** For the pool: closes a file that nobody uses. The next use opens it again. */
  closeIdle(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return Promise.resolve();
    const closing = file
      .close()
      .catch((error: unknown) => (this.#closeFailure ??= error))
      .then(() => {
        if (this.#closing === closing) this.#closing = undefined;
      });
    this.#closing = closing;
    return closing;
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
    if (this.#users++ === 0) this.#disk.files.busy(this);
    try {
      if (this.#closeFailure !== undefined) this.#throwCloseFailure();
      return await action(this.#file ?? (await this.#open(create)));
    } finally {
      if (--this.#users === 0) this.#becomeIdle();
    }
  }

  async #open(create: boolean): Promise<DiskFile> {
    this.#opening ??= this.#disk.open(this.#path, { create });
    try {
      this.#file = await this.#opening;
    } finally {
      this.#opening = undefined;
    }
    return this.#file;
  }

  #becomeIdle(): void {
    if (this.#file !== undefined) this.#disk.files.idle(this);
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Some file systems say so late that a write has failed. */
  #throwCloseFailure(): void {
    const failure = this.#closeFailure;
    this.#closeFailure = undefined;
    if (failure !== undefined) throw failure;
  }
}
