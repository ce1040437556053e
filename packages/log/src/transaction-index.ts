import { assert, ByteReader, ByteWriter, ProtocolError } from "@samsa/base";
import { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import { parentOf } from "./atomic-file.ts";
import { LogFile } from "./log-file.ts";
import type { PooledDisk } from "./pooled-disk.ts";

const ENTRY_SIZE = 34;
const VERSION = AbortedTxn.highestVersion;
const MOST_INDEX_BYTES = 64 * 1024 ** 2;

/**
 * `.txnindex`: the transactions that were aborted in a segment, in the order of their markers.
 *
 *     | version: int16 | producer id | first offset | last offset (the marker's) | last stable offset: int64 each |
 *
 * There is no file as long as there is no entry. All entries are in memory: they are few.
 */
export class TransactionIndex {
  readonly file: LogFile;
  readonly #disk: PooledDisk;
  readonly #baseOffset: number;
  #entries: AbortedTxn[] = [];
  #filedEntries = 0;
  #isTooLong = false; // the file has more than `filedEntries`
  #isSynced = true;
  #hasFile = false;
  #flushing: Promise<void> = Promise.resolve();

  constructor(disk: PooledDisk, path: string, baseOffset: number) {
    this.file = new LogFile(disk, path);
    this.#disk = disk;
    this.#baseOffset = baseOffset;
  }

  get entries(): readonly AbortedTxn[] {
    return this.#entries;
  }

  get hasFile(): boolean {
    return this.#hasFile;
  }

  /** Reads a file that is there. Returns why its content cannot be right, if so: then the index is empty and to be made anew. */
  async load(): Promise<string | undefined> {
    const size = (await this.file.size()) ?? 0;
    this.#hasFile = true;
    this.#isTooLong = size > 0;
    if (size % ENTRY_SIZE !== 0) return `its ${size} bytes are no multiple of ${ENTRY_SIZE}`;
    if (size > MOST_INDEX_BYTES) return `it has ${size} bytes where ${MOST_INDEX_BYTES} are allowed`;
    const bytes = await this.file.readFully(0, size);
    await this.file.close();
    const entries: AbortedTxn[] = [];
    try {
      const reader = new ByteReader(bytes);
      while (entries.length * ENTRY_SIZE < size) entries.push(this.#readEntry(reader, entries.at(-1)));
    } catch (error) {
      if (error instanceof ProtocolError) return `entry ${entries.length}: ${error.message}`;
      throw error;
    }
    this.#entries = entries;
    this.#filedEntries = entries.length;
    this.#isTooLong = false;
    return undefined;
  }

  append({ producerId, firstOffset, lastOffset, lastStableOffset }: AbortedTxn): void {
    const last = this.#entries.at(-1)?.lastOffset ?? -1;
    assert(lastOffset > last, "transactions are noted in the order of their markers");
    this.#entries.push({ producerId, firstOffset, lastOffset, lastStableOffset });
  }

  /** Removes a file of which nothing is known, such as a crash may have left. */
  async clear(): Promise<void> {
    this.#entries = [];
    this.#filedEntries = 0;
    this.#isTooLong = false;
    this.#hasFile = false;
    await this.file.remove();
  }

  /** Starts empty, whatever the file holds; the file follows with the next `flush`. */
  reset(): void {
    this.truncateTo(0);
  }

  /** Forgets the transactions whose marker is at or above the offset. */
  truncateTo(offset: number): void {
    this.#entries = this.#entries.filter(({ lastOffset }) => lastOffset < offset);
    if (this.#filedEntries <= this.#entries.length) return;
    this.#filedEntries = this.#entries.length;
    this.#isTooLong = true;
  }

  /**
   * Adds the aborted transactions that have records from `startOffset` on and below `endOffset`.
   * @returns whether there are none in the segments that follow
   */
  collect(startOffset: number, endOffset: number, into: AbortedTxn[]): boolean {
    for (const transaction of this.#entries) {
      if (transaction.lastOffset >= startOffset && transaction.firstOffset < endOffset) into.push(transaction);
      // Whatever was open when this one ended began here at the earliest.
      if (transaction.lastStableOffset >= endOffset) return true;
    }
    return false;
  }

  /** Brings the file to what memory holds, synced when asked. One at a time: a sync is of what was written before. */
  flush(sync: boolean): Promise<void> {
    const isDone = !this.#isTooLong && this.#filedEntries === this.#entries.length && (this.#isSynced || !sync);
    if (isDone) return this.#flushing;
    const flushed = this.#flushing.then(() => this.#flush(sync));
    this.#flushing = flushed.catch(() => undefined); // who flushed is told
    return flushed;
  }

  async #flush(sync: boolean): Promise<void> {
    const filed = this.#filedEntries;
    const added = this.#entries.slice(filed);
    const isNew = !this.#hasFile;
    if (this.#isTooLong || isNew) await this.file.truncate(filed * ENTRY_SIZE);
    this.#isTooLong = false;
    if (added.length > 0) await this.file.write(filed * ENTRY_SIZE, [encode(added)]);
    this.#filedEntries = filed + added.length;
    this.#hasFile = true;
    this.#isSynced = sync;
    if (sync) await this.file.sync();
    await this.file.close();
    if (isNew) await this.#disk.syncDirectory(parentOf(this.file.path));
  }

  #readEntry(reader: ByteReader, previous: AbortedTxn | undefined): AbortedTxn {
    const version = reader.int16();
    if (version !== VERSION) throw new ProtocolError(`version ${version}`);
    const entry = AbortedTxn.read(reader, VERSION);
    const { producerId, firstOffset, lastOffset } = entry;
    const least = Math.max(this.#baseOffset, firstOffset, (previous?.lastOffset ?? -1) + 1);
    if (producerId < 0 || firstOffset < 0 || lastOffset < least) {
      throw new ProtocolError(`producer ${producerId}, offsets ${firstOffset} to ${lastOffset}`);
    }
    return entry;
  }
}

function encode(entries: readonly AbortedTxn[]): Uint8Array {
  const writer = new ByteWriter(entries.length * ENTRY_SIZE);
  for (const entry of entries) {
    writer.int16(VERSION);
    AbortedTxn.write(writer, entry, VERSION);
  }
  return writer.toBytes();
}
