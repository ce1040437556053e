import type { Disk } from "@samsa/base";
import { ByteReader, ProtocolError } from "@samsa/base";
import { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import { readWholeFile } from "../atomic-file.ts";
import { CorruptFileError } from "../errors.ts";

const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;
const TXN_ENTRY_BYTES = 34;
const MOST_INDEX_BYTES = 256 * 1024 * 1024;
const TWO_32 = 0x1_0000_0000;

export interface OffsetIndexEntry {
  readonly offset: number;
  readonly position: number;
}

export interface TimeIndexEntry {
  readonly timestamp: number;
  readonly offset: number;
}

/** The entries of an index as they stand in the file, right or not; Kafka leaves zeros behind the last one while a segment is active. */
export interface IndexFile<Entry> {
  readonly entries: readonly Entry[];
  readonly sizeInBytes: number;
  /** Entries of nothing but zeros at the end, which are not among `entries`. */
  readonly blankEntries: number;
  /** Bytes at the end that make no entry. */
  readonly oddBytes: number;
}

/** Undefined when there is no such file. @throws CorruptFileError when it is too large for an index */
export async function readOffsetIndex(
  disk: Disk,
  path: string,
  baseOffset: number,
): Promise<IndexFile<OffsetIndexEntry> | undefined> {
  return await readIndex(disk, path, OFFSET_ENTRY_BYTES, (view, at) => ({
    offset: baseOffset + view.getInt32(at),
    position: view.getInt32(at + 4),
  }));
}

export async function readTimeIndex(
  disk: Disk,
  path: string,
  baseOffset: number,
): Promise<IndexFile<TimeIndexEntry> | undefined> {
  return await readIndex(disk, path, TIME_ENTRY_BYTES, (view, at) => ({
    timestamp: view.getInt32(at) * TWO_32 + view.getUint32(at + 4),
    offset: baseOffset + view.getInt32(at + 8),
  }));
}

/** A transaction of a `.txnindex`, with the version it is written in. */
export interface TransactionIndexEntry extends AbortedTxn {
  readonly version: number;
}

/** Undefined when there is no such file, as is the rule. @throws CorruptFileError naming the entry that is none */
export async function readTransactionIndex(
  disk: Disk,
  path: string,
): Promise<readonly TransactionIndexEntry[] | undefined> {
  const bytes = await readWholeFile(disk, path, MOST_INDEX_BYTES);
  if (bytes === undefined) return undefined;
  const entries: TransactionIndexEntry[] = [];
  if (bytes.length % TXN_ENTRY_BYTES !== 0) {
    throw new CorruptFileError(path, `its ${bytes.length} bytes are no multiple of ${TXN_ENTRY_BYTES}`);
  }
  const reader = new ByteReader(bytes);
  try {
    while (reader.remaining > 0) {
      const version = reader.int16();
      if (version < AbortedTxn.lowestVersion || version > AbortedTxn.highestVersion) {
        throw new ProtocolError(`version ${version}`);
      }
      entries.push({ version, ...AbortedTxn.read(reader, version) });
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const position = entries.length * TXN_ENTRY_BYTES;
    throw new CorruptFileError(path, `entry ${entries.length} at position ${position}: ${error.message}`);
  }
  return entries;
}

/** A position at or before the batch that holds the offset, by entries that rise: 0 when none helps. */
export function lookupPosition(entries: readonly OffsetIndexEntry[], offset: number): number {
  let low = 0;
  let high = entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle - 1;
  }
  return entries[high]?.position ?? 0;
}

async function readIndex<Entry>(
  disk: Disk,
  path: string,
  entryBytes: number,
  read: (view: DataView, at: number) => Entry,
): Promise<IndexFile<Entry> | undefined> {
  const bytes = await readWholeFile(disk, path, MOST_INDEX_BYTES);
  if (bytes === undefined) return undefined;
  const whole = Math.floor(bytes.length / entryBytes);
  let count = whole;
  while (count > 0 && isBlank(bytes, (count - 1) * entryBytes, entryBytes)) count--;
  // An entry of zeros alone may be one: base offset at position 0. It is never followed by others that are blank.
  if (count === 0 && whole === 1) count = 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = Array.from({ length: count }, (_, index) => read(view, index * entryBytes));
  return {
    entries,
    sizeInBytes: bytes.length,
    blankEntries: whole - count,
    oddBytes: bytes.length - whole * entryBytes,
  };
}

function isBlank(bytes: Uint8Array, from: number, length: number): boolean {
  for (let at = from; at < from + length; at++) if (bytes[at] !== 0) return false;
  return true;
}
