import type { KafkaError } from "@samsa/base";
import { assert, ErrorCode } from "@samsa/base";
import type { PartitionQueue } from "./partition-queue.ts";
import { TransactionAbortableError, TransactionAbortedError, TransactionStateError } from "./transaction-errors.ts";

/**
 * Where a transactional producer is, as in Java's TransactionManager:
 *
 *   uninitialized ─→ initializing ─→ ready ─→ in-transaction ─→ committing ─→ ready
 *                         ↑                        │  │             │
 *                         │                        │  └→ abortable-error
 *                         └─ aborting ←────────────┴─────────┘           fatal-error, from anywhere
 */
export type TransactionState =
  | "uninitialized"
  | "initializing"
  | "ready"
  | "in-transaction"
  | "committing"
  | "aborting"
  | "abortable-error"
  | "fatal-error";

const NEXT_STATES = {
  uninitialized: ["initializing", "fatal-error"],
  initializing: ["ready", "fatal-error"],
  ready: ["initializing", "in-transaction", "fatal-error"],
  "in-transaction": ["committing", "aborting", "abortable-error", "fatal-error"],
  committing: ["ready", "abortable-error", "fatal-error"],
  aborting: ["ready", "initializing", "fatal-error"],
  "abortable-error": ["aborting", "fatal-error"],
  "fatal-error": [],
} as const satisfies Record<TransactionState, readonly TransactionState[]>;

/** What no abort mends: who we are, or may do, is in question. */
const FATAL: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ErrorCode.UNSUPPORTED_VERSION,
  ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT,
]);

/** The state of a transactional producer, and what belongs to its open transaction. A decider: it sends nothing. */
export class TransactionStatus {
  readonly transactionalId: string;
  #state: TransactionState = "uninitialized";
  #error: KafkaError | undefined;
  /** Partitions that the coordinator knows to be in the transaction, with V1; with V2 a write is enough (KIP-890). */
  readonly #added = new Set<PartitionQueue>();
  readonly #adding = new Set<PartitionQueue>();
  /** Brokers of `transaction.version` 2: every transaction has an epoch of its own. */
  isV2 = false;
  /** The coordinator may know of the transaction, so it has to be told of its end. */
  hasBegun = false;
  /** The sequences of a partition are in doubt, and only another epoch makes them certain (KIP-360). */
  needsEpochBump = false;

  constructor(transactionalId: string) {
    this.transactionalId = transactionalId;
  }

  get state(): TransactionState {
    return this.#state;
  }

  moveTo(next: TransactionState): void {
    const allowed: readonly TransactionState[] = NEXT_STATES[this.#state];
    assert(allowed.includes(next), `a transaction goes from ${this.#state} to ${next}`);
    this.#state = next;
  }

  begin(): void {
    this.moveTo("in-transaction");
    this.#error = undefined;
    this.hasBegun = false;
  }

  /** The transaction is over, one way or the other. */
  complete(): void {
    this.moveTo("ready");
    this.#added.clear();
    this.#adding.clear();
    this.#error = undefined;
    this.hasBegun = false;
    this.needsEpochBump = false;
  }

  /** @throws TransactionStateError, TransactionAbortableError, or the fatal error, where no record may be added */
  checkOpen(): void {
    if (this.#state === "in-transaction") return;
    throw (
      this.failure() ?? new TransactionStateError(`no transaction of ${this.transactionalId} is open: ${this.#state}`)
    );
  }

  /** What keeps the transaction from committing. */
  failure(): KafkaError | undefined {
    if (this.#state === "fatal-error") return this.#error;
    if (this.#state !== "abortable-error") return undefined;
    return new TransactionAbortableError(this.transactionalId, this.#error);
  }

  /** Why batches that have not left may not leave any more. */
  get dropReason(): KafkaError | undefined {
    if (this.#state !== "abortable-error" && this.#state !== "aborting") return undefined;
    return new TransactionAbortedError(this.transactionalId, this.#error);
  }

  maySend(queue: PartitionQueue): boolean {
    if (this.#state !== "in-transaction" && this.#state !== "committing") return false;
    return this.isV2 || this.#added.has(queue);
  }

  /** Those of the queues that have records, and that the coordinator has yet to be told of. */
  takePartitionsToAdd(busy: Iterable<PartitionQueue>): readonly PartitionQueue[] {
    if (this.isV2 || (this.#state !== "in-transaction" && this.#state !== "committing")) return [];
    const wanted: PartitionQueue[] = [];
    for (const queue of busy) if (!this.#added.has(queue) && !this.#adding.has(queue)) wanted.push(queue);
    for (const queue of wanted) this.#adding.add(queue);
    return wanted;
  }

  onPartitionsAdded(queues: readonly PartitionQueue[]): void {
    for (const queue of queues) {
      this.#adding.delete(queue);
      this.#added.add(queue);
    }
  }

  /** Whether some partition has joined the transaction already. */
  get hasPartitions(): boolean {
    return this.#added.size > 0;
  }

  /** @returns whether it is fatal */
  onError(error: KafkaError): boolean {
    if (this.#state === "fatal-error") return true;
    if (FATAL.has(error.code)) {
      this.onFatal(error);
      return true;
    }
    if (this.#state === "in-transaction" || this.#state === "committing") {
      this.moveTo("abortable-error");
      this.#error = error;
    }
    return false;
  }

  onFatal(error: KafkaError): void {
    if (this.#state === "fatal-error") return;
    this.moveTo("fatal-error");
    this.#error = error;
  }
}
