import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { DeleteGroupsRequest } from "@samsa/protocol/messages/delete-groups-request";
import { DeleteGroupsResponse } from "@samsa/protocol/messages/delete-groups-response";
import { DescribeGroupsRequest } from "@samsa/protocol/messages/describe-groups-request";
import { DescribeGroupsResponse } from "@samsa/protocol/messages/describe-groups-response";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import { ListGroupsRequest } from "@samsa/protocol/messages/list-groups-request";
import { ListGroupsResponse } from "@samsa/protocol/messages/list-groups-response";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import { OffsetDeleteRequest } from "@samsa/protocol/messages/offset-delete-request";
import { OffsetDeleteResponse } from "@samsa/protocol/messages/offset-delete-response";
import { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import { ConsumerProtocolSubscription } from "@samsa/protocol/messages/consumer-protocol-subscription";
import { ByteWriter } from "@samsa/base";
import type { RawClient } from "./testing/raw-client.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { startTestBroker } from "./testing/test-broker.ts";

const GROUP = "readers";
const OFFSETS_TOPIC = "__consumer_offsets";
const FEW_PARTITIONS = { "offsets.topic.num.partitions": "3" };

async function findCoordinator(client: RawClient, version = 6): Promise<{ errorCode: number; nodeId: number }> {
  const fields = version < 4 ? { key: GROUP } : { coordinatorKeys: [GROUP] };
  const request = FindCoordinatorRequest.create(fields);
  const response = await client.request(FindCoordinatorRequest, FindCoordinatorResponse, version, request);
  const { errorCode, nodeId } = response.coordinators[0] ?? response;
  return { errorCode, nodeId };
}

/** A broker with a topic, and the coordinator of the group loaded. */
async function startWithGroups(disk = new MemoryDisk(), properties = {}): Promise<TestBroker & { topicId: Uuid }> {
  const broker = await startTestBroker({ disk, properties: { ...FEW_PARTITIONS, ...properties } });
  const topicId = await broker.createTopic("orders", { partitions: 2 });
  await coordinated(broker.client);
  return { ...broker, topicId, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() };
}

async function coordinated(client: RawClient): Promise<void> {
  await findCoordinator(client);
  while ((await describe(client)).errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
}

async function describe(client: RawClient, version = 5) {
  const request = DescribeGroupsRequest.create({ groups: [GROUP] });
  const response = await client.request(DescribeGroupsRequest, DescribeGroupsResponse, version, request);
  const [group] = response.groups;
  assert.ok(group !== undefined);
  return group;
}

function joinRequest(memberId: string, topics: readonly string[] = ["orders"]): JoinGroupRequest {
  const writer = new ByteWriter();
  writer.int16(0);
  ConsumerProtocolSubscription.write(writer, ConsumerProtocolSubscription.create({ topics }), 0);
  return JoinGroupRequest.create({
    groupId: GROUP,
    memberId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: writer.toBytes() }],
  });
}

function join(client: RawClient, version: number, memberId = ""): Promise<JoinGroupResponse> {
  return client.request(JoinGroupRequest, JoinGroupResponse, version, joinRequest(memberId));
}

/** One member with everything assigned to it. */
async function joinAlone(
  { client, clock }: TestBroker,
  version = 9,
): Promise<{ memberId: string; generation: number }> {
  const memberId = version >= 4 ? (await join(client, version)).memberId : "";
  const timersBefore = clock.pendingTimers;
  const joining = join(client, version, memberId);
  while (clock.pendingTimers <= timersBefore) await new Promise(setImmediate);
  clock.advance(3_000);
  const joined = await joining;
  assert.equal(joined.errorCode, ErrorCode.NONE);
  const sync = SyncGroupRequest.create({
    groupId: GROUP,
    generationId: joined.generationId,
    memberId: joined.memberId,
    protocolType: "consumer",
    protocolName: "range",
    assignments: [{ memberId: joined.memberId, assignment: Uint8Array.of(1, 2, 3) }],
  });
  const synced = await client.request(SyncGroupRequest, SyncGroupResponse, Math.min(version, 5), sync);
  assert.deepEqual([synced.errorCode, [...synced.assignment]], [ErrorCode.NONE, [1, 2, 3]]);
  return { memberId: joined.memberId, generation: joined.generationId };
}

async function commit(
  client: RawClient,
  version: number,
  offset: number,
  { memberId = "", generation = -1, topic = "orders", topicId = ZERO_UUID, partition = 0 } = {},
): Promise<number | undefined> {
  const partitions = [
    { partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: "note" },
  ];
  const request = OffsetCommitRequest.create({
    groupId: GROUP,
    memberId,
    generationIdOrMemberEpoch: generation,
    retentionTimeMs: -1,
    topics: [{ name: version >= 10 ? "" : topic, topicId, partitions }],
  });
  const response = await client.request(OffsetCommitRequest, OffsetCommitResponse, version, request);
  return response.topics[0]?.partitions[0]?.errorCode;
}

async function fetchOffset(client: RawClient, version: number, topicId: Uuid = ZERO_UUID, partition = 0) {
  const partitionIndexes = [partition];
  const topics = [{ name: version >= 10 ? "" : "orders", topicId, partitionIndexes }];
  const request =
    version >= 8
      ? OffsetFetchRequest.create({ groups: [{ groupId: GROUP, memberId: null, memberEpoch: -1, topics }] })
      : OffsetFetchRequest.create({ groupId: GROUP, topics: [{ name: "orders", partitionIndexes }] });
  const response = await client.request(OffsetFetchRequest, OffsetFetchResponse, version, request);
  const [found] = version >= 8 ? (response.groups[0]?.topics ?? []) : response.topics;
  return found?.partitions[0];
}

test("the first to look for a group has the offsets topic made, compacted and in the number of partitions configured", async () => {
  await using broker = await startTestBroker({ properties: FEW_PARTITIONS });
  for (const version of [0, 3, 4, 6]) {
    assert.deepEqual(await findCoordinator(broker.client, version), { errorCode: ErrorCode.NONE, nodeId: 1 });
  }
  const request = MetadataRequest.create({ topics: [{ name: OFFSETS_TOPIC, topicId: ZERO_UUID }] });
  const { topics } = await broker.client.request(MetadataRequest, MetadataResponse, 9, request);
  assert.deepEqual([topics[0]?.partitions.length, topics[0]?.isInternal], [3, true]);
});

for (const [version, fetchVersion] of [
  [2, 1],
  [6, 5],
  [8, 7],
  [9, 8],
  [10, 10],
] as const) {
  test(`an offset committed with version ${version} is fetched with version ${fetchVersion}`, async () => {
    await using broker = await startWithGroups();
    const { client, topicId } = broker;
    const ids = version >= 10 ? topicId : ZERO_UUID;
    assert.equal(await commit(client, version, 42, { topicId: ids }), ErrorCode.NONE);
    const found = await fetchOffset(client, fetchVersion, fetchVersion >= 10 ? topicId : ZERO_UUID);
    assert.deepEqual([found?.committedOffset, found?.metadata], [42, "note"]);
    const other = await fetchOffset(client, fetchVersion, fetchVersion >= 10 ? topicId : ZERO_UUID, 1);
    assert.deepEqual([other?.committedOffset, other?.errorCode], [-1, ErrorCode.NONE]);
  });
}

test("offsets of topics and partitions that are not there are refused, the others of the request are taken", async () => {
  await using broker = await startWithGroups();
  const { client } = broker;
  assert.equal(await commit(client, 8, 1, { topic: "nowhere" }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.equal(await commit(client, 8, 1, { partition: 9 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.equal(await commit(client, 10, 1), ErrorCode.UNKNOWN_TOPIC_ID);
});

for (const version of [0, 3, 4, 5, 7, 9]) {
  test(`a consumer of JoinGroup ${version} joins, commits, is described and leaves`, async () => {
    await using broker = await startWithGroups();
    const { client } = broker;
    const { memberId, generation } = await joinAlone(broker, version);
    assert.equal(await commit(client, 8, 7, { memberId, generation }), ErrorCode.NONE);
    assert.equal(await commit(client, 8, 8), ErrorCode.UNKNOWN_MEMBER_ID);
    const group = await describe(client);
    assert.deepEqual([group.groupState, group.protocolData, group.members.length], ["Stable", "range", 1]);
    assert.deepEqual([...(group.members[0]?.memberAssignment ?? [])], [1, 2, 3]);
    const beat = HeartbeatRequest.create({ groupId: GROUP, memberId, generationId: generation });
    assert.equal((await client.request(HeartbeatRequest, HeartbeatResponse, 4, beat)).errorCode, ErrorCode.NONE);
    const leave =
      version < 4
        ? LeaveGroupRequest.create({ groupId: GROUP, memberId })
        : LeaveGroupRequest.create({ groupId: GROUP, members: [{ memberId, groupInstanceId: null, reason: "done" }] });
    const left = await client.request(LeaveGroupRequest, LeaveGroupResponse, version < 4 ? 1 : 5, leave);
    assert.equal(left.errorCode, ErrorCode.NONE);
    assert.equal((await describe(client)).groupState, "Empty");
  });
}

test("groups are listed by state and type, whatever the case of the letters", async () => {
  await using broker = await startWithGroups();
  await commit(broker.client, 8, 1);
  const list = async (statesFilter: readonly string[], typesFilter: readonly string[]) => {
    const request = ListGroupsRequest.create({ statesFilter, typesFilter });
    const { groups } = await broker.client.request(ListGroupsRequest, ListGroupsResponse, 5, request);
    return groups.map(({ groupId, groupState, groupType }) => [groupId, groupState, groupType]);
  };
  assert.deepEqual(await list([], []), [[GROUP, "Empty", "classic"]]);
  assert.deepEqual(await list(["EMPTY"], ["Classic"]), [[GROUP, "Empty", "classic"]]);
  assert.deepEqual(await list(["Stable"], []), []);
  assert.deepEqual(await list([], ["consumer"]), []);
});

test("a group that is not there is Dead to old clients and not found by new ones", async () => {
  await using broker = await startWithGroups();
  const old = await describe(broker.client, 5);
  assert.deepEqual([old.errorCode, old.groupState], [ErrorCode.NONE, "Dead"]);
  const recent = await describe(broker.client, 6);
  assert.deepEqual(
    [recent.errorCode, recent.errorMessage],
    [ErrorCode.GROUP_ID_NOT_FOUND, `Group ${GROUP} not found.`],
  );
});

test("offsets go with OffsetDelete, with their group, and with their topic", async () => {
  await using broker = await startWithGroups();
  const { client } = broker;
  await commit(client, 8, 1);
  const topics = [{ name: "orders", partitions: [{ partitionIndex: 0 }, { partitionIndex: 7 }] }];
  const offsetDelete = OffsetDeleteRequest.create({ groupId: GROUP, topics });
  const deleted = await client.request(OffsetDeleteRequest, OffsetDeleteResponse, 0, offsetDelete);
  const codes = deleted.topics[0]?.partitions.map(({ errorCode }) => errorCode);
  assert.deepEqual(codes, [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  assert.equal((await fetchOffset(client, 8))?.committedOffset, -1);

  await commit(client, 8, 2);
  const deleteGroups = DeleteGroupsRequest.create({ groupsNames: [GROUP, "nobody"] });
  const { results } = await client.request(DeleteGroupsRequest, DeleteGroupsResponse, 2, deleteGroups);
  assert.deepEqual(
    results.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.GROUP_ID_NOT_FOUND],
  );
  assert.equal((await fetchOffset(client, 8))?.committedOffset, -1);

  await commit(client, 8, 3);
  await broker.deleteTopic("orders");
  assert.equal((await fetchOffset(client, 8))?.committedOffset, -1);
});

for (const { what, stop } of [
  { what: "a stop", stop: (broker: TestBroker) => broker.broker.close() },
  { what: "a crash", stop: () => Promise.resolve() },
]) {
  test(`a group and its offsets are there after ${what}`, async () => {
    const disk = new MemoryDisk();
    const first = await startWithGroups(disk);
    const { memberId, generation } = await joinAlone(first);
    await commit(first.client, 8, 11, { memberId, generation });
    await stop(first);
    await using second = await startTestBroker({ disk, properties: FEW_PARTITIONS });
    await coordinated(second.client);
    assert.equal((await describe(second.client)).groupState, "Stable");
    assert.equal((await fetchOffset(second.client, 8))?.committedOffset, 11);
    assert.equal(await commit(second.client, 8, 12, { memberId, generation }), ErrorCode.NONE);
    assert.equal(
      await commit(second.client, 8, 13, { memberId, generation: generation - 1 }),
      ErrorCode.ILLEGAL_GENERATION,
    );
  });
}

test("a stop answers the members that wait for a rebalance", async () => {
  await using broker = await startWithGroups();
  const { memberId } = await join(broker.client, 9);
  const timersBefore = broker.clock.pendingTimers;
  const waiting = join(broker.client, 9, memberId);
  while (broker.clock.pendingTimers <= timersBefore) await new Promise(setImmediate);
  const [answer] = await Promise.all([waiting, broker.broker.close()]);
  assert.equal(answer.errorCode, ErrorCode.NOT_COORDINATOR);
});
