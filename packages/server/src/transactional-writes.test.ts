import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import type { Uuid } from "@samsa/base";
import { AddOffsetsToTxnRequest } from "@samsa/protocol/messages/add-offsets-to-txn-request";
import { AddOffsetsToTxnResponse } from "@samsa/protocol/messages/add-offsets-to-txn-response";
import { AddPartitionsToTxnRequest } from "@samsa/protocol/messages/add-partitions-to-txn-request";
import { AddPartitionsToTxnResponse } from "@samsa/protocol/messages/add-partitions-to-txn-response";
import { DescribeProducersRequest } from "@samsa/protocol/messages/describe-producers-request";
import { DescribeProducersResponse } from "@samsa/protocol/messages/describe-producers-response";
import { DescribeTransactionsRequest } from "@samsa/protocol/messages/describe-transactions-request";
import { DescribeTransactionsResponse } from "@samsa/protocol/messages/describe-transactions-response";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import {
  createTxnOffsetCommitRequestPartition,
  TxnOffsetCommitRequest,
} from "@samsa/protocol/messages/txn-offset-commit-request";
import { TxnOffsetCommitResponse } from "@samsa/protocol/messages/txn-offset-commit-response";
import { WriteTxnMarkersRequest } from "@samsa/protocol/messages/write-txn-markers-request";
import { WriteTxnMarkersResponse } from "@samsa/protocol/messages/write-txn-markers-response";
import { fetch, recordsOf } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

const FEW_PARTITIONS = { "transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1" };
const transactionalId = "x";
const READ_COMMITTED = 1;

interface Id {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** A broker with the topic `t`, coordinators of transactions and groups, and a producer. */
async function start(): Promise<TestBroker & { readonly topicId: Uuid; readonly id: Id }> {
  const broker = await startTestBroker({ properties: FEW_PARTITIONS });
  const { client } = broker;
  const topicId = await broker.createTopic("t", { partitions: 2 });
  for (const keyType of [0, 1]) {
    const request = FindCoordinatorRequest.create({ keyType, coordinatorKeys: [transactionalId] });
    await client.request(FindCoordinatorRequest, FindCoordinatorResponse, 6, request);
  }
  const describeRequest = DescribeTransactionsRequest.create({ transactionalIds: [transactionalId] });
  const isLoading = async (): Promise<boolean> => {
    const { transactionStates } = await client.request(
      DescribeTransactionsRequest,
      DescribeTransactionsResponse,
      0,
      describeRequest,
    );
    const { errorCode } = await offsetFetch(client, false);
    const loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
    return transactionStates[0]?.errorCode === loading || errorCode === loading;
  };
  while (await isLoading());
  const id = await init(client);
  return { ...broker, topicId, id, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() };
}

async function init(client: RawClient): Promise<Id> {
  const request = InitProducerIdRequest.create({ transactionalId, transactionTimeoutMs: 60_000 });
  for (;;) {
    const answer = await client.request(InitProducerIdRequest, InitProducerIdResponse, 5, request);
    if (answer.errorCode === ErrorCode.CONCURRENT_TRANSACTIONS) continue;
    assert.equal(answer.errorCode, ErrorCode.NONE);
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
  }
}

interface SendOptions {
  readonly sequence?: number;
  readonly version?: number;
  readonly transactionalId?: string | null;
}

async function send(client: RawClient, id: Id, values: readonly string[], options: SendOptions = {}): Promise<number> {
  const { sequence = 0, version = 12, transactionalId: name = transactionalId } = options;
  const records = batchOf(values, { ...id, baseSequence: sequence, isTransactional: true });
  const request = ProduceRequest.create({
    transactionalId: name,
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: "t", topicId: ZERO_UUID, partitionData: [{ index: 0, records }] }],
  });
  const { responses } = await client.request(ProduceRequest, ProduceResponse, version, request);
  return responses[0]?.partitionResponses[0]?.errorCode ?? -1;
}

async function add(client: RawClient, id: Id): Promise<void> {
  const request = AddPartitionsToTxnRequest.create({
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: id.producerId,
    v3AndBelowProducerEpoch: id.producerEpoch,
    v3AndBelowTopics: [{ name: "t", partitions: [0] }],
  });
  await client.request(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, 3, request);
}

/** @returns who the producer is from now on */
async function end(client: RawClient, id: Id, committed: boolean, version = 5): Promise<Id> {
  const request = EndTxnRequest.create({ transactionalId, ...id, committed });
  const answer = await client.request(EndTxnRequest, EndTxnResponse, version, request);
  assert.equal(answer.errorCode, ErrorCode.NONE);
  return version < 5 ? id : { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
}

interface MarkerOptions {
  readonly epoch?: number;
  readonly coordinatorEpoch?: number;
  readonly version?: number;
  readonly transactionVersion?: number;
  readonly topic?: string;
  readonly partitions?: readonly number[];
}

async function mark(client: RawClient, { producerId, producerEpoch }: Id, options: MarkerOptions = {}) {
  const { version = 2, topic = "t", partitions = [0], transactionVersion = 0, coordinatorEpoch = 0 } = options;
  const request = WriteTxnMarkersRequest.create({
    markers: [
      {
        producerId,
        producerEpoch: options.epoch ?? producerEpoch,
        transactionResult: false,
        coordinatorEpoch,
        transactionVersion,
        topics: [{ name: topic, partitionIndexes: partitions }],
      },
    ],
  });
  const { markers } = await client.request(WriteTxnMarkersRequest, WriteTxnMarkersResponse, version, request);
  return markers[0]?.topics[0]?.partitions.map(({ errorCode }) => errorCode);
}

async function openSince(client: RawClient): Promise<number | undefined> {
  const request = DescribeProducersRequest.create({ topics: [{ name: "t", partitionIndexes: [0] }] });
  const { topics } = await client.request(DescribeProducersRequest, DescribeProducersResponse, 0, request);
  return topics[0]?.partitions[0]?.activeProducers[0]?.currentTxnStartOffset;
}

async function commitOffset(
  client: RawClient,
  id: Id,
  committedOffset: number,
  { version = 5, topicId = ZERO_UUID, generation = -1, partition = 0 } = {},
): Promise<number | undefined> {
  const request = TxnOffsetCommitRequest.create({
    transactionalId,
    groupId: "g",
    ...id,
    generationIdOrMemberEpoch: generation,
    topics: [
      {
        name: "t",
        topicId,
        partitions: [createTxnOffsetCommitRequestPartition({ partitionIndex: partition, committedOffset })],
      },
    ],
  });
  const { topics } = await client.request(TxnOffsetCommitRequest, TxnOffsetCommitResponse, version, request);
  return topics[0]?.partitions[0]?.errorCode;
}

async function offsetFetch(client: RawClient, requireStable: boolean) {
  const topics = [{ name: "t", topicId: ZERO_UUID, partitionIndexes: [0] }];
  const groups = [{ groupId: "g", memberId: null, memberEpoch: -1, topics }];
  const request = OffsetFetchRequest.create({ groups, requireStable });
  const { groups: found } = await client.request(OffsetFetchRequest, OffsetFetchResponse, 9, request);
  const partition = found[0]?.topics[0]?.partitions[0];
  return { errorCode: partition?.errorCode ?? found[0]?.errorCode, offset: partition?.committedOffset };
}

describe("a transactional batch", () => {
  test("of a client before V2 is refused unless its partition was added, in words that the client knows", async () => {
    await using broker = await start();
    const { client, id } = broker;
    assert.equal(await send(client, id, ["a"], { version: 10 }), ErrorCode.INVALID_TXN_STATE);
    assert.equal(await send(client, id, ["a"], { version: 11 }), ErrorCode.TRANSACTION_ABORTABLE);
    await add(client, id);
    assert.equal(await send(client, id, ["a"], { version: 11 }), ErrorCode.NONE);
    assert.equal(await send(client, id, ["b"], { version: 11, sequence: 1 }), ErrorCode.NONE);
  });

  test("that comes after its transaction has ended begins none, so nothing hangs", async () => {
    await using broker = await start();
    const { client, id } = broker;
    await add(client, id);
    await send(client, id, ["a"], { version: 11 });
    await end(client, id, true, 4);
    while ((await openSince(client)) !== -1);
    assert.equal(await send(client, id, ["late"], { version: 11, sequence: 1 }), ErrorCode.TRANSACTION_ABORTABLE);
    assert.equal(await openSince(client), -1);
  });

  test("that comes after its transaction of V2 has ended is of an epoch that is over", async () => {
    await using broker = await start();
    const { client, id } = broker;
    await send(client, id, ["a"]);
    const next = await end(client, id, true);
    while ((await openSince(client)) !== -1);
    assert.equal(await send(client, id, ["late"], { sequence: 1 }), ErrorCode.INVALID_PRODUCER_EPOCH);
    assert.equal(await send(client, next, ["b"]), ErrorCode.NONE);
  });

  test("needs the name of its transaction, and one producer", async () => {
    await using broker = await start();
    const { client, id } = broker;
    const refused = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    assert.equal(await send(client, id, ["a"], { transactionalId: null }), refused);
    const stranger = { ...id, producerId: id.producerId + 1 };
    assert.equal(await send(client, stranger, ["a"]), ErrorCode.INVALID_PRODUCER_ID_MAPPING);
    assert.equal(await send(client, { ...id, producerEpoch: 7 }, ["a"]), ErrorCode.INVALID_PRODUCER_EPOCH);
  });

  test("shows where its transaction began, until the marker", async () => {
    await using broker = await start();
    const { client, id } = broker;
    const next = await end(client, id, true, 5).catch(() => id);
    await send(client, next, ["a"]);
    assert.equal(await openSince(client), 0);
    await send(client, next, ["b"], { sequence: 1 });
    assert.equal(await openSince(client), 0);
    await end(client, next, false);
    while ((await openSince(client)) !== -1);
  });
});

test("a fetch that waits for many bytes with read_committed is answered when a marker frees them", async () => {
  await using broker = await start();
  const { client, id } = broker;
  await send(client, id, ["x".repeat(1000)]);
  const reader = await broker.connect();
  const waiting = fetch(reader, { topic: "t", isolationLevel: READ_COMMITTED, minBytes: 900, maxWaitMs: 3_600_000 });
  await end(client, id, true);
  assert.equal(recordsOf(await waiting).length, 2, "the record and the marker, without any time having passed");
});

describe("WriteTxnMarkers", () => {
  for (const version of [1, 2]) {
    test(`ends a transaction that hangs, as an administrator does, version ${version}`, async () => {
      await using broker = await start();
      const { client, id } = broker;
      await send(client, id, ["a"]);
      assert.deepEqual(await mark(client, id, { version }), [ErrorCode.NONE]);
      assert.equal(await openSince(client), -1);
      const read = await fetch(client, { topic: "t", isolationLevel: READ_COMMITTED });
      assert.deepEqual([read.lastStableOffset, read.abortedTransactions?.length], [2, 1]);
    });
  }

  test("answers for each partition", async () => {
    await using broker = await start();
    const { client, id } = broker;
    assert.deepEqual(await mark(client, id, { partitions: [0, 9, 1] }), [
      ErrorCode.NONE,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.NONE,
    ]);
  });

  test("is refused from a coordinator that has been replaced, and for an epoch that is over", async () => {
    await using broker = await start();
    const { client, id } = broker;
    assert.deepEqual(await mark(client, id, { coordinatorEpoch: 5, epoch: 3 }), [ErrorCode.NONE]);
    const fenced = ErrorCode.TRANSACTION_COORDINATOR_FENCED;
    assert.deepEqual(await mark(client, id, { coordinatorEpoch: 4, epoch: 3 }), [fenced]);
    assert.deepEqual(await mark(client, id, { coordinatorEpoch: 5, epoch: 2 }), [ErrorCode.INVALID_PRODUCER_EPOCH]);
  });

  test("of V2 with the epoch of an open transaction is late, and ends nothing", async () => {
    await using broker = await start();
    const { client, id } = broker;
    await send(client, id, ["a"]);
    assert.deepEqual(await mark(client, id, { transactionVersion: 2 }), [ErrorCode.INVALID_PRODUCER_EPOCH]);
    assert.equal(await openSince(client), 0);
  });

  test("to the offsets of groups ends what the transaction has committed there", async () => {
    await using broker = await start();
    const { client, id } = broker;
    await commitOffset(client, id, 7);
    assert.deepEqual(await mark(client, id, { topic: "__consumer_offsets" }), [ErrorCode.NONE]);
    assert.deepEqual(await offsetFetch(client, true), { errorCode: ErrorCode.NONE, offset: -1 });
  });
});

describe("offsets in a transaction", () => {
  for (const version of [5, 6]) {
    test(`are seen when it is committed, and whoever wants them stable waits, version ${version}`, async () => {
      await using broker = await start();
      const { client, id, topicId } = broker;
      assert.equal(await commitOffset(client, id, 7, { version, topicId }), ErrorCode.NONE);
      assert.deepEqual(await offsetFetch(client, false), { errorCode: ErrorCode.NONE, offset: -1 });
      assert.equal((await offsetFetch(client, true)).errorCode, ErrorCode.UNSTABLE_OFFSET_COMMIT);
      await end(client, id, true);
      while ((await offsetFetch(client, true)).errorCode !== ErrorCode.NONE);
      assert.equal((await offsetFetch(client, true)).offset, 7);
    });
  }

  for (const version of [0, 1, 2, 3, 4]) {
    test(`need AddOffsetsToTxn before V2, version ${version}`, async () => {
      await using broker = await start();
      const { client, id } = broker;
      const refused = version < 4 ? ErrorCode.INVALID_TXN_STATE : ErrorCode.TRANSACTION_ABORTABLE;
      assert.equal(await commitOffset(client, id, 7, { version }), refused);
      const request = AddOffsetsToTxnRequest.create({ transactionalId, ...id, groupId: "g" });
      await client.request(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, 4, request);
      assert.equal(await commitOffset(client, id, 7, { version }), ErrorCode.NONE);
      await end(client, id, true, 4);
      while ((await offsetFetch(client, true)).errorCode !== ErrorCode.NONE);
      assert.equal((await offsetFetch(client, true)).offset, 7);
    });
  }

  test("are refused for partitions that there are not, and for members of a group that there is not", async () => {
    await using broker = await start();
    const { client, id } = broker;
    assert.equal(await commitOffset(client, id, 7, { partition: 9 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    const unknown = await commitOffset(client, id, 7, { version: 6, topicId: "AAAAAAAAAAAAAAAAAAAAdw" as Uuid });
    assert.equal(unknown, ErrorCode.UNKNOWN_TOPIC_ID);
    assert.equal(await commitOffset(client, id, 7, { generation: 3 }), ErrorCode.ILLEGAL_GENERATION);
    assert.equal(await commitOffset(client, { ...id, producerEpoch: 9 }, 7), ErrorCode.INVALID_PRODUCER_EPOCH);
  });
});
