import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, errorCodeOf, ZERO_UUID } from "@samsa/base";
import type { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { ConsumerHeartbeatOptions } from "../../testing/group-harness.ts";
import { codeOf, GroupHarness, settle, topicIdOf } from "../../testing/group-harness.ts";

const ORDERS = topicIdOf("orders");

/** The partitions of orders in an answer; undefined when it tells of none. */
function partitionsOf({ assignment }: ConsumerGroupHeartbeatResponse): readonly number[] | undefined {
  return (
    assignment?.topicPartitions.find(({ topicId }) => topicId === ORDERS)?.partitions ?? (assignment && []) ?? undefined
  );
}

function owned(...partitions: number[]): readonly { topicId: Uuid; partitions: readonly number[] }[] {
  return partitions.length === 0 ? [] : [{ topicId: ORDERS, partitions }];
}

/** A member that does as it is told, for as long as it is told something. */
async function settleMember(harness: GroupHarness, memberId: string, from: ConsumerGroupHeartbeatResponse) {
  let answer = from;
  let has = [...(partitionsOf(answer) ?? [])];
  for (let beat = 0; beat < 4; beat++) {
    answer = await harness.consumerHeartbeat({
      memberId,
      memberEpoch: answer.memberEpoch,
      topicPartitions: owned(...has),
    });
    has = [...(partitionsOf(answer) ?? has)];
  }
  return { epoch: answer.memberEpoch, partitions: has };
}

async function messageOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

test("the first member gets everything at once, in epoch 2", async () => {
  const harness = await GroupHarness.start();
  const answer = await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  assert.equal(answer.memberEpoch, 2);
  assert.deepEqual(partitionsOf(answer), [0, 1, 2, 3, 4, 5]);
  assert.equal(answer.heartbeatIntervalMs, 5000);
  assert.equal((await harness.coordinator.describeConsumerGroup("g")).state, "Stable");
});

test("a second member gets its partitions when the first has said that it gave them up", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  const joined = await harness.consumerHeartbeat({ memberId: "b", memberEpoch: 0 });
  assert.deepEqual([joined.memberEpoch, partitionsOf(joined)], [3, []]);
  const asked = await harness.consumerHeartbeat({
    memberId: "a",
    memberEpoch: 2,
    topicPartitions: owned(0, 1, 2, 3, 4, 5),
  });
  assert.deepEqual([asked.memberEpoch, partitionsOf(asked)], [2, [0, 1, 2]], "it stays in its epoch while it revokes");
  const waiting = await harness.consumerHeartbeat({ memberId: "b", memberEpoch: 3 });
  assert.equal(partitionsOf(waiting), undefined, "nothing is free yet");
  const revoked = await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 2, topicPartitions: owned(0, 1, 2) });
  assert.equal(revoked.memberEpoch, 3);
  const given = await harness.consumerHeartbeat({ memberId: "b", memberEpoch: 3 });
  assert.deepEqual(partitionsOf(given), [3, 4, 5]);
});

test("a member that does not give up its partitions within its rebalance timeout is fenced", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0, rebalanceTimeoutMs: 10_000 });
  const b = await harness.consumerHeartbeat({ memberId: "b", memberEpoch: 0 });
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 2 });
  harness.clock.advance(10_000);
  await settle();
  assert.equal(await codeOf(harness.consumerHeartbeat({ memberId: "a", memberEpoch: 2 })), ErrorCode.UNKNOWN_MEMBER_ID);
  assert.deepEqual((await settleMember(harness, "b", b)).partitions, [0, 1, 2, 3, 4, 5]);
});

test("a member that is silent for a session is out, and its partitions are the other's", async () => {
  const harness = await GroupHarness.start();
  const a = await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  harness.clock.advance(30_000);
  const b = await harness.consumerHeartbeat({ memberId: "b", memberEpoch: 0 });
  await settleMember(harness, "a", a);
  harness.clock.advance(30_000);
  await settleMember(harness, "a", { ...a, memberEpoch: 3, assignment: null });
  harness.clock.advance(20_000); // 50 seconds since b was heard of
  await settle();
  assert.equal(
    await codeOf(harness.consumerHeartbeat({ memberId: "b", memberEpoch: b.memberEpoch })),
    ErrorCode.UNKNOWN_MEMBER_ID,
  );
  assert.equal((await harness.coordinator.describeConsumerGroup("g")).members.length, 1);
});

test("a member that leaves is gone, and an empty group takes no part in anything", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  const left = await harness.consumerHeartbeat({ memberId: "a", memberEpoch: -1 });
  assert.equal(left.memberEpoch, -1);
  const { state, groupEpoch, assignmentEpoch } = await harness.coordinator.describeConsumerGroup("g");
  assert.deepEqual([state, groupEpoch, assignmentEpoch], ["Empty", 3, 3]);
});

test("a static member that goes for a while keeps its partitions, and its next self has them", async () => {
  const harness = await GroupHarness.start();
  const first = { memberId: "a", instanceId: "one" };
  await harness.consumerHeartbeat({ ...first, memberEpoch: 0 });
  await harness.consumerHeartbeat({ ...first, memberEpoch: -2 });
  const b = await harness.consumerHeartbeat({ memberId: "b", memberEpoch: 0 });
  const back = await harness.consumerHeartbeat({ memberId: "a2", instanceId: "one", memberEpoch: 0 });
  assert.deepEqual([back.memberEpoch, partitionsOf(back)?.length], [3, 3], "as the target says");
  assert.deepEqual(partitionsOf(b), []);
  assert.equal(await codeOf(harness.consumerHeartbeat({ ...first, memberEpoch: 2 })), ErrorCode.FENCED_INSTANCE_ID);
});

test("a static member's name is not given to another while it is there", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", instanceId: "one", memberEpoch: 0 });
  const attempt = harness.consumerHeartbeat({ memberId: "b", instanceId: "one", memberEpoch: 0 });
  assert.equal(await codeOf(attempt), ErrorCode.UNRELEASED_INSTANCE_ID);
});

const REFUSALS: readonly { what: string; request: ConsumerHeartbeatOptions; code: ErrorCode; message: string }[] = [
  {
    what: "without a member id",
    request: { memberId: "", memberEpoch: 0 },
    code: ErrorCode.INVALID_REQUEST,
    message: "MemberId can't be empty.",
  },
  {
    what: "without a rebalance timeout",
    request: { memberId: "x", memberEpoch: 0, rebalanceTimeoutMs: -1 },
    code: ErrorCode.INVALID_REQUEST,
    message: "RebalanceTimeoutMs must be provided in first request.",
  },
  {
    what: "that joins with partitions",
    request: { memberId: "x", memberEpoch: 0, topicPartitions: owned(1) },
    code: ErrorCode.INVALID_REQUEST,
    message: "TopicPartitions must be empty when (re-)joining.",
  },
  {
    what: "that subscribes to nothing",
    request: { memberId: "x", memberEpoch: 0, subscribedTopicNames: null },
    code: ErrorCode.INVALID_REQUEST,
    message: "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
  },
  {
    what: "with an epoch that there is not",
    request: { memberId: "x", memberEpoch: -3 },
    code: ErrorCode.INVALID_REQUEST,
    message: "MemberEpoch is invalid.",
  },
  {
    what: "of an assignor that there is not",
    request: { memberId: "x", memberEpoch: 0, serverAssignor: "fair" },
    code: ErrorCode.UNSUPPORTED_ASSIGNOR,
    message: "ServerAssignor fair is not supported. Supported assignors: uniform, range.",
  },
  {
    what: "of a pattern that is none",
    request: { memberId: "x", memberEpoch: 0, subscribedTopicRegex: "(" },
    code: ErrorCode.INVALID_REGULAR_EXPRESSION,
    message: "SubscribedTopicRegex `(` is not a valid regular expression: missing closing ).",
  },
  {
    what: "of a stranger",
    request: { memberId: "x", memberEpoch: 2 },
    code: ErrorCode.UNKNOWN_MEMBER_ID,
    message: "Member x is not a member of group g.",
  },
  {
    what: "of an epoch to come",
    request: { memberId: "a", memberEpoch: 9 },
    code: ErrorCode.FENCED_MEMBER_EPOCH,
    message:
      "The consumer group member has a greater member epoch (9) than the one known by the group coordinator (2). " +
      "The member must abandon all its partitions and rejoin.",
  },
];
for (const { what, request, code, message } of REFUSALS) {
  test(`a heartbeat ${what} is refused`, async () => {
    const harness = await GroupHarness.start();
    await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
    const attempt = harness.consumerHeartbeat(request);
    assert.equal(await messageOf(attempt), message);
    assert.equal(errorCodeOf(await attempt.catch((error: unknown) => error)), code);
  });
}

test("a group of the size that is allowed takes nobody else, but takes its own", async () => {
  const harness = await GroupHarness.start({ consumerMaxSize: 1 });
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  assert.equal(
    await codeOf(harness.consumerHeartbeat({ memberId: "b", memberEpoch: 0 })),
    ErrorCode.GROUP_MAX_SIZE_REACHED,
  );
  assert.equal(await codeOf(harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 })), ErrorCode.NONE);
});

test("the epoch before is taken when the answer with the new one was lost, but only from who has no more than its own", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  harness.setTopics({ orders: 8 });
  const next = await harness.consumerHeartbeat({
    memberId: "a",
    memberEpoch: 2,
    topicPartitions: owned(0, 1, 2, 3, 4, 5),
  });
  assert.equal(next.memberEpoch, 3);
  const again = { memberId: "a", memberEpoch: 2 };
  assert.equal(await codeOf(harness.consumerHeartbeat({ ...again, topicPartitions: owned(0, 1) })), ErrorCode.NONE);
  assert.equal(
    await codeOf(harness.consumerHeartbeat({ ...again, topicPartitions: owned(0, 99) })),
    ErrorCode.FENCED_MEMBER_EPOCH,
  );
});

test("a topic that grows, goes and comes is followed", async () => {
  const harness = await GroupHarness.start();
  const a = await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  harness.setTopics({ orders: 8, other: 1 });
  assert.equal((await settleMember(harness, "a", a)).partitions.length, 8);
  harness.setTopics({ other: 1 });
  const gone = await settleMember(harness, "a", { ...a, memberEpoch: 3 });
  assert.deepEqual(gone.partitions, []);
  harness.setTopics({ orders: 2 });
  assert.deepEqual((await settleMember(harness, "a", { ...a, memberEpoch: gone.epoch })).partitions, [0, 1]);
});

test("a regular expression means the topics that match it whole, also those that come later", async () => {
  const harness = await GroupHarness.start();
  harness.setTopics({ orders: 2, "orders-eu": 1, reorders: 1 });
  harness.clock.advance(60_000);
  const join = { memberId: "a", memberEpoch: 0, subscribedTopicNames: [], subscribedTopicRegex: "orders.*" };
  const first = await harness.consumerHeartbeat(join);
  const topics = (answer: ConsumerGroupHeartbeatResponse) =>
    answer.assignment?.topicPartitions.map(({ topicId }) => topicId).toSorted();
  assert.deepEqual(topics(first), [ORDERS, topicIdOf("orders-eu")].toSorted());
  harness.setTopics({ orders: 2, "orders-eu": 1, reorders: 1, "orders-us": 1 });
  harness.clock.advance(10_000);
  const second = await harness.consumerHeartbeat({
    memberId: "a",
    memberEpoch: 2,
    topicPartitions: [
      { topicId: ORDERS, partitions: [0, 1] },
      { topicId: topicIdOf("orders-eu"), partitions: [0] },
    ],
  });
  assert.deepEqual(topics(second), [ORDERS, topicIdOf("orders-eu"), topicIdOf("orders-us")].toSorted());
});

test("so many topics are looked through in parts, and the group moves on at the end", async () => {
  const harness = await GroupHarness.start();
  const many = Object.fromEntries(Array.from({ length: 4000 }, (_, index) => [`topic-${index}`, 1]));
  harness.setTopics({ ...many, orders: 1 });
  const regex = "(a|b|c|d|e|f|g|h|orders|j)(x?){50}";
  const join = { memberId: "a", memberEpoch: 0, subscribedTopicNames: [], subscribedTopicRegex: regex };
  const first = await harness.consumerHeartbeat(join);
  assert.deepEqual(partitionsOf(first), []);
  for (let turn = 0; turn < 100; turn++) harness.clock.advance(1);
  const { partitions } = await settleMember(harness, "a", first);
  assert.deepEqual(partitions, [0]);
});

test("members that come within the assignment interval share an assignment", async () => {
  const consumerGroup = () => ({ sessionTimeoutMs: 45_000, heartbeatIntervalMs: 5_000, assignmentIntervalMs: 1_000 });
  const harness = await GroupHarness.start({ consumerGroup });
  harness.clock.advance(1);
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  for (const memberId of ["b", "c"]) {
    const early = await harness.consumerHeartbeat({ memberId, memberEpoch: 0 });
    assert.deepEqual([early.memberEpoch, partitionsOf(early)], [2, []]);
  }
  harness.clock.advance(1_000);
  const due = await harness.consumerHeartbeat({ memberId: "c", memberEpoch: 2 });
  assert.equal(due.memberEpoch, 4);
});

test("a member commits with its epoch; one of an older epoch only what it has had since", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  const commit = (epoch: number, version = 9) => harness.commit("a", epoch, 5, null, version);
  assert.equal(await codeOf(commit(2)), ErrorCode.NONE);
  assert.equal(await codeOf(commit(2, 8)), ErrorCode.UNSUPPORTED_VERSION);
  assert.equal(await codeOf(commit(3)), ErrorCode.STALE_MEMBER_EPOCH);
  harness.setTopics({ orders: 8 });
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 2, topicPartitions: owned(0, 1, 2, 3, 4, 5) });
  assert.equal(await codeOf(commit(2)), ErrorCode.NONE, "partition 0 is its own since epoch 2");
  const seven = [{ topic: "orders", partition: 7, offset: 1, leaderEpoch: -1, topicId: ZERO_UUID, metadata: null }];
  const late = {
    groupId: "g",
    memberId: "a",
    groupInstanceId: null,
    retentionTimeMs: -1,
    apiVersion: 9,
    offsets: seven,
  };
  assert.equal(
    await codeOf(harness.coordinator.commitOffsets({ ...late, generationId: 2 })),
    ErrorCode.STALE_MEMBER_EPOCH,
    "partition 7 is its own since epoch 3",
  );
  assert.equal(await codeOf(harness.commit("b", 2, 5, null, 9)), ErrorCode.UNKNOWN_MEMBER_ID);
  assert.equal(await codeOf(harness.coordinator.fetchOffsets("g", "a", 2)), ErrorCode.STALE_MEMBER_EPOCH);
  assert.equal(await codeOf(harness.coordinator.fetchOffsets("g", "a", 3)), ErrorCode.NONE);
  assert.equal(await codeOf(harness.coordinator.fetchOffsets("g")), ErrorCode.NONE);
});

test("a coordinator that is loaded again knows everything, and everyone has a whole session", async () => {
  const harness = await GroupHarness.start();
  const a = await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  await harness.consumerHeartbeat({
    memberId: "b",
    memberEpoch: 0,
    subscribedTopicRegex: "ord.*",
    subscribedTopicNames: [],
  });
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 2 });
  const before = await harness.coordinator.describeConsumerGroup("g");
  harness.clock.advance(20_000);
  await harness.crash();
  assert.deepEqual(await harness.coordinator.describeConsumerGroup("g"), before);
  harness.clock.advance(29_000);
  const topicPartitions = owned(0, 1, 2);
  const { epoch } = await settleMember(harness, "a", { ...a, memberEpoch: 2, assignment: { topicPartitions } });
  assert.equal(epoch, 3);
});

test("a group is deleted when nobody is in it, and nothing of it is left", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0 });
  assert.equal(await codeOf(harness.coordinator.deleteGroup("g")), ErrorCode.NON_EMPTY_GROUP);
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: -1 });
  assert.equal(await codeOf(harness.coordinator.deleteGroup("g")), ErrorCode.NONE);
  assert.deepEqual(await harness.coordinator.listGroups(), []);
});
