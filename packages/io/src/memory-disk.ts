import { posix } from "node:path";

import { assert, type Clock, type DirectoryEntry, type Disk, type DiskFile, type DiskSpace } from "@samsa/base";

import { diskError } from "./disk-errors.ts";
import { MemoryFile, MemoryInode, PageBudget } from "./memory-file.ts";
import { SystemClock } from "./system-clock.ts";

export interface MemoryDiskOptions {
  /** Bytes it may hold, counted in pages of 4 KiB; beyond that a write is ENOSPC. Without limit when left out. */
  readonly capacityBytes?: number;
  /** For the times of files. The system's when left out. */
  readonly clock?: Clock;
}

interface Folder {
  readonly kind: "folder";
  readonly entries: Map<string, Folder | MemoryInode>;
}

/** All that was on a disk at one moment. */
export interface MemoryDiskCopy {
  readonly usedBytes: number;
}

/**
 * A POSIX disk in memory, for tests and for brokers that keep nothing. Relative paths start at `/`. A file may be renamed or
 * removed while open, holes take no room, and what happens is done before the promise is given.
 */
export class MemoryDisk implements Disk {
  #root: Folder = newFolder();
  readonly #copies = new WeakMap<MemoryDiskCopy, Folder>();
  readonly #budget: PageBudget;
  readonly #clock: Clock;

  constructor(options: MemoryDiskOptions = {}) {
    this.#clock = options.clock ?? new SystemClock();
    this.#budget = new PageBudget(options.capacityBytes ?? Number.POSITIVE_INFINITY);
  }

  /** Bytes taken, by files that have a name and by removed ones that are still open. */
  get usedBytes(): number {
    return this.#budget.usedBytes;
  }

  /** What is there now. It costs no more than its list of pages, for both share those that neither writes to. */
  copy(): MemoryDiskCopy {
    const budget = new PageBudget(Number.POSITIVE_INFINITY);
    const root = copyOf(this.#root, budget);
    const copy: MemoryDiskCopy = { usedBytes: budget.usedBytes };
    this.#copies.set(copy, root);
    return copy;
  }

  /** Makes the disk what it was, as often as wanted. Files that are open stay what they are, without a name. */
  putBack(copy: MemoryDiskCopy): void {
    const root = this.#copies.get(copy);
    assert(root !== undefined, "a copy of this disk");
    letGoOfAll(this.#root);
    this.#root = copyOf(root, this.#budget);
  }

  async open(path: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    const file = locate(path, "open");
    const existing = this.#find(file);
    if (existing?.kind === "folder") throw diskError("EISDIR", "open", file.path);
    if (existing !== undefined) return new MemoryFile(existing, file.path, this.#clock);
    if (options.create !== true) throw diskError("ENOENT", "open", file.path);
    const inode = new MemoryInode(this.#budget, this.#clock.wallMs());
    this.#parentOf(file).entries.set(file.name, inode);
    return new MemoryFile(inode, file.path, this.#clock);
  }

  async fileSize(path: string): Promise<number | undefined> {
    const node = this.#find(locate(path, "stat"));
    return node?.kind === "file" ? node.size : undefined;
  }

  async modifiedMs(path: string): Promise<number | undefined> {
    const node = this.#find(locate(path, "stat"));
    return node?.kind === "file" ? node.modifiedMs : undefined;
  }

  async setModifiedMs(path: string, wallMs: number): Promise<void> {
    const file = locate(path, "set the time of");
    const node = this.#find(file);
    if (node?.kind !== "file") throw diskError("ENOENT", file.operation, file.path);
    node.modifiedMs = wallMs;
  }

  async list(path: string): Promise<readonly DirectoryEntry[]> {
    const { entries } = this.#folder(locate(path, "list"));
    return Array.from(entries, ([name, node]) => ({ name, isDirectory: node.kind === "folder" }));
  }

  async makeDirectory(path: string): Promise<void> {
    const location = locate(path, "make folder");
    let folder = this.#root;
    for (const [depth, name] of location.names.entries()) {
      const isLast = depth === location.names.length - 1;
      const node = folder.entries.get(name) ?? newFolder();
      if (node.kind === "file") throw diskError(isLast ? "EEXIST" : "ENOTDIR", "make folder", location.path);
      folder.entries.set(name, node);
      folder = node;
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const source = locate(from, "rename");
    const target = locate(to, "rename");
    if (source.name === "" || target.name === "") throw diskError("EBUSY", "rename", "/");
    // In the order in which Linux looks, so that the same error wins.
    const sourceFolder = this.#parentOf(source);
    const targetFolder = this.#parentOf(target);
    const moved = sourceFolder.entries.get(source.name);
    if (moved === undefined) throw diskError("ENOENT", "rename", source.path);
    if (source.path === target.path) return;
    if (`${target.path}/`.startsWith(`${source.path}/`)) throw diskError("EINVAL", "rename", source.path);
    if (`${source.path}/`.startsWith(`${target.path}/`)) throw diskError("ENOTEMPTY", "rename", target.path);
    const replaced = targetFolder.entries.get(target.name);
    if (replaced?.kind === "folder") {
      if (moved.kind === "file") throw diskError("EISDIR", "rename", target.path);
      if (replaced.entries.size > 0) throw diskError("ENOTEMPTY", "rename", target.path);
    }
    if (replaced?.kind === "file") {
      if (moved.kind === "folder") throw diskError("ENOTDIR", "rename", target.path);
      replaced.letGo();
    }
    sourceFolder.entries.delete(source.name);
    targetFolder.entries.set(target.name, moved);
  }

  async remove(path: string): Promise<void> {
    const file = locate(path, "remove");
    const node = this.#find(file);
    if (node === undefined) return;
    if (node.kind === "folder") throw diskError("EISDIR", "remove", file.path);
    this.#parentOf(file).entries.delete(file.name);
    node.letGo();
  }

  async removeDirectory(path: string): Promise<void> {
    const location = locate(path, "remove folder");
    const node = this.#find(location);
    if (node === undefined) return;
    if (node.kind === "file") throw diskError("ENOTDIR", "remove folder", location.path);
    if (node === this.#root) throw diskError("EBUSY", "remove folder", location.path);
    this.#parentOf(location).entries.delete(location.name);
    letGoOfAll(node);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#folder(locate(path, "sync folder"));
  }

  async space(path: string): Promise<DiskSpace> {
    this.#folder(locate(path, "statfs"));
    const totalBytes = this.#budget.limitBytes;
    return { totalBytes, usableBytes: totalBytes - this.#budget.usedBytes };
  }

  /** What is there; undefined when nothing is, ENOTDIR when a file stands where a folder should. */
  #find(location: Location): Folder | MemoryInode | undefined {
    let node: Folder | MemoryInode | undefined = this.#root;
    for (const name of location.names) {
      if (node.kind === "file") throw diskError("ENOTDIR", location.operation, location.path);
      node = node.entries.get(name);
      if (node === undefined) return undefined;
    }
    return node;
  }

  #folder(location: Location): Folder {
    const node = this.#find(location);
    if (node === undefined) throw diskError("ENOENT", location.operation, location.path);
    if (node.kind === "file") throw diskError("ENOTDIR", location.operation, location.path);
    return node;
  }

  #parentOf(location: Location): Folder {
    return this.#folder({ ...location, names: location.names.slice(0, -1) });
  }
}

interface Location {
  readonly path: string;
  readonly names: readonly string[];
  readonly name: string;
  readonly operation: string;
}

function locate(path: string, operation: string): Location {
  if (path.includes("\0")) throw diskError("EINVAL", operation, path);
  const absolute = posix.resolve("/", path);
  const names = absolute.split("/").filter((name) => name !== "");
  return { path: absolute, names, name: names.at(-1) ?? "", operation };
}

function newFolder(): Folder {
  return { kind: "folder", entries: new Map() };
}

function letGoOfAll(folder: Folder): void {
  for (const node of folder.entries.values()) {
    if (node.kind === "folder") letGoOfAll(node);
    else node.letGo();
  }
}

function copyOf(folder: Folder, budget: PageBudget): Folder {
  const copy = newFolder();
  for (const [name, node] of folder.entries) {
    copy.entries.set(name, node.kind === "folder" ? copyOf(node, budget) : node.copy(budget));
  }
  return copy;
}
