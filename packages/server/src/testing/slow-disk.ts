import type { DiskFile } from "@samsa/base";
import { DiskError } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";

/** A disk in memory that takes writes at once, but for those to one folder, which wait or are refused. */
export class SlowDisk extends MemoryDisk {
  /** Part of the paths that are slow or bad; nothing is before it is set. */
  folder: string | undefined;
  /** What becomes of writes there. */
  mode: "held" | "refused" = "held";
  readonly #held: (() => void)[] = [];

  /** What was held is taken, and what comes too. */
  release(): void {
    this.folder = undefined;
    for (const go of this.#held.splice(0)) go();
  }

  override async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options);
    const write = file.write.bind(file);
    const writeNow = file.writeNow?.bind(file);
    file.write = async (position, chunks) => {
      if (this.#isHeld(path)) await new Promise<void>((go) => this.#held.push(go));
      await write(position, chunks);
    };
    file.writeNow = (position, chunks) => !this.#isHeld(path) && (writeNow?.(position, chunks) ?? false);
    return file;
  }

  /** @throws DiskError EIO when it is refused */
  #isHeld(path: string): boolean {
    if (this.folder === undefined || !path.includes(this.folder)) return false;
    if (this.mode === "refused") throw new DiskError("EIO", path, "EIO: injected");
    return true;
  }
}
