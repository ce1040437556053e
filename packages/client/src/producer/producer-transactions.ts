import type { Clock, KafkaError, Timer } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { TimeLimitError, toKafkaError } from "../errors.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import type { ConsumerGroupMetadata } from "../consumer/group/member.ts";
import type { OffsetToCommit } from "../consumer/group/offset-requests.ts";
import type { TransactionCalls } from "./transaction-calls.ts";
import { TransactionStateError } from "./transaction-errors.ts";
import type { TransactionManager } from "./transaction-manager.ts";
import type { TransactionStatus } from "./transaction-state.ts";

const FIRST_VERSION_WITH_IMPLICIT_PARTITIONS = 2;

export interface ProducerTransactionsOptions {
  readonly status: TransactionStatus;
  readonly manager: TransactionManager;
  readonly calls: TransactionCalls;
  readonly clock: Clock;
  readonly maxBlockMs: number;
  /** Sends what there is, and resolves when all of it is done with, for better or worse. */
  readonly flush: () => Promise<void>;
  /** Gives up the records that have not got into a batch. */
  readonly failWaiting: (error: KafkaError) => void;
  /** Has the sender look at the state anew. */
  readonly wake: () => void;
}

/**
 * Begins and ends the transactions of a producer: what `TransactionStatus` decides is carried out here, in the order that Kafka's
 * protocol asks for. Whoever waits does so for `maxBlockMs`; the work goes on beside, and the next transaction waits for it.
 */
export class ProducerTransactions {
  readonly status: TransactionStatus;
  readonly #options: ProducerTransactionsOptions;
  #initializing: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  /** Partitions and offsets that are on their way to a coordinator; never rejects. */
  readonly #joining = new Set<Promise<void>>();

  constructor(options: ProducerTransactionsOptions) {
    this.#options = options;
    this.status = options.status;
  }

  /** Fences whoever has used the transactional id before, and has what they left open aborted. Done once; `begin` does it too. */
  async init(): Promise<void> {
    await this.#within("initTransactions", this.#ensureReady());
  }

  /** @throws TransactionStateError while another is open, ProducerFencedError and other fatal errors, TimeLimitError */
  async begin(): Promise<void> {
    this.#checkNotOpen();
    await this.#within("beginTransaction", this.#ensureReady());
    this.#checkNotOpen(); // two may have waited
    this.status.begin();
  }

  /**
   * Resolves when the coordinator has decided that the transaction is committed; readers see it a moment later.
   * @throws TransactionAbortableError when it can only be aborted; TimeLimitError when the answer did not come in time: the commit
   *   goes on, and whether it takes place is not known
   */
  async commit(): Promise<void> {
    const { status } = this;
    const failure = status.failure();
    if (failure !== undefined) throw failure;
    await this.#within("commit", (this.#ending ??= this.#start(() => this.#commit())));
  }

  /** As `commit`; where the transaction can only be aborted it is, before that is said. */
  async commitOrAbort(): Promise<void> {
    const commit = async (): Promise<void> => {
      try {
        const failure = this.status.failure();
        if (failure !== undefined) throw failure;
        await this.#commit();
      } catch (error) {
        if (this.status.state === "abortable-error") await this.#abort();
        throw error;
      }
    };
    await this.#within("commit", (this.#ending ??= this.#start(commit)));
  }

  /** Drops what has not left, and has all the rest aborted. */
  async abort(): Promise<void> {
    const { status } = this;
    if (status.state === "fatal-error") throw status.failure() ?? new TransactionStateError("the producer has failed");
    if (this.#ending !== undefined && status.state === "committing") {
      throw new TransactionStateError("the transaction is being committed: it is too late to abort it");
    }
    await this.#within("abort", (this.#ending ??= this.#start(() => this.#abort())));
  }

  /** See TransactionCalls.commitOffsets. A failure leaves the transaction to be aborted. */
  async commitOffsets(offsets: readonly OffsetToCommit[], group: ConsumerGroupMetadata): Promise<void> {
    const { status } = this;
    status.checkOpen();
    if (offsets.length === 0) return;
    status.hasBegun = true;
    const { calls, manager } = this.#options;
    await this.#within("commitOffsets", this.#join(calls.commitOffsets(manager.current, offsets, group, status.isV2)));
  }

  /** Tells the coordinator of partitions, with V1. Never rejects. */
  addPartitions(queues: readonly PartitionQueue[]): void {
    const { calls, manager, wake } = this.#options;
    const { status } = this;
    status.hasBegun = true;
    const added = calls.addPartitions(manager.current, queues).then(() => status.onPartitionsAdded(queues));
    this.#join(added)
      .catch(() => undefined) // it is part of the state
      .finally(wake);
  }

  /** Aborts what is open, and gives up. */
  async close(): Promise<void> {
    const { state } = this.status;
    try {
      if (state === "in-transaction" || state === "abortable-error") await this.abort();
      else await this.#ending;
    } catch {
      // The coordinator will abort it in time.
    }
    this.#options.calls.close();
  }

  /** What goes wrong decides the transaction; an end waits for it. */
  #join(work: Promise<void>): Promise<void> {
    const { manager } = this.#options;
    const told = work.catch((error: unknown) => {
      manager.onTransactionError(toKafkaError(error));
      throw error;
    });
    const settled = told.catch(() => undefined).finally(() => this.#joining.delete(settled));
    this.#joining.add(settled);
    return told;
  }

  async #ensureReady(): Promise<void> {
    const { status } = this;
    await this.#ending?.catch(() => undefined);
    if (status.state === "fatal-error") throw status.failure() ?? new TransactionStateError("the producer has failed");
    if (status.state === "uninitialized" || this.#initializing !== undefined) {
      await (this.#initializing ??= this.#initialize(false).finally(() => (this.#initializing = undefined)));
    }
    if (status.state === "ready") await this.#followVersion();
  }

  /** @param isBump keeps the id, and raises the epoch */
  async #initialize(isBump: boolean): Promise<void> {
    const { manager, calls } = this.#options;
    const { status } = this;
    status.moveTo("initializing");
    try {
      const { producerId, producerEpoch } = await calls.initProducerId(isBump ? manager.current : undefined);
      status.isV2 = (await calls.transactionVersion()) >= FIRST_VERSION_WITH_IMPLICIT_PARTITIONS;
      if (isBump) manager.epochBumps++;
      manager.onProducerId(producerId, producerEpoch);
    } catch (error) {
      throw this.#fatal(toKafkaError(error));
    }
    status.complete();
  }

  /** The cluster may have agreed on V2 meanwhile: the first transaction of it begins with an epoch of its own, as in Java. */
  async #followVersion(): Promise<void> {
    const { status } = this;
    if (status.isV2) return;
    const version = await this.#options.calls.transactionVersion();
    if (version >= FIRST_VERSION_WITH_IMPLICIT_PARTITIONS) await this.#initialize(true);
  }

  async #start(end: () => Promise<void>): Promise<void> {
    try {
      await end();
    } finally {
      this.#ending = undefined;
    }
  }

  async #commit(): Promise<void> {
    const { status } = this;
    status.checkOpen();
    status.moveTo("committing");
    await this.#settled();
    const failure = status.failure();
    if (failure !== undefined) throw failure;
    await this.#end(true);
  }

  async #abort(): Promise<void> {
    const { status } = this;
    if (status.state !== "abortable-error") status.checkOpen();
    status.moveTo("aborting");
    const { dropReason } = status;
    if (dropReason !== undefined) this.#options.failWaiting(dropReason);
    this.#options.wake();
    await this.#settled();
    if (status.state === "aborting") await this.#end(false);
    const failure = status.failure();
    if (failure !== undefined) throw failure;
  }

  /** Nothing of the transaction is under way any more: what came after its end would belong to the next one. */
  async #settled(): Promise<void> {
    await this.#options.flush();
    while (this.#joining.size > 0) await Promise.all(this.#joining);
  }

  async #end(isCommit: boolean): Promise<void> {
    const { manager, calls } = this.#options;
    const { status } = this;
    try {
      if (status.hasBegun) {
        const next = await calls.endTxn(manager.current, isCommit, status.isV2);
        manager.onProducerId(next.producerId, next.producerEpoch);
      }
    } catch (thrown) {
      const error = toKafkaError(thrown);
      const isForgotten =
        error.code === ErrorCode.INVALID_PRODUCER_ID_MAPPING || error.code === ErrorCode.UNKNOWN_PRODUCER_ID;
      const isAbortable = isForgotten || error.code === ErrorCode.TRANSACTION_ABORTABLE;
      if (isCommit && isAbortable) manager.onTransactionError(error);
      else if (!isForgotten) throw this.#fatal(error);
      else return await this.#initialize(false); // nothing of it is left to be aborted
      throw status.failure() ?? error;
    }
    if (!isCommit && status.needsEpochBump && !status.isV2) await this.#initialize(true);
    else status.complete();
  }

  #fatal(error: KafkaError): KafkaError {
    const { manager, wake } = this.#options;
    this.status.onFatal(error);
    manager.fail(error);
    wake();
    return error;
  }

  #checkNotOpen(): void {
    const { state, transactionalId } = this.status;
    if (state !== "in-transaction" && state !== "abortable-error" && state !== "aborting" && state !== "committing")
      return;
    if (this.#ending !== undefined) return; // waited for
    throw new TransactionStateError(
      `a transaction of ${transactionalId} is open already (${state}): commit or abort it`,
    );
  }

  async #within<T>(what: string, work: Promise<T>): Promise<T> {
    const { clock, maxBlockMs } = this.#options;
    let timer: Timer | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = () => new TimeLimitError(`${what} of ${this.status.transactionalId}`, maxBlockMs, "maxBlockMs");
      timer = clock.setTimer(maxBlockMs, () => reject(error()));
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      timer?.cancel();
    }
  }
}
