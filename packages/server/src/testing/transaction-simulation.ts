import { ErrorCode } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { DescribeTransactionsRequest } from "@samsa/protocol/messages/describe-transactions-request";
import type { DescribeTransactionsResponseTransactionState as DescribedTransaction } from "@samsa/protocol/messages/describe-transactions-response";
import { DescribeTransactionsResponse } from "@samsa/protocol/messages/describe-transactions-response";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { TxnOffsetCommitRequest } from "@samsa/protocol/messages/txn-offset-commit-request";
import type { DiskOperation, HistoryEvent } from "@samsa/simulation";
import { SeededRandom, SimulatedDisk } from "@samsa/simulation";
import type { RawClient } from "./raw-client.ts";
import { BrokerLife, turns } from "./simulated-broker.ts";
import type { RunAtRest } from "./transaction-judge.ts";
import { TransactionJudge } from "./transaction-judge.ts";
import type { EndedTransaction, World } from "./transaction-processes.ts";
import { ReadingProcess, TransactionalProcess } from "./transaction-processes.ts";
import { makePrototype } from "./transaction-prototype.ts";
import { TurningClock } from "./turning-clock.ts";

const PROPERTIES = {
  "transaction.state.log.num.partitions": "1",
  "offsets.topic.num.partitions": "1",
  "log.segment.bytes": "1048576",
};
/** Where the epochs of the ids begin, so that they are used up while the run lasts. */
const FIRST_EPOCHS: ReadonlyMap<string, number> = new Map([
  ["a", 32_763],
  ["b", 32_765],
  ["c", 0],
]);
const IDS = [...FIRST_EPOCHS.keys()];
const MOST_PROCESSES = 4;
/** Producers are forgotten while the run lasts. */
const SHORT_MEMORY = { "producer.id.expiration.ms": "3000", "producer.id.expiration.check.interval.ms": "1000" };
/** Of no producer: it is kept to fence the last one with. */
const EPOCH_OF_NOBODY = 32_767;
const ANSWER_TIMEOUT_MS = 3000;
/** The coordinator of groups may be ready long after that of transactions, which has markers refused until then. */
const GROUP_LOG = "/__consumer_offsets-";
/** Turns of the event loop in which a request is sent, handled and answered. */
const TURNS_OF_A_STEP = 12;
/** What may be late. */
const LATE_NAMES: ReadonlyMap<number, string> = new Map([
  [ProduceRequest.apiKey, "writes"],
  [TxnOffsetCommitRequest.apiKey, "commits of offsets"],
  [EndTxnRequest.apiKey, "ends"],
]);
const NEVER = new Promise<never>(() => undefined);
const ADMIN = -1; // the process of the simulation itself

/** How often a run came by a place: one that never does tests less than it says. */
export type Marks = Map<string, number>;

export interface TransactionSimulationReport {
  readonly steps: number;
  readonly events: number; // of the history that was judged
  readonly requests: number;
}

/** Made once. */
let prototype: Promise<ReadonlyMap<string, Uint8Array>> | undefined;

/**
 * Transactional producers, readers of committed records and a whole broker under a seed: its disk stops in the middle of any operation, and the
 * broker starts again on what is there; requests are lost, answered to nobody, come twice, and come long after their senders have
 * gone on; producers die, take too long, and share their transactional ids, so that they fence each other at any moment. Half of
 * them are of transactions V2, whose requests may be late by any time; the others get every request through or see it lost, because
 * for them a late EndTxn ends what it was not meant for (KIP-890 says so).
 *
 * At the end, when all faults have ceased and every time-out is over: no anomaly in what the clients saw (checkHistory), nothing
 * open, no last stable offset behind its high watermark, and the markers of one epoch of a producer agree in all partitions.
 * @throws Error when one of these is untrue
 */
export async function simulateTransactions(
  seed: number,
  steps: number,
  marks: Marks = new Map(),
): Promise<TransactionSimulationReport> {
  prototype ??= makePrototype(FIRST_EPOCHS, PROPERTIES);
  const simulation = new TransactionSimulation(seed, marks, await prototype);
  return simulation.run(steps);
}

class TransactionSimulation implements World {
  readonly #random: SeededRandom;
  readonly #clock = new TurningClock();
  readonly #marks: Marks;
  readonly #history: HistoryEvent[] = [];
  #disk: SimulatedDisk;
  #life: BrokerLife;
  readonly #clients = new Map<number, { readonly life: BrokerLife; readonly client: Promise<RawClient> }>();
  readonly #producers = new Set<TransactionalProcess>();
  readonly #gone = new Set<number>();
  readonly #transactions: EndedTransaction[] = [];
  #nextOffset = 1;
  readonly #sharedEpochs = new Set<string>();
  readonly #producerIds = new Map<string, number>();
  readonly #properties: Readonly<Record<string, string>>;
  #nextProcess = 0;
  #requests = 0;
  #isCalm = false;
  #failure: unknown;

  constructor(seed: number, marks: Marks, files: ReadonlyMap<string, Uint8Array>) {
    this.#random = new SeededRandom(seed);
    this.#marks = marks;
    const timing = new SeededRandom(this.#random.uint32());
    const mostDelayMs = this.chance(2) ? 0 : 1 + this.below(this.chance(3) ? 1000 : 150);
    this.#properties = this.chance(2) ? PROPERTIES : { ...PROPERTIES, ...SHORT_MEMORY };
    const isSlowToLoad = this.chance(3);
    const delayMs = ({ kind, path }: DiskOperation): number => {
      const isSlow = kind === "write" || (isSlowToLoad && kind === "read" && path.includes(GROUP_LOG));
      return isSlow && mostDelayMs > 0 ? timing.uint32() % mostDelayMs : 0;
    };
    this.#disk = new SimulatedDisk({
      seed: this.#random.uint32(),
      mostTurns: this.below(4),
      ...(mostDelayMs > 0 && { slowness: { clock: this.#clock, delayMs } }),
    });
    for (const [path, bytes] of files) this.#disk.put(path, bytes.slice());
    this.#life = new BrokerLife(this.#disk, this.#clock);
    this.#life.end();
  }

  async run(steps: number): Promise<TransactionSimulationReport> {
    await this.#startBroker();
    const readers = [this.#newReader(), this.#newReader()];
    for (const reader of readers) this.#watch(reader.run());
    for (let step = 0; step < steps; step++) await this.#step();
    await this.#calmDown();
    for (const reader of readers) this.#gone.add(reader.process);
    await new TransactionJudge(this.#atRest()).judge();
    return { steps, events: this.#history.length + this.#transactions.length, requests: this.#requests };
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  chance(count: number): boolean {
    return this.below(count) === 0;
  }

  below(count: number): number {
    return this.#random.uint32() % count;
  }

  mark(name: string): void {
    this.#marks.set(name, (this.#marks.get(name) ?? 0) + 1);
  }

  noteSharedEpoch(producerId: number, producerEpoch: number): void {
    this.#sharedEpochs.add(`${producerId}/${producerEpoch}`);
  }

  note(event: HistoryEvent): void {
    this.#history.push(event);
  }

  nextOffset(): number {
    return this.#nextOffset++;
  }

  noteProducerId(transactionalId: string, producerId: number): boolean {
    const before = this.#producerIds.get(transactionalId);
    // An answer may be old when it is heard: ids only rise.
    if (before === undefined || before < producerId) this.#producerIds.set(transactionalId, producerId);
    return before !== undefined && before < producerId;
  }

  noteTransaction(transaction: EndedTransaction): void {
    this.#transactions.push(transaction);
  }

  async sleep(process: number, ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.setTimer(ms, resolve));
    if (this.#gone.has(process)) await NEVER;
  }

  async ask<Request, Response>(
    process: number,
    request: ApiMessageCodec<Request>,
    response: ApiMessageCodec<Response>,
    version: number,
    body: Request,
    mayBeLate: boolean,
  ): Promise<Response | undefined> {
    const fate = this.#isCalm ? "heard" : this.#fateOf(mayBeLate);
    if (fate === "late" || fate === "twice") {
      this.mark(`${LATE_NAMES.get(request.apiKey)} that came ${fate}`);
      this.#clock.setTimer(this.below(this.chance(3) ? 90_000 : 3000), () => this.#sendLate(request, version, body));
    }
    let answer: Response | undefined;
    if (fate !== "late" && fate !== "lost") answer = await this.#send(process, request, response, version, body);
    if (fate === "unheard") this.mark("answers that nobody heard");
    if (fate === "unheard" || fate === "late" || fate === "lost") {
      this.#clients.delete(process); // it gives the connection up
      await this.sleep(process, ANSWER_TIMEOUT_MS);
      answer = undefined;
    }
    if (this.#gone.has(process)) await NEVER;
    return answer;
  }

  #fateOf(mayBeLate: boolean): "heard" | "unheard" | "lost" | "late" | "twice" {
    const throwOf = this.below(60);
    if (throwOf === 0) return "lost";
    if (throwOf === 1) return "unheard";
    if (!mayBeLate || throwOf > 5) return "heard";
    return throwOf % 2 === 0 ? "late" : "twice";
  }

  /** Undefined when the broker dies or says nothing. */
  async #send<Request, Response>(
    process: number,
    request: ApiMessageCodec<Request>,
    response: ApiMessageCodec<Response>,
    version: number,
    body: Request,
  ): Promise<Response | undefined> {
    const life = this.#life;
    this.#requests++;
    let isTimedOut = false;
    const timeout = new Promise<undefined>((resolve) => {
      this.#clock.setTimer(ANSWER_TIMEOUT_MS, () => {
        isTimedOut = true;
        resolve(undefined);
      });
    });
    try {
      if (life.isOver) return await timeout;
      const client = await Promise.race([this.#clientOf(process, life), timeout]);
      if (client === undefined) return undefined;
      const answer = await Promise.race([client.request(request, response, version, body), timeout]);
      if (isTimedOut) this.#clients.delete(process);
      // What a process says after its disk has stopped, it has not said.
      return life.isOver ? await timeout : answer;
    } catch {
      this.#clients.delete(process);
      return undefined;
    }
  }

  #clientOf(process: number, life: BrokerLife): Promise<RawClient> {
    const known = this.#clients.get(process);
    if (known?.life === life) return known.client;
    const client = life.connect();
    this.#clients.set(process, { life, client });
    return client;
  }

  /** By a connection of its own, to whichever broker runs by then. */
  #sendLate<Request>(request: ApiMessageCodec<Request>, version: number, body: Request): void {
    const life = this.#life;
    if (life.isOver || this.#isCalm) return;
    this.#requests++;
    // To a broker that is not there yet it comes in vain.
    life.connect().then(
      (client) => void client.send(request, version, body),
      () => undefined,
    );
  }

  #watch(running: Promise<unknown>): void {
    running.catch((error: unknown) => (this.#failure ??= error));
  }

  async #step(): Promise<void> {
    if (this.#producers.size < MOST_PROCESSES && this.chance(6)) await this.#begin();
    if (this.chance(60)) this.#kill();
    if (this.chance(2)) await this.#meddle();
    if (this.chance(40)) this.#disk.crashAt(1 + this.below(this.chance(2) ? 6 : 40));
    if (this.chance(80) && !this.#life.isOver) {
      this.mark("brokers killed between two operations");
      this.#life.end();
    }
    if (this.chance(80) && !this.#life.isOver && (await this.#life.stop())) this.mark("brokers that stopped in order");
    if (this.#life.isOver && this.chance(4)) await this.#startBroker();
    this.#clock.advance(this.below(300));
    await turns(TURNS_OF_A_STEP);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Something that needs a certain moment, if this is one. */
  async #meddle(): Promise<void> {
    const id = this.#anyId();
    const found = await this.#describe(id);
    if (found === undefined) return;
    const { transactionState: state } = found;
    if (state === "PrepareCommit" || state === "PrepareAbort") {
      if (this.chance(3)) return this.#begin(id);
      if (!this.chance(3)) return;
      this.mark(`brokers killed in ${state}`);
      this.#life.end();
    } else if (state === "Ongoing" && this.chance(8)) {
      await this.#endAsNobody(id, found.producerId);
    }
  }

  /** An end is taken under the epoch of the transaction and no other, be it higher (KAFKA-9600). */
  async #endAsNobody(transactionalId: string, producerId: number): Promise<void> {
    const body = { transactionalId, producerId, producerEpoch: EPOCH_OF_NOBODY, committed: true };
    const asked = this.#send(ADMIN, EndTxnRequest, EndTxnResponse, this.chance(2) ? 4 : 5, EndTxnRequest.create(body));
    const answer = await Promise.race([asked, turns(TURNS_OF_A_STEP)]);
    if (answer === undefined) return;
    this.mark("ends under an epoch of nobody");
    if (answer.errorCode === ErrorCode.NONE) throw new Error(`"${transactionalId}" was ended under an epoch of nobody`);
  }

  #anyId(): string {
    return IDS[this.below(IDS.length)] ?? "a";
  }

  /** A producer, perhaps beside one that has the same id. */
  async #begin(id = this.#anyId()): Promise<void> {
    const state = (await this.#describe(id))?.transactionState;
    if (state !== undefined) this.mark(`a producer begins in ${state}`);
    const producer = new TransactionalProcess(this, this.#nextProcess++, id, this.chance(2));
    this.#producers.add(producer);
    this.#watch(producer.run().finally(() => this.#producers.delete(producer)));
  }

  #kill(): void {
    const [producer] = this.#producers;
    if (producer === undefined) return;
    this.mark("producers that died");
    this.#gone.add(producer.process);
    producer.end();
    this.#producers.delete(producer);
  }

  #newReader(): ReadingProcess {
    return new ReadingProcess(this, this.#nextProcess++);
  }

  /** What the coordinator says of an id, if it says anything at once. */
  async #describe(id: string): Promise<DescribedTransaction | undefined> {
    if (this.#life.isOver) return undefined;
    const body = DescribeTransactionsRequest.create({ transactionalIds: [id] });
    const asked = this.#send(ADMIN, DescribeTransactionsRequest, DescribeTransactionsResponse, 0, body);
    const answer = await Promise.race([asked, turns(TURNS_OF_A_STEP)]);
    const found = answer?.transactionStates[0];
    return found?.errorCode === ErrorCode.NONE ? found : undefined;
  }

  async #startBroker(): Promise<void> {
    for (;;) {
      this.#disk = this.#disk.crash({ power: "kept" });
      if (!this.#isCalm && this.chance(8)) this.#loseSnapshots();
      this.#life = new BrokerLife(this.#disk, this.#clock);
      this.#clients.clear();
      if (!this.#isCalm && this.chance(5)) this.#disk.crashAt(1 + this.below(60));
      if (await this.#life.start(new SeededRandom(this.#random.uint32()), this.#properties)) break;
      this.mark("brokers that died while they started");
    }
    this.mark("starts of a broker");
  }

  /** What is known of producers is made anew from the logs. */
  #loseSnapshots(): void {
    for (const path of this.#disk.files().keys()) {
      if (!/\/data\/t-\d+\/.*\.snapshot$/.test(path)) continue;
      this.#disk.put(path, undefined);
      this.mark("snapshots of producers that were lost");
    }
  }

  /** No more faults, nobody begins anything, and every time-out passes. */
  async #calmDown(): Promise<void> {
    this.#isCalm = true;
    this.#disk.crashAt(Infinity);
    for (const producer of this.#producers) {
      this.#gone.add(producer.process);
      producer.end();
    }
    if (this.#life.isOver) await this.#startBroker();
    for (let second = 0; second < 60; second++) {
      this.#clock.advance(1000);
      await turns(TURNS_OF_A_STEP);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #atRest(): RunAtRest {
    return {
      transactionalIds: IDS,
      history: this.#history,
      transactions: this.#transactions,
      sharedEpochs: this.#sharedEpochs,
      newReader: () => this.#newReader(),
      ask: (request, response, version, body) => this.#send(ADMIN, request, response, version, body),
      inTime: (asked) => this.#inTime(asked),
      note: (event) => this.note(event),
      mark: (name) => this.mark(name),
    };
  }

  /** The answer to a question that has one. */
  async #inTime<T>(asked: Promise<T | undefined>): Promise<T> {
    const answers: (T | undefined)[] = [];
    this.#watch(asked.then((answer) => answers.push(answer)));
    for (let turn = 0; turn < 200 && answers.length === 0; turn++) {
      await turns(10);
      if (turn > 20) this.#clock.advance(10); // a slow disk
    }
    const [answer] = answers;
    if (answer === undefined) throw new Error("a broker that is well does not answer");
    return answer;
  }
}
