import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import type { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { BrokerError, ConfigurationError } from "../../errors.ts";
import { serializers } from "../../serialisers/serialisers.ts";
import { appendValues, bedOfValues } from "../../testing/appended.ts";
import { GroupReader, NotingListener } from "../../testing/group-reader.ts";
import { EventLoopBlockedError, MaxPollIntervalExceededError, NoOffsetForPartitionError } from "./group-errors.ts";

const classic = {
  groupId: "g",
  groupProtocol: "classic",
  autoOffsetReset: "earliest",
  valueDeserializer: serializers.string,
} as const;

test("a member alone joins, reads everything, commits what is completed and leaves", async () => {
  const bed = await bedOfValues(["a", "b"], ["c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  assert.deepEqual(new Set(reader.values), new Set(["a", "b", "c"]));
  const group = bed.cluster.groups.get("g");
  assert.equal(group.state, "stable");
  const { generationId, memberId } = consumer.groupMetadata();
  assert.deepEqual([generationId, [...group.classic.keys()]], [1, [memberId]]);
  await bed.run(reader.stop());
  await bed.run(consumer.close());
  assert.deepEqual([group.offsets.get("t-0")?.offset, group.offsets.get("t-1")?.offset], [2, 1]);
  assert.equal(group.classic.size, 0);
  assert.deepEqual(listener.log, ["+t-0 t-1", "-t-0 t-1"]);
});

test("who comes next goes on where the group has stopped", async () => {
  const bed = await bedOfValues(["a", "b"]);
  await using kafka = bed.kafka();
  for (const expected of [["a", "b"], ["c"]]) {
    const consumer = kafka.consumer(classic);
    consumer.subscribe(["t"]);
    const reader = new GroupReader(consumer);
    await bed.clock.advance(1000);
    await bed.run(reader.stop());
    await bed.run(consumer.close());
    assert.deepEqual(reader.values, expected);
    appendValues(bed, ["c"]);
  }
});

test("two members share the partitions, and a third takes over when one leaves", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const listeners = [new NotingListener(), new NotingListener()] as const;
  const [one, two] = listeners.map((listener) => {
    const consumer = kafka.consumer(classic);
    consumer.subscribe("t", listener);
    return consumer;
  });
  assert.ok(one !== undefined && two !== undefined);
  const readers = [new GroupReader(one), new GroupReader(two)];
  await bed.clock.advance(5000);
  assert.deepEqual([one.assignment.length, two.assignment.length], [1, 1]);
  assert.deepEqual(new Set(readers.flatMap(({ values }) => values)), new Set(["a", "b"]));
  await bed.run(two.close());
  await bed.clock.advance(5000);
  assert.equal(one.assignment.length, 2);
  appendValues(bed, ["c"], 0);
  appendValues(bed, ["d"], 1);
  await bed.clock.advance(1000);
  assert.deepEqual(readers[0]?.values.slice(-2).toSorted(), ["c", "d"]);
});

test("what is in hand is finished and committed before its partition goes to another member", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const slow = kafka.consumer(classic);
  slow.subscribe("t");
  const log: string[] = [];
  const work = async ({ value }: { readonly value: string | null }): Promise<void> => {
    log.push(`begin ${value}`);
    await new Promise<void>((resolve) => void bed.clock.setTimer(20_000, resolve));
    log.push(`end ${value}`);
  };
  const reader = new GroupReader(slow, work);
  await bed.clock.advance(1000);
  const other = kafka.consumer(classic);
  const taken: string[] = [];
  other.subscribe("t", {
    onAssigned: (partitions) =>
      void taken.push(...partitions.map(({ partition }) => `${log.at(-1)}, then t-${partition}`)),
  });
  const second = new GroupReader(other);
  await bed.clock.advance(15_000);
  assert.deepEqual([log, taken], [["begin a"], []]);
  await bed.clock.advance(30_000);
  assert.deepEqual(taken, ["end a, then t-1"]);
  assert.deepEqual(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 1);
  assert.deepEqual(second.values, ["b"]);
  await bed.run(reader.stop());
});

test("with the cooperative assignor only the difference changes hands", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const cooperative = { ...classic, partitionAssignmentStrategy: ["cooperative-sticky"] };
  const listener = new NotingListener();
  const one = kafka.consumer(cooperative);
  one.subscribe("t", listener);
  const reader = new GroupReader(one);
  await bed.clock.advance(1000);
  const two = kafka.consumer(cooperative);
  const late = new NotingListener();
  two.subscribe("t", late);
  const second = new GroupReader(two);
  await bed.clock.advance(15_000);
  assert.deepEqual(listener.log.slice(0, 2), ["+t-0 t-1", "-t-1"]);
  assert.deepEqual([one.assignment, two.assignment].flat().length, 2);
  assert.ok(late.log.includes("+t-1"));
  appendValues(bed, ["c"], 0);
  appendValues(bed, ["d"], 1);
  await bed.clock.advance(1000);
  assert.deepEqual([reader.values.at(-1), second.values], ["c", ["d"]]);
});

test("a member that is expelled loses what it had, and joins again under another id", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  const { memberId } = consumer.groupMetadata();
  bed.cluster.groups.get("g").expel(memberId);
  await bed.clock.advance(10_000);
  assert.deepEqual(listener.log, ["+t-0", "!t-0", "+t-0"]);
  assert.notEqual(consumer.groupMetadata().memberId, memberId);
  assert.equal(reader.failure, undefined);
});

const fatal = [
  ErrorCode.GROUP_MAX_SIZE_REACHED,
  ErrorCode.GROUP_AUTHORIZATION_FAILED,
  ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
  ErrorCode.INVALID_SESSION_TIMEOUT,
  ErrorCode.FENCED_INSTANCE_ID,
];
for (const errorCode of fatal) {
  test(`a join that is refused with error ${errorCode} ends the reading`, async () => {
    const bed = await bedOfValues(["a"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer(classic);
    bed.cluster.interceptNext("JoinGroupRequest", { answer: JoinGroupResponse.create({ errorCode }) });
    consumer.subscribe("t");
    const reader = new GroupReader(consumer);
    await bed.run(reader.done);
    assert.ok(reader.failure instanceof BrokerError && reader.failure.code === errorCode);
    await bed.run(consumer.close());
  });
}

const passing = [
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.UNKNOWN_MEMBER_ID,
];
for (const errorCode of passing) {
  test(`a join that is refused with error ${errorCode} is tried again`, async () => {
    const bed = await bedOfValues(["a"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer(classic);
    bed.cluster.interceptNext("JoinGroupRequest", { answer: JoinGroupResponse.create({ errorCode }) }, 2);
    consumer.subscribe("t");
    const reader = new GroupReader(consumer);
    await bed.clock.advance(5000);
    assert.deepEqual([reader.values, reader.failure], [["a"], undefined]);
  });
}

test("a static member that another fences is told so", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...classic, groupInstanceId: "i" });
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  const second = bed.kafka().consumer({ ...classic, groupInstanceId: "i" });
  second.subscribe("t");
  await bed.run(reader.done);
  assert.ok(reader.failure instanceof BrokerError && reader.failure.code === ErrorCode.FENCED_INSTANCE_ID);
  assert.deepEqual(listener.log, ["+t-0", "!t-0"]);
  await bed.run(second.close());
});

test("a static member does not leave when it is closed, unless it is told to", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  for (const [groupMembershipOperation, leaves] of [
    ["default", 0],
    ["leave-group", 1],
  ] as const) {
    const consumer = kafka.consumer({ ...classic, groupInstanceId: "i" });
    consumer.subscribe("t");
    const reader = new GroupReader(consumer);
    await bed.clock.advance(1000);
    await bed.run(reader.stop());
    await bed.run(consumer.close({ groupMembershipOperation }));
    assert.equal(bed.cluster.requests("LeaveGroupRequest").length, leaves);
  }
});

test("a coordinator that moved is found again, and nothing is read twice", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  consumer.subscribe("t");
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  bed.cluster.coordinatorId = 2;
  await bed.clock.advance(5000);
  appendValues(bed, ["b"]);
  await bed.clock.advance(1000);
  await bed.run(reader.stop());
  await bed.run(consumer.close());
  assert.deepEqual(reader.values, ["a", "b"]);
  assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 2);
});

test("a record that takes longer than maxPollIntervalMs costs the membership until it is done", async () => {
  const bed = await bedOfValues(["a", "b"]);
  const told: unknown[] = [];
  await using kafka = bed.kafka({ onRetry: (error) => void told.push(error) });
  const consumer = kafka.consumer({ ...classic, maxPollIntervalMs: 10_000 });
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  let isFirst = true;
  const reader = new GroupReader(consumer, async () => {
    if (!isFirst) return;
    isFirst = false;
    await new Promise<void>((resolve) => void bed.clock.setTimer(30_000, resolve));
  });
  await bed.clock.advance(12_000);
  assert.deepEqual(listener.log, ["+t-0", "!t-0"]);
  assert.equal(bed.cluster.groups.get("g").classic.size, 0);
  const expired = told.find((error) => error instanceof MaxPollIntervalExceededError);
  assert.deepEqual(expired?.records, [{ topic: "t", partition: 0, offset: 0 }]);
  await bed.clock.advance(30_000);
  assert.deepEqual(listener.log, ["+t-0", "!t-0", "+t-0"]);
  assert.deepEqual(reader.values, ["a", "a", "b"], "what was not committed is read again");
});

test("heartbeats go on while a record is worked on", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...classic, sessionTimeoutMs: 10_000 });
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  const reader = new GroupReader(
    consumer,
    () => new Promise<void>((resolve) => void bed.clock.setTimer(120_000, resolve)),
  );
  await bed.clock.advance(130_000);
  assert.deepEqual(listener.log, ["+t-0"]);
  await bed.run(reader.stop());
});

test("partitions that a topic gains are read as well, and a topic that comes late too", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka({ metadataMaxAgeMs: 10_000 });
  const consumer = kafka.consumer(classic);
  consumer.subscribe(["t", "late"]);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  assert.equal(consumer.assignment.length, 1);
  bed.cluster.createTopic("late", [1]);
  await bed.clock.advance(10_000);
  assert.deepEqual(consumer.assignment.map(({ topic }) => topic).toSorted(), ["late", "t"]);
  await bed.run(reader.stop());
});

test("a pattern follows the topics that come, and leaves those that do not match", async () => {
  const bed = await bedOfValues(["a"]);
  bed.cluster.createTopic("orders-1", [1]);
  await using kafka = bed.kafka({ metadataMaxAgeMs: 10_000 });
  for (const [groupId, selection] of [
    ["here", /^orders-/],
    ["there", { pattern: "orders-.*" }],
  ] as const) {
    const consumer = kafka.consumer({ ...classic, groupId });
    consumer.subscribe(selection);
    const reader = new GroupReader(consumer);
    await bed.clock.advance(1000);
    const before = consumer.assignment.length;
    bed.cluster.createTopic(`orders-${before + 1}`, [1]);
    await bed.clock.advance(25_000);
    assert.equal(consumer.assignment.length, before + 1);
    assert.ok(consumer.assignment.every(({ topic }) => topic.startsWith("orders-")));
    await bed.run(reader.stop());
    await bed.run(consumer.close());
  }
});

test("another subscription takes the place of the first", async () => {
  const bed = await bedOfValues(["a"]);
  bed.cluster.createTopic("u", [1]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  consumer.subscribe("u", listener);
  await bed.clock.advance(5000);
  assert.deepEqual(listener.log, ["+t-0", "-t-0", "+u-0"]);
  await bed.run(consumer.unsubscribe());
  assert.deepEqual([consumer.assignment, listener.log.at(-1)], [[], "-u-0"]);
  await bed.run(reader.stop());
});

test("what a listener throws reaches whoever reads, and the rebalance goes on", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  consumer.subscribe("t", {
    onAssigned: () => {
      throw new Error("not prepared");
    },
  });
  const reader = new GroupReader(consumer);
  await bed.run(reader.done);
  assert.match(String(reader.failure), /not prepared/);
  await bed.clock.advance(1000);
  const again = new GroupReader(consumer);
  await bed.clock.advance(1000);
  assert.deepEqual(again.values, ["a"]);
});

test("a seek in onAssigned says where to begin, whatever is committed", async () => {
  const bed = await bedOfValues(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  consumer.subscribe("t", {
    onAssigned: (partitions) => {
      for (const one of partitions) consumer.seek(one, 2);
    },
  });
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  assert.deepEqual(reader.values, ["c"]);
});

test("without a committed offset and without a policy the reader is told", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...classic, autoOffsetReset: "none" });
  consumer.subscribe("t");
  const reader = new GroupReader(consumer);
  await bed.run(reader.done);
  assert.ok(reader.failure instanceof NoOffsetForPartitionError);
  assert.match(reader.failure.message, /t-0/);
});

test("each member says why it joins, and what it owns", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  consumer.subscribe("t");
  await bed.clock.advance(1000);
  consumer.enforceRebalance("for a test");
  await bed.clock.advance(1000);
  const reasons = bed.cluster.requests("JoinGroupRequest").map(({ request }) => (request as JoinGroupRequest).reason);
  assert.deepEqual(reasons, ["it subscribes", "it knows its member id", "for a test"]);
});

test("an event loop that stood still is named with the record at hand", async () => {
  const bed = await bedOfValues(["a"]);
  const told: unknown[] = [];
  await using kafka = bed.kafka({ onRetry: (error) => void told.push(error) });
  const consumer = kafka.consumer(classic);
  consumer.subscribe("t");
  const reader = new GroupReader(consumer, async () => {
    await new Promise<void>((resolve) => void bed.clock.setTimer(100, resolve));
    bed.clock.jump(8000);
    await new Promise<void>((resolve) => void bed.clock.setTimer(5000, resolve));
  });
  await bed.clock.advance(20_000);
  const blocked = told.find((error) => error instanceof EventLoopBlockedError);
  assert.deepEqual(blocked?.records, [{ topic: "t", partition: 0, offset: 0 }]);
  assert.ok(blocked.blockedMs > 7000);
  await bed.run(reader.stop());
});

test("a session that is over before a heartbeat is answered is no end: the member joins again", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(classic);
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  await bed.clock.advance(1000);
  for (const errorCode of [ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID]) {
    bed.cluster.interceptNext("HeartbeatRequest", { answer: HeartbeatResponse.create({ errorCode }) });
    await bed.clock.advance(60_000);
  }
  assert.deepEqual(listener.log, ["+t-0", "!t-0", "+t-0", "!t-0", "+t-0"]);
});

test("one cannot subscribe without a group, or beside an assignment", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  assert.throws(() => kafka.consumer().subscribe("t"), ConfigurationError);
  const consumer = kafka.consumer(classic);
  await bed.run(consumer.assign([{ topic: "t" }]));
  assert.throws(() => consumer.subscribe("t"), ConfigurationError);
  await bed.run(consumer.unsubscribe());
  consumer.subscribe("t");
  await assert.rejects(bed.run(consumer.assign([{ topic: "t" }])), ConfigurationError);
});
