import { ErrorCode, KafkaError } from "@samsa/base";
import type { ControlRecord, RecordBatch } from "@samsa/protocol";
import { ControlRecordType, RecordBatchBuilder, recordBatches, writeControlRecord } from "@samsa/protocol";
import { KRaftVersionRecord } from "@samsa/protocol/messages/kraft-version-record";
import { SnapshotFooterRecord } from "@samsa/protocol/messages/snapshot-footer-record";
import { SnapshotHeaderRecord } from "@samsa/protocol/messages/snapshot-header-record";
import type { LocatedControlRecord } from "./partition-state.ts";
import { locatedControlRecords } from "./partition-state.ts";
import type { OffsetAndEpoch, SnapshotInfo } from "./raft-log.ts";
import type { VoterSet } from "./voter-set.ts";

/** `00000000000000000042-0000000003.checkpoint` */
export function checkpointFileName({ offset, epoch }: OffsetAndEpoch): string {
  return `${String(offset).padStart(20, "0")}-${String(epoch).padStart(10, "0")}.checkpoint`;
}

export function parseCheckpointFileName(name: string): OffsetAndEpoch | undefined {
  const match = /^(\d{20})-(\d{10})\.checkpoint$/.exec(name);
  return match === null ? undefined : { offset: Number(match[1]), epoch: Number(match[2]) };
}

export interface RecordsSnapshotOptions {
  readonly id: OffsetAndEpoch;
  /** The time of the last record that the snapshot sums up. */
  readonly lastContainedLogTimeMs: number;
  readonly kraftVersion: number;
  /** Written from kraft.version 1 on; before, the voters are configured. */
  readonly voterSet: VoterSet;
  readonly nowMs: number;
  readonly maxRecordsPerBatch?: number;
}

/**
 * Writes a snapshot (KIP-630), part by part:
 *
 *     control batch   header; from kraft.version 1 on the version and the voters
 *     batches         records of the application
 *     control batch   footer; a file without it was never finished
 */
export class RecordsSnapshotWriter {
  readonly #options: RecordsSnapshotOptions;
  readonly #chunks: Uint8Array[] = [];
  #values: Uint8Array[] = [];
  #nextOffset = 0;

  constructor(options: RecordsSnapshotOptions) {
    this.#options = options;
    const header = SnapshotHeaderRecord.create({ lastContainedLogTimestamp: options.lastContainedLogTimeMs });
    const records: ControlRecord[] = [{ type: ControlRecordType.SNAPSHOT_HEADER, value: header }];
    if (options.kraftVersion > 0) {
      const version = KRaftVersionRecord.create({ kRaftVersion: options.kraftVersion });
      records.push(
        { type: ControlRecordType.KRAFT_VERSION, value: version },
        { type: ControlRecordType.KRAFT_VOTERS, value: options.voterSet.toRecord() },
      );
    }
    this.#control(records);
  }

  append(value: Uint8Array): void {
    this.#values.push(value);
    if (this.#values.length >= (this.#options.maxRecordsPerBatch ?? 4096)) this.#flush();
  }

  /** What is whole and was not taken before. */
  take(): readonly Uint8Array[] {
    return this.#chunks.splice(0);
  }

  /** The rest, with the footer. */
  freeze(): readonly Uint8Array[] {
    this.#flush();
    this.#control([{ type: ControlRecordType.SNAPSHOT_FOOTER, value: SnapshotFooterRecord.create() }]);
    return this.take();
  }

  #flush(): void {
    const values = this.#values;
    if (values.length === 0) return;
    this.#values = [];
    const builder = this.#builder(false);
    for (const value of values) builder.append({ timestamp: this.#options.nowMs, value });
    this.#finish(builder, values.length);
  }

  #control(records: readonly ControlRecord[]): void {
    const builder = this.#builder(true);
    for (const record of records) builder.append({ timestamp: this.#options.nowMs, ...writeControlRecord(record) });
    this.#finish(builder, records.length);
  }

  #builder(isControlBatch: boolean): RecordBatchBuilder {
    const { epoch } = this.#options.id;
    return new RecordBatchBuilder({ baseOffset: this.#nextOffset, partitionLeaderEpoch: epoch, isControlBatch });
  }

  #finish(builder: RecordBatchBuilder, count: number): void {
    this.#chunks.push(builder.build());
    this.#nextOffset += count;
  }
}

/** A snapshot that was read: what the quorum said in it, and the batches of the application. */
export interface RecordsSnapshot {
  readonly lastContainedLogTimeMs: number;
  /** As if they stood at its last record in the log; at NOT_IN_LOG those of formatting. */
  readonly controlRecords: readonly LocatedControlRecord[];
  readonly batches: readonly RecordBatch[];
}

/** @throws KafkaError CORRUPT_MESSAGE when the bytes are no whole snapshot */
export function readRecordsSnapshot(bytes: Uint8Array, id: OffsetAndEpoch): RecordsSnapshot {
  let lastContainedLogTimeMs: number | undefined;
  let isComplete = false;
  let size = 0;
  let nextOffset = 0;
  const controlRecords: LocatedControlRecord[] = [];
  const batches: RecordBatch[] = [];
  for (const batch of recordBatches(bytes)) {
    if (isComplete) throw corrupt(id, "records follow its footer");
    batch.ensureValid();
    // What the check sum of a batch does not cover.
    if (batch.baseOffset !== nextOffset || batch.partitionLeaderEpoch !== id.epoch) {
      throw corrupt(id, `the batch at position ${size} is not where it belongs`);
    }
    nextOffset = batch.nextOffset;
    size += batch.sizeInBytes;
    if (!batch.isControlBatch) {
      batches.push(batch);
      continue;
    }
    for (const { record } of locatedControlRecords(batch)) {
      if (record.type === ControlRecordType.SNAPSHOT_HEADER) {
        lastContainedLogTimeMs = record.value.lastContainedLogTimestamp;
      } else if (record.type === ControlRecordType.SNAPSHOT_FOOTER) isComplete = true;
      else controlRecords.push({ offset: id.offset - 1, record });
    }
  }
  if (lastContainedLogTimeMs === undefined) throw corrupt(id, "it has no header");
  if (!isComplete || size !== bytes.length) throw corrupt(id, "its writing was never finished");
  return { lastContainedLogTimeMs, controlRecords, batches };
}

/**
 * Whether the log is older than the newest snapshot, which came from a leader: then the log begins anew at its end. A crash may
 * leave the two like that, between the snapshot's arrival and the log's new beginning.
 */
export function isLogBehindSnapshot(logEnd: OffsetAndEpoch, latest: SnapshotInfo | undefined): boolean {
  if (latest === undefined) return false;
  return latest.epoch > logEnd.epoch || (latest.epoch === logEnd.epoch && latest.offset > logEnd.offset);
}

function corrupt({ offset, epoch }: OffsetAndEpoch, problem: string): KafkaError {
  return new KafkaError(ErrorCode.CORRUPT_MESSAGE, `the snapshot of ${offset} in epoch ${epoch}: ${problem}`);
}
