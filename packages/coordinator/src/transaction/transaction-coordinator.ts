import type { Clock } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { Coordinator } from "../runtime/coordinator.ts";
import type { TopicPartitions } from "./topic-partitions.ts";
import type { TransactionConfig } from "./transaction-config.ts";
import type { TransactionAnswer } from "./transaction-coordinator-shard.ts";
import { TransactionCoordinatorShard } from "./transaction-coordinator-shard.ts";
import type { AddPartitions, EndTxn, InitProducerId, ProducerIdAndEpoch } from "./transaction-decisions.ts";
import { verifyProducer } from "./transaction-decisions.ts";
import type { TransactionMetadata } from "./transaction-metadata.ts";
import type { TransactionPorts } from "./transaction-ports.ts";
import type { TransactionRecord } from "./transaction-records.ts";
import { transactionRecordSerde } from "./transaction-records.ts";

export interface TransactionCoordinatorOptions {
  readonly config: TransactionConfig;
  readonly ports: TransactionPorts;
  readonly clock: Clock;
  /** A partition of `__transaction_state` that could not be loaded or written. */
  readonly onProblem: (partition: number, error: unknown) => void;
}

/** A transactional id and what is known of it. */
export interface DescribedTransaction extends TransactionMetadata {
  readonly transactionalId: string;
}

/** The error of each partition that was asked about. */
export type PartitionErrors = (topic: string, partition: number) => ErrorCode;

/**
 * The transaction coordinator of a broker: each transactional id belongs to the partition of `__transaction_state` that it
 * hashes to, and whoever leads that partition coordinates its transactions. What need not wait for the
 * disk is answered at once. All methods reject with a KafkaError that is the answer when the coordinator is elsewhere, or not ready:
 * NOT_COORDINATOR and COORDINATOR_LOAD_IN_PROGRESS.
 */
export class TransactionCoordinator extends Coordinator<TransactionRecord, TransactionCoordinatorShard> {
  constructor({ config, ports, clock, onProblem }: TransactionCoordinatorOptions) {
    super({
      topicName: "__transaction_state",
      withoutTopic: ErrorCode.NOT_COORDINATOR,
      clock,
      serde: transactionRecordSerde(() => ports.transactionVersion()),
      newShard: (leaderEpoch) => new TransactionCoordinatorShard(config, ports, leaderEpoch),
      compressionType: "none", // as Kafka has it
      onProblem,
    });
  }

  /** A producer begins (KIP-98), or goes on after an error (KIP-360). */
  initProducerId(transactionalId: string, request: InitProducerId): TransactionAnswer | Promise<TransactionAnswer> {
    return this.schedule(transactionalId, (step, shard, reply) =>
      shard.initProducerId(step, transactionalId, request, reply),
    );
  }

  /** @returns one error for all partitions */
  addPartitions(transactionalId: string, request: AddPartitions): ErrorCode | Promise<ErrorCode> {
    const answer = this.schedule<TransactionAnswer>(transactionalId, (step, shard, reply) =>
      shard.addPartitions(step, transactionalId, request, reply),
    );
    return answer instanceof Promise ? answer.then(({ errorCode }) => errorCode) : answer.errorCode;
  }

  /**
   * Whether the producer has added these partitions to the transaction that is open; TRANSACTION_ABORTABLE for one that is not
   * among them.
   */
  verifyPartitions(transactionalId: string, producer: ProducerIdAndEpoch): PartitionErrors | Promise<PartitionErrors> {
    return this.schedule(transactionalId, (step, { transactions }, reply) => {
      const current = transactions.get(transactionalId);
      const errorCode = verifyProducer(current, producer);
      const partitions: TopicPartitions | undefined = current?.partitions;
      step.reply(reply, (topic, partition) => {
        if (errorCode !== ErrorCode.NONE) return errorCode;
        return partitions?.get(topic)?.has(partition) === true ? ErrorCode.NONE : ErrorCode.TRANSACTION_ABORTABLE;
      });
    });
  }

  /** The end is decided when this is answered; the markers follow. */
  endTxn(transactionalId: string, request: EndTxn): TransactionAnswer | Promise<TransactionAnswer> {
    return this.schedule(transactionalId, (step, shard, reply) => shard.endTxn(step, transactionalId, request, reply));
  }

  /** Undefined for an id that is not known. */
  async describeTransaction(transactionalId: string): Promise<TransactionMetadata | undefined> {
    return await this.schedule(transactionalId, (step, { transactions }, reply) =>
      step.reply(reply, transactions.get(transactionalId)),
    );
  }

  /** The transactional ids of all partitions led here. Rejects with COORDINATOR_LOAD_IN_PROGRESS while one is loaded. */
  listTransactions(): Promise<readonly DescribedTransaction[]> {
    return this.collect(({ transactions }) =>
      Array.from(transactions, ([transactionalId, metadata]) => ({ transactionalId, ...metadata })),
    );
  }
}
