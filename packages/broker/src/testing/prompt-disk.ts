import type { DiskFile } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";

/** A disk in memory that takes writes to segments at once, or not before it is told to, or refuses them. */
export class PromptDisk extends MemoryDisk {
  /** Of segments, those by promise too. */
  writes = 0;
  failure: Error | undefined;
  readonly #held: (() => void)[] = [];
  #isHolding = false;

  /** Nothing is taken at once from here on, and by promise not before `release`. */
  hold(): void {
    this.#isHolding = true;
  }

  /** What was held is taken, and what comes is taken at once again. */
  release(): void {
    this.#isHolding = false;
    for (const go of this.#held.splice(0)) go();
  }

  override async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options);
    if (!path.endsWith(".log")) return file;
    const write = file.write.bind(file);
    const writeNow = file.writeNow?.bind(file);
    file.write = async (position, chunks) => {
      if (this.#isHolding) await new Promise<void>((go) => this.#held.push(go));
      this.#note();
      await write(position, chunks);
    };
    file.writeNow = (position, chunks) => {
      if (this.#isHolding) return false;
      this.#note();
      return writeNow?.(position, chunks) ?? false;
    };
    return file;
  }

  #note(): void {
    if (this.failure !== undefined) throw this.failure;
    this.writes++;
  }
}
