import type { KafkaError } from "@samsa/base";
import type { TransactionChecks, VerificationGuard } from "@samsa/log";

/** A record of a coordinator's topic as its bytes. */
export interface StoredRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null; // null is a tombstone
}

/** Between the records a shard decides in and the bytes on the disk. */
export interface RecordSerde<R> {
  encode(record: R): StoredRecord;
  /** Undefined for a record of a kind that this coordinator does not know: it is passed over. @throws KafkaError */
  decode(key: Uint8Array, value: Uint8Array | null): R | undefined;
}

/** Who waits for an answer. Settled once, by the runtime. */
export interface Reply<T> {
  readonly isSettled: boolean;
  /** Only the type says what may be answered. */
  readonly response?: T;
}

/** What became of the records of one `append`. Both are steps of their own. */
export interface WriteOutcome<R> {
  /** The records change the state as soon as they have their offsets (default); false when the caller changes it itself. */
  readonly replay?: boolean;
  /** The records have their offsets, and have been replayed: for what they cannot tell. No step, and before any. */
  readonly onAppended?: () => void;
  /** The records are below the high watermark. */
  readonly onCommitted?: (step: Step<R>) => void;
  /** They are not, and never will be; what was replayed from them goes with a reload. */
  readonly onFailed?: (step: Step<R>, error: KafkaError) => void;
  /** The records count when this transaction commits. */
  readonly transaction?: TransactionalWrite;
}

/** Whose transaction a write belongs to. */
export interface TransactionalWrite {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** See TransactionChecks. */
  readonly verification: VerificationGuard | "unverified" | undefined;
}

/** How a transaction has ended, as its coordinator says (KIP-98). */
export interface TransactionMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly isCommitted: boolean;
  readonly transactionVersion: number; // see TransactionChecks
}

/**
 * What one input may bring about. The step is synchronous; its effects are carried out when it has ended, appends first and
 * in their order.
 */
export interface Step<R> {
  readonly nowMs: number; // wall clock
  append(records: readonly R[], outcome?: WriteOutcome<R>): void;
  /** Appends the marker that ends a transaction, and ends it in the shard. */
  endTransaction(marker: TransactionMarker, outcome?: WriteOutcome<R>): void;
  /** Answers when everything appended before this is committed: nobody is told what could still be lost. */
  reply<T>(to: Reply<T>, response: T): void;
  /** Refuses at once. */
  fail(to: Reply<unknown>, error: KafkaError): void;
  /** Replaces the timer of the same key. */
  setTimer(key: string, delayMs: number, onExpired: (step: Step<R>) => void): void;
  /**
   * Asks somebody outside. The outcome comes as a step of its own, or never when the partition is given up before.
   * @param onFailure of what the question rejects with
   */
  ask<T>(
    question: () => Promise<T>,
    onAnswer: (step: Step<R>, answer: T) => void,
    onFailure: (step: Step<R>, error: unknown) => void,
  ): void;
  cancelTimer(key: string): void;
}

/** The state that the records of one partition yield, and the decisions upon it. */
export interface CoordinatorShard<R> {
  /** @param producerId of a record that counts only when its transaction commits; -1 for one that counts at once */
  replay(record: R, producerId: number): void;
  endTransaction(producerId: number, isCommitted: boolean): void;
  /** All records have been replayed. */
  onLoaded(step: Step<R>): void;
}

/** The partition under the leader epoch it is coordinated in. */
export interface CoordinatorLog {
  /** Hands over all batches, in order. Rejects with what the disk or the log says. */
  load(onRecords: (batches: Uint8Array) => void): Promise<void>;
  /**
   * Assigns offsets at once.
   * @throws KafkaError; nothing has been appended then
   */
  append(batch: Uint8Array, transaction?: TransactionChecks): CoordinatorAppend;
}

/** Records that have their offsets. */
export interface CoordinatorAppend {
  /**
   * For who appends nothing more in this callback: what waits is written, where the disk is quick about it.
   * @returns true when the records, and all before them, are below the high watermark; else `committed` says what becomes of them
   */
  commitNow(): boolean;
  /** Settles when the records are below the high watermark, or never will be. */
  committed(): Promise<void>;
}
