import fs from "node:fs";
import path from "node:path";
import type { DiskFile } from "@samsa/base";
import { DiskError } from "@samsa/base";
import { toDiskError } from "./disk-errors.ts";
import { NodeDisk } from "./node-disk.ts";
import { NodeFile } from "./node-file.ts";

/** The disk of this machine for those who only look: nothing is made or changed, and no right to write is needed. */
export class ReadOnlyDisk extends NodeDisk {
  override async open(name: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    if (options.create === true) return this.#refuse(name);
    const file = path.resolve(this.root, name);
    return await new Promise((resolve, reject) => {
      fs.open(file, fs.constants.O_RDONLY, (error, descriptor) => {
        if (error === null) resolve(new NodeFile(descriptor, file));
        else reject(toDiskError(error, "open", file));
      });
    });
  }

  override async makeDirectory(name: string): Promise<void> {
    this.#refuse(name);
  }

  override async rename(from: string): Promise<void> {
    this.#refuse(from);
  }

  override async remove(name: string): Promise<void> {
    this.#refuse(name);
  }

  override async removeDirectory(name: string): Promise<void> {
    this.#refuse(name);
  }

  #refuse(name: string): never {
    throw new DiskError("EROFS", name, `${name} is only looked at (EROFS)`);
  }
}
