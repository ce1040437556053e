import type { DiskFile } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import type { RecordBatch, RecordView } from "@samsa/protocol";
import { incrementSequence, jsonText, messageToJson, NO_SEQUENCE, readControlRecord } from "@samsa/protocol";
import { NAMED_MESSAGES } from "@samsa/protocol/messages/stored-messages";
import type { DumpedBatch, DumpedRecord, DumpItem, DumpSink } from "./dump-item.ts";
import { scanSegment } from "./segment-scan.ts";
import type { CoordinatorFamily, DecodedRecord } from "./stored-record-json.ts";
import { decodeCoordinatorRecord, decodeMetadataRecord } from "./stored-record-json.ts";

/** How keys and values are shown: as text, or as what an internal topic holds. */
export type RecordDecoder = "string" | "cluster-metadata" | CoordinatorFamily;

export interface DumpLogOptions {
  readonly isDeep: boolean;
  /** Keys and values, which asks for a deep walk. */
  readonly printDataLog: boolean;
  readonly decoder: RecordDecoder;
  readonly skipRecordMetadata: boolean;
  readonly maxBytes: number; // infinite for all of the file
}

const TIMESTAMP_TYPES = { "create-time": "CreateTime", "log-append-time": "LogAppendTime" } as const;
/** Gaps that are told, of which a compacted log has many. */
const MOST_GAPS = 10_000;
const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });

/** The batches, and when asked the records, of a `.log` or `.checkpoint` file. What is told at the end is returned. */
export async function dumpLog(
  file: DiskFile,
  path: string,
  options: DumpLogOptions,
  sink: DumpSink,
): Promise<readonly DumpItem[]> {
  const gaps = new Gaps();
  const scan = scanSegment(file, { maxBytes: options.maxBytes });
  const problems: DumpItem[] = [];
  let next = await scan.next();
  walk: for (; next.done !== true; next = await scan.next()) {
    for (const { position, batch } of next.value) {
      try {
        sink.put(dumpedBatch(batch, position));
        if (options.isDeep) await dumpRecords(batch, options, gaps, sink);
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        problems.push(problem(path, `${path} at position ${position}: ${error.message}`));
        break walk;
      }
    }
    await sink.drain();
  }
  if (next.done === true) {
    const { validBytes, sizeInBytes, state } = next.value;
    const isAll = options.maxBytes === Infinity;
    if (state === "bad") {
      problems.push(problem(path, `${path} at position ${validBytes}: ${next.value.problem ?? "no batch"}`));
    } else if (isAll && sizeInBytes > validBytes) {
      const fileName = path.slice(path.lastIndexOf("/") + 1);
      sink.put({ kind: "trailing-bytes", bytes: sizeInBytes - validBytes, fileName });
    }
  }
  return [...problems, ...gaps.asProblems(path)];
}

export function problem(file: string, text: string, particulars: readonly string[] = []): DumpItem {
  return { kind: "problem", file, problem: text, particulars };
}

function dumpedBatch(batch: RecordBatch, position: number): DumpedBatch {
  return {
    kind: "batch",
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    count: batch.recordCount,
    baseSequence: batch.baseSequence,
    lastSequence: batch.lastSequence,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    isTransactional: batch.isTransactional,
    isControl: batch.isControlBatch,
    deleteHorizonMs: batch.deleteHorizonMs ?? null,
    position,
    timestampType: TIMESTAMP_TYPES[batch.timestampType],
    maxTimestamp: batch.maxTimestamp,
    size: batch.sizeInBytes,
    magic: batch.magic,
    compressCodec: batch.compressionType,
    crc: batch.crc,
    isValid: batch.isValid(),
  };
}

/** Records are told as they come; a batch may hold a million. */
async function dumpRecords(batch: RecordBatch, options: DumpLogOptions, gaps: Gaps, sink: DumpSink): Promise<void> {
  let count = 0;
  for (const record of batch.records()) {
    gaps.add(record.offset);
    sink.put(dumpedRecord(batch, record, options));
    if (++count % 4096 === 0) await sink.drain();
  }
}

function dumpedRecord(batch: RecordBatch, record: RecordView, options: DumpLogOptions): DumpedRecord {
  const { baseSequence, isControlBatch } = batch;
  const contents = options.printDataLog && !isControlBatch ? decode(record, options.decoder) : {};
  return {
    kind: "record",
    offset: record.offset,
    timestampType: TIMESTAMP_TYPES[batch.timestampType],
    timestamp: record.timestamp,
    keySize: record.keyLength,
    valueSize: record.valueLength,
    sequence: baseSequence < 0 ? NO_SEQUENCE : incrementSequence(baseSequence, record.offsetDelta),
    headerKeys: record.headers().map(({ key }) => key),
    ...(isControlBatch && !options.skipRecordMetadata ? { control: controlOf(record) } : {}),
    ...contents,
  };
}

function decode({ key, value, offset }: RecordView, decoder: RecordDecoder): DecodedRecord {
  switch (decoder) {
    case "string":
      return {
        key: key === null ? undefined : TEXT.decode(key),
        payload: value === null ? undefined : TEXT.decode(value),
      };
    case "cluster-metadata":
      return decodeMetadataRecord(value, offset);
    case "offsets":
    case "transaction-log":
    case "share-group-state":
      // Kafka ends here; the record is told instead, and those that follow.
      if (key === null) {
        return {
          key: `Failed to decode message at offset ${offset} using the specified decoder (message had a missing key)`,
        };
      }
      return decodeCoordinatorRecord(decoder, key, value, offset);
  }
}

type Control = NonNullable<DumpedRecord["control"]>;

function controlOf(record: RecordView): Control {
  const control = readControlRecord(record);
  if (control === undefined) {
    const { key } = record;
    const type = key === null ? -1 : new DataView(key.buffer, key.byteOffset).getInt16(2);
    return { type: "UNKNOWN", text: ` controlType: UNKNOWN(${type})` };
  }
  switch (control.type) {
    case 0:
    case 1: {
      const type = control.type === 0 ? "ABORT" : "COMMIT";
      const { coordinatorEpoch } = control.value;
      return {
        type,
        value: { coordinatorEpoch },
        text: ` endTxnMarker: ${type} coordinatorEpoch: ${coordinatorEpoch}`,
      };
    }
    case 2:
      return named("LeaderChange:", "LeaderChangeMessage", control.value);
    case 3:
      return named("SnapshotHeader", "SnapshotHeaderRecord", control.value);
    case 4:
      return named("SnapshotFooter", "SnapshotFooterRecord", control.value);
    case 5:
      return named("KRaftVersion", "KRaftVersionRecord", control.value);
    case 6:
      return named("KRaftVoters", "VotersRecord", control.value);
  }
}

function named(label: string, name: keyof typeof NAMED_MESSAGES, message: { readonly version: number }): Control {
  const value = messageToJson(NAMED_MESSAGES[name], message, message.version);
  return { type: label.replace(":", ""), value, text: ` ${label} ${jsonText(value)}` };
}

/** Where an offset is not the one after the last. The first record of a file counts as a gap after -1, as in Kafka. */
class Gaps {
  readonly #pairs: string[] = [];
  #count = 0;
  #last = -1;

  add(offset: number): void {
    if (offset !== this.#last + 1) {
      this.#count++;
      if (this.#pairs.length < MOST_GAPS) this.#pairs.push(`  ${this.#last} is followed by ${offset}`);
    }
    this.#last = offset;
  }

  asProblems(path: string): readonly DumpItem[] {
    if (this.#count === 0) return [];
    const untold = this.#count - this.#pairs.length;
    const more = untold === 0 ? [] : [`  and ${untold} more`];
    return [problem(path, `Non-consecutive offsets in ${path}`, [...this.#pairs, ...more])];
  }
}
