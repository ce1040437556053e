import { ErrorCode } from "@samsa/base";
import { RecordBatchBuilder } from "@samsa/protocol";
import { VirtualClock } from "@samsa/simulation";
import type { TransactionMarker } from "../runtime/coordinator-shard.ts";
import type { TopicPartitions } from "../transaction/topic-partitions.ts";
import { topicPartitions } from "../transaction/topic-partitions.ts";
import type { TransactionConfig } from "../transaction/transaction-config.ts";
import { TransactionCoordinator } from "../transaction/transaction-coordinator.ts";
import type { TransactionAnswer } from "../transaction/transaction-coordinator-shard.ts";
import type { ProducerIdAndEpoch } from "../transaction/transaction-decisions.ts";
import type { MarkerResults } from "../transaction/transaction-ports.ts";
import { newTransactionMetadata } from "../transaction/transaction-metadata.ts";
import { transactionRecordSerde } from "../transaction/transaction-records.ts";
import { settle } from "./group-harness.ts";
import { MemoryCoordinatorLog } from "./memory-coordinator-log.ts";

export const TEST_TRANSACTION_CONFIG: TransactionConfig = {
  maxTimeoutMs: 900_000,
  abortTimedOutIntervalMs: 10_000,
  expirationMs: 604_800_000,
  removeExpiredIntervalMs: 3_600_000,
};

/** Markers that somebody is asked to write, until the test says what becomes of them. */
export interface AskedMarkers {
  readonly marker: TransactionMarker;
  readonly partitions: TopicPartitions;
  /** NONE for every partition but those given. */
  answer(codes?: ReadonlyMap<string, ErrorCode>): void;
  fail(): void;
}

/** A transaction coordinator with one partition, whose clock, disk and markers the test moves. */
export class TransactionHarness {
  readonly clock = new VirtualClock();
  readonly problems: unknown[] = [];
  readonly config: TransactionConfig;
  /** Markers that were asked for and not answered. While `holdsMarkers` is false they are answered at once. */
  readonly asked: AskedMarkers[] = [];
  /** All markers that were written, as "commit 7/1 t-0". */
  readonly written: string[] = [];
  holdsMarkers = false;
  transactionVersion = 2;
  nextProducerId = 1;
  /** Set to have the next producer id refused. */
  refusal: Error | undefined;
  coordinator: TransactionCoordinator;
  log = new MemoryCoordinatorLog();
  #epoch = 0;

  private constructor(config: TransactionConfig) {
    this.config = config;
    this.coordinator = this.#newCoordinator();
  }

  static async start(config: Partial<TransactionConfig> = {}): Promise<TransactionHarness> {
    const harness = new TransactionHarness({ ...TEST_TRANSACTION_CONFIG, ...config });
    await harness.lead();
    return harness;
  }

  async lead(): Promise<void> {
    this.coordinator.load(0, this.#epoch++, this.log);
    await settle();
  }

  /** The coordinator is gone without a word, and another one leads what it left. */
  async crash(keptPending = 0): Promise<void> {
    const { coordinator } = this;
    this.log = this.log.crashed(keptPending);
    coordinator.close();
    this.asked.length = 0;
    this.coordinator = this.#newCoordinator();
    await this.lead();
  }

  /** An id that has had so many epochs already. */
  async begin(transactionalId: string, producerEpoch: number): Promise<void> {
    const producerId = this.nextProducerId++;
    const metadata = { ...newTransactionMetadata(producerId, this.clock.wallMs()), producerEpoch };
    const batch = new RecordBatchBuilder({ compressionType: "none" });
    batch.append({ timestamp: 0, ...transactionRecordSerde(() => 2).encode({ transactionalId, metadata }) });
    this.log.batches.push(batch.build());
    this.coordinator.unload(0);
    await this.lead();
  }

  async init(id = "x", expected?: ProducerIdAndEpoch, transactionTimeoutMs = 60_000): Promise<TransactionAnswer> {
    return await this.coordinator.initProducerId(id, { transactionTimeoutMs, expected });
  }

  async add(producerId: number, producerEpoch: number, partitions = [0], id = "x", version = 2): Promise<ErrorCode> {
    return await this.coordinator.addPartitions(id, {
      producerId,
      producerEpoch,
      partitions: topicPartitions([["t", partitions]]),
      clientTransactionVersion: version,
    });
  }

  async end(
    producerId: number,
    producerEpoch: number,
    isCommit: boolean,
    id = "x",
    version = 2,
  ): Promise<TransactionAnswer> {
    return await this.coordinator.endTxn(id, {
      producerId,
      producerEpoch,
      isCommit,
      clientTransactionVersion: version,
    });
  }

  /** "Ongoing 7/0 t-0 t-1". */
  async state(id = "x"): Promise<string | undefined> {
    const found = await this.coordinator.describeTransaction(id);
    if (found === undefined) return undefined;
    const { state, producerId, producerEpoch, partitions } = found;
    return [`${state} ${producerId}/${producerEpoch}`, ...names(partitions)].join(" ");
  }

  #newCoordinator(): TransactionCoordinator {
    const coordinator = new TransactionCoordinator({
      config: this.config,
      clock: this.clock,
      ports: {
        generateProducerId: () => this.#generateProducerId(),
        writeMarkers: (marker, partitions) => this.#writeMarkers(marker, partitions),
        transactionVersion: () => this.transactionVersion,
      },
      onProblem: (_partition, error) => void this.problems.push(error),
    });
    coordinator.setPartitionCount(1);
    return coordinator;
  }

  async #generateProducerId(): Promise<number> {
    const { refusal } = this;
    this.refusal = undefined;
    if (refusal !== undefined) throw refusal;
    return this.nextProducerId++;
  }

  #writeMarkers(marker: TransactionMarker, partitions: TopicPartitions): Promise<MarkerResults> {
    return new Promise((resolve, reject) => {
      const asked: AskedMarkers = {
        marker,
        partitions,
        answer: (codes) => {
          const results = new Map<string, Map<number, ErrorCode>>();
          for (const [topic, indexes] of partitions) {
            const ofTopic = new Map<number, ErrorCode>();
            for (const index of indexes) ofTopic.set(index, codes?.get(`${topic}-${index}`) ?? ErrorCode.NONE);
            results.set(topic, ofTopic);
          }
          for (const name of names(partitions)) if (!codes?.has(name)) this.written.push(`${told(marker)} ${name}`);
          resolve(results);
        },
        fail: () => reject(new Error("nobody is there")),
      };
      if (this.holdsMarkers) this.asked.push(asked);
      else asked.answer();
    });
  }
}

function told({ isCommitted, producerId, producerEpoch }: TransactionMarker): string {
  return `${isCommitted ? "commit" : "abort"} ${producerId}/${producerEpoch}`;
}

function names(partitions: TopicPartitions): string[] {
  return [...partitions].flatMap(([topic, indexes]) => Array.from(indexes, (index) => `${topic}-${index}`));
}
