import type { DiskFile } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";

/** A disk in memory whose syncs can be held back. */
export class GatedDisk extends MemoryDisk {
  #gate = Promise.resolve();
  #letGo = (): void => undefined;
  #tellWaiting = (): void => undefined;
  /** Resolves when the first sync is held back. */
  isWaiting = Promise.resolve();

  holdSyncs(): void {
    this.#gate = new Promise((resolve) => (this.#letGo = resolve));
    this.isWaiting = new Promise((resolve) => (this.#tellWaiting = resolve));
  }

  letGo(): void {
    this.#letGo();
  }

  override async open(path: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    const file = await super.open(path, options);
    const sync = file.sync.bind(file);
    file.sync = async () => {
      this.#tellWaiting();
      await this.#gate;
      return sync();
    };
    return file;
  }
}
