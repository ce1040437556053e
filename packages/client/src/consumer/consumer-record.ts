import type { RecordBatch, RecordHeader, RecordView, TimestampType } from "@samsa/protocol";
import type { Deserializer } from "../serialisers/serialiser.ts";
import { ClosedError } from "../errors.ts";
import type { BatchLoan } from "./answer-memory.ts";
import { DecodeError } from "./decode-error.ts";

/** A record as it was read. Bytes, where no deserialiser made something of them, are views of what was fetched. */
export interface ConsumerRecord<K = Uint8Array, V = Uint8Array> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly timestampType: TimestampType;
  readonly leaderEpoch: number;
  readonly key: K | null;
  readonly value: V | null;
  readonly headers: readonly RecordHeader[];
}

type Cursor = ReturnType<RecordBatch["records"]>;

const NO_HEADERS: readonly RecordHeader[] = Object.freeze([]);

/** Makes records of views, with the deserialisers of one consumer. */
export class RecordDecoder<K, V> {
  readonly #key: Deserializer<unknown> | undefined;
  readonly #value: Deserializer<unknown> | undefined;

  constructor(key: Deserializer<unknown> | undefined, value: Deserializer<unknown> | undefined) {
    this.#key = key;
    this.#value = value;
  }

  /** Whether what was made of the record has bytes of it, and not only what was decoded from them. */
  handsOutBytes(
    { keyLength, valueLength, headerCount }: RecordView,
    decoded: ConsumerRecord<K, V> | DecodeError,
  ): boolean {
    return (
      (valueLength >= 0 && this.#value?.copiesBytes !== true) ||
      (keyLength >= 0 && this.#key?.copiesBytes !== true) ||
      headerCount > 0 ||
      decoded instanceof DecodeError
    );
  }

  /** A DecodeError is a value here: what becomes of it is for the caller to say. */
  decode(
    topic: string,
    partition: number,
    timestampType: TimestampType,
    leaderEpoch: number,
    view: RecordView,
  ): ConsumerRecord<K, V> | DecodeError {
    const { offset, timestamp, key: keyBytes, value: valueBytes } = view;
    const headers = view.headerCount === 0 ? NO_HEADERS : view.headers();
    let key: unknown = keyBytes;
    let value: unknown = valueBytes;
    let part: "key" | "value" = "key";
    try {
      if (keyBytes !== null && this.#key !== undefined) {
        key = this.#key.deserialize(keyBytes, { topic, isKey: true, headers });
      }
      part = "value";
      if (valueBytes !== null && this.#value !== undefined) {
        value = this.#value.deserialize(valueBytes, { topic, isKey: false, headers });
      }
    } catch (cause) {
      return new DecodeError(part, { topic, partition, offset, timestamp, keyBytes, valueBytes, headers }, cause);
    }
    return {
      topic,
      partition,
      offset,
      timestamp,
      timestampType,
      leaderEpoch,
      key: key as K | null,
      value: value as V | null,
      headers,
    };
  }
}

/** The records of one batch for several readers one after another, each of whom goes on where the one before it stopped. */
export class BatchReader {
  readonly batch: RecordBatch;
  #parked: Cursor | undefined; // stands on the first record at or after `#parkedAt`
  #parkedAt = -1;
  #offsets: readonly number[] | undefined;

  constructor(batch: RecordBatch) {
    this.batch = batch;
  }

  /**
   * A cursor that stands on the first record at or after `from`; undefined when there is none. It belongs to the caller.
   * @throws InvalidRecordError, CorruptRecordError
   */
  cursor(from: number): Cursor | undefined {
    const parked = this.#parked;
    if (parked !== undefined && this.#parkedAt === from) {
      this.#parked = undefined;
      return parked;
    }
    const cursor = this.batch.records();
    while (cursor.advance()) if (cursor.offset >= from) return cursor;
    return undefined;
  }

  /** How many records there are at or after `from` and before `until`. @throws InvalidRecordError, CorruptRecordError */
  count(from: number, until: number): number {
    const { baseOffset, nextOffset, recordCount } = this.batch;
    const [first, end] = [Math.max(from, baseOffset), Math.min(until, nextOffset)];
    if (end - first === nextOffset - baseOffset) return recordCount;
    if (recordCount === nextOffset - baseOffset) return Math.max(0, end - first);
    // A part of what compaction has left. It is walked through once, for to decompress it for each part would be dear.
    this.#offsets ??= Array.from(this.batch.records(), ({ offset }) => offset);
    return this.#offsets.filter((offset) => offset >= first && offset < end).length;
  }

  /** Keeps a cursor for whoever reads on from there. */
  park(cursor: Cursor, at: number): void {
    this.#parked = cursor;
    this.#parkedAt = at;
  }

  /** @throws ClosedError when the loan is over */
  *views(from: number, until: number, loan?: BatchLoan): Generator<RecordView, void> {
    if (loan?.isOver === true)
      throw new ClosedError("a batch that was walked through with views, and left for the next,");
    loan?.begin();
    const cursor = this.cursor(from);
    if (cursor !== undefined) {
      do {
        if (cursor.offset >= until) {
          this.park(cursor, until);
          break;
        }
        yield cursor;
      } while (cursor.advance());
    }
    loan?.finish();
  }
}

/** Records of one partition that were written together, or a part of them. Nothing is decoded until asked. */
export class ConsumerBatch<K = Uint8Array, V = Uint8Array> {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** On the wire, all parts together. */
  readonly sizeInBytes: number;
  readonly timestampType: TimestampType;
  readonly leaderEpoch: number;
  readonly #reader: BatchReader;
  readonly #decoder: RecordDecoder<K, V>;
  readonly #from: number;
  readonly #until: number;
  readonly #loan: BatchLoan | undefined;

  /** @param from first offset to show; a fetch may begin inside a batch. @param until first offset not to show */
  constructor(
    topic: string,
    partition: number,
    highWatermark: number,
    reader: BatchReader,
    decoder: RecordDecoder<K, V>,
    from: number,
    until: number,
    loan?: BatchLoan,
  ) {
    const { batch } = reader;
    this.firstOffset = Math.max(batch.baseOffset, from);
    this.lastOffset = Math.min(batch.lastOffset, until - 1);
    this.sizeInBytes = batch.sizeInBytes;
    this.timestampType = batch.timestampType;
    this.leaderEpoch = batch.partitionLeaderEpoch;
    this.#loan = loan;
    this.topic = topic;
    this.partition = partition;
    this.highWatermark = highWatermark;
    this.#reader = reader;
    this.#decoder = decoder;
    this.#from = from;
    this.#until = until;
  }

  /**
   * The records through one object that stands on each in turn, in bytes: copy what is to be kept. The memory of a batch that was
   * walked through with views alone is used again when the loop over the batches asks for the next; then it cannot be read once more.
   * @throws InvalidRecordError, CorruptRecordError, ClosedError after that
   */
  views(): Generator<RecordView, void> {
    return this.#reader.views(this.#from, this.#until, this.#loan);
  }

  /** The records, an object each, and in the place of one that cannot be decoded the error. @throws InvalidRecordError, CorruptRecordError */
  *results(): Generator<ConsumerRecord<K, V> | DecodeError, void> {
    const { topic, partition, timestampType, leaderEpoch } = this;
    this.#loan?.keep(); // may be read again, and what is made of it kept
    for (const view of this.views()) yield this.#decoder.decode(topic, partition, timestampType, leaderEpoch, view);
  }

  /** The records, an object each. @throws DecodeError, InvalidRecordError, CorruptRecordError */
  *records(): Generator<ConsumerRecord<K, V>, void> {
    for (const result of this.results()) {
      if (result instanceof DecodeError) throw result;
      yield result;
    }
  }
}
