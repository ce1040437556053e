import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { codeOf, GroupHarness, settle, text } from "../testing/group-harness.ts";

type StateName = "none" | "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";

/** A group in this state, with a member of it. */
async function groupIn(state: StateName): Promise<{ harness: GroupHarness; memberId: string; generation: number }> {
  const harness = await GroupHarness.start();
  if (state === "none") return { harness, memberId: "nobody", generation: 1 };
  if (state === "Empty") {
    await harness.commit("", -1, 1);
    return { harness, memberId: "nobody", generation: 0 };
  }
  const { ids, generation } = await harness.stable(2);
  const [memberId = "", other = ""] = ids;
  if (state === "Stable") return { harness, memberId, generation };
  void harness.join({ memberId, topics: ["orders", "invoices"] }).catch(() => undefined);
  await settle();
  if (state === "PreparingRebalance") return { harness, memberId: other, generation };
  void harness.join({ memberId: other }).catch(() => undefined);
  await settle();
  return { harness, memberId: other, generation: generation + 1 };
}

const {
  NONE,
  UNKNOWN_MEMBER_ID,
  ILLEGAL_GENERATION,
  REBALANCE_IN_PROGRESS,
  GROUP_ID_NOT_FOUND,
  NON_EMPTY_GROUP,
  MEMBER_ID_REQUIRED,
} = ErrorCode;

/** What each state answers to each request, as Kafka does. */
const ANSWERS: Readonly<Record<StateName, Readonly<Record<string, ErrorCode>>>> = {
  none: {
    "a heartbeat of a member": UNKNOWN_MEMBER_ID,
    "a sync of a member": UNKNOWN_MEMBER_ID,
    "a commit of a member": ILLEGAL_GENERATION,
    "a commit of no member": NONE,
    "a first join": MEMBER_ID_REQUIRED,
    "a join with an id that nobody gave": UNKNOWN_MEMBER_ID,
    "a deletion": GROUP_ID_NOT_FOUND,
    "a deletion of offsets": GROUP_ID_NOT_FOUND,
  },
  Empty: {
    "a heartbeat of a member": UNKNOWN_MEMBER_ID,
    "a sync of a member": UNKNOWN_MEMBER_ID,
    "a commit of a member": UNKNOWN_MEMBER_ID,
    "a commit of no member": NONE,
    "a first join": MEMBER_ID_REQUIRED,
    "a join with an id that nobody gave": UNKNOWN_MEMBER_ID,
    "a deletion": NONE,
    "a deletion of offsets": NONE,
  },
  PreparingRebalance: {
    "a heartbeat of a member": REBALANCE_IN_PROGRESS,
    "a sync of a member": REBALANCE_IN_PROGRESS,
    "a commit of a member": NONE,
    "a commit of no member": UNKNOWN_MEMBER_ID,
    "a commit of an older generation": ILLEGAL_GENERATION,
    "a heartbeat of an older generation": ILLEGAL_GENERATION,
    "a first join": MEMBER_ID_REQUIRED,
    "a join with an id that nobody gave": UNKNOWN_MEMBER_ID,
    "a deletion": NON_EMPTY_GROUP,
    "a deletion of offsets": ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
  },
  CompletingRebalance: {
    "a heartbeat of a member": NONE,
    "a commit of a member": REBALANCE_IN_PROGRESS,
    "a commit of no member": UNKNOWN_MEMBER_ID,
    "a sync of an older generation": ILLEGAL_GENERATION,
    "a commit of an older generation": ILLEGAL_GENERATION,
    "a heartbeat of an older generation": ILLEGAL_GENERATION,
    "a first join": MEMBER_ID_REQUIRED,
    "a join with an id that nobody gave": UNKNOWN_MEMBER_ID,
    "a deletion": NON_EMPTY_GROUP,
    "a deletion of offsets": ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
  },
  Stable: {
    "a heartbeat of a member": NONE,
    "a heartbeat of a stranger": UNKNOWN_MEMBER_ID,
    "a sync of a member": NONE,
    "a commit of a member": NONE,
    "a commit of no member": UNKNOWN_MEMBER_ID,
    "a sync of an older generation": ILLEGAL_GENERATION,
    "a commit of an older generation": ILLEGAL_GENERATION,
    "a heartbeat of an older generation": ILLEGAL_GENERATION,
    "a first join": MEMBER_ID_REQUIRED,
    "a join with an id that nobody gave": UNKNOWN_MEMBER_ID,
    "a deletion": NON_EMPTY_GROUP,
    "a deletion of offsets": ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
  },
};

function request(what: string, harness: GroupHarness, memberId: string, generation: number): Promise<unknown> {
  const first = (codes: Promise<readonly ErrorCode[]>) => codes.then(([errorCode]) => ({ errorCode }));
  switch (what) {
    case "a heartbeat of a member":
      return harness.heartbeat(memberId, generation);
    case "a heartbeat of a stranger":
      return harness.heartbeat("stranger", generation);
    case "a heartbeat of an older generation":
      return harness.heartbeat(memberId, generation - 1);
    case "a sync of a member":
      return harness.sync(memberId, generation);
    case "a sync of an older generation":
      return harness.sync(memberId, generation - 1);
    case "a commit of a member":
      return first(harness.commit(memberId, generation, 9));
    case "a commit of an older generation":
      return first(harness.commit(memberId, generation - 1, 9));
    case "a commit of no member":
      return first(harness.commit("", -1, 9));
    case "a first join":
      return harness.join();
    case "a join with an id that nobody gave":
      return harness.join({ memberId: "invented" });
    case "a deletion":
      return harness.coordinator.deleteGroup("g");
    default:
      return first(harness.coordinator.deleteOffsets("g", [{ topic: "orders", partition: 0 }]));
  }
}

for (const [state, answers] of Object.entries(ANSWERS)) {
  for (const [what, expected] of Object.entries(answers)) {
    test(`${what} of a group in state ${state} is answered ${new KafkaError(expected).codeName}`, async () => {
      const { harness, memberId, generation } = await groupIn(state as StateName);
      assert.equal((await harness.state()) ?? "none", state);
      const name = (code: ErrorCode): string => new KafkaError(code).codeName;
      assert.equal(name(await codeOf(request(what, harness, memberId, generation))), name(expected));
    });
  }
}

test("the first members are gathered for the initial delay, once more when someone comes, then all are told together", async () => {
  const harness = await GroupHarness.start();
  const [a, b] = [await harness.newMemberId(), await harness.newMemberId()];
  const first = harness.join({ memberId: a });
  await settle();
  harness.clock.advance(2_000);
  const second = harness.join({ memberId: b });
  await settle();
  harness.clock.advance(1_000);
  assert.equal(await harness.state(), "PreparingRebalance");
  harness.clock.advance(3_000);
  const [leader, follower] = await Promise.all([first, second]);
  assert.deepEqual([leader.leader, leader.members.map(({ memberId }) => memberId)], [a, [a, b]]);
  assert.deepEqual([follower.leader, follower.members, follower.generationId], [a, [], leader.generationId]);
});

test("each member gets what the leader assigned, and those it forgot get nothing", async () => {
  const harness = await GroupHarness.start();
  const { ids, generation } = await harness.stable(3);
  const assignments = await Promise.all(ids.map(async (id) => text((await harness.sync(id, generation)).assignment)));
  assert.deepEqual(assignments, ["partition 0", "partition 1", "partition 2"]);
});

test("members agree on the protocol that most of them put first and all of them know", async () => {
  const harness = await GroupHarness.start();
  const wishes = [
    ["sticky", "range"],
    ["range", "sticky"],
    ["range", "sticky", "robin"],
  ];
  const ids = await Promise.all(wishes.map((protocols) => harness.newMemberId({ protocols })));
  const joins = ids.map((memberId, index) => harness.join({ memberId, protocols: wishes[index] ?? [] }));
  await settle();
  harness.clock.advance(10_000);
  assert.deepEqual(await Promise.all(joins.map(async (join) => (await join).protocolName)), [
    "range",
    "range",
    "range",
  ]);
  assert.equal(await codeOf(harness.join({ protocols: ["other"] })), ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  assert.equal(await codeOf(harness.join({ protocolType: "connect" })), ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
});

test("a member that is not heard of for its session is out, and the others begin again", async () => {
  const harness = await GroupHarness.start();
  const { ids, generation } = await harness.stable(2);
  const [alive = "", silent = ""] = ids;
  harness.clock.advance(6_000);
  await harness.heartbeat(alive, generation);
  harness.clock.advance(4_000);
  assert.equal(await codeOf(harness.heartbeat(alive, generation)), ErrorCode.REBALANCE_IN_PROGRESS);
  const joined = await harness.join({ memberId: alive });
  assert.deepEqual([joined.generationId, joined.members.length], [generation + 1, 1]);
  assert.equal(await codeOf(harness.commit(silent, generation, 3)), ErrorCode.UNKNOWN_MEMBER_ID);
});

test("who does not come back within the rebalance timeout is left behind", async () => {
  const harness = await GroupHarness.start();
  const { ids, generation } = await harness.stable(2, { sessionTimeoutMs: 60_000 });
  const [back = "", slow = ""] = ids;
  const join = harness.join({ memberId: back, topics: ["other"], sessionTimeoutMs: 60_000 });
  await settle();
  harness.clock.advance(30_000);
  assert.equal((await join).generationId, generation + 1);
  assert.equal(await codeOf(harness.heartbeat(slow, generation)), ErrorCode.UNKNOWN_MEMBER_ID);
});

test("who does not sync within the rebalance timeout is out, the leader too", async () => {
  const harness = await GroupHarness.start();
  const ids = [await harness.newMemberId(), await harness.newMemberId()];
  const [leader = "", other = ""] = ids;
  const joins = ids.map((memberId) => harness.join({ memberId, sessionTimeoutMs: 300_000 }));
  await settle();
  harness.clock.advance(6_000);
  const [{ generationId } = { generationId: -1 }] = await Promise.all(joins);
  const waiting = codeOf(harness.sync(other, generationId));
  await settle();
  harness.clock.advance(30_000);
  assert.equal(await waiting, ErrorCode.REBALANCE_IN_PROGRESS);
  assert.equal(await codeOf(harness.heartbeat(leader, generationId)), ErrorCode.UNKNOWN_MEMBER_ID);
  assert.equal((await harness.join({ memberId: other })).leader, other);
});

test("a member that leaves is gone at once, and the last one leaves the group empty", async () => {
  const harness = await GroupHarness.start();
  const { ids } = await harness.stable(2);
  const leaving = ids.map((memberId) => ({ memberId, groupInstanceId: null, reason: null }));
  const unknown = { memberId: "stranger", groupInstanceId: null, reason: null };
  const answers = await harness.coordinator.leaveGroup("g", [...leaving, unknown]);
  assert.deepEqual(
    answers.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID],
  );
  assert.equal(await harness.state(), "Empty");
});

test("a pending member that never joins holds a rebalance up no longer than its session", async () => {
  const harness = await GroupHarness.start();
  const { ids } = await harness.stable(1);
  await harness.newMemberId();
  const join = harness.join({ memberId: ids[0] ?? "" });
  await settle();
  assert.equal(await harness.state(), "PreparingRebalance");
  harness.clock.advance(10_000);
  assert.equal((await join).members.length, 1);
});

test("a static member that is back keeps its assignment, and its old self is fenced", async () => {
  const harness = await GroupHarness.start();
  const join = harness.join({ groupInstanceId: "one" });
  await settle();
  harness.clock.advance(3_000);
  const { memberId: old, generationId } = await join;
  await harness.sync(old, generationId, { [old]: "mine" }, "one");
  const back = await harness.join({ groupInstanceId: "one" });
  assert.deepEqual([back.generationId, back.skipAssignment, back.leader], [generationId, true, back.memberId]);
  assert.notEqual(back.memberId, old);
  assert.equal(text((await harness.sync(back.memberId, generationId, {}, "one")).assignment), "mine");
  assert.equal(await codeOf(harness.heartbeat(old, generationId, "one")), ErrorCode.FENCED_INSTANCE_ID);
  await harness.crash();
  assert.equal(await codeOf(harness.heartbeat(back.memberId, generationId, "one")), ErrorCode.NONE);
});

test("a static member whose new id cannot be stored keeps the old one", async () => {
  const harness = await GroupHarness.start();
  const join = harness.join({ groupInstanceId: "one" });
  await settle();
  harness.clock.advance(3_000);
  const { memberId: old, generationId } = await join;
  await harness.sync(old, generationId, { [old]: "mine" }, "one");
  harness.log.refusal = new KafkaError(ErrorCode.MESSAGE_TOO_LARGE);
  assert.equal(await codeOf(harness.join({ groupInstanceId: "one" })), ErrorCode.UNKNOWN_SERVER_ERROR);
  assert.equal(await codeOf(harness.heartbeat(old, generationId, "one")), ErrorCode.NONE);
});

test("an assignment that cannot be stored is refused, and the group gathers again", async () => {
  const harness = await GroupHarness.start();
  const { ids } = await harness.stable(1);
  const [leader = ""] = ids;
  const { generationId } = await harness.join({ memberId: leader, topics: ["a"] });
  harness.log.refusal = new KafkaError(ErrorCode.MESSAGE_TOO_LARGE);
  assert.equal(await codeOf(harness.sync(leader, generationId, { [leader]: "x" })), ErrorCode.UNKNOWN_SERVER_ERROR);
  assert.equal(await harness.state(), "PreparingRebalance");
});

test("a full group takes nobody else", async () => {
  const harness = await GroupHarness.start({ maxSize: 2 });
  await harness.stable(2);
  assert.equal(await codeOf(harness.join()), ErrorCode.GROUP_MAX_SIZE_REACHED);
});

for (const { what, options, code } of [
  { what: "without a group id", options: { groupId: "" }, code: ErrorCode.INVALID_GROUP_ID },
  { what: "with a session too short", options: { sessionTimeoutMs: 5_999 }, code: ErrorCode.INVALID_SESSION_TIMEOUT },
  { what: "without a protocol", options: { protocols: [] }, code: ErrorCode.INCONSISTENT_GROUP_PROTOCOL },
]) {
  test(`a join ${what} is refused, and leaves no group behind`, async () => {
    const harness = await GroupHarness.start();
    assert.equal(await codeOf(harness.join(options)), code);
    assert.deepEqual(await harness.coordinator.listGroups(), []);
  });
}

test("a group that was stable is so for its next coordinator, and its members have a whole session to be heard of", async () => {
  const harness = await GroupHarness.start();
  const { ids, generation } = await harness.stable(2);
  harness.clock.advance(9_000);
  await harness.crash();
  harness.clock.advance(9_000);
  for (const id of ids) assert.equal(await codeOf(harness.heartbeat(id, generation)), ErrorCode.NONE);
  assert.equal(text((await harness.sync(ids[1] ?? "", generation)).assignment), "partition 1");
});

test("a group keeps a bounded number of ids whose owners have yet to come, and forgets the oldest", async () => {
  const harness = await GroupHarness.start();
  const first = await harness.newMemberId();
  const next = await harness.newMemberId();
  for (let count = 2; count <= 10_000; count++) await harness.newMemberId();
  assert.equal((await harness.join({ memberId: first })).errorCode, ErrorCode.UNKNOWN_MEMBER_ID);
  assert.equal(harness.clock.pendingTimers, 10_000 + 1); // and the one of expiring offsets
  void harness.join({ memberId: next }).catch(() => undefined);
  await settle();
  assert.equal(await harness.state(), "PreparingRebalance");
});
