import type { Clock } from "@samsa/base";
import { ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";
import type { VerificationGuard } from "@samsa/log";
import type { BrokerConfig } from "@samsa/metadata";
import type { Partition } from "@samsa/replication";
import type { TransactionPort } from "./transaction-port.ts";

/** What the version of a request says of its client (TransactionSupportedOperation in Kafka). */
export type TransactionSupport =
  | "default" // knows none of the newer errors
  | "abortable-errors" // KIP-1050
  | "implicit-partitions"; // transactions V2: a write adds its partition

/** A write of a transaction that may be its first in the partition. */
export interface TransactionalWriteStart {
  readonly partition: Pick<Partition, "topicPartition" | "startTransactionVerification">;
  readonly baseSequence: number;
}

export interface TransactionProducer {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** Under what the write may be appended, or why it may not. */
export type Verdict = VerificationGuard | "unverified" | undefined | KafkaError;

export interface TransactionVerifierOptions {
  readonly config: BrokerConfig;
  /** `transaction.partition.verification.enable` as it is now. */
  readonly isVerificationEnabled: () => boolean;
  readonly transactions: TransactionPort | undefined;
  readonly clock: Clock;
}

/** Errors of the question, not of the answer: the client is to ask again. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
]);

/**
 * Before the first record of a transaction reaches a partition, its leader asks the coordinator whether the partition is in the
 * transaction, or has it added (KIP-890). Otherwise a request that comes late would begin a transaction that nobody ever ends.
 */
export class TransactionVerifier {
  readonly #options: TransactionVerifierOptions;
  /** By producer id, the last question that is on its way. */
  readonly #asking = new Map<number, Promise<unknown>>();

  constructor(options: TransactionVerifierOptions) {
    this.#options = options;
  }

  /**
   * The writes of one producer are verified in the order in which they came: its first batch shall also be the first to be
   * appended. So `append` runs within that order, with a verdict for each write.
   */
  inTurn<T>(
    producer: TransactionProducer,
    writes: readonly TransactionalWriteStart[],
    support: TransactionSupport,
    append: (verdicts: readonly Verdict[]) => T,
  ): T | Promise<T> {
    const { producerId } = producer;
    const before = this.#asking.get(producerId);
    const verify = (): T | Promise<T> => {
      const verdicts = this.#verify(producer, writes, support);
      return verdicts instanceof Promise ? verdicts.then(append) : append(verdicts);
    };
    const done = before === undefined ? verify() : before.then(verify);
    if (!(done instanceof Promise)) return done;
    const settled: Promise<unknown> = done
      .catch(() => undefined)
      .then(() => {
        if (this.#asking.get(producerId) === settled) this.#asking.delete(producerId);
      });
    this.#asking.set(producerId, settled);
    return done;
  }

  #verify(
    producer: TransactionProducer,
    writes: readonly TransactionalWriteStart[],
    support: TransactionSupport,
  ): readonly Verdict[] | Promise<readonly Verdict[]> {
    const isAdding = support === "implicit-partitions";
    if (!isAdding && !this.#options.isVerificationEnabled()) {
      return writes.map(() => undefined);
    }
    const first = this.#ask(producer, writes, support);
    if (!isAdding || (!(first instanceof Promise) && !isTooEarly(first))) return first;
    const { clock, config } = this.#options;
    const deadline = clock.monotonicMs() + config.number("add.partitions.to.txn.retry.backoff.max.ms");
    // The transaction before is about to be over: sparing the client a round trip is what keeps the next one short.
    const askAgain = async (): Promise<readonly Verdict[]> => {
      let verdicts = await first;
      while (isTooEarly(verdicts) && clock.monotonicMs() < deadline) {
        const backoffMs = config.number("add.partitions.to.txn.retry.backoff.ms");
        await new Promise<void>((resolve) => clock.setTimer(backoffMs, resolve));
        verdicts = await this.#ask(producer, writes, support);
      }
      return verdicts;
    };
    return askAgain();
  }

  /**
   * At once where nobody needs to be asked. Each question has guards of its own: the marker of the transaction before, which comes while one
   * waits to ask again, takes those of its partition away.
   */
  #ask(
    { transactionalId, producerId, producerEpoch }: TransactionProducer,
    writes: readonly TransactionalWriteStart[],
    support: TransactionSupport,
  ): readonly Verdict[] | Promise<readonly Verdict[]> {
    const { transactions } = this.#options;
    const isAdding = support === "implicit-partitions";
    const verdicts = writes.map(({ partition, baseSequence }): Verdict => {
      try {
        const start = { producerId, producerEpoch, baseSequence, isEpochPerTransaction: isAdding };
        return partition.startTransactionVerification(start) ?? "unverified"; // open already: needs no guard
      } catch (error) {
        if (error instanceof KafkaError) return error;
        throw error;
      }
    });
    const asked = writes.filter((_, index) => isOpenQuestion(verdicts[index]));
    if (asked.length === 0) return verdicts;
    const judge = (codes: readonly ErrorCode[]): readonly Verdict[] => {
      let answered = 0;
      return verdicts.map((verdict) => {
        if (!isOpenQuestion(verdict)) return verdict;
        const code = codes[answered++] ?? ErrorCode.UNKNOWN_SERVER_ERROR;
        return code === ErrorCode.NONE ? verdict : refusal(code, support);
      });
    };
    if (transactions === undefined) return judge(asked.map(() => ErrorCode.COORDINATOR_NOT_AVAILABLE));
    const partitions = asked.map(({ partition }) => partition.topicPartition);
    const mode = isAdding ? "add" : "verify";
    const codes = transactions.verifyOrAddPartitions({ transactionalId, producerId, producerEpoch, partitions, mode });
    if (!(codes instanceof Promise)) return judge(codes);
    return codes.catch((error: unknown) => asked.map(() => errorCodeOf(error))).then(judge);
  }
}

/** A guard, which is good if the coordinator says so. */
function isOpenQuestion(verdict: Verdict): boolean {
  return typeof verdict === "object" && !(verdict instanceof KafkaError);
}

function isTooEarly(verdicts: readonly Verdict[]): boolean {
  return verdicts.some(
    (verdict) => verdict instanceof KafkaError && verdict.code === ErrorCode.CONCURRENT_TRANSACTIONS,
  );
}

function refusal(code: ErrorCode, support: TransactionSupport): KafkaError {
  switch (code) {
    case ErrorCode.PRODUCER_FENCED:
      return new KafkaError(ErrorCode.INVALID_PRODUCER_EPOCH, "the producer has been fenced by a newer one");
    case ErrorCode.TRANSACTION_ABORTABLE: {
      const known = support === "default" ? ErrorCode.INVALID_TXN_STATE : ErrorCode.TRANSACTION_ABORTABLE;
      return new KafkaError(known, "the partition was not added to the transaction");
    }
    case ErrorCode.INVALID_TXN_STATE:
      return new KafkaError(code, "the partition was not added to the transaction");
    default:
      return new KafkaError(code);
  }
}

/**
 * Clients that send records expect no errors of the coordinator, and would give up. NOT_ENOUGH_REPLICAS has them try again without
 * looking for another leader first, as in Kafka.
 */
export function asProduceError(verdict: Verdict): Verdict {
  if (!(verdict instanceof KafkaError) || !TRANSIENT.has(verdict.code)) return verdict;
  return new KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS, `the transaction could not be verified: ${verdict.codeName}`);
}
