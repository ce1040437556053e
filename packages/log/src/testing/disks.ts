import { DiskError } from "@samsa/base";
import type { DirectoryEntry, Disk, DiskFile, DiskSpace } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";

/** A call that a WatchedDisk has seen: `write /data/a-0/0.log 3 chunks at 0`. */
export type DiskCall = string;

/**
 * Passes everything on to another disk and notes it. A test may hold calls back, or make them fail.
 */
export class WatchedDisk implements Disk {
  readonly calls: DiskCall[] = [];
  /** How many handles are open, and the most there were. */
  openFiles = 0;
  mostOpenFiles = 0;
  /** Called before each call is passed on; what it throws is what the call rejects with. */
  before: (call: DiskCall) => void | Promise<void> = () => undefined;
  readonly #disk: Disk;

  constructor(disk: Disk = new MemoryDisk()) {
    this.#disk = disk;
  }

  async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    await this.note(`open ${path}`);
    const file = new WatchedFile(this, path, await this.#disk.open(path, options));
    this.openFiles++;
    this.mostOpenFiles = Math.max(this.mostOpenFiles, this.openFiles);
    return file;
  }

  async fileSize(path: string): Promise<number | undefined> {
    await this.note(`stat ${path}`);
    return this.#disk.fileSize(path);
  }

  async modifiedMs(path: string): Promise<number | undefined> {
    await this.note(`stat ${path}`);
    return this.#disk.modifiedMs(path);
  }

  async setModifiedMs(path: string, wallMs: number): Promise<void> {
    await this.note(`utimes ${path} ${wallMs}`);
    return this.#disk.setModifiedMs(path, wallMs);
  }

  async list(path: string): Promise<readonly DirectoryEntry[]> {
    await this.note(`list ${path}`);
    return this.#disk.list(path);
  }

  async makeDirectory(path: string): Promise<void> {
    await this.note(`mkdir ${path}`);
    return this.#disk.makeDirectory(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.note(`rename ${from} ${to}`);
    return this.#disk.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await this.note(`remove ${path}`);
    return this.#disk.remove(path);
  }

  async removeDirectory(path: string): Promise<void> {
    await this.note(`rmdir ${path}`);
    return this.#disk.removeDirectory(path);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.note(`sync ${path}/`);
    return this.#disk.syncDirectory(path);
  }

  async space(path: string): Promise<DiskSpace> {
    await this.note(`statfs ${path}`);
    return this.#disk.space(path);
  }

  async note(call: DiskCall): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}

class WatchedFile implements DiskFile {
  readonly #disk: WatchedDisk;
  readonly #path: string;
  readonly #file: DiskFile;

  constructor(disk: WatchedDisk, path: string, file: DiskFile) {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    await this.#disk.note(`read ${this.#path} ${into.length} bytes at ${position}`);
    return this.#file.read(position, into);
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    await this.#disk.note(`write ${this.#path} ${chunks.length} chunks at ${position}`);
    return this.#file.write(position, chunks);
  }

  async truncate(size: number): Promise<void> {
    await this.#disk.note(`truncate ${this.#path} to ${size}`);
    return this.#file.truncate(size);
  }

  async sync(): Promise<void> {
    await this.#disk.note(`sync ${this.#path}`);
    return this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
    this.#disk.openFiles--;
  }
}

/** What a disk says that has had enough. */
export function ioError(code = "EIO"): DiskError {
  return new DiskError(code, "/", `${code}: injected`);
}

export async function readFile(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path);
  try {
    const bytes = new Uint8Array(await file.size());
    await file.read(0, bytes);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Makes the folder, and the file with just this content. */
export async function writeFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  await disk.makeDirectory(path.slice(0, path.lastIndexOf("/")) || "/");
  const file = await disk.open(path, { create: true });
  try {
    await file.truncate(0);
    await file.write(0, [bytes]);
  } finally {
    await file.close();
  }
}

/** Every file below a folder, by path relative to it. */
export async function readTree(disk: Disk, folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const visit = async (path: string, prefix: string): Promise<void> => {
    for (const { name, isDirectory } of await disk.list(path)) {
      if (isDirectory) await visit(`${path}/${name}`, `${prefix}${name}/`);
      else files.set(prefix + name, await readFile(disk, `${path}/${name}`));
    }
  };
  await visit(folder, "");
  return files;
}

/** A second disk with a folder's files: what is there after the process is gone. `alter` may tear them. */
export async function copyDisk(
  disk: Disk,
  folder: string,
  alter: (path: string, bytes: Uint8Array) => Uint8Array = (_path, bytes) => bytes,
): Promise<MemoryDisk> {
  const copy = new MemoryDisk();
  await copy.makeDirectory(folder);
  for (const [path, bytes] of await readTree(disk, folder))
    await writeFile(copy, `${folder}/${path}`, alter(path, bytes));
  return copy;
}
