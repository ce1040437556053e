import type { DirectoryEntry, Disk, DiskFile, DiskSpace } from "@samsa/base";
import { isOutOfDescriptors, OpenFiles } from "./open-files.ts";

/** A disk with a bound for the files that are open at a time; several disks may share it. */
export class PooledDisk implements Disk {
  readonly files: OpenFiles;
  readonly #disk: Disk;

  constructor(disk: Disk, files: OpenFiles = new OpenFiles()) {
    this.#disk = disk;
    this.files = files;
  }

  /** The disk itself when it has a bound, else with one of its own. */
  static of(disk: Disk): PooledDisk {
    return disk instanceof PooledDisk ? disk : new PooledDisk(disk);
  }

  async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    return this.#withPlace(async () => new PooledFile(await this.#disk.open(path, options), this.files));
  }

  fileSize(path: string): Promise<number | undefined> {
    return this.#disk.fileSize(path);
  }

  modifiedMs(path: string): Promise<number | undefined> {
    return this.#disk.modifiedMs(path);
  }

  setModifiedMs(path: string, wallMs: number): Promise<void> {
    return this.#disk.setModifiedMs(path, wallMs);
  }

  list(path: string): Promise<readonly DirectoryEntry[]> {
    return this.#disk.list(path);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  removeDirectory(path: string): Promise<void> {
    return this.#disk.removeDirectory(path);
  }

  /** Opens the folder for the time of the call. */
  async syncDirectory(path: string): Promise<void> {
    await this.#withPlace(() => this.#disk.syncDirectory(path));
    this.files.release();
  }

  space(path: string): Promise<DiskSpace> {
    return this.#disk.space(path);
  }

  /** The place is kept unless the action fails. */
  async #withPlace<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      const place = this.files.acquire();
      if (place !== undefined) await place;
      try {
        return await action();
      } catch (error) {
        this.files.release();
        // Sockets take from the same supply, so that it may end before our bound is reached.
        if (!isOutOfDescriptors(error) || !(await this.files.closeOne())) throw error;
      }
    }
  }
}

class PooledFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #files: OpenFiles;
  #isClosed = false;

  constructor(file: DiskFile, files: OpenFiles) {
    this.#file = file;
    this.#files = files;
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#file.read(position, into);
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#file.write(position, chunks);
  }

  writeNow(position: number, chunks: readonly Uint8Array[]): boolean {
    return this.#file.writeNow?.(position, chunks) ?? false;
  }

  truncate(size: number): Promise<void> {
    return this.#file.truncate(size);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.#file.close();
    } finally {
      this.#files.release();
    }
  }
}
