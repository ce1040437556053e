import type { DirectoryEntry, Disk, DiskFile, DiskSpace } from "@samsa/base";

/**
 * A disk whose changes can be held up, so that its files can be copied as they are at one moment: a copy is what a process that is
 * killed leaves behind. Reads go on.
 */
export class HoldableDisk implements Disk {
  readonly #disk: Disk;
  #inFlight = 0;
  #held: Promise<void> | undefined;
  #onQuiet: (() => void) | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Resolves when no change is under way. Those that come later wait until what it returns is called. */
  async hold(): Promise<() => void> {
    while (this.#held !== undefined) await this.#held;
    let release: () => void = () => {};
    this.#held = new Promise((resolve) => {
      release = () => {
        this.#held = undefined;
        resolve();
      };
    });
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onQuiet = resolve));
    return release;
  }

  async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    const open = () => this.#disk.open(path, options);
    const file = await (options?.create === true ? this.#change(open) : open());
    return {
      size: () => file.size(),
      read: (position, into) => file.read(position, into),
      write: (position, chunks) => this.#change(() => file.write(position, chunks)),
      truncate: (size) => this.#change(() => file.truncate(size)),
      sync: () => file.sync(),
      close: () => file.close(),
    };
  }

  fileSize(path: string): Promise<number | undefined> {
    return this.#disk.fileSize(path);
  }

  modifiedMs(path: string): Promise<number | undefined> {
    return this.#disk.modifiedMs(path);
  }

  setModifiedMs(path: string, wallMs: number): Promise<void> {
    return this.#change(() => this.#disk.setModifiedMs(path, wallMs));
  }

  list(path: string): Promise<readonly DirectoryEntry[]> {
    return this.#disk.list(path);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#change(() => this.#disk.makeDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#change(() => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#change(() => this.#disk.remove(path));
  }

  removeDirectory(path: string): Promise<void> {
    return this.#change(() => this.#disk.removeDirectory(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.syncDirectory(path);
  }

  space(path: string): Promise<DiskSpace> {
    return this.#disk.space(path);
  }

  async #change<T>(change: () => Promise<T>): Promise<T> {
    while (this.#held !== undefined) await this.#held;
    this.#inFlight++;
    try {
      return await change();
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) {
        this.#onQuiet?.();
        this.#onQuiet = undefined;
      }
    }
  }
}
