import { assert } from "@samsa/base";
import { LogFile } from "./log-file.ts";
import type { PooledDisk } from "./pooled-disk.ts";

const INITIAL_ENTRIES = 32;

/**
 * What the offset index and the time index have in common: entries of one size in one file, rising, found by binary search on
 * the bytes. Both are hints that a scan of the log can rebuild.
 *
 * The bytes of an active segment's index live in memory and reach the file when the segment is flushed, rolled or closed:
 * after a crash everything past the recovery point is scanned again anyway. (Kafka maps the file, which comes to the same,
 * and pre-allocates it; ours is never longer than its entries.) Older indexes are read when they are first looked at.
 */
export abstract class LogIndex {
  readonly baseOffset: number;
  readonly file: LogFile;
  readonly entrySize: number;
  readonly maxEntries: number;
  #bytes: Uint8Array | undefined; // undefined: not read yet
  #view: DataView = new DataView(new ArrayBuffer(0));
  #entries = 0;
  #filedEntries = 0; // how many of the file's entries are as in memory
  #fileBytes = 0;
  #isSynced = true; // the file, as far as it was written here
  #flushing: Promise<void> = Promise.resolve();

  constructor(disk: PooledDisk, path: string, baseOffset: number, entrySize: number, maxIndexBytes: number) {
    this.baseOffset = baseOffset;
    this.file = new LogFile(disk, path);
    this.entrySize = entrySize;
    this.maxEntries = Math.floor(maxIndexBytes / entrySize);
  }

  get entryCount(): number {
    return this.#entries;
  }

  get isLoaded(): boolean {
    return this.#bytes !== undefined;
  }

  get isFull(): boolean {
    return this.#entries >= this.maxEntries;
  }

  /** Bytes held in memory. */
  get memoryBytes(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Bytes of the entries, in the file where they are not in memory. */
  async readSize(): Promise<number> {
    return this.#bytes === undefined ? ((await this.file.size()) ?? 0) : this.#entries * this.entrySize;
  }

  /** Starts empty, whatever the file holds; the file follows with the next `flush`. */
  reset(): void {
    this.#bytes ??= new Uint8Array(0);
    this.#setEntries(0);
  }

  /** Reads the file if that is still to be done. Returns why its content cannot be right, if so: then it is to be rebuilt. */
  async load(): Promise<string | undefined> {
    if (this.#bytes !== undefined) return undefined;
    const size = await this.file.size();
    if (size === undefined) return "it is missing";
    const maxBytes = this.maxEntries * this.entrySize;
    if (size % this.entrySize !== 0) return `its ${size} bytes are no multiple of ${this.entrySize}`;
    if (size > maxBytes) return `it has ${size} bytes where ${maxBytes} are allowed`;
    const bytes = size === 0 ? new Uint8Array(0) : await this.file.readFully(0, size);
    await this.file.close();
    this.#adopt(bytes);
    const problem = this.findProblem();
    if (problem !== undefined) this.#bytes = undefined;
    return problem;
  }

  /** Gives the memory back; what `load` reads again must have been flushed. */
  unload(): void {
    assert(this.#filedEntries === this.#entries, "an index is flushed before it is unloaded");
    this.#bytes = undefined;
    this.#entries = 0;
  }

  /**
   * Brings the file to what memory holds, synced when asked. One at a time: a sync is of what was written before. What an index
   * wrote that has been unloaded since is synced, too.
   */
  flush(sync: boolean): Promise<void> {
    if (!this.#isBehind && (this.#isSynced || !sync)) return this.#flushing;
    const flushed = this.#flushing.then(() => this.#flush(sync));
    this.#flushing = flushed.catch(() => undefined); // who flushed is told
    return flushed;
  }

  /** Keeps the first entries only. */
  protected truncateToEntries(entries: number): void {
    if (entries < this.#entries) this.#setEntries(entries);
  }

  /** Room for one more entry; returns where it begins. The caller fills it. */
  protected addEntry(): number {
    assert(this.#bytes !== undefined, "an index is loaded before it is appended to");
    const at = this.#entries * this.entrySize;
    if (at + this.entrySize > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(INITIAL_ENTRIES * this.entrySize, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#entries++;
    return at;
  }

  protected get view(): DataView {
    assert(this.#bytes !== undefined, "an index is loaded before it is looked at");
    return this.#view;
  }

  /** The last entry whose value (as `valueAt` gives it, rising) is not above the target; -1 when there is none. */
  protected largestLowerBound(target: number, valueAt: (entry: number) => number): number {
    assert(this.#bytes !== undefined, "an index is loaded before it is searched");
    let low = 0;
    let high = this.#entries - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (valueAt(middle) <= target) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  protected relativeOffset(offset: number): number {
    const relative = offset - this.baseOffset;
    assert(relative >= 0 && relative <= 0x7fffffff, "an index holds offsets up to 2^31 - 1 above its base");
    return relative;
  }

  /** Why the loaded bytes cannot be an index of this segment; undefined when they can. */
  protected abstract findProblem(): string | undefined;

  /** Whether memory has something that the file has not, or the other way round. */
  get #isBehind(): boolean {
    if (this.#bytes === undefined) return false;
    return this.#filedEntries !== this.#entries || this.#fileBytes > this.#entries * this.entrySize;
  }

  async #flush(sync: boolean): Promise<void> {
    if (this.#isBehind && this.#bytes !== undefined) {
      const start = this.#filedEntries * this.entrySize;
      const end = this.#entries * this.entrySize;
      const isTooLong = this.#fileBytes > end;
      // A copy of the range: entries that are appended meanwhile may move the bytes elsewhere.
      const added = this.#bytes.slice(start, end);
      this.#filedEntries = this.#entries;
      this.#fileBytes = end;
      this.#isSynced = false;
      if (isTooLong) await this.file.truncate(end);
      if (added.length > 0) await this.file.write(start, [added]);
    }
    if (sync && !this.#isSynced) {
      await this.file.sync();
      this.#isSynced = true;
    }
    await this.file.close();
  }

  #adopt(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#entries = bytes.length / this.entrySize;
    this.#filedEntries = this.#entries;
    this.#fileBytes = bytes.length;
  }

  #setEntries(entries: number): void {
    this.#entries = entries;
    this.#filedEntries = Math.min(this.#filedEntries, entries);
    this.#fileBytes = Number.MAX_SAFE_INTEGER; // unknown where the file was never read: cut it in any case
  }
}
