import { posix } from "node:path";
import type { Clock, DirectoryEntry, Disk, DiskFile, DiskSpace } from "@samsa/base";
import { assert } from "@samsa/base";
import type { DiskFault, DiskOperation, DiskOperationKind } from "./disk-fault.ts";
import { diskError, PendingFault } from "./disk-fault.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { ContentFate } from "./simulated-content.ts";
import { CONTENT_FATES, pick, SimulatedContent } from "./simulated-content.ts";
import type { SimulatedNode } from "./simulated-folder.ts";
import { SimulatedFolder } from "./simulated-folder.ts";

/** Files lie in memory, holes and all. */
const MOST_FILE_BYTES = 256 * 1024 ** 2;
const TIME_WITHOUT_CLOCK_MS = 1_700_000_000_000;

export interface SimulatedDiskOptions {
  readonly seed?: number;
  /** Up to so many turns of the microtask queue pass before and after each operation. 0: everything happens at once. */
  readonly mostTurns?: number;
  /** How long an operation takes, on this clock; not at all when left out. */
  /** For the times of files; all are of 2023 when left out. */
  readonly clock?: Clock;
  readonly slowness?: { readonly clock: Clock; delayMs(operation: DiskOperation): number };
}

export interface CrashOptions {
  /** `kept`: the process ends and the system lives on, so that nothing is lost. `lost` when left out. */
  readonly power?: "kept" | "lost";
  /** Of all files; of each file any when left out. */
  readonly fate?: ContentFate;
}

/**
 * A POSIX disk in memory, under a seed. Whatever the promises of POSIX allow may happen to it: `crash` loses, keeps or tears what
 * was not synced, operations fail as told (`inject`), and those under way at the same time end in any order. The same seed
 * and the same calls give the same.
 */
export class SimulatedDisk implements Disk {
  /** Every call so far. */
  readonly trace: DiskOperation[] = [];
  /** Called when the crash happens that `crashAt` asked for: nothing that was called on this disk settles any more. */
  onCrash: () => void = () => undefined;
  readonly #options: SimulatedDiskOptions;
  readonly #timing: SeededRandom;
  readonly #fates: SeededRandom;
  readonly #folders = new Set<SimulatedFolder>();
  readonly #files = new Set<SimulatedContent>();
  #faults: PendingFault[] = [];
  #root: SimulatedFolder;
  #crashAt = Infinity;
  #isCrashed = false;

  constructor(options: SimulatedDiskOptions = {}) {
    const { seed = 1 } = options;
    this.#options = options;
    this.#timing = new SeededRandom(seed);
    this.#fates = new SeededRandom(seed ^ 0x5bd1e995); // apart, so that one more operation does not change what survives
    this.#root = this.#newFolder();
  }

  /** What a file that is changed now says of the time. */
  get nowMs(): number {
    return this.#options.clock?.wallMs() ?? TIME_WITHOUT_CLOCK_MS;
  }

  get operationCount(): number {
    return this.trace.length;
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  /** Sets up a fault, which begins to count now. */
  inject(fault: DiskFault): PendingFault {
    const pending = new PendingFault(fault);
    this.#faults.push(pending);
    return pending;
  }

  /** Nothing fails any more. */
  heal(): void {
    this.#faults = [];
  }

  /** The disk stops in the middle of the n-th operation from now, from 1. What follows is for `crash` to say. */
  crashAt(nth: number): void {
    this.#crashAt = this.trace.length + nth;
  }

  /** Ends this disk, where what is under way never ends, and returns the one that is found afterwards. */
  crash(options: CrashOptions & SimulatedDiskOptions = {}): SimulatedDisk {
    const { power = "lost", fate, ...others } = options;
    this.#isCrashed = true;
    const random = this.#fates;
    for (const file of this.#files) {
      if (power === "kept") file.keepCache();
      else file.loseCache(fate ?? pick(random, CONTENT_FATES), random);
    }
    for (const folder of this.#folders) {
      const { changes } = folder;
      const kept = power === "kept" ? changes.length : countOfKept(changes.length, fate, random);
      folder.settle(changes[kept - 1]);
    }
    for (const folder of this.#folders) folder.loseCache();
    const next = new SimulatedDisk({ ...this.#options, seed: random.uint32(), ...others });
    next.#adopt(this.#root);
    return next;
  }

  /** Every file that the process sees, by path. */
  files(): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    const visit = (folder: SimulatedFolder, path: string): void => {
      for (const [name, node] of folder.entries) {
        if (node.kind === "folder") visit(node, `${path}/${name}`);
        else found.set(`${path}/${name}`, node.bytes());
      }
    };
    visit(this.#root, "");
    return found;
  }

  /** Puts a file there from outside, safe at once, and the folders above it; without bytes it goes. */
  put(path: string, bytes: Uint8Array | undefined): void {
    const { names } = locate(path, "put");
    let folder = this.#root;
    for (const name of names.slice(0, -1)) {
      const node = folder.entries.get(name) ?? this.#newFolder();
      assert(node.kind === "folder", `${path} lies in a folder`);
      if (!folder.entries.has(name)) SimulatedFolder.change([{ folder, name, node }]);
      folder.settle(folder.changes.at(-1));
      folder = node;
    }
    const node = bytes === undefined ? undefined : SimulatedContent.of(bytes);
    if (node !== undefined) node.modifiedMs = this.nowMs;
    if (node !== undefined) this.#files.add(node);
    SimulatedFolder.change([{ folder, name: names.at(-1) ?? "", node }]);
    folder.settle(folder.changes.at(-1));
  }

  async open(path: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    const file = locate(path, "open");
    const isNew = options.create === true;
    return this.perform(isNew ? "create" : "open", file.path, "", () => {
      const existing = this.#find(file);
      if (existing?.kind === "folder") throw diskError("EISDIR", "open", file.path);
      if (existing !== undefined) return new SimulatedFile(this, existing, file.path);
      if (!isNew) throw diskError("ENOENT", "open", file.path);
      const content = new SimulatedContent();
      content.modifiedMs = this.nowMs;
      SimulatedFolder.change([{ folder: this.#parentOf(file), name: file.name, node: content }]);
      this.#files.add(content);
      return new SimulatedFile(this, content, file.path);
    });
  }

  async fileSize(path: string): Promise<number | undefined> {
    const file = locate(path, "stat");
    return this.perform("stat", file.path, "", () => {
      const node = this.#find(file);
      return node?.kind === "file" ? node.size : undefined;
    });
  }

  async modifiedMs(path: string): Promise<number | undefined> {
    const file = locate(path, "stat");
    return this.perform("stat", file.path, "", () => {
      const node = this.#find(file);
      return node?.kind === "file" ? node.modifiedMs : undefined;
    });
  }

  async setModifiedMs(path: string, wallMs: number): Promise<void> {
    const file = locate(path, "set the time of");
    return this.perform("utimes", file.path, `to ${wallMs}`, () => {
      const node = this.#find(file);
      if (node?.kind !== "file") throw diskError("ENOENT", "utimes", file.path);
      node.modifiedMs = wallMs;
    });
  }

  async list(path: string): Promise<readonly DirectoryEntry[]> {
    const location = locate(path, "list");
    return this.perform("list", location.path, "", () => {
      const { entries } = this.#folder(location);
      return Array.from(entries, ([name, node]) => ({ name, isDirectory: node.kind === "folder" }));
    });
  }

  async makeDirectory(path: string): Promise<void> {
    const location = locate(path, "make folder");
    return this.perform("mkdir", location.path, "", () => {
      let folder = this.#root;
      for (const [depth, name] of location.names.entries()) {
        const isLast = depth === location.names.length - 1;
        const node = folder.entries.get(name) ?? this.#newFolder();
        if (node.kind === "file") throw diskError(isLast ? "EEXIST" : "ENOTDIR", "make folder", location.path);
        if (!folder.entries.has(name)) SimulatedFolder.change([{ folder, name, node }]);
        folder = node;
      }
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const source = locate(from, "rename");
    const target = locate(to, "rename");
    return this.perform("rename", source.path, target.path, () => {
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
      if (replaced?.kind === "file" && moved.kind === "folder") throw diskError("ENOTDIR", "rename", target.path);
      SimulatedFolder.change([
        { folder: sourceFolder, name: source.name, node: undefined },
        { folder: targetFolder, name: target.name, node: moved },
      ]);
    });
  }

  async remove(path: string): Promise<void> {
    const file = locate(path, "remove");
    return this.perform("remove", file.path, "", () => {
      const node = this.#find(file);
      if (node === undefined) return;
      if (node.kind === "folder") throw diskError("EISDIR", "remove", file.path);
      SimulatedFolder.change([{ folder: this.#parentOf(file), name: file.name, node: undefined }]);
    });
  }

  async removeDirectory(path: string): Promise<void> {
    const location = locate(path, "remove folder");
    return this.perform("rmdir", location.path, "", () => {
      const node = this.#find(location);
      if (node === undefined) return;
      if (node.kind === "file") throw diskError("ENOTDIR", "remove folder", location.path);
      if (node === this.#root) throw diskError("EBUSY", "remove folder", location.path);
      removeAllIn(node);
      SimulatedFolder.change([{ folder: this.#parentOf(location), name: location.name, node: undefined }]);
    });
  }

  async syncDirectory(path: string): Promise<void> {
    const location = locate(path, "sync folder");
    const last = this.#isCrashed ? undefined : this.#folderOrNone(location)?.changes.at(-1);
    return this.perform("sync-folder", location.path, "", () => this.#folder(location).settle(last));
  }

  /** Without limit: faults make it full. */
  async space(path: string): Promise<DiskSpace> {
    const location = locate(path, "statfs");
    return this.perform("stat", location.path, "space", () => {
      this.#folder(location);
      return { totalBytes: Infinity, usableBytes: Infinity };
    });
  }

  /** Called by SimulatedFile, too: notes the operation, and does it if nothing is against it. */
  async perform<T>(
    kind: DiskOperationKind,
    path: string,
    detail: string,
    action: () => T,
    partial: (random: SeededRandom) => void = () => undefined,
  ): Promise<T> {
    if (this.#isCrashed) return never();
    const operation: DiskOperation = { number: this.trace.length + 1, kind, path, detail };
    this.trace.push(operation);
    if (operation.number >= this.#crashAt) {
      const howFar = pick(this.#fates, ["not begun", "begun", "done"]);
      if (howFar === "begun") partial(this.#fates);
      if (howFar === "done") attempt(action);
      this.#isCrashed = true;
      this.onCrash();
      return never();
    }
    const fault = this.#faultOf(operation);
    await this.#wait(operation);
    if (fault !== undefined) {
      operation.failure = fault.code;
      if (fault.isShort === true || kind === "sync") partial(this.#fates);
      throw diskError(fault.code, kind, path);
    }
    const result = action();
    await this.#wait(undefined);
    return result;
  }

  /**
   * The same for what may be over when it returns. False, and nothing is noted, where the disk stops or takes its time.
   * @throws DiskError for a fault
   */
  performNow(
    kind: DiskOperationKind,
    path: string,
    detail: string,
    action: () => void,
    partial: (random: SeededRandom) => void,
  ): boolean {
    const { mostTurns = 0, slowness } = this.#options;
    if (this.#isCrashed || this.trace.length + 1 >= this.#crashAt || slowness !== undefined) return false;
    if (mostTurns > 0 && this.#timing.uint32() % 2 === 0) return false;
    const operation: DiskOperation = { number: this.trace.length + 1, kind, path, detail };
    this.trace.push(operation);
    const fault = this.#faultOf(operation);
    if (fault !== undefined) {
      operation.failure = fault.code;
      if (fault.isShort === true) partial(this.#fates);
      throw diskError(fault.code, kind, path);
    }
    action();
    return true;
  }

  /** The first that strikes; all of them count the operation. */
  #faultOf(operation: DiskOperation): DiskFault | undefined {
    let fault: DiskFault | undefined;
    for (const pending of this.#faults) if (pending.strikes(operation)) fault ??= pending.fault;
    return fault;
  }

  async #wait(operation: DiskOperation | undefined): Promise<void> {
    const { mostTurns = 0, slowness } = this.#options;
    const delayMs = operation === undefined ? 0 : (slowness?.delayMs(operation) ?? 0);
    if (delayMs > 0) await new Promise<void>((resolve) => slowness?.clock.setTimer(delayMs, resolve));
    const turns = mostTurns === 0 ? 0 : this.#timing.uint32() % (mostTurns + 1);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    if (this.#isCrashed) await never();
  }

  #adopt(root: SimulatedFolder): void {
    this.#root = root;
    this.#folders.clear();
    const visit = (node: SimulatedNode): void => {
      if (node.kind === "file") {
        this.#files.add(node);
        return;
      }
      this.#folders.add(node);
      for (const child of node.entries.values()) visit(child);
    };
    visit(root);
  }

  #newFolder(): SimulatedFolder {
    const folder = new SimulatedFolder();
    this.#folders.add(folder);
    return folder;
  }

  /** What is there; undefined when nothing is, ENOTDIR when a file stands where a folder should. */
  #find(location: Location): SimulatedNode | undefined {
    let node: SimulatedNode | undefined = this.#root;
    for (const name of location.names) {
      if (node.kind === "file") throw diskError("ENOTDIR", location.operation, location.path);
      node = node.entries.get(name);
      if (node === undefined) return undefined;
    }
    return node;
  }

  #folder(location: Location): SimulatedFolder {
    const node = this.#find(location);
    if (node === undefined) throw diskError("ENOENT", location.operation, location.path);
    if (node.kind === "file") throw diskError("ENOTDIR", location.operation, location.path);
    return node;
  }

  #folderOrNone(location: Location): SimulatedFolder | undefined {
    try {
      return this.#folder(location);
    } catch {
      return undefined; // the operation itself says why
    }
  }

  #parentOf(location: Location): SimulatedFolder {
    return this.#folder({ ...location, names: location.names.slice(0, -1) });
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk;
  readonly #content: SimulatedContent;
  readonly #path: string;
  readonly #underWay = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(disk: SimulatedDisk, content: SimulatedContent, path: string) {
    this.#disk = disk;
    this.#content = content;
    this.#path = path;
  }

  async size(): Promise<number> {
    return this.#perform("size", "", () => this.#content.size);
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    checkPosition(position);
    return this.#perform("read", `${into.length} bytes at ${position}`, () => this.#content.read(position, into));
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    const { detail, action, partial } = this.#writing(position, chunks);
    return this.#perform("write", detail, action, partial);
  }

  writeNow(position: number, chunks: readonly Uint8Array[]): boolean {
    const { detail, action, partial } = this.#writing(position, chunks);
    return !this.#isClosed && this.#disk.performNow("write", this.#path, detail, action, partial);
  }

  #writing(position: number, chunks: readonly Uint8Array[]) {
    checkPosition(position);
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const write = (mostBytes: number): void => {
      this.#checkSize("write", position + length);
      let at = position;
      let left = mostBytes;
      for (const chunk of chunks) {
        const taken = chunk.subarray(0, left);
        this.#content.write(at, taken);
        this.#content.modifiedMs = this.#disk.nowMs;
        at += taken.length;
        left -= taken.length;
      }
    };
    return {
      detail: `${length} bytes at ${position}`,
      action: () => write(length),
      partial: (random: SeededRandom) => write(random.uint32() % Math.max(1, length)),
    };
  }

  async truncate(size: number): Promise<void> {
    checkPosition(size);
    return this.#perform("truncate", `to ${size}`, () => {
      this.#checkSize("truncate", size);
      this.#content.truncate(size);
      this.#content.modifiedMs = this.#disk.nowMs;
    });
  }

  async sync(): Promise<void> {
    const { changeCount } = this.#content;
    return this.#perform(
      "sync",
      "",
      () => this.#content.settle(changeCount),
      (random) => this.#content.lose(random),
    );
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
    await this.#disk.perform("close", this.#path, "", () => undefined);
  }

  #checkSize(kind: DiskOperationKind, size: number): void {
    if (size > MOST_FILE_BYTES) throw diskError("EFBIG", kind, this.#path);
  }

  async #perform<T>(
    kind: DiskOperationKind,
    detail: string,
    action: () => T,
    partial?: (random: SeededRandom) => void,
  ): Promise<T> {
    if (this.#isClosed) throw diskError("EBADF", kind, this.#path);
    const performed = this.#disk.perform(kind, this.#path, detail, action, partial);
    this.#underWay.add(performed);
    try {
      return await performed;
    } finally {
      this.#underWay.delete(performed);
    }
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

function removeAllIn(folder: SimulatedFolder): void {
  for (const [name, node] of folder.entries) {
    if (node.kind === "folder") removeAllIn(node);
    SimulatedFolder.change([{ folder, name, node: undefined }]);
  }
}

function countOfKept(changes: number, fate: ContentFate | undefined, random: SeededRandom): number {
  if (fate === "kept") return changes;
  if (fate === "dropped") return 0;
  return pick(random, [0, changes, random.uint32() % (changes + 1)]);
}

function checkPosition(position: number): void {
  assert(Number.isSafeInteger(position) && position >= 0, `a file position is a whole number from 0: ${position}`);
}

function attempt(action: () => unknown): void {
  try {
    action();
  } catch {
    // it would have been refused
  }
}

function never(): Promise<never> {
  return new Promise<never>(() => undefined);
}
