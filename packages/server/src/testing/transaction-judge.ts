import { ErrorCode } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { ControlRecordType, controlRecordType, recordBatches } from "@samsa/protocol";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { ListTransactionsRequest } from "@samsa/protocol/messages/list-transactions-request";
import { ListTransactionsResponse } from "@samsa/protocol/messages/list-transactions-response";
import { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import type { HistoryEvent } from "@samsa/simulation";
import { checkHistory } from "@samsa/simulation";
import { fetchRequest } from "./produce-and-fetch.ts";
import type { EndedTransaction, ReadingProcess } from "./transaction-processes.ts";
import { operationOf, PARTITIONS, TOPIC } from "./transaction-processes.ts";

/** A run that has come to rest: what its processes know of it, and a broker that answers. */
export interface RunAtRest {
  readonly transactionalIds: readonly string[];
  readonly history: readonly HistoryEvent[];
  /** Corrected where a committed offset tells how a transaction has ended. */
  readonly transactions: EndedTransaction[];
  /** "7/0": producers and epochs that have more than one transaction. */
  readonly sharedEpochs: ReadonlySet<string>;
  newReader(): ReadingProcess;
  ask<Request, Response>(
    request: ApiMessageCodec<Request>,
    response: ApiMessageCodec<Response>,
    version: number,
    body: Request,
  ): Promise<Response | undefined>;
  /** The answer to a question that has one. @throws Error when none comes */
  inTime<T>(asked: Promise<T | undefined>): Promise<T>;
  note(event: HistoryEvent): void;
  mark(name: string): void;
}

/** Says whether what was promised to transactional producers and to readers of committed records was kept. */
export class TransactionJudge {
  readonly #run: RunAtRest;

  constructor(run: RunAtRest) {
    this.#run = run;
  }

  /** @throws Error when something is not as it should be */
  async judge(): Promise<void> {
    const states = await this.#run.inTime(
      this.#run.ask(ListTransactionsRequest, ListTransactionsResponse, 1, ListTransactionsRequest.create()),
    );
    const open = states.transactionStates.filter(({ transactionState }) => !/^(Empty|Complete)/.test(transactionState));
    if (open.length > 0) throw new Error(`not at rest: ${JSON.stringify(open)}`);
    const last = this.#run.newReader();
    for (let partition = 0; partition < PARTITIONS; partition++) await this.#readToTheEnd(last, partition);
    await this.#judgeMarkers();
    await this.#judgeOffsets();
    this.#judgeRefusals(last.process);
    const anomalies = checkHistory([...this.#run.history, ...this.#run.transactions.flatMap(operationOf)]);
    if (anomalies.length > 0) throw new Error(`anomalies: ${JSON.stringify(anomalies.slice(0, 5))}`);
  }

  async #readToTheEnd(reader: ReadingProcess, partition: number): Promise<void> {
    const log = `${TOPIC}-${partition}`;
    for (let end = -1; ;) {
      const read = await this.#run.inTime(reader.poll(partition));
      const { lastStableOffset, highWatermark, nextOffset } = read;
      this.#run.note({ kind: "offsets-seen", log, lastStableOffset, highWatermark, openTransactions: 0 });
      if (nextOffset === end || nextOffset >= highWatermark) break;
      end = nextOffset;
    }
    this.#run.note({ kind: "drained", log });
  }

  /** What has been committed is so to whoever asks once more: nobody is told that there is nothing to commit. */
  #judgeRefusals(reader: number): void {
    const read = new Set<string>();
    for (const event of this.#run.history) {
      if (event.kind !== "operation" || event.process !== reader) continue;
      for (const step of event.steps) if (step.kind === "poll") for (const { value } of step.records) read.add(value);
    }
    for (const { transactionalId, refusal, steps } of this.#run.transactions) {
      if (refusal === undefined) continue;
      this.#run.mark("ends that were refused");
      if (refusal !== ErrorCode.INVALID_TXN_STATE || !steps.some(({ value }) => read.has(value))) continue;
      throw new Error(
        `a commit of "${transactionalId}" was refused as there was nothing to commit, and its records are read`,
      );
    }
  }

  /** Of each group, the offset of the last transaction that has committed one: its records must be there, too. */
  async #judgeOffsets(): Promise<void> {
    for (const groupId of this.#run.transactionalIds) {
      const body = OffsetFetchRequest.create({
        groupId,
        topics: [{ name: TOPIC, partitionIndexes: [0] }],
        requireStable: true,
      });
      const asked = this.#run.ask(OffsetFetchRequest, OffsetFetchResponse, 7, body);
      const found = (await this.#run.inTime(asked)).topics[0]?.partitions[0];
      if (found?.errorCode !== ErrorCode.NONE) throw new Error(`the offsets of ${groupId}: ${found?.errorCode}`);
      const { committedOffset } = found;
      const own = this.#run.transactions.filter(
        (each) => each.transactionalId === groupId && each.offset !== undefined,
      );
      const newest = own.findLast(({ outcome }) => outcome === "ok")?.offset ?? -1;
      const writer = own.find(({ offset }) => offset === committedOffset);
      if (committedOffset < newest) throw new Error(`the offset of ${groupId} is ${committedOffset}, not ${newest}`);
      if (committedOffset < 0) continue;
      if (writer === undefined || writer.outcome === "failed") {
        throw new Error(`the offset ${committedOffset} of ${groupId} was ${writer?.outcome ?? "never"} committed`);
      }
      this.#run.mark("offsets of groups");
      this.#run.transactions[this.#run.transactions.indexOf(writer)] = { ...writer, outcome: "ok" };
    }
  }

  /** The markers of one epoch of a producer say the same wherever they are; V1 keeps its epoch, and may say both in turn. */
  async #judgeMarkers(): Promise<void> {
    const byTransaction = new Map<string, Set<string>>();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (let offset = 0; ;) {
        const request = fetchRequest({ topic: TOPIC, partition, offset });
        const answer = await this.#run.inTime(this.#run.ask(FetchRequest, FetchResponse, 12, request));
        const bytes = answer.responses[0]?.partitions[0]?.records ?? new Uint8Array(0);
        const before = offset;
        for (const batch of recordBatches(bytes)) {
          offset = batch.lastOffset + 1;
          if (!batch.isControlBatch) continue;
          const [record] = batch.records();
          const type = record === undefined ? undefined : controlRecordType(record.key);
          const name = `${batch.producerId}/${batch.producerEpoch}`;
          const types = byTransaction.get(name) ?? new Set<string>();
          byTransaction.set(name, types.add(type === ControlRecordType.COMMIT ? "commit" : "abort"));
          this.#run.mark("markers");
        }
        if (offset === before || offset >= (answer.responses[0]?.partitions[0]?.highWatermark ?? 0)) break;
      }
    }
    for (const [name, types] of byTransaction) {
      if (types.size > 1 && !this.#run.sharedEpochs.has(name))
        throw new Error(`${name} has been committed and aborted`);
    }
  }
}
