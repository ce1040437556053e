import type { Disk } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import type { RecordBatch } from "@samsa/protocol";
import { controlRecordType, ControlRecordType, NO_TIMESTAMP } from "@samsa/protocol";
import { CorruptFileError } from "../errors.ts";
import { logFileName, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX } from "../log-file-names.ts";
import type { Finding, Report } from "./finding.ts";
import type { IndexFile, OffsetIndexEntry, TimeIndexEntry, TransactionIndexEntry } from "./index-entries.ts";
import { readOffsetIndex, readTimeIndex, readTransactionIndex } from "./index-entries.ts";
import type { ScanEnd } from "./segment-scan.ts";
import { scanSegment } from "./segment-scan.ts";

const MOST_OFFSET_DELTA = 0x7fffffff;

/** What goes from one segment of a partition to the next. */
export interface WalkState {
  nextOffset: number;
  leaderEpoch: number;
  /** Whether offsets are missing, as compaction and `DeleteRecords` leave it: then what was open is not all known. */
  hasGaps: boolean;
  /** First offsets of the transactions that are open, by producer, as far as their data was seen. */
  readonly open: Map<number, number>;
  /** A batch could not be read: what lies where it ends is a guess. */
  isUncertain: boolean;
  batches: number;
  records: number;
  bytes: number;
}

export interface SegmentCheck {
  readonly disk: Disk;
  readonly directory: string;
  readonly folder: string; // for findings
  readonly baseOffset: number;
  readonly isActive: boolean;
  /** After a complete stop nothing may be missing; after another one the active segment's indexes and tail may. */
  readonly wasClean: boolean;
  /** Below it everything was synced. */
  readonly recoveryPoint: number;
  readonly walk: WalkState;
  /** The leader epoch that the checkpoint has for an offset. */
  readonly epochAt: (offset: number) => number | undefined;
  readonly report: Report;
  readonly onProgress: (bytes: number, batches: number) => void;
}

/** Reads a segment from end to end: each batch and each of its records, and every entry of its indexes beside them. */
export async function verifySegment(check: SegmentCheck): Promise<void> {
  const { disk, directory, folder, baseOffset, report } = check;
  const name = logFileName(baseOffset, ".log");
  const indexes = await Indexes.open(check);
  const file = await disk.open(`${directory}/${name}`);
  try {
    const batchCheck = new BatchCheck(check, `${folder}/${name}`);
    const scan = scanSegment(file);
    let next = await scan.next();
    for (; next.done !== true; next = await scan.next()) {
      let bytes = 0;
      for (const { position, batch } of next.value) {
        bytes += batch.sizeInBytes;
        if (batchCheck.check(batch, position)) indexes.check(batch, position);
        else indexes.pass(batch, position);
      }
      check.walk.bytes += bytes;
      check.onProgress(bytes, next.value.length);
    }
    reportEnd(next.value, check, `${folder}/${name}`);
    indexes.finish(next.value.validBytes);
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    report({ severity: "damage", file: `${folder}/${name}`, message: error.message });
  } finally {
    await file.close();
  }
}

function reportEnd(end: ScanEnd, check: SegmentCheck, file: string): void {
  if (end.state === "complete") return;
  const { isActive, wasClean, recoveryPoint, walk } = check;
  const isTail = isActive && !wasClean && end.state !== "bad" && walk.nextOffset >= recoveryPoint;
  const bytes = end.sizeInBytes - end.validBytes;
  const what = `${bytes} bytes are no whole batch: ${end.problem ?? "no batch"}`;
  check.report({
    severity: isTail ? "note" : "damage",
    file,
    position: end.validBytes,
    offset: walk.nextOffset,
    message: isTail ? `${what}; the next start cuts this torn tail` : what,
  });
}

/** The batches of one segment, in turn. */
class BatchCheck {
  readonly #check: SegmentCheck;
  readonly #file: string;

  constructor(check: SegmentCheck, file: string) {
    this.#check = check;
    this.#file = file;
  }

  /** Whether the batch can be trusted to say what it holds. */
  check(batch: RecordBatch, position: number): boolean {
    const { walk, baseOffset } = this.#check;
    walk.batches++;
    let offset: number | undefined;
    try {
      offset = batch.baseOffset;
      batch.ensureValid();
      this.#checkOffsets(batch, position);
      this.#checkRecords(batch, position);
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      this.#report("damage", position, offset, error.message);
      walk.isUncertain = true;
      walk.hasGaps = true;
      return false;
    }
    if (batch.lastOffset - baseOffset > MOST_OFFSET_DELTA) {
      this.#report("damage", position, offset, `${batch.lastOffset} is too far from the base offset for an index`);
    }
    return true;
  }

  #checkOffsets(batch: RecordBatch, position: number): void {
    const { walk, baseOffset, epochAt } = this.#check;
    const { lastOffsetDelta, partitionLeaderEpoch } = batch;
    const offset = batch.baseOffset;
    if (lastOffsetDelta < 0) this.#report("damage", position, offset, `a last offset delta of ${lastOffsetDelta}`);
    if (offset < baseOffset) {
      this.#report("damage", position, offset, `the batch lies below the segment, which begins at ${baseOffset}`);
    } else if (offset < walk.nextOffset) {
      this.#report("damage", position, offset, `offsets fall: ${walk.nextOffset} was next`);
    }
    if (offset > walk.nextOffset) walk.hasGaps = true;
    walk.nextOffset = Math.max(walk.nextOffset, batch.lastOffset + 1);
    if (partitionLeaderEpoch < walk.leaderEpoch) {
      const message = `the leader epoch falls from ${walk.leaderEpoch} to ${partitionLeaderEpoch}`;
      this.#report("damage", position, offset, message);
    } else {
      walk.leaderEpoch = partitionLeaderEpoch;
    }
    const epoch = epochAt(offset);
    if (epoch !== undefined && epoch !== partitionLeaderEpoch) {
      const message = `leader epoch ${partitionLeaderEpoch}, where leader-epoch-checkpoint has ${epoch}`;
      this.#report("repairable", position, offset, message);
    }
  }

  #checkRecords(batch: RecordBatch, position: number): void {
    const { walk } = this.#check;
    const { lastOffsetDelta } = batch;
    let lastDelta = -1;
    let count = 0;
    let maxTimestamp = NO_TIMESTAMP;
    let endsWith: number | undefined; // the type of a control record
    const cursor = batch.records();
    while (cursor.advance()) {
      const { offsetDelta, offset } = cursor;
      if (offsetDelta <= lastDelta || offsetDelta > lastOffsetDelta) {
        const within = `${lastDelta + 1} to ${lastOffsetDelta}`;
        this.#report(
          "damage",
          position,
          offset,
          `record ${count} of the batch has offset delta ${offsetDelta}, not ${within}`,
        );
      }
      if (offsetDelta > lastDelta + 1) walk.hasGaps = true;
      lastDelta = offsetDelta;
      cursor.checkHeaders();
      if (cursor.timestamp > maxTimestamp) maxTimestamp = cursor.timestamp;
      if (batch.isControlBatch) endsWith = controlRecordType(cursor.key);
      count++;
    }
    walk.records += count;
    if (count > 0 && maxTimestamp !== batch.maxTimestamp) {
      const message = `the header has ${batch.maxTimestamp} for the largest timestamp, the records ${maxTimestamp}`;
      this.#report("damage", position, batch.baseOffset, message);
    }
    this.#followTransaction(batch, endsWith, count, position);
  }

  #followTransaction(batch: RecordBatch, marker: number | undefined, count: number, position: number): void {
    const { open } = this.#check.walk;
    if (!batch.isTransactional) return;
    const { producerId } = batch;
    if (producerId < 0) this.#report("damage", position, batch.baseOffset, "a transactional batch without a producer");
    if (!batch.isControlBatch) {
      if (!open.has(producerId)) open.set(producerId, batch.baseOffset);
    } else if (count > 0 && marker !== ControlRecordType.ABORT && marker !== ControlRecordType.COMMIT) {
      this.#report(
        "damage",
        position,
        batch.baseOffset,
        "a control record in a transaction that neither commits nor aborts",
      );
    }
  }

  #report(severity: Finding["severity"], position: number, offset: number | undefined, message: string): void {
    this.#check.report({ severity, file: this.#file, position, offset, message });
  }
}

/** The three indexes of a segment, compared with its batches as these come by. */
class Indexes {
  readonly #check: SegmentCheck;
  #offsets: IndexFile<OffsetIndexEntry> | undefined;
  #times: IndexFile<TimeIndexEntry> | undefined;
  #transactions: readonly TransactionIndexEntry[] = [];
  #nextOffsetEntry = 0;
  #nextTimeEntry = 0;
  #maxTimestamp = NO_TIMESTAMP;
  #nextTransaction = 0;

  private constructor(check: SegmentCheck) {
    this.#check = check;
  }

  static async open(check: SegmentCheck): Promise<Indexes> {
    const indexes = new Indexes(check);
    const { disk, directory, baseOffset } = check;
    const path = (suffix: string): string => `${directory}/${logFileName(baseOffset, suffix)}`;
    indexes.#offsets = await indexes.#load(OFFSET_INDEX_SUFFIX, () =>
      readOffsetIndex(disk, path(OFFSET_INDEX_SUFFIX), baseOffset),
    );
    indexes.#times = await indexes.#load(TIME_INDEX_SUFFIX, () =>
      readTimeIndex(disk, path(TIME_INDEX_SUFFIX), baseOffset),
    );
    try {
      indexes.#transactions = (await readTransactionIndex(disk, path(TXN_INDEX_SUFFIX))) ?? [];
    } catch (error) {
      if (!(error instanceof CorruptFileError)) throw error;
      indexes.#report("repairable", TXN_INDEX_SUFFIX, 0, undefined, error.message);
    }
    return indexes;
  }

  check(batch: RecordBatch, position: number): void {
    this.#checkOffsetIndex(batch, position);
    this.#checkTimeIndex(batch);
    if (batch.isTransactional && batch.isControlBatch) this.#checkMarker(batch);
  }

  /** A batch that cannot be read has been told; what the indexes have of it can be neither right nor wrong. */
  pass(batch: RecordBatch, position: number): void {
    const { baseOffset } = this.#check;
    const end = position + batch.sizeInBytes;
    while ((this.#offsets?.entries[this.#nextOffsetEntry]?.position ?? end) < end) this.#nextOffsetEntry++;
    const lastOffset = Math.max(
      baseOffset,
      this.#offsets?.entries[this.#nextOffsetEntry - 1]?.offset ?? 0,
      lastOffsetOf(batch),
    );
    while ((this.#times?.entries[this.#nextTimeEntry]?.offset ?? Infinity) <= lastOffset) {
      this.#maxTimestamp = Math.max(
        this.#maxTimestamp,
        this.#times?.entries[this.#nextTimeEntry++]?.timestamp ?? NO_TIMESTAMP,
      );
    }
  }

  /** What is left points beyond the log. */
  finish(validBytes: number): void {
    const severity = this.#isForgiven ? "note" : "repairable";
    const offsets = this.#offsets?.entries ?? [];
    const offsetEntry = offsets[this.#nextOffsetEntry];
    if (offsetEntry !== undefined) {
      const message = `entry ${this.#nextOffsetEntry} of ${offsets.length} points to position ${offsetEntry.position}, where no batch begins (the log ends at ${validBytes})`;
      this.#report(severity, OFFSET_INDEX_SUFFIX, this.#nextOffsetEntry * 8, offsetEntry.offset, message);
    }
    const times = this.#times?.entries ?? [];
    const timeEntry = times[this.#nextTimeEntry];
    if (timeEntry !== undefined) {
      const message = `entry ${this.#nextTimeEntry} of ${times.length} names offset ${timeEntry.offset}, which ends no batch of the segment`;
      this.#report(severity, TIME_INDEX_SUFFIX, this.#nextTimeEntry * 12, timeEntry.offset, message);
    }
    const transaction = this.#transactions[this.#nextTransaction];
    if (transaction !== undefined) {
      const message = `entry ${this.#nextTransaction} of ${this.#transactions.length} names a marker at offset ${transaction.lastOffset}, where there is none`;
      this.#report(severity, TXN_INDEX_SUFFIX, this.#nextTransaction * 34, transaction.lastOffset, message);
    }
  }

  get #isForgiven(): boolean {
    return this.#check.isActive && !this.#check.wasClean;
  }

  async #load<Entry>(
    suffix: string,
    read: () => Promise<IndexFile<Entry> | undefined>,
  ): Promise<IndexFile<Entry> | undefined> {
    try {
      const index = await read();
      if (index === undefined)
        this.#report(this.#isForgiven ? "note" : "repairable", suffix, undefined, undefined, "it is missing");
      else if (index.oddBytes > 0) {
        const message = `${index.oddBytes} bytes at the end make no entry`;
        this.#report("repairable", suffix, index.sizeInBytes - index.oddBytes, undefined, message);
      } else if (index.blankEntries > 0 && !this.#check.isActive) {
        // Kafka makes the indexes of an active segment as long as they may become, and those of the metadata stay so.
        const entryBytes = suffix === TIME_INDEX_SUFFIX ? 12 : 8;
        const message = `${index.blankEntries} entries of zeros at the end`;
        this.#report("repairable", suffix, index.entries.length * entryBytes, undefined, message);
      }
      return index;
    } catch (error) {
      if (!(error instanceof CorruptFileError)) throw error;
      this.#report("repairable", suffix, 0, undefined, error.message);
      return undefined;
    }
  }

  /** An entry names the last offset of the batch at its position. (Followers before Kafka 4.0 named that of a later one.) */
  #checkOffsetIndex(batch: RecordBatch, position: number): void {
    for (;;) {
      const entry = this.#offsets?.entries[this.#nextOffsetEntry];
      if (entry === undefined || entry.position > position) return;
      const at = this.#nextOffsetEntry++;
      if (entry.position < position) {
        const message = `entry ${at} points to position ${entry.position}, where no batch begins`;
        this.#report("repairable", OFFSET_INDEX_SUFFIX, at * 8, entry.offset, message);
      } else if (entry.offset !== batch.lastOffset) {
        const message = `entry ${at} has offset ${entry.offset} for position ${position}, where the batch ends with ${batch.lastOffset}`;
        this.#report("repairable", OFFSET_INDEX_SUFFIX, at * 8, entry.offset, message);
      }
    }
  }

  /** An entry names the largest timestamp up to a batch, and the last offset of the batch that has it. */
  #checkTimeIndex(batch: RecordBatch): void {
    const { lastOffset, maxTimestamp } = batch;
    const before = this.#maxTimestamp;
    this.#maxTimestamp = Math.max(before, maxTimestamp);
    for (;;) {
      const entry = this.#times?.entries[this.#nextTimeEntry];
      if (entry === undefined || entry.offset > lastOffset) return;
      const at = this.#nextTimeEntry++;
      const previous = this.#times?.entries[at - 1];
      if (entry.offset < lastOffset) {
        const message = `entry ${at} names offset ${entry.offset}, with which no batch ends`;
        this.#report("repairable", TIME_INDEX_SUFFIX, at * 12, entry.offset, message);
      } else if (entry.timestamp !== maxTimestamp || entry.timestamp < before) {
        const message = `entry ${at} has timestamp ${entry.timestamp}, where the batch has ${maxTimestamp} and those before it ${before}`;
        this.#report("repairable", TIME_INDEX_SUFFIX, at * 12, entry.offset, message);
      } else if (previous !== undefined && previous.timestamp >= entry.timestamp) {
        const message = `entry ${at} does not rise above timestamp ${previous.timestamp}`;
        this.#report("repairable", TIME_INDEX_SUFFIX, at * 12, entry.offset, message);
      }
    }
  }

  /** The end of a transaction: one that is aborted and had data is in the index, and no other is. */
  #checkMarker(batch: RecordBatch): void {
    const { open } = this.#check.walk;
    const { producerId, lastOffset } = batch;
    const begun = open.get(producerId);
    open.delete(producerId);
    let isAbort = false;
    for (const { key } of batch.records()) isAbort = controlRecordType(key) === ControlRecordType.ABORT;
    for (;;) {
      const entry = this.#transactions[this.#nextTransaction];
      if (entry === undefined || entry.lastOffset > lastOffset) break;
      const at = this.#nextTransaction++;
      if (entry.lastOffset === lastOffset && isAbort) {
        this.#checkEntry(entry, at, producerId, begun);
        return;
      }
      const message = `entry ${at} names an aborted transaction that ends with offset ${entry.lastOffset}, where no marker aborts one`;
      this.#report("repairable", TXN_INDEX_SUFFIX, at * 34, entry.lastOffset, message);
    }
    if (!isAbort || begun === undefined) return;
    const message = `no entry for the transaction of producer ${producerId} from offset ${begun}, aborted at offset ${lastOffset}`;
    const severity = this.#isForgiven ? "note" : "repairable";
    this.#report(severity, TXN_INDEX_SUFFIX, undefined, lastOffset, message);
  }

  #checkEntry(entry: TransactionIndexEntry, at: number, producerId: number, begun: number | undefined): void {
    const { walk } = this.#check;
    const lastStableOffset = Math.min(entry.lastOffset + 1, ...walk.open.values());
    // Where compaction took the first records, the transaction seems to have begun later, or not at all.
    const isPlausible =
      entry.firstOffset >= 0 &&
      entry.firstOffset <= Math.min(begun ?? entry.lastOffset, entry.lastOffset) &&
      entry.lastStableOffset >= 0 &&
      entry.lastStableOffset <= lastStableOffset;
    const isExact = entry.firstOffset === begun && entry.lastStableOffset === lastStableOffset;
    if (entry.producerId === producerId && (walk.hasGaps ? isPlausible : isExact)) return;
    const message =
      `entry ${at} has producer ${entry.producerId}, offsets ${entry.firstOffset} to ${entry.lastOffset}, last stable offset ` +
      `${entry.lastStableOffset}; the log has producer ${producerId} from offset ${begun ?? "unknown"}, last stable offset ${lastStableOffset}`;
    this.#report("repairable", TXN_INDEX_SUFFIX, at * 34, entry.lastOffset, message);
  }

  #report(
    severity: Finding["severity"],
    suffix: string,
    position: number | undefined,
    offset: number | undefined,
    message: string,
  ): void {
    const { folder, baseOffset, report } = this.#check;
    report({ severity, file: `${folder}/${logFileName(baseOffset, suffix)}`, position, offset, message });
  }
}

/** As the header has it, be it damaged. */
function lastOffsetOf(batch: RecordBatch): number {
  try {
    return batch.lastOffset;
  } catch (error) {
    if (error instanceof KafkaError) return -1;
    throw error;
  }
}
