import { ErrorCode, KafkaError } from "@samsa/base";
import type { ControlRecord } from "@samsa/protocol";
import { ControlRecordType, recordBatches } from "@samsa/protocol";
import { KRaftVersionRecord } from "@samsa/protocol/messages/kraft-version-record";
import { SnapshotFooterRecord } from "@samsa/protocol/messages/snapshot-footer-record";
import { SnapshotHeaderRecord } from "@samsa/protocol/messages/snapshot-header-record";
import type { VotersRecord } from "@samsa/protocol/messages/voters-record";
import { decodeControlBatch, decodeMetadataBatch, encodeControlBatch, encodeMetadataBatch } from "./metadata-batch.ts";
import type { MetadataRecord } from "./metadata-record.ts";

/** Where a snapshot stands in the log: it holds everything below `endOffset`. */
export interface SnapshotId {
  readonly endOffset: number; // exclusive
  readonly epoch: number;
}

/** The snapshot that formatting leaves: the first records, before there is a log. */
export const BOOTSTRAP_SNAPSHOT_ID: SnapshotId = { endOffset: 0, epoch: 0 };

/**
 * A snapshot of the metadata:
 *
 *   control batch   header, and from kraft.version 1 on the version and the voters
 *   batches         metadata records
 *   control batch   footer; a file without it was never finished
 */
export interface Snapshot {
  readonly lastContainedLogTimeMs: number;
  readonly kraftVersion: number;
  /** undefined before kraft.version 1: the voters are configured then. */
  readonly voters: VotersRecord | undefined;
  readonly records: readonly MetadataRecord[];
}

/** The file is no complete snapshot. */
export class SnapshotCorruptError extends KafkaError {
  override readonly name = "SnapshotCorruptError";

  constructor(message: string) {
    super(ErrorCode.CORRUPT_MESSAGE, message);
  }
}

/** `00000000000000000042-0000000003.checkpoint` */
export function snapshotFileName({ endOffset, epoch }: SnapshotId): string {
  return `${String(endOffset).padStart(20, "0")}-${String(epoch).padStart(10, "0")}.checkpoint`;
}

export function parseSnapshotFileName(name: string): SnapshotId | undefined {
  const match = /^(\d{20})-(\d{10})\.checkpoint$/.exec(name);
  return match === null ? undefined : { endOffset: Number(match[1]), epoch: Number(match[2]) };
}

const RECORDS_PER_BATCH = 4096;

/** @param nowMs the time of the records, which is not that of the log they sum up */
export function encodeSnapshot(snapshot: Snapshot, epoch: number, nowMs: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let baseOffset = 0;
  const add = (
    count: number,
    encode: (position: { baseOffset: number; epoch: number; timestampMs: number }) => Uint8Array,
  ): void => {
    parts.push(encode({ baseOffset, epoch, timestampMs: nowMs }));
    baseOffset += count;
  };

  const header = headerRecords(snapshot);
  add(header.length, (position) => encodeControlBatch(header, position));
  for (let at = 0; at < snapshot.records.length; at += RECORDS_PER_BATCH) {
    const records = snapshot.records.slice(at, at + RECORDS_PER_BATCH);
    add(records.length, (position) => encodeMetadataBatch(records, position));
  }
  const footer: ControlRecord = { type: ControlRecordType.SNAPSHOT_FOOTER, value: SnapshotFooterRecord.create() };
  add(1, (position) => encodeControlBatch([footer], position));
  return concat(parts);
}

/** @throws SnapshotCorruptError, MetadataParseError, CorruptRecordError */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  let lastContainedLogTimeMs: number | undefined;
  let kraftVersion = 0;
  let voters: VotersRecord | undefined;
  let isComplete = false;
  const records: MetadataRecord[] = [];
  for (const batch of recordBatches(bytes)) {
    if (isComplete) throw new SnapshotCorruptError("records follow the footer of a snapshot");
    batch.ensureValid();
    if (!batch.isControlBatch) {
      records.push(...decodeMetadataBatch(batch).records);
      continue;
    }
    for (const record of decodeControlBatch(batch)) {
      if (record.type === ControlRecordType.SNAPSHOT_HEADER)
        lastContainedLogTimeMs = record.value.lastContainedLogTimestamp;
      else if (record.type === ControlRecordType.KRAFT_VERSION) kraftVersion = record.value.kRaftVersion;
      else if (record.type === ControlRecordType.KRAFT_VOTERS) voters = record.value;
      else if (record.type === ControlRecordType.SNAPSHOT_FOOTER) isComplete = true;
    }
  }
  if (lastContainedLogTimeMs === undefined) throw new SnapshotCorruptError("a snapshot has no header");
  if (!isComplete) throw new SnapshotCorruptError("a snapshot has no footer: its writing was never finished");
  return { lastContainedLogTimeMs, kraftVersion, voters, records };
}

/** The quorum's version and voters as records: they open a snapshot, and the log of a new quorum. */
export function quorumRecords(kraftVersion: number, voters: VotersRecord | undefined): ControlRecord[] {
  if (kraftVersion === 0 || voters === undefined) return [];
  return [
    { type: ControlRecordType.KRAFT_VERSION, value: KRaftVersionRecord.create({ kRaftVersion: kraftVersion }) },
    { type: ControlRecordType.KRAFT_VOTERS, value: voters },
  ];
}

function headerRecords({ lastContainedLogTimeMs, kraftVersion, voters }: Snapshot): ControlRecord[] {
  const value = SnapshotHeaderRecord.create({ lastContainedLogTimestamp: lastContainedLogTimeMs });
  return [{ type: ControlRecordType.SNAPSHOT_HEADER, value }, ...quorumRecords(kraftVersion, voters)];
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
