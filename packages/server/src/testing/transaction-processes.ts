import type { ErrorCode as Code } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { recordBatches } from "@samsa/protocol";
import { AddOffsetsToTxnRequest } from "@samsa/protocol/messages/add-offsets-to-txn-request";
import { AddOffsetsToTxnResponse } from "@samsa/protocol/messages/add-offsets-to-txn-response";
import { AddPartitionsToTxnRequest } from "@samsa/protocol/messages/add-partitions-to-txn-request";
import { AddPartitionsToTxnResponse } from "@samsa/protocol/messages/add-partitions-to-txn-response";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import { TxnOffsetCommitRequest } from "@samsa/protocol/messages/txn-offset-commit-request";
import { TxnOffsetCommitResponse } from "@samsa/protocol/messages/txn-offset-commit-response";
import type { ApiMessageCodec } from "@samsa/protocol";
import type { HistoryEvent, Outcome, PolledRecord, SendStep } from "@samsa/simulation";
import { fetchRequest } from "./produce-and-fetch.ts";
import { batchOf } from "./test-broker.ts";

export const TOPIC = "t";
export const PARTITIONS = 4;

/** What a process needs of the world. */
export interface World {
  nowMs(): number;
  /** Resolves when so much time has passed; never for a process that is gone by then. */
  sleep(process: number, ms: number): Promise<void>;
  /**
   * Asks the broker; undefined when no answer comes. Never resolves for a process that is gone. `mayBeLate`: the request may also
   * come late, or twice, when its sender has gone on.
   */
  ask<Request, Response>(
    process: number,
    request: ApiMessageCodec<Request>,
    response: ApiMessageCodec<Response>,
    version: number,
    body: Request,
    mayBeLate: boolean,
  ): Promise<Response | undefined>;
  /** One in so many. */
  chance(count: number): boolean;
  below(count: number): number;
  mark(name: string): void;
  note(event: HistoryEvent): void;
  noteTransaction(transaction: EndedTransaction): void;
  /** Above all before it. */
  nextOffset(): number;
  /** Whether the transactional id had another one before. */
  noteProducerId(transactionalId: string, producerId: number): boolean;
  /** This epoch has more than one transaction. */
  noteSharedEpoch(producerId: number, producerEpoch: number): void;
}

const RETRIED: ReadonlySet<Code> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.KAFKA_STORAGE_ERROR,
]);
/** The producer has lost its transaction, and may end it. */
const ABORTED: ReadonlySet<Code> = new Set([
  ErrorCode.TRANSACTION_ABORTABLE,
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  ErrorCode.UNKNOWN_PRODUCER_ID,
]);
const MOST_ATTEMPTS_OF_A_SEND = 12;
const TIMEOUT_MS = 15_000;

interface ProducerIdAndEpoch {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** It was fenced, or something as final. */
class Fatal extends Error {}

/** A transaction as its process knows it, for the history when the process is gone. */
interface OpenTransaction {
  readonly begin: number;
  readonly steps: SendStep[];
  isCommitSent: boolean;
  /** Of the group that is named as the transactional id, in partition 0; undefined when there is none in the transaction. */
  offset: number | undefined;
  /** Why its end was not taken. */
  refusal: Code | undefined;
}

/** A transaction that is over, as far as its process knows. */
export interface EndedTransaction extends Omit<OpenTransaction, "isCommitSent"> {
  readonly process: number;
  readonly transactionalId: string;
  readonly end: number;
  readonly outcome: Outcome;
}

/** For the history; nothing when nothing was sent. */
export function operationOf({ process, begin, end, outcome, steps }: EndedTransaction): HistoryEvent[] {
  return steps.length === 0 ? [] : [{ kind: "operation", process, begin, end, outcome, transactional: true, steps }];
}

/** A producer of one transactional id: it begins, sends, ends, and again, until it is fenced or gone. */
export class TransactionalProcess {
  readonly process: number;
  readonly transactionalId: string;
  readonly isV2: boolean;
  readonly #world: World;
  #producerId = -1;
  #producerEpoch = -1;
  readonly #sequences = new Map<number, number>();
  readonly #added = new Set<number>();
  #open: OpenTransaction | undefined;
  #number = 0;
  isOver = false;

  constructor(world: World, process: number, transactionalId: string, isV2: boolean) {
    this.#world = world;
    this.process = process;
    this.transactionalId = transactionalId;
    this.isV2 = isV2;
  }

  async run(): Promise<void> {
    try {
      await this.#init();
      for (;;) await this.#transact();
    } catch (error) {
      if (!(error instanceof Fatal)) throw error;
      this.#world.mark("producers that were fenced");
    } finally {
      this.end();
    }
  }

  /** It is gone: what it had open may be whatever it has become. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.#open !== undefined) this.#finish(this.#open.isCommitSent ? "unknown" : "failed");
  }

  async #init(expected?: ProducerIdAndEpoch): Promise<void> {
    for (;;) {
      const { transactionalId } = this;
      const body = InitProducerIdRequest.create({ transactionalId, transactionTimeoutMs: TIMEOUT_MS, ...expected });
      const answer = await this.#ask(InitProducerIdRequest, InitProducerIdResponse, 5, body, false);
      if (answer?.errorCode === ErrorCode.NONE) return this.#become(answer, "beginning");
      if (answer?.errorCode === ErrorCode.CONCURRENT_TRANSACTIONS) this.#world.mark("producers that had to wait");
      if (answer !== undefined && !RETRIED.has(answer.errorCode as Code)) throw new Fatal();
      await this.#pause();
    }
  }

  async #transact(): Promise<void> {
    const world = this.#world;
    const open: OpenTransaction = {
      begin: world.nowMs(),
      steps: [],
      isCommitSent: false,
      offset: undefined,
      refusal: undefined,
    };
    this.#open = open;
    this.#number++;
    let isWhole = true;
    for (let sends = world.below(4); sends > 0 && isWhole; sends--) {
      isWhole = await this.#send(world.below(PARTITIONS), open);
      if (world.chance(3)) await world.sleep(this.process, world.below(2000));
    }
    if (world.chance(20)) {
      world.mark("producers that take too long");
      await world.sleep(this.process, TIMEOUT_MS + world.below(20_000));
    }
    if (isWhole && world.chance(3)) isWhole = await this.#commitOffset(open);
    const hasSent = open.steps.length > 0 || open.offset !== undefined;
    const isCommit = isWhole && hasSent && !world.chance(4);
    if (hasSent || this.isV2) await this.#endTransaction(isCommit, open);
    this.#finish(isCommit ? "ok" : "failed");
    if (!isWhole && !this.isV2) await this.#init({ producerId: this.#producerId, producerEpoch: this.#producerEpoch });
    await world.sleep(this.process, world.below(300));
  }

  /** False when it may not go on as it was. */
  async #send(partition: number, open: OpenTransaction): Promise<boolean> {
    if (!this.isV2 && !this.#added.has(partition) && !(await this.#addPartition(partition))) return false;
    const count = 1 + this.#world.below(3);
    const values = Array.from(
      { length: count },
      (_, index) => `${this.process}.${this.#number}.${open.steps.length + index}`,
    );
    const log = `${TOPIC}-${partition}`;
    const first = open.steps.length;
    open.steps.push(...values.map((value): SendStep => ({ kind: "send", log, value })));
    const baseSequence = this.#sequences.get(partition) ?? 0;
    const producer = { producerId: this.#producerId, producerEpoch: this.#producerEpoch };
    for (let attempt = 0; attempt < MOST_ATTEMPTS_OF_A_SEND; attempt++) {
      const records = batchOf(values, { ...producer, baseSequence, isTransactional: true });
      const body = ProduceRequest.create({
        transactionalId: this.transactionalId,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: TOPIC, topicId: ZERO_UUID, partitionData: [{ index: partition, records }] }],
      });
      const answer = await this.#ask(ProduceRequest, ProduceResponse, this.isV2 ? 12 : 11, body, this.isV2);
      const result = answer?.responses[0]?.partitionResponses[0];
      const code = result?.errorCode as Code | undefined;
      if (result !== undefined && (code === ErrorCode.NONE || code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER)) {
        this.#sequences.set(partition, baseSequence + count);
        for (let index = 0; index < count && code === ErrorCode.NONE; index++) {
          const offset = result.baseOffset + index;
          open.steps[first + index] = { kind: "send", log, value: values[index] ?? "", offset };
        }
        return true;
      }
      if (code !== undefined && ABORTED.has(code)) return false;
      if (code !== undefined && !RETRIED.has(code)) throw new Fatal();
      await this.#pause();
    }
    return false;
  }

  /** False when it may not go on as it was. */
  async #commitOffset(open: OpenTransaction): Promise<boolean> {
    const { transactionalId } = this;
    const producer = { producerId: this.#producerId, producerEpoch: this.#producerEpoch };
    open.offset = this.#world.nextOffset();
    if (!this.isV2) {
      const body = AddOffsetsToTxnRequest.create({ transactionalId, groupId: transactionalId, ...producer });
      const isAdded = await this.#untilTaken(async () => {
        const answer = await this.#ask(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, 3, body, false);
        return answer?.errorCode;
      });
      if (!isAdded) return false;
    }
    const partition = {
      partitionIndex: 0,
      committedOffset: open.offset,
      committedLeaderEpoch: -1,
      committedMetadata: "",
    };
    const body = TxnOffsetCommitRequest.create({
      transactionalId,
      groupId: transactionalId,
      ...producer,
      topics: [{ name: TOPIC, topicId: ZERO_UUID, partitions: [partition] }],
    });
    return this.#untilTaken(async () => {
      const version = this.isV2 ? 5 : 3;
      const answer = await this.#ask(TxnOffsetCommitRequest, TxnOffsetCommitResponse, version, body, this.isV2);
      return answer?.topics[0]?.partitions[0]?.errorCode;
    });
  }

  /** False when it may not go on as it was. */
  async #untilTaken(attempt: () => Promise<number | undefined>): Promise<boolean> {
    for (let attempts = 0; attempts < MOST_ATTEMPTS_OF_A_SEND; attempts++) {
      const code = (await attempt()) as Code | undefined;
      if (code === ErrorCode.NONE) return true;
      if (code !== undefined && ABORTED.has(code)) return false;
      if (code !== undefined && !RETRIED.has(code)) throw new Fatal();
      await this.#pause();
    }
    return false;
  }

  async #addPartition(partition: number): Promise<boolean> {
    const body = AddPartitionsToTxnRequest.create({
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: this.#producerId,
      v3AndBelowProducerEpoch: this.#producerEpoch,
      v3AndBelowTopics: [{ name: TOPIC, partitions: [partition] }],
    });
    const isAdded = await this.#untilTaken(async () => {
      const answer = await this.#ask(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, 3, body, false);
      return answer?.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode;
    });
    if (isAdded) this.#added.add(partition);
    return isAdded;
  }

  async #endTransaction(isCommit: boolean, open: OpenTransaction): Promise<void> {
    open.isCommitSent ||= isCommit;
    const body = EndTxnRequest.create({
      transactionalId: this.transactionalId,
      producerId: this.#producerId,
      producerEpoch: this.#producerEpoch,
      committed: isCommit,
    });
    for (;;) {
      const answer = await this.#ask(EndTxnRequest, EndTxnResponse, this.isV2 ? 5 : 4, body, this.isV2);
      if (answer?.errorCode === ErrorCode.NONE) {
        this.#world.mark(isCommit ? "transactions committed" : "transactions aborted");
        this.#added.clear();
        if (this.isV2) this.#become(answer, "end");
        return;
      }
      if (answer !== undefined && !RETRIED.has(answer.errorCode as Code)) {
        // Somebody else, or the time, has ended it: not as a commit, unless an earlier attempt of this one has.
        open.refusal = answer.errorCode as Code;
        throw new Fatal();
      }
      await this.#pause();
    }
  }

  #finish(outcome: Outcome): void {
    if (this.#open === undefined) return;
    const { begin, steps, offset, refusal } = this.#open;
    this.#open = undefined;
    const { process, transactionalId } = this;
    const end = outcome === "unknown" ? Infinity : this.#world.nowMs();
    this.#world.noteTransaction({ process, transactionalId, begin, end, outcome, steps, offset, refusal });
  }

  #become({ producerId, producerEpoch }: ProducerIdAndEpoch, at: "beginning" | "end"): void {
    const isNew = this.#world.noteProducerId(this.transactionalId, producerId);
    if (isNew) this.#world.mark(`epochs that were used up at the ${at} of a transaction`);
    this.#producerId = producerId;
    this.#producerEpoch = producerEpoch;
    this.#sequences.clear();
    this.#added.clear();
    if (!this.isV2) this.#world.noteSharedEpoch(producerId, producerEpoch);
  }

  #ask<Request, Response>(
    request: ApiMessageCodec<Request>,
    response: ApiMessageCodec<Response>,
    version: number,
    body: Request,
    mayBeLate: boolean,
  ): Promise<Response | undefined> {
    return this.#world.ask(this.process, request, response, version, body, mayBeLate);
  }

  #pause(): Promise<void> {
    return this.#world.sleep(this.process, 50 + this.#world.below(500));
  }
}

/** What a fetch of one partition comes to, for one who reads what is committed. */
export interface CommittedRead {
  readonly records: readonly PolledRecord[];
  readonly nextOffset: number;
  readonly lastStableOffset: number;
  readonly highWatermark: number;
}

/** A consumer of committed records, which reads the partitions in turn, each from where it stopped. */
export class ReadingProcess {
  readonly process: number;
  readonly #world: World;
  readonly #positions = new Map<number, number>();

  constructor(world: World, process: number) {
    this.process = process;
    this.#world = world;
    world.note({ kind: "assigned", process, at: world.nowMs(), by: "assign" });
  }

  async run(): Promise<void> {
    for (;;) {
      await this.poll(this.#world.below(PARTITIONS));
      await this.#world.sleep(this.process, this.#world.below(1500));
    }
  }

  /** Reads on; undefined when the broker does not answer. */
  async poll(partition: number): Promise<CommittedRead | undefined> {
    const begin = this.#world.nowMs();
    const read = await readCommitted(this.#world, this.process, partition, this.#positions.get(partition) ?? 0);
    if (read === undefined) return undefined;
    this.#positions.set(partition, read.nextOffset);
    if (read.records.length > 0) {
      this.#world.note({
        kind: "operation",
        process: this.process,
        begin,
        end: this.#world.nowMs(),
        outcome: "ok",
        transactional: false,
        steps: [{ kind: "poll", records: read.records }],
      });
    }
    return read;
  }
}

/** Reads as Java's consumer does: the aborted are those that the answer names, from their first offset to their marker. */
export async function readCommitted(
  world: World,
  process: number,
  partition: number,
  offset: number,
): Promise<CommittedRead | undefined> {
  // A piece may end between the records of an aborted transaction and its marker.
  const maxBytes = world.chance(2) ? 1 + world.below(2000) : undefined;
  const options = { maxWaitMs: 0, isolationLevel: 1, ...(maxBytes !== undefined && { maxBytes }) };
  const request = fetchRequest({ topic: TOPIC, partition, offset, ...options });
  const answer = await world.ask(process, FetchRequest, FetchResponse, 12, request, false);
  const found = answer?.responses[0]?.partitions[0];
  if (found === undefined || found.errorCode !== ErrorCode.NONE) return undefined;
  const waiting = [...(found.abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset);
  const aborted = new Set<number>();
  const records: PolledRecord[] = [];
  let nextOffset = offset;
  for (const batch of recordBatches(found.records ?? new Uint8Array(0))) {
    nextOffset = batch.lastOffset + 1;
    while (waiting[0] !== undefined && waiting[0].firstOffset <= batch.lastOffset) {
      aborted.add(waiting.shift()?.producerId ?? -1);
    }
    if (batch.isControlBatch) {
      aborted.delete(batch.producerId);
      continue;
    }
    if (batch.isTransactional && aborted.has(batch.producerId)) continue;
    for (const record of batch.records()) {
      if (record.offset < offset) continue;
      const value = new TextDecoder().decode(record.value ?? new Uint8Array(0));
      records.push({ log: `${TOPIC}-${partition}`, offset: record.offset, value });
    }
  }
  const { lastStableOffset, highWatermark } = found;
  return { records, nextOffset, lastStableOffset, highWatermark };
}
