import type { Json } from "@samsa/protocol";

/** What a file turned out to hold, piece by piece. `dumpItemText` writes it as Kafka's DumpLogSegments does, `--json` as it is. */
export type DumpItem =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "log"; readonly startOffset: number }
  | { readonly kind: "snapshot"; readonly endOffset: number; readonly epoch: number }
  | { readonly kind: "bootstrap-snapshot" }
  | DumpedBatch
  | DumpedRecord
  | { readonly kind: "trailing-bytes"; readonly bytes: number; readonly fileName: string }
  | { readonly kind: "offset-index-entry"; readonly offset: number; readonly position: number }
  | { readonly kind: "time-index-entry"; readonly timestamp: number; readonly offset: number }
  | DumpedProducer
  | DumpedTransaction
  | { readonly kind: "empty-index"; readonly file: string }
  | { readonly kind: "sane-index"; readonly file: string }
  | { readonly kind: "line"; readonly text: string } // of a file of text
  /** What is wrong, or does not agree; several lines with the particulars after the first. */
  | {
      readonly kind: "problem";
      readonly file: string;
      readonly problem: string;
      readonly particulars: readonly string[];
    };

export interface DumpedBatch {
  readonly kind: "batch";
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly count: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly partitionLeaderEpoch: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly deleteHorizonMs: number | null;
  readonly position: number;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  readonly maxTimestamp: number;
  readonly size: number;
  readonly magic: number;
  readonly compressCodec: string;
  readonly crc: number;
  readonly isValid: boolean;
}

export interface DumpedRecord {
  readonly kind: "record";
  readonly offset: number;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  readonly timestamp: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly sequence: number;
  readonly headerKeys: readonly string[];
  /** Of a record that the broker or the quorum wrote, in Kafka's words. */
  readonly control?: { readonly text: string; readonly type: string; readonly value?: Json } | undefined;
  readonly key?: string | undefined;
  readonly payload?: string | undefined;
}

export interface DumpedProducer {
  readonly kind: "producer";
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly currentTxnFirstOffset: number | null;
  readonly lastTimestamp: number;
  readonly batch?:
    | {
        readonly firstSequence: number;
        readonly lastSequence: number;
        readonly lastOffset: number;
        readonly offsetDelta: number;
        readonly timestamp: number;
      }
    | undefined;
}

export interface DumpedTransaction {
  readonly kind: "aborted-transaction";
  readonly version: number;
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

/** Takes what was found. */
export interface DumpSink {
  put(item: DumpItem): void;
  /** Waits until there is room for more. */
  drain(): Promise<void>;
}

/** The lines of DumpLogSegments. Those of a problem go to stderr there. */
export function dumpItemText(item: DumpItem, { skipRecordMetadata = false } = {}): string {
  switch (item.kind) {
    case "file":
      return `Dumping ${item.file}`;
    case "log":
      return `Log starting offset: ${item.startOffset}`;
    case "snapshot":
      return `Snapshot end offset: ${item.endOffset}, epoch: ${item.epoch}`;
    case "bootstrap-snapshot":
      return "KRaft bootstrap snapshot";
    case "batch":
      return batchText(item);
    case "record":
      return recordText(item, skipRecordMetadata);
    case "trailing-bytes":
      return `Found ${item.bytes} invalid bytes at the end of ${item.fileName}`;
    case "offset-index-entry":
      return `offset: ${item.offset} position: ${item.position}`;
    case "time-index-entry":
      return `timestamp: ${item.timestamp} offset: ${item.offset}`;
    case "producer":
      return producerText(item);
    case "aborted-transaction":
      return (
        `version: ${item.version} producerId: ${item.producerId} firstOffset: ${item.firstOffset} ` +
        `lastOffset: ${item.lastOffset} lastStableOffset: ${item.lastStableOffset}`
      );
    case "empty-index":
      return `${item.file} is empty.`;
    case "sane-index":
      return `${item.file} passed sanity check.`;
    case "line":
      return item.text;
    case "problem":
      return [item.problem, ...item.particulars].join("\n");
  }
}

function batchText(batch: DumpedBatch): string {
  return (
    `baseOffset: ${batch.baseOffset} lastOffset: ${batch.lastOffset} count: ${batch.count}` +
    ` baseSequence: ${batch.baseSequence} lastSequence: ${batch.lastSequence}` +
    ` producerId: ${batch.producerId} producerEpoch: ${batch.producerEpoch}` +
    ` partitionLeaderEpoch: ${batch.partitionLeaderEpoch}` +
    ` isTransactional: ${batch.isTransactional} isControl: ${batch.isControl}` +
    ` deleteHorizonMs: ${optionalLong(batch.deleteHorizonMs)} position: ${batch.position}` +
    ` ${batch.timestampType}: ${batch.maxTimestamp} size: ${batch.size} magic: ${batch.magic}` +
    ` compresscodec: ${batch.compressCodec} crc: ${batch.crc} isvalid: ${batch.isValid}`
  );
}

function recordText(record: DumpedRecord, skipMetadata: boolean): string {
  const metadata = skipMetadata
    ? ""
    : `| offset: ${record.offset} ${record.timestampType}: ${record.timestamp}` +
      ` keySize: ${record.keySize} valueSize: ${record.valueSize}` +
      ` sequence: ${record.sequence} headerKeys: [${record.headerKeys.join(",")}]${record.control?.text ?? ""}`;
  const key = record.key === undefined ? "" : ` key: ${record.key}`;
  const payload = record.payload === undefined ? "" : ` payload: ${record.payload}`;
  const contents = key + payload;
  return skipMetadata && contents !== "" ? `|${contents}` : metadata + contents;
}

function producerText(producer: DumpedProducer): string {
  const { batch } = producer;
  return (
    `producerId: ${producer.producerId} producerEpoch: ${producer.producerEpoch}` +
    ` coordinatorEpoch: ${producer.coordinatorEpoch}` +
    ` currentTxnFirstOffset: ${optionalLong(producer.currentTxnFirstOffset)} lastTimestamp: ${producer.lastTimestamp}` +
    (batch === undefined
      ? ""
      : ` firstSequence: ${batch.firstSequence} lastSequence: ${batch.lastSequence} lastOffset: ${batch.lastOffset}` +
        ` offsetDelta: ${batch.offsetDelta} timestamp: ${batch.timestamp}`)
  );
}

function optionalLong(value: number | null): string {
  return value === null ? "OptionalLong.empty" : `OptionalLong[${value}]`;
}
