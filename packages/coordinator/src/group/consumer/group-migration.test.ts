import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import type { ConsumerGroupMigrationPolicy } from "../group-config.ts";
import { assignment, codeOf, GroupHarness, partitionsIn, settle, topicIdOf } from "../../testing/group-harness.ts";

const ORDERS = topicIdOf("orders");

/** A classic group of two, with three partitions each. */
async function classicGroup(policy: ConsumerGroupMigrationPolicy = "bidirectional") {
  const harness = await GroupHarness.start({ consumerMigrationPolicy: policy });
  const ids = [await harness.newMemberId(), await harness.newMemberId()] as const;
  const joins = ids.map((memberId) => harness.join({ memberId }));
  await settle();
  harness.clock.advance(3_000);
  harness.clock.advance(3_000);
  const [joined] = await Promise.all(joins);
  assert.ok(joined !== undefined);
  const { generationId, leader } = joined;
  const other = ids.find((id) => id !== leader) ?? "";
  const assignments = { [leader]: assignment({ orders: [0, 1, 2] }), [other]: assignment({ orders: [3, 4, 5] }) };
  await Promise.all([harness.sync(leader, generationId, assignments), harness.sync(other, generationId)]);
  return { harness, leader, other, generationId };
}

/** One round of a member of the classic protocol: it gives up everything, joins and syncs. */
async function rejoin(harness: GroupHarness, memberId: string) {
  const { generationId, errorCode } = await harness.join({ memberId });
  assert.equal(errorCode, ErrorCode.NONE);
  const { assignment: assigned } = await harness.sync(memberId, generationId);
  return { generationId, partitions: partitionsIn(assigned) };
}

test("a member of the consumer protocol turns a classic group into a consumer group, members, offsets and all", async () => {
  const { harness, leader, other, generationId } = await classicGroup();
  await harness.commit(leader, generationId, 7);
  const joined = await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  assert.deepEqual([joined.memberEpoch, joined.assignment?.topicPartitions], [generationId + 1, []]);
  const { members, state } = await harness.coordinator.describeConsumerGroup("g");
  assert.deepEqual(
    members.map(({ memberId, usesClassicProtocol }) => [memberId, usesClassicProtocol]),
    [
      [leader, true],
      [other, true],
      ["new", false],
    ],
  );
  assert.equal(state, "Reconciling");
  assert.equal(await harness.committed(), 7);
  assert.equal(await codeOf(harness.heartbeat(leader, generationId)), ErrorCode.REBALANCE_IN_PROGRESS);
  assert.deepEqual(await rejoin(harness, leader), { generationId: generationId + 1, partitions: [0, 1] });
  assert.deepEqual(await rejoin(harness, other), { generationId: generationId + 1, partitions: [3, 4] });
  const got = await harness.consumerHeartbeat({ memberId: "new", memberEpoch: generationId + 1 });
  assert.deepEqual(got.assignment?.topicPartitions, [{ topicId: ORDERS, partitions: [2, 5] }]);
  assert.equal(await codeOf(harness.heartbeat(leader, generationId + 1)), ErrorCode.NONE);
  assert.equal(await codeOf(harness.commit(leader, generationId + 1, 9)), ErrorCode.NONE);
  assert.equal(await codeOf(harness.commit(leader, generationId + 2, 9)), ErrorCode.ILLEGAL_GENERATION);
  assert.equal((await harness.coordinator.describeConsumerGroup("g")).state, "Stable");
});

test("a consumer group of both kinds comes back by replay as it was", async () => {
  const { harness, leader, generationId } = await classicGroup();
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  await rejoin(harness, leader);
  const before = await harness.coordinator.describeConsumerGroup("g");
  await harness.crash();
  assert.deepEqual(await harness.coordinator.describeConsumerGroup("g"), before);
  assert.equal(await codeOf(harness.heartbeat(leader, generationId + 1)), ErrorCode.NONE);
});

test("when the last member of the consumer protocol leaves, the others go on as a classic group", async () => {
  const { harness, leader, other, generationId } = await classicGroup();
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  await rejoin(harness, leader);
  await rejoin(harness, other);
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: -1 });
  assert.equal((await harness.coordinator.describeGroup("g")).state, "PreparingRebalance");
  const joins = [leader, other].map((memberId) => harness.join({ memberId }));
  const [joined] = await Promise.all(joins);
  assert.equal(joined?.generationId, generationId + 2);
  assert.equal(joined.protocolName, "range");
  await harness.crash();
  assert.equal((await harness.coordinator.describeGroup("g")).members.length, 2);
});

test("the others are called together although the coordinator dies before any of them has heard of it", async () => {
  const { harness, leader, other } = await classicGroup();
  const { memberEpoch } = await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  await rejoin(harness, leader);
  await rejoin(harness, other);
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: -1 });
  await harness.crash();
  assert.equal((await harness.coordinator.describeGroup("g")).state, "PreparingRebalance");
  assert.equal(await codeOf(harness.heartbeat(leader, memberEpoch)), ErrorCode.REBALANCE_IN_PROGRESS);
  const joins = [leader, other].map((memberId) => harness.join({ memberId }));
  assert.equal((await Promise.all(joins))[0]?.errorCode, ErrorCode.NONE);
});

test("a member of the classic protocol that does not join again in time is out", async () => {
  const { harness, leader, generationId } = await classicGroup();
  let { memberEpoch } = await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  for (let second = 0; second < 31; second++) {
    await codeOf(harness.heartbeat(leader, generationId));
    ({ memberEpoch } = await harness.consumerHeartbeat({ memberId: "new", memberEpoch }));
    harness.clock.advance(1_000);
    await settle();
  }
  assert.equal(await codeOf(harness.heartbeat(leader, generationId)), ErrorCode.UNKNOWN_MEMBER_ID);
});

test("members of the classic protocol join and leave a consumer group", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  const memberId = await harness.newMemberId();
  const { generationId } = await harness.join({ memberId });
  assert.equal(generationId, 3);
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 2, topicPartitions: [] });
  const revoked = await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 2, topicPartitions: [] });
  assert.equal(revoked.memberEpoch, 3);
  assert.equal(await codeOf(harness.heartbeat(memberId, 3)), ErrorCode.REBALANCE_IN_PROGRESS, "there is more for it");
  assert.equal((await rejoin(harness, memberId)).partitions.length, 3);
  const [left] = await harness.coordinator.leaveGroup("g", [{ memberId, groupInstanceId: null, reason: null }]);
  assert.equal(left?.errorCode, ErrorCode.NONE);
  assert.equal((await harness.coordinator.describeConsumerGroup("g")).members.length, 1);
  const other = { memberId: "new", groupInstanceId: null, reason: null };
  const [removed] = await harness.coordinator.leaveGroup("g", [other]);
  assert.equal(removed?.errorCode, ErrorCode.NONE, "as an administrator puts out whom he likes");
  assert.equal((await harness.coordinator.describeConsumerGroup("g")).members.length, 0);
});

test("a static member comes back with the other protocol and has its partitions", async () => {
  const harness = await GroupHarness.start();
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: 0, instanceId: "one" });
  await harness.consumerHeartbeat({ memberId: "b", memberEpoch: 0 });
  await harness.consumerHeartbeat({ memberId: "a", memberEpoch: -2, instanceId: "one" });
  const { errorCode, memberId, generationId } = await harness.join({ groupInstanceId: "one" });
  assert.deepEqual([errorCode, generationId], [ErrorCode.NONE, 3]);
  const { assignment: assigned } = await harness.sync(memberId, generationId, {}, "one");
  assert.deepEqual(partitionsIn(assigned), [0, 1, 2]);
});

for (const policy of ["disabled", "downgrade"] as const) {
  test(`a classic group stays one when the policy is ${policy}`, async () => {
    const { harness, leader, generationId } = await classicGroup(policy);
    const attempt = harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
    assert.equal(await codeOf(attempt), ErrorCode.GROUP_ID_NOT_FOUND);
    assert.equal(await codeOf(harness.heartbeat(leader, generationId)), ErrorCode.NONE);
  });
}

test("nobody of the classic protocol joins a consumer group when the policy is disabled", async () => {
  const harness = await GroupHarness.start({ consumerMigrationPolicy: "disabled" });
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  assert.equal((await harness.join()).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
});

test("groups that nobody is in go from one protocol to the other whatever the policy is, and keep their offsets", async () => {
  const harness = await GroupHarness.start({ consumerMigrationPolicy: "disabled" });
  await harness.commit("", -1, 5);
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  assert.equal((await harness.coordinator.listGroups())[0]?.type, "consumer");
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: -1 });
  const memberId = await harness.newMemberId();
  assert.deepEqual(
    (await harness.coordinator.listGroups()).map(({ type, state }) => [type, state]),
    [["classic", "Empty"]],
  );
  void harness.join({ memberId }).catch(() => undefined);
  await settle();
  await harness.crash();
  assert.equal(await harness.committed(), 5);
  assert.equal((await harness.coordinator.listGroups())[0]?.type, "classic");
});

test("members that wait in a classic rebalance are told to come again when the group changes its kind", async () => {
  const { harness, leader, other } = await classicGroup();
  const waiting = harness.join({ memberId: leader });
  await settle();
  assert.equal(await harness.state(), "PreparingRebalance");
  await harness.consumerHeartbeat({ memberId: "new", memberEpoch: 0 });
  assert.equal((await waiting).errorCode, ErrorCode.REBALANCE_IN_PROGRESS);
  assert.equal((await harness.join({ memberId: leader })).errorCode, ErrorCode.NONE);
  assert.equal((await harness.join({ memberId: other })).errorCode, ErrorCode.NONE);
  harness.clock.advance(100_000);
  await settle();
  assert.equal(harness.problems.length, 0);
  assert.equal((await harness.coordinator.describeConsumerGroup("g")).state, "Empty");
});

test("a group that is upgraded in a rebalance, by a static member that was in it, assigns anew, also to who has nothing yet", async () => {
  const harness = await GroupHarness.start({ consumerMigrationPolicy: "bidirectional" });
  const join = harness.join({ groupInstanceId: "one" });
  await settle();
  harness.clock.advance(3_000);
  const { memberId, generationId } = await join;
  const all = { [memberId]: assignment({ orders: [0, 1, 2, 3, 4, 5] }) };
  await harness.sync(memberId, generationId, all, "one");
  const other = await harness.newMemberId();
  const waiting = harness.join({ memberId: other });
  await settle();
  assert.equal(await harness.state(), "PreparingRebalance");
  const back = await harness.consumerHeartbeat({ memberId: "new", instanceId: "one", memberEpoch: 0 });
  assert.equal(back.memberEpoch, generationId + 1);
  assert.equal((await waiting).errorCode, ErrorCode.REBALANCE_IN_PROGRESS);
  const { members } = await harness.coordinator.describeConsumerGroup("g");
  assert.deepEqual(
    members.map(({ targetAssignment }) => targetAssignment.flatMap(({ partitions }) => partitions).length),
    [3, 3],
  );
});
