import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { recordBatches } from "@samsa/protocol";
import { AddOffsetsToTxnRequest } from "@samsa/protocol/messages/add-offsets-to-txn-request";
import { AddOffsetsToTxnResponse } from "@samsa/protocol/messages/add-offsets-to-txn-response";
import { AddPartitionsToTxnRequest } from "@samsa/protocol/messages/add-partitions-to-txn-request";
import { AddPartitionsToTxnResponse } from "@samsa/protocol/messages/add-partitions-to-txn-response";
import { DescribeConfigsRequest } from "@samsa/protocol/messages/describe-configs-request";
import { DescribeConfigsResponse } from "@samsa/protocol/messages/describe-configs-response";
import { DescribeTransactionsRequest } from "@samsa/protocol/messages/describe-transactions-request";
import { DescribeTransactionsResponse } from "@samsa/protocol/messages/describe-transactions-response";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { ListTransactionsRequest } from "@samsa/protocol/messages/list-transactions-request";
import { ListTransactionsResponse } from "@samsa/protocol/messages/list-transactions-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import {
  createFetchRequestFetchPartition,
  createFetchRequestFetchTopic,
  FetchRequest,
} from "@samsa/protocol/messages/fetch-request";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { RawClient } from "./testing/raw-client.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

const FEW_PARTITIONS = { "transaction.state.log.num.partitions": "3", "offsets.topic.num.partitions": "3" };
const READ_COMMITTED = 1;

/** A broker with a topic `t` of two partitions, and a coordinator of transactions. */
async function startWithTransactions(
  disk = new MemoryDisk(),
  properties: Readonly<Record<string, string>> = {},
): Promise<TestBroker & { readonly producer: Producer }> {
  const broker = await startTestBroker({ disk, properties: { ...FEW_PARTITIONS, ...properties } });
  const { client } = broker;
  if (!broker.broker.topics().includes("t")) await broker.createTopic("t", { partitions: 2 });
  const request = FindCoordinatorRequest.create({ keyType: 1, coordinatorKeys: ["x"] });
  await client.request(FindCoordinatorRequest, FindCoordinatorResponse, 6, request);
  while ((await describe(client, "x")).errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  return { ...broker, producer: new Producer(client), [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() };
}

/** One that speaks as it is told to. */
class Producer {
  readonly #client: RawClient;
  producerId = -1;
  producerEpoch = -1;
  readonly #sequences = new Map<number, number>();

  constructor(client: RawClient) {
    this.#client = client;
  }

  async init(id = "x", version = 5, transactionTimeoutMs = 60_000): Promise<ErrorCode> {
    const request = InitProducerIdRequest.create({ transactionalId: id, transactionTimeoutMs });
    const answer = await this.#client.request(InitProducerIdRequest, InitProducerIdResponse, version, request);
    if (answer.errorCode === ErrorCode.NONE) this.#become(answer);
    return answer.errorCode as ErrorCode;
  }

  async add(partitions: readonly number[], version = 3, topic = "t"): Promise<readonly number[]> {
    const topics = [{ name: topic, partitions }];
    const { producerId, producerEpoch } = this;
    const isOfClients = version < 4;
    const request = AddPartitionsToTxnRequest.create(
      isOfClients
        ? {
            v3AndBelowTransactionalId: "x",
            v3AndBelowProducerId: producerId,
            v3AndBelowProducerEpoch: producerEpoch,
            v3AndBelowTopics: topics,
          }
        : { transactions: [{ transactionalId: "x", producerId, producerEpoch, verifyOnly: false, topics }] },
    );
    const answer = await this.#client.request(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, version, request);
    const results = isOfClients ? answer.resultsByTopicV3AndBelow : answer.resultsByTransaction[0]?.topicResults;
    return (results?.[0]?.resultsByPartition ?? []).map(({ partitionErrorCode }) => partitionErrorCode);
  }

  /** V2 by default: the partition is added by the way. */
  async send(partition: number, values: readonly string[], version = 12): Promise<ErrorCode> {
    const { producerId, producerEpoch } = this;
    const baseSequence = this.#sequences.get(partition) ?? 0;
    const records = batchOf(values, { producerId, producerEpoch, baseSequence, isTransactional: true });
    const topicData = [{ name: "t", topicId: ZERO_UUID, partitionData: [{ index: partition, records }] }];
    const request = ProduceRequest.create({ transactionalId: "x", acks: -1, timeoutMs: 1000, topicData });
    const answer = await this.#client.request(ProduceRequest, ProduceResponse, version, request);
    const code = answer.responses[0]?.partitionResponses[0]?.errorCode as ErrorCode;
    if (code === ErrorCode.NONE) this.#sequences.set(partition, baseSequence + values.length);
    return code;
  }

  async end(committed: boolean, version = 5): Promise<ErrorCode> {
    const { producerId, producerEpoch } = this;
    const request = EndTxnRequest.create({ transactionalId: "x", producerId, producerEpoch, committed });
    const answer = await this.#client.request(EndTxnRequest, EndTxnResponse, version, request);
    if (answer.errorCode === ErrorCode.NONE && version >= 5) this.#become(answer);
    return answer.errorCode as ErrorCode;
  }

  async addOffsets(version: number): Promise<ErrorCode> {
    const { producerId, producerEpoch } = this;
    const request = AddOffsetsToTxnRequest.create({ transactionalId: "x", producerId, producerEpoch, groupId: "g" });
    const answer = await this.#client.request(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, version, request);
    return answer.errorCode as ErrorCode;
  }

  #become({ producerId, producerEpoch }: { readonly producerId: number; readonly producerEpoch: number }): void {
    this.producerId = producerId;
    this.producerEpoch = producerEpoch;
    this.#sequences.clear();
  }
}

async function describe(client: RawClient, id: string) {
  const request = DescribeTransactionsRequest.create({ transactionalIds: [id] });
  const answer = await client.request(DescribeTransactionsRequest, DescribeTransactionsResponse, 0, request);
  const [found] = answer.transactionStates;
  assert.ok(found !== undefined);
  return found;
}

async function list(client: RawClient, fields: Parameters<typeof ListTransactionsRequest.create>[0], version = 2) {
  const request = ListTransactionsRequest.create(fields);
  return client.request(ListTransactionsRequest, ListTransactionsResponse, version, request);
}

/** What a consumer that reads committed records gets of a partition, and up to where. */
async function readCommitted(client: RawClient, partition: number) {
  const wanted = createFetchRequestFetchPartition({ partition, fetchOffset: 0, partitionMaxBytes: 1_000_000 });
  const request = FetchRequest.create({
    maxWaitMs: 0,
    minBytes: 0,
    isolationLevel: READ_COMMITTED,
    topics: [createFetchRequestFetchTopic({ topic: "t", partitions: [wanted] })],
  });
  const answer = await client.request(FetchRequest, FetchResponse, 12, request);
  const found = answer.responses[0]?.partitions[0];
  assert.ok(found !== undefined);
  const aborted = new Set(
    (found.abortedTransactions ?? []).map(({ producerId, firstOffset }) => `${producerId} ${firstOffset}`),
  );
  const values: string[] = [];
  for (const batch of recordBatches(found.records ?? new Uint8Array(0))) {
    if (batch.isControlBatch || aborted.has(`${batch.producerId} ${batch.baseOffset}`)) continue;
    for (const { value } of batch.records()) values.push(new TextDecoder().decode(value ?? new Uint8Array(0)));
  }
  return { values, lastStableOffset: found.lastStableOffset, highWatermark: found.highWatermark };
}

/** Until the markers are written. */
async function complete(client: RawClient, id = "x"): Promise<void> {
  while ((await describe(client, id)).transactionState.startsWith("Prepare"));
}

test("FindCoordinator has __transaction_state made as Kafka makes it", async () => {
  await using broker = await startWithTransactions();
  const names = [
    "cleanup.policy",
    "compression.type",
    "segment.bytes",
    "min.insync.replicas",
    "unclean.leader.election.enable",
  ];
  const request = DescribeConfigsRequest.create({
    resources: [{ resourceType: 2, resourceName: "__transaction_state", configurationKeys: names }],
  });
  const answer = await broker.client.request(DescribeConfigsRequest, DescribeConfigsResponse, 4, request);
  const configs = new Map(answer.results[0]?.configs.map(({ name, value }) => [name, value]));
  assert.deepEqual(
    names.map((name) => configs.get(name)),
    ["compact", "uncompressed", "104857600", "1", "false"],
  );
});

test("a producer of transactions V2 commits to two partitions, aborts, and goes on", async () => {
  await using broker = await startWithTransactions();
  const { producer, client } = broker;
  assert.equal(await producer.init(), ErrorCode.NONE);
  assert.equal(await producer.send(0, ["a", "b"]), ErrorCode.NONE);
  assert.equal(await producer.send(1, ["c"]), ErrorCode.NONE);
  assert.deepEqual(await readCommitted(client, 0), { values: [], lastStableOffset: 0, highWatermark: 2 });
  assert.equal(await producer.end(true), ErrorCode.NONE);
  await complete(client);
  assert.deepEqual(await readCommitted(client, 0), { values: ["a", "b"], lastStableOffset: 3, highWatermark: 3 });
  assert.equal(await producer.send(0, ["lost"]), ErrorCode.NONE);
  assert.equal(await producer.end(false), ErrorCode.NONE);
  await complete(client);
  assert.equal(await producer.send(0, ["d"]), ErrorCode.NONE);
  assert.equal(await producer.end(true), ErrorCode.NONE);
  await complete(client);
  assert.deepEqual((await readCommitted(client, 0)).values, ["a", "b", "d"]);
  assert.deepEqual((await readCommitted(client, 1)).values, ["c"]);
  assert.equal(producer.producerEpoch, 3);
});

test("a commit that overtakes its records is asked for again, and one without records is refused", async () => {
  await using broker = await startWithTransactions();
  const { producer, client } = broker;
  await producer.init();
  assert.equal(await producer.send(0, ["a"]), ErrorCode.NONE);
  assert.equal(await producer.end(true), ErrorCode.NONE);
  await complete(client);
  assert.equal(await producer.end(true), ErrorCode.CONCURRENT_TRANSACTIONS);
  assert.equal(await producer.send(0, ["b"]), ErrorCode.NONE);
  assert.equal(await producer.end(true), ErrorCode.NONE);
  await complete(client);
  assert.deepEqual((await readCommitted(client, 0)).values, ["a", "b"]);
  assert.equal(await producer.end(true), ErrorCode.CONCURRENT_TRANSACTIONS);
  assert.equal(await producer.end(true), ErrorCode.INVALID_TXN_STATE);
});

test("a producer that adds its partitions itself keeps its epoch, and may not write to others", async () => {
  await using broker = await startWithTransactions();
  const { producer, client } = broker;
  await producer.init();
  assert.deepEqual(await producer.add([0]), [ErrorCode.NONE]);
  assert.equal(await producer.send(0, ["a"], 11), ErrorCode.NONE);
  assert.equal(await producer.send(1, ["b"], 11), ErrorCode.TRANSACTION_ABORTABLE);
  assert.equal(await producer.send(1, ["b"], 10), ErrorCode.INVALID_TXN_STATE);
  assert.equal(await producer.end(true, 4), ErrorCode.NONE);
  await complete(client);
  assert.deepEqual((await readCommitted(client, 0)).values, ["a"]);
  assert.equal((await describe(client, "x")).producerEpoch, 0);
});

test("an open transaction is open after a restart, and is ended by who comes next", async () => {
  const disk = new MemoryDisk();
  {
    await using broker = await startWithTransactions(disk);
    await broker.producer.init();
    assert.equal(await broker.producer.send(0, ["a"]), ErrorCode.NONE);
  }
  await using broker = await startWithTransactions(disk);
  const { client, producer } = broker;
  const open = await describe(client, "x");
  assert.equal(open.transactionState, "Ongoing");
  assert.deepEqual(open.topics, [{ topic: "t", partitions: [0], unknownTaggedFields: undefined }]);
  assert.equal((await readCommitted(client, 0)).lastStableOffset, 0);
  assert.equal(await producer.init(), ErrorCode.CONCURRENT_TRANSACTIONS);
  await complete(client);
  assert.equal(await producer.init(), ErrorCode.NONE);
  assert.deepEqual(await readCommitted(client, 0), { values: [], lastStableOffset: 2, highWatermark: 2 });
});

test("a transaction that is too old is aborted", async () => {
  await using broker = await startWithTransactions();
  const { client, producer, clock } = broker;
  await producer.init("x", 5, 1000);
  await producer.send(0, ["a"]);
  clock.advance(10_000);
  await complete(client);
  assert.equal((await describe(client, "x")).transactionState, "CompleteAbort");
  assert.equal(await producer.send(0, ["b"]), ErrorCode.INVALID_PRODUCER_EPOCH);
  assert.equal((await readCommitted(client, 0)).lastStableOffset, 2);
});

test("a fenced producer is told so in the words that its version knows", async () => {
  await using broker = await startWithTransactions();
  const { producer, client } = broker;
  await producer.init();
  await new Producer(client).init();
  const { PRODUCER_FENCED, INVALID_PRODUCER_EPOCH } = ErrorCode;
  for (const version of [0, 1, 2, 3, 4, 5]) {
    const expected = version < 2 ? INVALID_PRODUCER_EPOCH : PRODUCER_FENCED;
    assert.equal(await producer.end(true, version), expected, `EndTxn ${version}`);
    assert.deepEqual(await producer.add([0], version), [expected], `AddPartitionsToTxn ${version}`);
    if (version < 5) assert.equal(await producer.addOffsets(version), expected, `AddOffsetsToTxn ${version}`);
  }
});

test("partitions that are not there keep the others from being added", async () => {
  await using broker = await startWithTransactions();
  await broker.producer.init();
  const expected = [ErrorCode.OPERATION_NOT_ATTEMPTED, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION];
  for (const version of [3, 5]) assert.deepEqual(await broker.producer.add([0, 7], version), expected);
  assert.equal((await describe(broker.client, "x")).transactionState, "Empty");
});

test("a group whose offsets join a transaction is in it by the partition that holds them", async () => {
  await using broker = await startWithTransactions();
  await broker.producer.init();
  assert.equal(await broker.producer.addOffsets(4), ErrorCode.NONE);
  const { topics } = await describe(broker.client, "x");
  assert.deepEqual(
    topics.map(({ topic, partitions }) => [topic, partitions]),
    [["__consumer_offsets", [1]]],
  );
});

test("transactions are listed by state, producer and duration", async () => {
  await using broker = await startWithTransactions();
  const { producer, client, clock } = broker;
  await producer.init("x");
  await producer.send(0, ["a"]);
  clock.advance(5000);
  await new Producer(client).init("other");
  const ids = async (fields: Parameters<typeof ListTransactionsRequest.create>[0]) =>
    (await list(client, fields, 1)).transactionStates.map(({ transactionalId }) => transactionalId).sort();
  assert.deepEqual(await ids({}), ["other", "x"]);
  assert.deepEqual(await ids({ stateFilters: ["Ongoing"] }), ["x"]);
  assert.deepEqual(await ids({ producerIdFilters: [producer.producerId] }), ["x"]);
  assert.deepEqual(await ids({ durationFilter: 4999, stateFilters: ["Ongoing"] }), ["x"]);
  assert.deepEqual(await ids({ durationFilter: 5000, stateFilters: ["Ongoing"] }), []);
  for (const { pattern, expected, why } of [
    { pattern: "o.*", expected: ["other"], why: "a pattern means whole ids" },
    { pattern: "o", expected: [], why: "and no parts of them" },
    { pattern: "", expected: ["other", "x"], why: "an empty one means all" },
  ]) {
    const answer = await list(client, { transactionalIdPattern: pattern });
    assert.deepEqual(answer.transactionStates.map(({ transactionalId }) => transactionalId).sort(), expected, why);
  }
  for (const pattern of ["(", `${"(a|b|c)?".repeat(100)}x`]) {
    const { errorCode } = await list(client, { transactionalIdPattern: pattern });
    assert.equal(errorCode, ErrorCode.INVALID_REGULAR_EXPRESSION, pattern);
  }
  const strange = await list(client, { stateFilters: ["Sleeping"] }, 1);
  assert.deepEqual(strange.unknownStateFilters, ["Sleeping"]);
  assert.deepEqual(strange.transactionStates, []);
});

for (const { id, code } of [
  { id: "nobody", code: ErrorCode.TRANSACTIONAL_ID_NOT_FOUND },
  { id: "", code: ErrorCode.INVALID_REQUEST },
]) {
  test(`describing ${JSON.stringify(id)} is refused with ${code}`, async () => {
    await using broker = await startWithTransactions();
    assert.equal((await describe(broker.client, id)).errorCode, code);
  });
}
