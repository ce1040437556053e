import { ErrorCode, KafkaError } from "@samsa/base";
import { ControlRecordType, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, readControlRecord } from "@samsa/protocol";
import type { RecordBatch } from "@samsa/protocol";
import type { AppendOrigin } from "./log-validator.ts";
import { NO_TRANSACTION, ProducerStateEntry } from "./producer-state-entry.ts";
import type { BatchMetadata, ProducerStateFields } from "./producer-state-entry.ts";
import type { VerificationStart } from "./verification-guard.ts";
import { VerificationGuard } from "./verification-guard.ts";
import type { Written } from "./written.ts";

const INT32_MAX = 0x7fffffff;

/** What of a batch concerns its producer; a RecordBatch is one, and so is the header of a stored batch. */
export interface ProducerBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly maxTimestamp: number;
  readonly producerId: number; // see hasProducerId
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly isTransactional: boolean;
}

/** What the coordinator writes into each partition of a transaction that has ended (KIP-98). */
export interface EndMarker {
  readonly isAbort: boolean;
  readonly coordinatorEpoch: number;
  readonly timestamp: number;
}

/** What a leader holds transactional batches and markers to. */
export interface TransactionChecks {
  /**
   * What a transactional batch that begins a transaction here was verified under; `unverified` refuses to begin one. Left out:
   * nothing is verified (`transaction.partition.verification.enable`).
   */
  readonly verification?: VerificationGuard | "unverified" | undefined;
  /** Of a marker: from 2 on its epoch is above that of the records it ends (KIP-1228). */
  readonly transactionVersion?: number | undefined;
}

/** A transaction that a marker has ended here. */
export interface CompletedTxn {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number; // of the marker
  readonly isAborted: boolean;
  /** Where read_committed consumers stop once it has ended: at the next open transaction, or after the marker. */
  readonly lastStableOffset: number;
}

/** What compaction has to leave of a producer (KIP-360). */
export interface LastRecord {
  readonly lastDataOffset: number; // NO_DATA_OFFSET when only a marker is known
  readonly producerEpoch: number;
}

/**
 * Who writes to this partition, and how far each has come (Kafka's ProducerStateManager). A batch that comes again is known by
 * its sequences; one that does not follow the last, or is of a producer that has been fenced, is refused. What was appended
 * counts at once, whether or not it is on the disk.
 *
 * It also knows which transactions are open, which is what holds the last stable offset back.
 */
export class ProducerStateManager {
  readonly #producers = new Map<number, ProducerStateEntry>();
  /** Producer ids by the first offset of what is open; offsets only rise, so the first one is the lowest. */
  readonly #ongoingTxns = new Map<number, number>();
  /** First to last offset of transactions that have ended above the high watermark. */
  readonly #unreplicatedTxns = new Map<number, number>();
  /** By producer: the coordinator is being asked. Not on the disk; a leader that comes later asks again. */
  readonly #verifications = new Map<number, VerificationGuard>();
  #lastSnapshotOffset = 0;

  get producerCount(): number {
    return this.#producers.size;
  }

  /** Where the first transaction begins that is open, or whose end is not yet below the high watermark. */
  get firstUnstableOffset(): number | undefined {
    let first: number | undefined;
    for (const offset of this.#ongoingTxns.keys()) {
      first = offset;
      break;
    }
    // Transactions end in any order.
    for (const offset of this.#unreplicatedTxns.keys()) if (first === undefined || offset < first) first = offset;
    return first;
  }

  lastEntry(producerId: number): ProducerStateEntry | undefined {
    return this.#producers.get(producerId);
  }

  entries(): Iterable<ProducerStateEntry> {
    return this.#producers.values();
  }

  /**
   * Whether a leader may append the batch; nothing changes. A producer that is not known, because it is new here or has been
   * forgotten, may begin with any sequence (KIP-360); a new epoch begins with 0.
   *
   * @param marker when the batch is one
   * @param transaction left out: a transaction may begin unverified
   * @returns the batch of then, when this one has been appended before
   * @throws KafkaError OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED
   */
  check(
    batch: ProducerBatch,
    origin: AppendOrigin,
    marker?: EndMarker,
    transaction: TransactionChecks = {},
  ): BatchMetadata | undefined {
    const entry = this.#producers.get(batch.producerId);
    const { producerEpoch, baseSequence } = batch;
    const isClient = origin === "client";
    const duplicate = isClient ? entry?.findDuplicate(producerEpoch, baseSequence, batch.lastSequence) : undefined;
    if (duplicate !== undefined) return duplicate;
    if (marker === undefined && batch.isTransactional) this.#checkVerified(batch, isClient, transaction);
    if (entry === undefined) return undefined;
    if (producerEpoch < entry.producerEpoch || isMarkerOfOldTransaction(entry, batch, marker, transaction)) {
      throw new KafkaError(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        `producer ${batch.producerId} writes with epoch ${producerEpoch}, where ${entry.producerEpoch} has been seen`,
      );
    }
    if (marker !== undefined) {
      checkCoordinatorEpoch(entry, marker);
      return undefined;
    }
    if (isClient) checkSequence(entry, batch);
    if (entry.currentTxnFirstOffset !== NO_TRANSACTION && !batch.isTransactional) {
      throw new KafkaError(
        ErrorCode.INVALID_TXN_STATE,
        `producer ${batch.producerId} writes outside of its transaction, open since ${entry.currentTxnFirstOffset}`,
      );
    }
    return undefined;
  }

  /** Takes note of a batch that has its place, checked or replicated or read back from the log. */
  update(batch: ProducerBatch, written: Written, marker?: EndMarker): CompletedTxn | undefined {
    const { producerId, producerEpoch } = batch;
    let entry = this.#producers.get(producerId);
    // The transaction has begun or is over: the next one is verified anew.
    if (batch.isTransactional && !(marker !== undefined && this.#isAskedForTheNext(entry, batch))) {
      this.#verifications.delete(producerId);
    }
    if (entry === undefined) {
      entry = new ProducerStateEntry(producerId);
      this.#producers.set(producerId, entry);
    }
    if (marker !== undefined) return this.#endTransaction(entry, batch, marker);
    const { baseOffset, lastOffset, lastSequence, maxTimestamp: timestamp } = batch;
    entry.addBatch(producerEpoch, {
      lastSequence,
      lastOffset,
      offsetDelta: lastOffset - baseOffset,
      timestamp,
      written,
    });
    if (batch.isTransactional && entry.currentTxnFirstOffset === NO_TRANSACTION) {
      entry.beginTransaction(baseOffset);
      this.#ongoingTxns.set(baseOffset, producerId);
    }
    return undefined;
  }

  /** Transactions whose end is below the high watermark are stable; below the log start offset they are gone. */
  forgetEndedBelow(offset: number): void {
    for (const [firstOffset, lastOffset] of this.#unreplicatedTxns) {
      if (lastOffset < offset) this.#unreplicatedTxns.delete(firstOffset);
    }
  }

  /** Whether a producer has a transaction open here, under this epoch. */
  hasOngoingTransaction(producerId: number, producerEpoch: number): boolean {
    const entry = this.#producers.get(producerId);
    return entry?.producerEpoch === producerEpoch && entry.currentTxnFirstOffset !== NO_TRANSACTION;
  }

  /**
   * A leader is about to ask whether the partition is in the transaction. Batches that come meanwhile share the guard.
   * @returns undefined when the transaction has begun here, and nothing needs to be asked
   */
  startVerification(start: VerificationStart, nowMs: number): VerificationGuard | undefined {
    if (this.hasOngoingTransaction(start.producerId, start.producerEpoch)) return undefined;
    const held = this.#verifications.get(start.producerId);
    const guard = held ?? new VerificationGuard(nowMs, start);
    guard.join(start);
    this.#verifications.set(start.producerId, guard);
    return guard;
  }

  /** Forgets who has been silent for so long, unless a transaction is open (`producer.id.expiration.ms`). */
  removeExpired(nowMs: number, expirationMs: number): void {
    for (const [producerId, { createdMs }] of this.#verifications) {
      if (nowMs - createdMs >= expirationMs) this.#verifications.delete(producerId);
    }
    for (const [producerId, entry] of this.#producers) {
      const isOpen = entry.currentTxnFirstOffset !== NO_TRANSACTION;
      if (!isOpen && nowMs - entry.lastTimestamp >= expirationMs) this.#producers.delete(producerId);
    }
  }

  /** Forgets everything, and goes on with what a snapshot up to this offset says. */
  restore(offset: number, producers: readonly ProducerStateFields[] = []): void {
    this.#producers.clear();
    this.#ongoingTxns.clear();
    this.#unreplicatedTxns.clear();
    this.#verifications.clear();
    for (const fields of producers) this.#producers.set(fields.producerId, ProducerStateEntry.from(fields));
    const open = producers.filter(({ currentTxnFirstOffset }) => currentTxnFirstOffset >= 0);
    for (const fields of open.toSorted((one, other) => one.currentTxnFirstOffset - other.currentTxnFirstOffset)) {
      this.#ongoingTxns.set(fields.currentTxnFirstOffset, fields.producerId);
    }
    this.#lastSnapshotOffset = offset;
  }

  /** Whether something may have happened between the last snapshot and this end of the log. */
  needsSnapshot(endOffset: number): boolean {
    return endOffset > this.#lastSnapshotOffset;
  }

  /** For a snapshot of the log up to its end. */
  takeSnapshot(endOffset: number): ProducerStateFields[] {
    this.#lastSnapshotOffset = endOffset;
    return Array.from(this.#producers.values(), (entry) => entry.toFields());
  }

  #checkVerified(batch: ProducerBatch, isClient: boolean, { verification }: TransactionChecks): void {
    const { producerId, producerEpoch, baseSequence } = batch;
    if (verification === undefined || this.hasOngoingTransaction(producerId, producerEpoch)) return;
    if (verification === "unverified" || this.#verifications.get(producerId) !== verification) {
      throw new KafkaError(
        ErrorCode.INVALID_TXN_STATE,
        `producer ${producerId} has no transaction of epoch ${producerEpoch} here that its coordinator knows of`,
      );
    }
    if (isClient && !this.#producers.has(producerId)) verification.checkFirstSequence(producerId, baseSequence);
  }

  /**
   * Whether the coordinator is being asked for the transaction after the one that a marker ends. It does not answer before that one is
   * over everywhere, and the marker says nothing against what it will answer then.
   */
  #isAskedForTheNext(entry: ProducerStateEntry | undefined, { producerId, producerEpoch }: ProducerBatch): boolean {
    if (entry === undefined || entry.currentTxnFirstOffset === NO_TRANSACTION) return false;
    const guard = this.#verifications.get(producerId);
    return guard !== undefined && guard.producerEpoch === producerEpoch && entry.producerEpoch < producerEpoch;
  }

  #endTransaction(entry: ProducerStateEntry, batch: ProducerBatch, marker: EndMarker): CompletedTxn | undefined {
    const firstOffset = entry.currentTxnFirstOffset;
    entry.endTransaction(batch.producerEpoch, marker.coordinatorEpoch, marker.timestamp);
    if (firstOffset === NO_TRANSACTION) return undefined;
    this.#ongoingTxns.delete(firstOffset);
    const lastOffset = batch.baseOffset;
    this.#unreplicatedTxns.set(firstOffset, lastOffset);
    let lastStableOffset = lastOffset + 1;
    for (const offset of this.#ongoingTxns.keys()) {
      lastStableOffset = offset;
      break;
    }
    return { producerId: batch.producerId, firstOffset, lastOffset, isAborted: marker.isAbort, lastStableOffset };
  }
}

/** Whether anybody is named; Kafka takes any negative number for nobody. */
export function hasProducerId({ producerId }: { readonly producerId: number }): boolean {
  return producerId > NO_PRODUCER_ID;
}

/** The end marker that a control batch holds; undefined for other control records. @throws InvalidRecordError */
export function endMarkerOf(batch: RecordBatch): EndMarker | undefined {
  if (!batch.isControlBatch) return undefined;
  for (const record of batch.records()) {
    const control = readControlRecord(record);
    if (control?.type !== ControlRecordType.ABORT && control?.type !== ControlRecordType.COMMIT) return undefined;
    const isAbort = control.type === ControlRecordType.ABORT;
    return { isAbort, coordinatorEpoch: control.value.coordinatorEpoch, timestamp: record.timestamp };
  }
  return undefined;
}

function checkSequence(entry: ProducerStateEntry, batch: ProducerBatch): void {
  const { producerId, producerEpoch, baseSequence } = batch;
  if (entry.producerEpoch === NO_PRODUCER_EPOCH) return;
  if (producerEpoch !== entry.producerEpoch) {
    if (baseSequence === 0) return;
    throw new KafkaError(
      ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      `producer ${producerId} begins epoch ${producerEpoch} with sequence ${baseSequence}, not 0`,
    );
  }
  const { lastSequence } = entry;
  if (baseSequence === lastSequence + 1 || (baseSequence === 0 && lastSequence === INT32_MAX)) return;
  throw new KafkaError(
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    `sequence ${baseSequence} of producer ${producerId} after ${lastSequence}`,
  );
}

/**
 * From transactions V2 on a marker has the epoch after that of its records, so one with the epoch of an open transaction ends the
 * one before it. With nothing open it is the last one once more, sent again by a coordinator that missed the answer.
 */
function isMarkerOfOldTransaction(
  entry: ProducerStateEntry,
  { producerEpoch }: ProducerBatch,
  marker: EndMarker | undefined,
  { transactionVersion = 0 }: TransactionChecks,
): boolean {
  if (marker === undefined || transactionVersion < 2 || producerEpoch !== entry.producerEpoch) return false;
  return entry.currentTxnFirstOffset !== NO_TRANSACTION;
}

function checkCoordinatorEpoch(entry: ProducerStateEntry, marker: EndMarker): void {
  if (marker.coordinatorEpoch >= entry.coordinatorEpoch) return;
  throw new KafkaError(
    ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    `a marker of coordinator epoch ${marker.coordinatorEpoch} after one of ${entry.coordinatorEpoch}`,
  );
}
