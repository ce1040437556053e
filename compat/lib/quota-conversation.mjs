// Clients that use more than they may. What a broker answers them, how long it says they have to wait, and for how long it
// really reads nothing more of them.
import { setTimeout as sleep } from "node:timers/promises";
import { ByteReader } from "@samsa/base";
import { TcpTransport } from "@samsa/io";
import { encodeRequest, responseHeaderVersion } from "@samsa/protocol";
import { ResponseHeader } from "@samsa/protocol/messages/response-header";
import { RawClient } from "../../packages/server/dist/testing/raw-client.js";
import { until } from "./bare-client.mjs";
import { encodeBatch } from "./record-batches.mjs";

const ZERO = "AAAAAAAAAAAAAAAAAAAAAA";
const TOPIC = "metered";
const BATCH_BYTES = 10_000;
const FETCHED_BATCH_BYTES = BATCH_BYTES + 72; // with what is around the value; a partition is asked for whole batches
const BATCHES = 40;
/** Bytes a second. A window of eleven samples of a second lets ten times as much pass at once. */
const RATE = 10_000;
const PUBLISHED_MS = 500; // Apache Kafka's broker hears of a quota a moment after the controller has answered
const CONNECTIONS = 30;

const VERSIONS = {
  Produce: 12,
  Fetch: 12,
  ApiVersions: 3,
  CreateTopics: 7,
  CreatePartitions: 3,
  DeleteTopics: 5,
  AlterClientQuotas: 1,
  ListOffsets: 6,
};

async function loadCodecs() {
  const codecs = {};
  for (const api of Object.keys(VERSIONS)) {
    const file = api.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
    const { [`${api}Request`]: request } = await import(`@samsa/protocol/messages/${file}-request`);
    const { [`${api}Response`]: response } = await import(`@samsa/protocol/messages/${file}-response`);
    codecs[api] = { request, response };
  }
  return codecs;
}

/** One connection of one client id. */
class Client {
  #raw;
  #codecs;
  #clientId;
  #correlationId = 0;

  static async connect(port, codecs, clientId) {
    const client = new Client();
    client.#raw = await RawClient.connect(new TcpTransport(), { host: "127.0.0.1", port });
    client.#codecs = codecs;
    client.#clientId = clientId;
    return client;
  }

  send(api, fields, version = VERSIONS[api]) {
    const { request } = this.#codecs[api];
    this.#raw.sendBytes(
      ...encodeRequest(request, request.create(fields), version, ++this.#correlationId, this.#clientId),
    );
  }

  async ask(api, fields, version = VERSIONS[api]) {
    const { request, response } = this.#codecs[api];
    this.send(api, fields, version);
    const reader = new ByteReader(await this.#raw.nextFrame());
    ResponseHeader.read(reader, responseHeaderVersion(request.apiKey, version));
    return response.read(reader, version);
  }

  /** Milliseconds until it is answered again. */
  async held() {
    const startedMs = performance.now();
    await this.ask("ApiVersions", { clientSoftwareName: "compat", clientSoftwareVersion: "1" });
    return performance.now() - startedMs;
  }

  close() {
    this.#raw.close();
  }
}

const batchOf = (bytes) => encodeBatch([{ key: null, value: Buffer.alloc(bytes), timestamp: 1_700_000_000_000 }]);
const produce = (records, acks = -1) => ({
  acks,
  timeoutMs: 5000,
  topicData: [{ name: TOPIC, topicId: ZERO, partitionData: [{ index: 0, records }] }],
});
const FROM_START = {
  partition: 0,
  currentLeaderEpoch: -1,
  fetchOffset: 0,
  lastFetchedEpoch: -1,
  logStartOffset: -1,
};
const fetch = (partitionMaxBytes) => ({
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 10_000_000,
  isolationLevel: 0,
  sessionId: 0,
  sessionEpoch: -1,
  topics: [{ topic: TOPIC, partitions: [{ ...FROM_START, partitionMaxBytes }] }],
});
const create = (name, numPartitions) => ({
  timeoutMs: 20_000,
  topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
});
const grow = (name, count) => ({ timeoutMs: 20_000, topics: [{ name, count, assignments: null }] });

/**
 * What happened to each client, step by step: `{ what, throttleMs, errorCode, bytes, heldMs }`, where `heldMs` is how long it
 * then waited for the answer to its next request.
 * @param port of a broker on this machine that has no topics yet
 */
export async function converseOverQuotas(port) {
  const codecs = await loadCodecs();
  const connect = (clientId) => Client.connect(port, codecs, clientId);
  const admin = await connect("free");
  const steps = [];
  const quota = async (entity, key, value) => {
    const entries = [{ entity, ops: [{ key, value: value ?? 0, remove: value === undefined }] }];
    const { entries: altered } = await admin.ask("AlterClientQuotas", { entries, validateOnly: false });
    if (altered[0].errorCode !== 0) throw new Error(`quota ${key}: ${altered[0].errorMessage}`);
    await sleep(PUBLISHED_MS);
  };
  const quotaOf = (clientId, key, value) => quota([{ entityType: "client-id", entityName: clientId }], key, value);

  const made = await admin.ask("CreateTopics", create(TOPIC, 1));
  if (made.topics[0].errorCode !== 0) throw new Error(`${TOPIC}: ${made.topics[0].errorMessage}`);
  for (let n = 0; n < BATCHES; n++) {
    await until(
      async () => {
        const { responses } = await admin.ask("Produce", produce(batchOf(BATCH_BYTES)));
        const { errorCode } = responses[0].partitionResponses[0];
        if (errorCode !== 0) throw new Error(`error ${errorCode}`);
      },
      { limitMs: 10_000 },
    );
  }

  await quotaOf("producer", "producer_byte_rate", RATE);
  let client = await connect("producer");
  for (const bytes of [50_000, 45_000, 15_000, 10_000]) {
    const { responses, throttleTimeMs } = await client.ask("Produce", produce(batchOf(bytes)));
    const { errorCode } = responses[0].partitionResponses[0];
    const heldMs = await client.held();
    steps.push({ what: `a producer of ${bytes} bytes`, throttleMs: throttleTimeMs, errorCode, heldMs });
  }
  client.close();

  await quotaOf("silent", "producer_byte_rate", RATE);
  client = await connect("silent");
  client.send("Produce", produce(batchOf(115_000), 0));
  const bystander = await connect("bystander");
  steps.push({ what: "a producer that is not answered", heldMs: await client.held() });
  steps.push({ what: "another client meanwhile", heldMs: await bystander.held() });
  client.close();
  bystander.close();

  await quotaOf("shared", "producer_byte_rate", RATE);
  const [first, second] = [await connect("shared"), await connect("shared")];
  await first.ask("Produce", produce(batchOf(95_000)));
  const { throttleTimeMs: ofSecond } = await second.ask("Produce", produce(batchOf(15_000)));
  steps.push({ what: "the second connection of a client id", throttleMs: ofSecond });
  steps.push({
    what: "its first connection, which is not held back for what the second did",
    heldMs: await first.held(),
  });
  first.close();
  second.close();

  await quotaOf("consumer", "consumer_byte_rate", RATE);
  client = await connect("consumer");
  for (const bytes of [9, 2, 1].map((batches) => batches * FETCHED_BATCH_BYTES)) {
    const { responses, throttleTimeMs } = await client.ask("Fetch", fetch(bytes));
    const [partition] = responses.flatMap(({ partitions }) => partitions);
    const [heldMs, fetched] = [await client.held(), partition?.records?.length ?? 0];
    steps.push({ what: `a consumer of ${bytes} bytes`, throttleMs: throttleTimeMs, bytes: fetched, heldMs });
  }
  client.close();

  await quotaOf("busy", "request_percentage", 0.000_001);
  client = await connect("busy");
  for (let n = 0; n < 3; n++) {
    const fields = { clientSoftwareName: "compat", clientSoftwareVersion: "1" };
    const { throttleTimeMs } = await client.ask("ApiVersions", fields);
    steps.push({ what: `request ${n + 1} of a client without time`, throttleMs: throttleTimeMs });
  }
  client.close();

  await quotaOf("strict", "controller_mutation_rate", 5);
  client = await connect("strict");
  let madeMs = 0; // how long the broker has worked on them: the quota fills up meanwhile
  const partitions = async (what, api, fields, version) => {
    const askedAt = performance.now();
    const { topics, results, responses, throttleTimeMs } = await client.ask(api, fields, version);
    madeMs += performance.now() - askedAt;
    const [{ errorCode }] = topics ?? results ?? responses;
    steps.push({ what, throttleMs: throttleTimeMs, errorCode, madeMs, heldMs: await client.held() });
  };
  // Overdrawn by more than the quota gets back while a slow machine makes them.
  await partitions("55 partitions, all that may be made at once", "CreateTopics", create("a", 55));
  await partitions("20 more, which overdraw", "CreateTopics", create("b", 20));
  await partitions("one more", "CreateTopics", create("c", 1));
  await partitions("one more after the wait", "CreateTopics", create("d", 20));
  await partitions("partitions of a topic", "CreatePartitions", grow("a", 57));
  await partitions("partitions of a topic after the wait", "CreatePartitions", grow("a", 57));
  await partitions("a topic removed", "DeleteTopics", { topicNames: ["b"], timeoutMs: 20_000 });
  client.close();

  await quotaOf("lenient", "controller_mutation_rate", 5);
  client = await connect("lenient");
  await partitions("75 partitions, by a version without the error", "CreateTopics", create("e", 75), 5);
  await partitions("2 more", "CreatePartitions", grow("e", 77), 1);
  await partitions("20 removed", "DeleteTopics", { topicNames: ["d"], timeoutMs: 20_000 }, 4);
  client.close();

  const ip = [{ entityType: "ip", entityName: "127.0.0.1" }];
  await quota(ip, "connection_creation_rate", 2);
  const arrived = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const one = await connect("many");
      try {
        await one.held();
        return 1;
      } catch {
        return 0;
      } finally {
        one.close();
      }
    }),
  );
  steps.push({ what: `connections let in of ${CONNECTIONS}`, count: arrived.reduce((sum, one) => sum + one) });
  await quota(ip, "connection_creation_rate", undefined);
  admin.close();
  return steps;
}
