// Transactional producers in a process of its own, each with a connection, as Java's are with `transaction.version=2` (KIP-890): Produce
// adds its partitions by itself, each end raises the epoch. Batches are built beforehand. One job, as in generator.mjs.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32c } from "@node-rs/crc32";
import { TcpTransport } from "@samsa/io";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import { until } from "../../compat/lib/bare-client.mjs";
import { encodeBatch } from "../../compat/lib/record-batches.mjs";
import { RawClient } from "../../packages/server/dist/testing/raw-client.js";
import { quantile } from "./measures.mjs";

const NONE = 0;
const COMES = [14, 15, 16, 19, 51]; // the coordinator is loading, or still ends the transaction before; 19 is how Produce says so
const RETRY_MS = 1;
const SETTLE_MS = 2000; // Apache Kafka forgets what it was told while the topic of the transactions is being made
const LIMIT_MS = 60_000;
const RECORDS_PER_BATCH = 5000;
const TRANSACTION_KEY = 1; // of FindCoordinator

class TransactionalProducer {
  #client;
  #id;
  #topic;
  #batches;
  #producer = { producerId: -1, producerEpoch: -1 };

  constructor(client, id, { topic, records, recordBytes }) {
    this.#client = client;
    this.#id = id;
    this.#topic = topic;
    this.#batches = [];
    for (let sequence = 0; sequence < records; sequence += RECORDS_PER_BATCH) {
      const count = Math.min(RECORDS_PER_BATCH, records - sequence);
      const batch = Array.from({ length: count }, () => ({ key: null, value: Buffer.alloc(recordBytes, sequence) }));
      this.#batches.push(encodeBatch(batch, { isTransactional: true, baseSequence: sequence }));
    }
  }

  static async open(port, id, job) {
    const client = await RawClient.connect(new TcpTransport(), { host: "127.0.0.1", port });
    const producer = new TransactionalProducer(client, id, job);
    await producer.#findCoordinator();
    await sleep(SETTLE_MS);
    await producer.#initProducerId();
    return producer;
  }

  /** One transaction; resolves with the milliseconds its commit took. */
  async run() {
    for (const batch of this.#batches) await this.#produce(this.#stamped(batch));
    const from = performance.now();
    const { producerId, producerEpoch } = this.#producer;
    const fields = { transactionalId: this.#id, producerId, producerEpoch, committed: true };
    const ended = await this.#insist("EndTxn", async () => {
      const answer = await this.#ask(EndTxnRequest, EndTxnResponse, 5, fields);
      return { answer, errorCode: answer.errorCode };
    });
    if (ended.producerId !== -1) this.#producer = { producerId: ended.producerId, producerEpoch: ended.producerEpoch };
    return performance.now() - from;
  }

  close() {
    this.#client.close();
  }

  async #findCoordinator() {
    const fields = { keyType: TRANSACTION_KEY, coordinatorKeys: [this.#id] };
    const ask = async () => {
      const { coordinators } = await this.#ask(FindCoordinatorRequest, FindCoordinatorResponse, 4, fields);
      return coordinators[0].errorCode === NONE;
    };
    await until(ask, { limitMs: LIMIT_MS, pauseMs: 20 });
  }

  async #initProducerId() {
    const fields = { transactionalId: this.#id, transactionTimeoutMs: 60_000 };
    this.#producer = await this.#insist("InitProducerId", async () => {
      const answer = await this.#ask(InitProducerIdRequest, InitProducerIdResponse, 4, fields);
      return { answer, errorCode: answer.errorCode };
    });
  }

  async #produce(records) {
    const partitionData = [{ index: 0, records }];
    const topicData = [{ name: this.#topic, partitionData }];
    const fields = { transactionalId: this.#id, acks: -1, timeoutMs: 30_000, topicData };
    await this.#insist("Produce", async () => {
      const answer = await this.#ask(ProduceRequest, ProduceResponse, 12, fields);
      return { answer, errorCode: answer.responses[0].partitionResponses[0].errorCode };
    });
  }

  async #insist(what, ask) {
    for (;;) {
      const { answer, errorCode } = await ask();
      if (errorCode === NONE) return answer;
      if (!COMES.includes(errorCode)) throw new Error(`${what} was answered ${errorCode}`);
      await sleep(RETRY_MS);
    }
  }

  #stamped(batch) {
    batch.writeBigInt64BE(BigInt(this.#producer.producerId), 43);
    batch.writeInt16BE(this.#producer.producerEpoch, 51);
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
    return batch;
  }

  #ask(request, response, version, fields) {
    return this.#client.request(request, response, version, request.create(fields));
  }
}

/** `producers` side by side, one transaction of each after the other, for `ms` after `warmMs`. */
async function transactions({ port, name, producers, warmMs, ms, ...job }) {
  const ids = Array.from({ length: producers }, (_, number) => `${name}-${number}`);
  const all = await Promise.all(ids.map((id) => TransactionalProducer.open(port, id, job)));
  const begin = performance.now() + warmMs;
  const end = begin + ms;
  const commits = [];
  await Promise.all(
    all.map(async (producer) => {
      while (performance.now() < end) {
        const took = await producer.run();
        if (performance.now() >= begin) commits.push(took);
      }
    }),
  );
  for (const producer of all) producer.close();
  commits.sort((a, b) => a - b);
  return { perSecond: commits.length / (ms / 1000), p50: quantile(commits, 0.5), p99: quantile(commits, 0.99) };
}

process.once("message", (job) => {
  transactions(job).then(
    (result) => process.send({ result }, () => process.disconnect()),
    (error) => process.send({ error: error.message }, () => process.disconnect()),
  );
});
