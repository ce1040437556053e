import fs from "node:fs";
import { constants } from "node:fs";
import path from "node:path";

import { type DirectoryEntry, type Disk, DiskError, type DiskFile, type DiskSpace } from "@samsa/base";

import { diskError, toDiskError } from "./disk-errors.ts";
import { NodeFile } from "./node-file.ts";

/** The disk of this machine. Relative paths start at `root`, which need not exist yet: `makeDirectory("")` makes it. */
export class NodeDisk implements Disk {
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  async open(name: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    const file = this.#resolve(name);
    const flags = options.create === true ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR;
    return attempt("open", file, async () => new NodeFile(await openDescriptor(file, flags), file));
  }

  async fileSize(name: string): Promise<number | undefined> {
    const file = this.#resolve(name);
    const stats = await unlessMissing(() => attempt("stat", file, () => fs.promises.stat(file)));
    return stats?.isFile() === true ? stats.size : undefined;
  }

  async modifiedMs(name: string): Promise<number | undefined> {
    const file = this.#resolve(name);
    const stats = await unlessMissing(() => attempt("stat", file, () => fs.promises.stat(file)));
    return stats?.isFile() === true ? Math.round(stats.mtimeMs) : undefined;
  }

  async setModifiedMs(name: string, wallMs: number): Promise<void> {
    const file = this.#resolve(name);
    const time = new Date(wallMs);
    await attempt("set the time of", file, () => fs.promises.utimes(file, time, time));
  }

  async list(name: string): Promise<readonly DirectoryEntry[]> {
    const folder = this.#resolve(name);
    const entries = await attempt("list", folder, () => fs.promises.readdir(folder, { withFileTypes: true }));
    return Promise.all(
      entries.map(async (entry) => {
        if (!entry.isSymbolicLink()) return { name: entry.name, isDirectory: entry.isDirectory() };
        // Operators move a partition to another disk and leave a link; what counts is where it leads.
        const target = path.join(folder, entry.name);
        const stats = await unlessMissing(() => attempt("stat", target, () => fs.promises.stat(target)));
        return { name: entry.name, isDirectory: stats?.isDirectory() ?? false };
      }),
    );
  }

  async makeDirectory(name: string): Promise<void> {
    const folder = this.#resolve(name);
    await attempt("make folder", folder, () => fs.promises.mkdir(folder, { recursive: true }));
  }

  async rename(from: string, to: string): Promise<void> {
    const source = this.#resolve(from);
    const target = this.#resolve(to);
    await attempt(`rename to ${target}:`, source, () => fs.promises.rename(source, target));
  }

  async remove(name: string): Promise<void> {
    const file = this.#resolve(name);
    await unlessMissing(() => attempt("remove", file, () => fs.promises.unlink(file)));
  }

  async removeDirectory(name: string): Promise<void> {
    const folder = this.#resolve(name);
    const stats = await unlessMissing(() => attempt("remove folder", folder, () => fs.promises.lstat(folder)));
    if (stats === undefined) return;
    // `rm` would take a file as readily. Of a link only the link goes, as in Kafka.
    if (stats.isSymbolicLink()) return this.remove(folder);
    if (!stats.isDirectory()) throw diskError("ENOTDIR", "remove folder", folder);
    await attempt("remove folder", folder, () => fs.promises.rm(folder, { recursive: true, force: true }));
  }

  async syncDirectory(name: string): Promise<void> {
    const folder = this.#resolve(name);
    // Windows has no such call; NTFS journals names itself.
    if (process.platform === "win32") return;
    await attempt("sync folder", folder, async () => {
      const descriptor = await openDescriptor(folder, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await fsync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
    });
  }

  async space(name: string): Promise<DiskSpace> {
    const folder = this.#resolve(name);
    const { bsize, blocks, bavail } = await attempt("statfs", folder, () => fs.promises.statfs(folder));
    return { totalBytes: bsize * blocks, usableBytes: bsize * bavail };
  }

  /** `path.resolve` takes `/` on every system. */
  #resolve(name: string): string {
    return path.resolve(this.root, name);
  }
}

function openDescriptor(file: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(file, flags, 0o666, (error, descriptor) => {
      if (error) reject(error);
      else resolve(descriptor);
    });
  });
}

/** Some network file systems cannot sync a folder and say EINVAL. Nothing is lost by going on: PostgreSQL does so too. */
function fsync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(descriptor, (error) => {
      if (error && error.code !== "EINVAL" && error.code !== "ENOTSUP") reject(error);
      else resolve();
    });
  });
}

async function attempt<T>(operation: string, file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toDiskError(error, operation, file);
  }
}

async function unlessMissing<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof DiskError && error.code === "ENOENT") return undefined;
    throw error;
  }
}
