import type { KafkaError } from "@samsa/base";
import type { CompressionType, RecordHeader } from "@samsa/protocol";
import { RecordBatchBuilder } from "@samsa/protocol";
import type { RecordMetadata } from "./record.ts";
import { UNKNOWN_OFFSET } from "./record.ts";

export type DeliveryCallback = (error: KafkaError | undefined, metadata: RecordMetadata | undefined) => void;

interface Waiting {
  readonly index: number; // of the record in the batch
  readonly timestamp: number;
  readonly callback: DeliveryCallback;
}

export interface BatchOptions {
  readonly compressionType: CompressionType;
  readonly compressionLevel: number | undefined;
  readonly batchSize: number;
}

/** Most topics are quiet and most batches small. */
export const FIRST_CAPACITY = 2048;

/** Records of one partition that travel together, and who wants to know what became of them. */
export class ProducerBatch {
  readonly topic: string;
  readonly partition: number;
  readonly createdMs: number; // monotonic
  readonly #builder: RecordBatchBuilder;
  #waiting: Waiting[] = [];
  #sealed: Uint8Array | undefined;
  #whenDone: (() => void)[] = [];
  recordCount = 0;
  /** What it takes of `bufferMemory`. */
  reservedBytes = 0;
  attempts = 0;
  lastError: KafkaError | undefined;

  constructor(topic: string, partition: number, createdMs: number, capacity: number, options: BatchOptions) {
    const { compressionType, compressionLevel } = options;
    this.topic = topic;
    this.partition = partition;
    this.createdMs = createdMs;
    this.#builder = new RecordBatchBuilder({
      compressionType,
      ...(compressionLevel === undefined ? {} : { compressionLevel }),
      initialCapacity: capacity,
    });
  }

  /** Before compression until it is sealed, then as it goes on the wire. */
  get sizeInBytes(): number {
    return this.#sealed?.length ?? this.#builder.estimatedSizeInBytes;
  }

  append(
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[],
    reservedBytes: number,
    callback: DeliveryCallback | undefined,
  ): void {
    this.#builder.append({ timestamp, key, value, headers });
    if (callback !== undefined) this.#waiting.push({ index: this.recordCount, timestamp, callback });
    this.recordCount++;
    this.reservedBytes += reservedBytes;
  }

  /** The bytes for the wire; from now on nothing is added. The same at every attempt. */
  seal(): Uint8Array {
    this.#sealed ??= this.#builder.build();
    return this.#sealed;
  }

  /** Calls once when the batch is done with, for better or worse. */
  onceDone(callback: () => void): void {
    this.#whenDone.push(callback);
  }

  /** @param logAppendTimeMs -1 where each record keeps its own time */
  succeed(baseOffset: number, logAppendTimeMs: number): void {
    const { topic, partition } = this;
    for (const { index, timestamp, callback } of this.#takeWaiting()) {
      callback(undefined, {
        topic,
        partition,
        offset: baseOffset < 0 ? UNKNOWN_OFFSET : baseOffset + index,
        timestamp: logAppendTimeMs >= 0 ? logAppendTimeMs : timestamp,
      });
    }
    this.#done();
  }

  fail(error: KafkaError): void {
    for (const { callback } of this.#takeWaiting()) callback(error, undefined);
    this.#done();
  }

  #done(): void {
    for (const callback of this.#whenDone.splice(0)) callback();
  }

  #takeWaiting(): Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
