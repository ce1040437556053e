/** What embedding tests lean on, the same in memory and on disk. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import { manualClock, TcpTransport } from "@samsa/io";
import { temporaryDirectory } from "@samsa/io";
import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import { DeleteTopicsResponse } from "@samsa/protocol/messages/delete-topics-response";
import { DescribeGroupsRequest } from "@samsa/protocol/messages/describe-groups-request";
import { DescribeGroupsResponse } from "@samsa/protocol/messages/describe-groups-response";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import type { RunningBroker, StartBrokerOptions } from "../start-broker.ts";
import { startBroker } from "../start-broker.ts";
import { fetch, produce, recordsOf } from "../testing/produce-and-fetch.ts";
import { RawClient } from "../testing/raw-client.ts";
import { batchOf } from "../testing/test-broker.ts";

const PROPERTIES = {
  "offsets.topic.num.partitions": "1",
  "group.initial.rebalance.delay.ms": "0",
};
const MINUTE = 60_000;

for (const dataDir of ["memory", "temporary"]) {
  const start = (options: StartBrokerOptions = {}) =>
    startBroker({ port: 0, dataDir, properties: PROPERTIES, ...options });
  const connect = ({ host, port }: RunningBroker) => RawClient.connect(new TcpTransport(), { host, port });

  describe(`embedding with dataDir ${dataDir}`, () => {
    test("a restored broker has what it had: topics and their ids, records, committed offsets", async () => {
      await using broker = await start();
      await broker.createTopic("orders");
      let client = await connect(broker);
      const { topicId } = await produceAndIdentify(client, "orders", ["a", "b"]);
      await commit(client, "group", "orders", 1);
      const snapshot = await broker.snapshot();

      for (let round = 0; round < 2; round++) {
        await produce(client, batchOf(["later"]), { topic: "orders" });
        await commit(client, "group", "orders", 2);
        await broker.createTopic("users");
        const request = DeleteTopicsRequest.create({ timeoutMs: 30_000, topicNames: round === 0 ? ["orders"] : [] });
        await client.request(DeleteTopicsRequest, DeleteTopicsResponse, 5, request);
        await broker.restore(snapshot);
        await client.closed;

        client = await connect(broker); // where it was before
        assert.deepEqual(broker.topics(), ["orders"]);
        assert.deepEqual(recordsOf(await fetch(client, { topic: "orders" })), ["0:a", "1:b"]);
        assert.equal((await topicOf(client, "orders")).topicId, topicId);
        assert.equal(await committed(client, "group", "orders"), 1);
      }
      client.close();
    });

    test("a client that comes while a broker is restored waits for it", async () => {
      await using broker = await start();
      const snapshot = await broker.snapshot();
      const restored = broker.restore(snapshot);
      const client = await connect(broker);
      const { brokers } = await client.request(MetadataRequest, MetadataResponse, 12, MetadataRequest.create({}));
      await restored;
      assert.equal(brokers.length, 1);
      client.close();
    });

    test("a week of retention passes in a moment", async () => {
      const clock = manualClock();
      await using broker = await start({ clock });
      await broker.createTopic("orders", { configs: { "retention.ms": String(7 * 24 * 60 * MINUTE) } });
      const client = await connect(broker);
      await produce(client, batchOf(["old"], { timestamp: clock.wallMs() }), { topic: "orders" });
      await clock.advance(6 * 24 * 60 * MINUTE);
      const again = await connect(broker); // nobody is idle for six days
      assert.deepEqual(recordsOf(await fetch(again, { topic: "orders" })), ["0:old"]);
      await clock.advance(24 * 60 * MINUTE + 10 * MINUTE);
      await eventually(async () => {
        const client = await connect(broker);
        const { logStartOffset } = await fetch(client, { topic: "orders", offset: 1 });
        client.close();
        return logStartOffset === 1;
      });
      again.close();
      client.close();
    });

    test("a member that says nothing for its session time-out leaves its group", async () => {
      const clock = manualClock();
      await using broker = await start({ clock });
      const client = await connect(broker);
      await findCoordinator(client, "group");
      await join(client, "group", 10_000);
      const states = async () => (await describeGroup(client, "group")).groupState;
      assert.notEqual(await states(), "Empty");
      await clock.advance(9000);
      assert.notEqual(await states(), "Empty");
      await clock.advance(10_000);
      await eventually(async () => (await states()) === "Empty");
      client.close();
    });

    test("an injected error meets as many requests as it was told to, and only the topic it is for", async () => {
      await using broker = await start();
      await broker.createTopic("orders");
      await broker.createTopic("users");
      const client = await connect(broker);
      const injection = broker.injectError({
        api: "Produce",
        error: "NOT_LEADER_OR_FOLLOWER",
        times: 2,
        topic: "orders",
      });
      const codes = [];
      for (const topic of ["users", "orders", "orders", "orders"]) {
        codes.push((await produce(client, batchOf([topic]), { topic })).errorCode);
      }
      const { NOT_LEADER_OR_FOLLOWER: refused, NONE: taken } = ErrorCode;
      assert.deepEqual(codes, [taken, refused, refused, taken]);
      assert.equal(injection.hits, 2);
      assert.deepEqual(recordsOf(await fetch(client, { topic: "orders" })), ["0:orders"]);
      client.close();
    });

    test("a fetch carries the error in place of its records, and the next one has them", async () => {
      await using broker = await start();
      await broker.createTopic("orders");
      const client = await connect(broker);
      await produce(client, batchOf(["a"]), { topic: "orders" });
      broker.injectError({ api: "Fetch", error: "KAFKA_STORAGE_ERROR", topic: "orders" });
      assert.equal((await fetch(client, { topic: "orders" })).errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
      assert.deepEqual(recordsOf(await fetch(client, { topic: "orders" })), ["0:a"]);
      client.close();
    });

    for (const [when, expected] of [
      ["before", []],
      ["after", ["0:a"]],
    ] as const) {
      test(`a connection that is dropped ${when} a produce leaves ${expected.length} records`, async () => {
        await using broker = await start();
        await broker.createTopic("orders");
        const client = await connect(broker);
        broker.injectError({ api: "Produce", dropConnection: when });
        await assert.rejects(produce(client, batchOf(["a"]), { topic: "orders" }));
        const again = await connect(broker);
        assert.deepEqual(recordsOf(await fetch(again, { topic: "orders" })), expected);
        again.close();
      });
    }

    test("a delayed produce holds up those behind it, by the clock of the broker", async () => {
      const clock = manualClock();
      await using broker = await start({ clock, requestLog: true });
      await broker.createTopic("orders");
      const client = await connect(broker);
      broker.injectError({ api: "Produce", delayMs: 5000, topic: "orders" });
      const first = produce(client, batchOf(["first"]), { topic: "orders" });
      const second = produce(client, batchOf(["second"]), { topic: "orders" });
      await eventually(async () => broker.requests({ api: "Produce" }).length === 2);
      assert.deepEqual(
        broker.requests({ api: "Produce" }).map(({ outcome }) => outcome),
        ["pending", "pending"],
      );
      await clock.advance(5000);
      await first;
      await second;
      assert.deepEqual(recordsOf(await fetch(client, { topic: "orders" })), ["0:first", "1:second"]);
      client.close();
    });

    test("what was asked can be asserted on", async () => {
      await using broker = await start({ requestLog: 3 });
      await broker.createTopic("orders");
      const client = await connect(broker);
      await produce(client, batchOf(["a"]), { topic: "orders" });
      await produce(client, batchOf(["b"]), { topic: "nowhere" });
      const [taken, refused] = broker.requests({ api: "Produce" });
      assert.deepEqual(
        [taken?.topics, taken?.version, taken?.clientId, taken?.outcome, taken?.errors, taken?.body?.["acks"]],
        [["orders"], 12, "raw", "answered", [], -1],
      );
      assert.deepEqual(refused?.errors, ["UNKNOWN_TOPIC_OR_PARTITION"]);
      assert.equal(broker.requests({ topic: "nowhere" }).length, 1);
      for (let i = 0; i < 10; i++) await topicOf(client, "orders");
      assert.deepEqual(
        broker.requests().map(({ api }) => api),
        ["Metadata", "Metadata", "Metadata"], // the last three
      );
      broker.clearRequests();
      assert.deepEqual(broker.requests(), []);
      client.close();
    });

    test("a broker closes while requests wait for a clock that nobody moves", async () => {
      const broker = await start({ clock: manualClock() });
      await broker.createTopic("orders");
      const client = await connect(broker);
      broker.injectError({ api: "Metadata", delayMs: 5000 });
      client.send(MetadataRequest, 12, MetadataRequest.create({}));
      await broker.close();
      await client.closed;
    });
  });
}

test("a folder that stays is not replaced unless that was asked for", async () => {
  const folder = await temporaryDirectory("samsa-test-");
  const broker = await startBroker({ port: 0, dataDir: folder.path });
  await assert.rejects(broker.snapshot(), /snapshots: true/);
  await broker.close();
  const again = await startBroker({ port: 0, dataDir: folder.path, snapshots: true });
  const snapshot = await again.snapshot();
  await again.createTopic("orders");
  await again.restore(snapshot);
  assert.deepEqual(again.topics(), []);
  await again.close();
  await folder.remove();
});

test("a snapshot of another broker is refused, and so are errors and APIs that there are not", async () => {
  await using one = await startBroker({ port: 0 });
  await using other = await startBroker({ port: 0 });
  await assert.rejects(other.restore(await one.snapshot()), /another broker/);
  assert.throws(() => one.injectError({ api: "Vote", error: "UNKNOWN_SERVER_ERROR" }), TypeError);
  assert.throws(() => one.injectError({ api: "Fetch" }), TypeError);
  assert.throws(() => one.requests(), /requestLog/);
});

async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}

async function topicOf(client: RawClient, name: string): Promise<{ readonly topicId: Uuid }> {
  const request = MetadataRequest.create({ topics: [{ name, topicId: "AAAAAAAAAAAAAAAAAAAAAA" as Uuid }] });
  const { topics } = await client.request(MetadataRequest, MetadataResponse, 12, request);
  const [topic] = topics;
  if (topic === undefined) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  return topic;
}

async function produceAndIdentify(client: RawClient, topic: string, values: readonly string[]) {
  await produce(client, batchOf(values), { topic });
  return await topicOf(client, topic);
}

/** Asks until the coordinator of the group is there. */
async function findCoordinator(client: RawClient, group: string): Promise<void> {
  await eventually(async () => {
    const request = FindCoordinatorRequest.create({ coordinatorKeys: [group] });
    const { coordinators } = await client.request(FindCoordinatorRequest, FindCoordinatorResponse, 4, request);
    return coordinators[0]?.errorCode === 0;
  });
}

async function commit(client: RawClient, group: string, topic: string, offset: number): Promise<void> {
  await findCoordinator(client, group);
  await eventually(async () => {
    const request = OffsetCommitRequest.create({
      groupId: group,
      topics: [
        {
          name: topic,
          topicId: "AAAAAAAAAAAAAAAAAAAAAA" as Uuid,
          partitions: [{ partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: "" }],
        },
      ],
    });
    const { topics } = await client.request(OffsetCommitRequest, OffsetCommitResponse, 8, request);
    return topics[0]?.partitions[0]?.errorCode === 0;
  });
}

async function committed(client: RawClient, group: string, topic: string): Promise<number | undefined> {
  let offset: number | undefined;
  await eventually(async () => {
    const request = OffsetFetchRequest.create({
      groupId: group,
      topics: [{ name: topic, partitionIndexes: [0] }],
    });
    const answer = await client.request(OffsetFetchRequest, OffsetFetchResponse, 7, request);
    offset = answer.topics[0]?.partitions[0]?.committedOffset;
    return answer.errorCode === 0;
  });
  return offset;
}

async function join(client: RawClient, group: string, sessionTimeoutMs: number): Promise<void> {
  await eventually(async () => {
    const request = JoinGroupRequest.create({
      groupId: group,
      sessionTimeoutMs,
      rebalanceTimeoutMs: sessionTimeoutMs,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: new Uint8Array(0) }],
    });
    const { errorCode } = await client.request(JoinGroupRequest, JoinGroupResponse, 3, request);
    return errorCode === 0;
  });
}

async function describeGroup(client: RawClient, group: string): Promise<{ readonly groupState: string }> {
  const request = DescribeGroupsRequest.create({ groups: [group] });
  const { groups } = await client.request(DescribeGroupsRequest, DescribeGroupsResponse, 5, request);
  const [described] = groups;
  if (described === undefined) throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND);
  return described;
}
