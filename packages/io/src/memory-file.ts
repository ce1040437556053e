import { type Clock, type DiskFile } from "@samsa/base";

import { assertFilePosition, diskError } from "./disk-errors.ts";

/** Room on a memory disk is given out in pages, as a file system does; a hole takes none. */
export const PAGE_BYTES = 4096;

/** How many pages a disk has given out, and how many it may. */
export class PageBudget {
  readonly #capacity: number;
  #used = 0;

  constructor(capacityBytes: number) {
    this.#capacity = Math.floor(capacityBytes / PAGE_BYTES);
  }

  get usedBytes(): number {
    return this.#used * PAGE_BYTES;
  }

  get limitBytes(): number {
    return this.#capacity * PAGE_BYTES;
  }

  take(): boolean {
    if (this.#used >= this.#capacity) return false;
    this.#used++;
    return true;
  }

  release(pages: number): void {
    this.#used -= pages;
  }
}

/** Four KiB of content. */
interface Page {
  readonly bytes: Uint8Array;
  /** A copy of the disk has it too: whoever writes takes one of his own. */
  isShared: boolean;
}

/** Content, apart from its name: it lives while it has a name or an open handle, as an inode does. */
export class MemoryInode {
  readonly kind = "file";
  modifiedMs: number;
  readonly #budget: PageBudget;
  readonly #pages = new Map<number, Page>();
  #size = 0;
  #holders = 1;

  constructor(budget: PageBudget, nowMs: number) {
    this.#budget = budget;
    this.modifiedMs = nowMs;
  }

  get size(): number {
    return this.#size;
  }

  hold(): void {
    this.#holders++;
  }

  letGo(): void {
    this.#holders--;
    if (this.#holders === 0) this.truncate(0);
  }

  read(position: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.length, this.#size - position));
    forEachPage(position, length, (page, pageOffset, offset, count) => {
      const bytes = this.#pages.get(page)?.bytes;
      if (bytes === undefined) into.fill(0, offset, offset + count);
      else into.set(bytes.subarray(pageOffset, pageOffset + count), offset);
      return true;
    });
    return length;
  }

  /** Returns the bytes that found room. */
  write(position: number, chunk: Uint8Array): number {
    const written = forEachPage(position, chunk.length, (page, pageOffset, offset, count) => {
      const bytes = this.#writable(page);
      if (bytes === undefined) return false;
      bytes.set(chunk.subarray(offset, offset + count), pageOffset);
      return true;
    });
    if (written > 0) this.#size = Math.max(this.#size, position + written);
    return written;
  }

  truncate(size: number): void {
    const pagesKept = Math.ceil(size / PAGE_BYTES);
    for (const page of this.#pages.keys()) {
      if (page >= pagesKept && this.#pages.delete(page)) this.#budget.release(1);
    }
    // Growing again shows zeros, not what was cut off.
    if (size % PAGE_BYTES > 0) this.#cutPage(pagesKept - 1, size % PAGE_BYTES);
    this.#size = size;
  }

  /** The same content once more, on the same pages until one of the two is written to. */
  copy(budget: PageBudget): MemoryInode {
    const copy = new MemoryInode(budget, this.modifiedMs);
    for (const [index, page] of this.#pages) {
      page.isShared = true;
      copy.#pages.set(index, { bytes: page.bytes, isShared: true });
      budget.take();
    }
    copy.#size = this.#size;
    return copy;
  }

  /** Undefined when there is no room for it. */
  #writable(index: number): Uint8Array | undefined {
    const page = this.#pages.get(index);
    if (page === undefined && !this.#budget.take()) return undefined;
    if (page !== undefined && !page.isShared) return page.bytes;
    const bytes = page === undefined ? new Uint8Array(PAGE_BYTES) : page.bytes.slice();
    this.#pages.set(index, { bytes, isShared: false });
    return bytes;
  }

  #cutPage(index: number, from: number): void {
    if (this.#pages.has(index)) this.#writable(index)?.fill(0, from);
  }
}

export class MemoryFile implements DiskFile {
  readonly #inode: MemoryInode;
  readonly #path: string;
  readonly #clock: Clock;
  #closed = false;

  constructor(inode: MemoryInode, path: string, clock: Clock) {
    this.#clock = clock;
    this.#inode = inode;
    this.#path = path;
    inode.hold();
  }

  async size(): Promise<number> {
    this.#checkOpen("stat");
    return this.#inode.size;
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    this.#checkOpen("read");
    assertFilePosition(position);
    return this.#inode.read(position, into);
  }

  /** Like a real disk, a full one has taken what fitted. */
  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.writeNow(position, chunks);
  }

  writeNow(position: number, chunks: readonly Uint8Array[]): boolean {
    this.#checkOpen("write");
    assertFilePosition(position);
    this.#inode.modifiedMs = this.#clock.wallMs();
    let at = position;
    for (const chunk of chunks) {
      if (this.#inode.write(at, chunk) < chunk.length) throw diskError("ENOSPC", "write", this.#path);
      at += chunk.length;
    }
    return true;
  }

  async truncate(size: number): Promise<void> {
    this.#checkOpen("truncate");
    assertFilePosition(size);
    this.#inode.modifiedMs = this.#clock.wallMs();
    this.#inode.truncate(size);
  }

  async sync(): Promise<void> {
    this.#checkOpen("sync");
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#inode.letGo();
  }

  #checkOpen(operation: string): void {
    if (this.#closed) throw diskError("EBADF", operation, this.#path);
  }
}

/** Cuts a range at page borders until `visit` says false; returns the bytes visited. */
function forEachPage(
  position: number,
  length: number,
  visit: (page: number, pageOffset: number, offset: number, count: number) => boolean,
): number {
  let offset = 0;
  while (offset < length) {
    const page = Math.floor((position + offset) / PAGE_BYTES);
    const pageOffset = position + offset - page * PAGE_BYTES;
    const count = Math.min(length - offset, PAGE_BYTES - pageOffset);
    if (!visit(page, pageOffset, offset, count)) break;
    offset += count;
  }
  return offset;
}
