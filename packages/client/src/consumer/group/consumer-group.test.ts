import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import type { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import { BrokerError, ConfigurationError } from "../../errors.ts";
import { serializers } from "../../serialisers/serialisers.ts";
import { appendValues, bedOfValues } from "../../testing/appended.ts";
import type { TestBed } from "../../testing/client-test.ts";
import { GroupReader, NotingListener } from "../../testing/group-reader.ts";

const options = { groupId: "g", autoOffsetReset: "earliest", valueDeserializer: serializers.string } as const;
const CONSUMER_GROUP_HEARTBEAT = 68;
const fenced = { answer: ConsumerGroupHeartbeatResponse.create({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID }) };

function heartbeats(bed: TestBed): readonly ConsumerGroupHeartbeatRequest[] {
  return bed.cluster
    .requests("ConsumerGroupHeartbeatRequest")
    .map(({ request }) => request as ConsumerGroupHeartbeatRequest);
}

test("where the broker has the consumer protocol a member joins by it, reads, commits and leaves", async () => {
  const bed = await bedOfValues(["a", "b"], ["c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(options);
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(3000);
  assert.deepEqual(new Set(reader.values), new Set(["a", "b", "c"]));
  const { generationId, memberId } = consumer.groupMetadata();
  assert.ok(generationId > 0 && memberId.length === 22);
  await bed.run(reader.stop());
  await bed.run(consumer.close());
  const group = bed.cluster.groups.get("g");
  assert.deepEqual([group.offsets.get("t-0")?.offset, group.offsets.get("t-1")?.offset], [2, 1]);
  assert.equal(group.consumers.size, 0);
  assert.deepEqual(listener.log, ["+t-0 t-1", "-t-0 t-1"]);
  assert.equal(bed.cluster.requests("JoinGroupRequest").length, 0);
});

test("the first heartbeat says everything, the others what has changed", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({
    ...options,
    clientRack: "r",
    groupRemoteAssignor: "range",
    maxPollIntervalMs: 9000,
  });
  consumer.subscribe(["t"]);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(5000);
  const [first, second, third, ...others] = heartbeats(bed);
  assert.deepEqual(
    [first?.memberEpoch, first?.subscribedTopicNames, first?.topicPartitions, first?.rackId, first?.serverAssignor],
    [0, ["t"], [], "r", "range"],
  );
  assert.equal(first?.rebalanceTimeoutMs, 9000);
  const { topicId } = bed.cluster.topics.get("t") ?? {};
  assert.equal(second?.subscribedTopicNames, null);
  assert.deepEqual([second.topicPartitions?.[0]?.topicId, second.topicPartitions?.[0]?.partitions], [topicId, [0]]);
  for (const one of [third, ...others])
    assert.deepEqual([one?.subscribedTopicNames, one?.topicPartitions], [null, null]);
  await bed.run(reader.stop());
});

test("a second member gets its share once the first has given it up, and only the difference changes hands", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const [one, two] = [kafka.consumer(options), kafka.consumer(options)];
  const listener = new NotingListener();
  one.subscribe("t", listener);
  const first = new GroupReader(one);
  await bed.clock.advance(3000);
  two.subscribe("t");
  const readers = [first, new GroupReader(two)] as const;
  await bed.clock.advance(5000);
  assert.deepEqual([one.assignment.length, two.assignment.length], [1, 1]);
  assert.deepEqual([listener.log.length, listener.log[0]], [2, "+t-0 t-1"]);
  appendValues(bed, ["c"], 0);
  appendValues(bed, ["d"], 1);
  await bed.clock.advance(1000);
  const values = readers.flatMap((reader) => reader.values);
  assert.deepEqual(new Set(values), new Set(["a", "b", "c", "d"]));
  assert.equal(values.length, 4, "nothing is read twice");
});

test("what is in hand is finished and committed before it is given up", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const [one, two] = [kafka.consumer(options), kafka.consumer(options)];
  one.subscribe("t");
  let isDone = false;
  const reader = new GroupReader(one, async () => {
    await new Promise<void>((resolve) => void bed.clock.setTimer(10_000, resolve));
    isDone = true;
  });
  await bed.clock.advance(2000);
  const taken: boolean[] = [];
  two.subscribe("t", { onAssigned: (partitions) => void (partitions.length > 0 && taken.push(isDone)) });
  await bed.clock.advance(6000);
  assert.deepEqual(taken.filter((one_) => !one_).length <= 1, true);
  await bed.clock.advance(30_000);
  await bed.run(reader.stop());
  await bed.run(Promise.all([one.close(), two.close()]));
  const { offsets } = bed.cluster.groups.get("g");
  assert.equal((offsets.get("t-0")?.offset ?? 0) + (offsets.get("t-1")?.offset ?? 0) >= 1, true);
});

for (const errorCode of [ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID]) {
  test(`a member that is fenced with error ${errorCode} loses what it had and joins again`, async () => {
    const bed = await bedOfValues(["a"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer(options);
    const listener = new NotingListener();
    consumer.subscribe("t", listener);
    await bed.clock.advance(3000);
    bed.cluster.interceptNext("ConsumerGroupHeartbeatRequest", {
      answer: ConsumerGroupHeartbeatResponse.create({ errorCode }),
    });
    await bed.clock.advance(3000);
    assert.deepEqual(listener.log, ["+t-0", "!t-0", "+t-0"]);
    assert.equal(heartbeats(bed).filter(({ memberEpoch }) => memberEpoch === 0).length, 2);
  });
}

for (const errorCode of [
  ErrorCode.UNRELEASED_INSTANCE_ID,
  ErrorCode.GROUP_MAX_SIZE_REACHED,
  ErrorCode.UNSUPPORTED_ASSIGNOR,
  ErrorCode.INVALID_REGULAR_EXPRESSION,
  ErrorCode.GROUP_AUTHORIZATION_FAILED,
]) {
  test(`error ${errorCode} ends the membership`, async () => {
    const bed = await bedOfValues(["a"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer(options);
    bed.cluster.interceptNext("ConsumerGroupHeartbeatRequest", {
      answer: ConsumerGroupHeartbeatResponse.create({ errorCode, errorMessage: "no" }),
    });
    consumer.subscribe("t");
    const reader = new GroupReader(consumer);
    await bed.run(reader.done);
    assert.ok(reader.failure instanceof BrokerError && reader.failure.code === errorCode);
  });
}

test("an answer that is lost is made good: the next heartbeat says everything", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(options);
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  await bed.clock.advance(3000);
  bed.cluster.interceptNext("ConsumerGroupHeartbeatRequest", "close after");
  await bed.clock.advance(3000);
  const full = heartbeats(bed).filter(({ subscribedTopicNames }) => subscribedTopicNames !== null);
  assert.deepEqual(
    full.map(({ memberEpoch }) => memberEpoch > 0),
    [false, true],
  );
  assert.deepEqual(listener.log, ["+t-0"]);
});

test("a pattern is matched by the broker, and the names of what it assigns are looked up", async () => {
  const bed = await bedOfValues(["a"]);
  bed.cluster.createTopic("orders-1", [1]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(options);
  consumer.subscribe({ pattern: "orders-.*" });
  await bed.clock.advance(3000);
  assert.deepEqual(heartbeats(bed)[0]?.subscribedTopicRegex, "orders-.*");
  assert.deepEqual(consumer.assignment, [{ topic: "orders-1", partition: 0 }]);
  consumer.subscribe("t");
  await bed.clock.advance(3000);
  assert.deepEqual(consumer.assignment, [{ topic: "t", partition: 0 }]);
  const { subscribedTopicRegex } = heartbeats(bed).findLast((one) => one.subscribedTopicNames !== null) ?? {};
  assert.equal(subscribedTopicRegex, "", "the pattern is taken back");
});

for (const [groupMembershipOperation, epochs] of [
  ["default", [-2]],
  ["leave-group", [-1]],
  ["remain-in-group", [-2]],
] as const) {
  test(`a static member says ${epochs.join()} when it is closed with ${groupMembershipOperation}`, async () => {
    const bed = await bedOfValues(["a"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer({ ...options, groupInstanceId: "i" });
    consumer.subscribe("t");
    await bed.clock.advance(3000);
    await bed.run(consumer.close({ groupMembershipOperation }));
    const said = heartbeats(bed).map(({ memberEpoch }) => memberEpoch);
    assert.deepEqual(
      said.filter((epoch) => epoch < 0),
      epochs,
    );
  });
}

test("a record that takes longer than maxPollIntervalMs costs the membership until it is done", async () => {
  const bed = await bedOfValues(["a", "b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...options, maxPollIntervalMs: 10_000 });
  const listener = new NotingListener();
  consumer.subscribe("t", listener);
  let isFirst = true;
  const reader = new GroupReader(consumer, async () => {
    if (!isFirst) return;
    isFirst = false;
    await new Promise<void>((resolve) => void bed.clock.setTimer(30_000, resolve));
  });
  await bed.clock.advance(15_000);
  assert.deepEqual(listener.log, ["+t-0", "!t-0"]);
  assert.equal(bed.cluster.groups.get("g").consumers.size, 0);
  await bed.clock.advance(30_000);
  assert.deepEqual([listener.log.length, reader.values], [3, ["a", "a", "b"]]);
});

test("a broker that has the API and not the protocol is spoken to in the classic one", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("ConsumerGroupHeartbeatRequest", {
    answer: ConsumerGroupHeartbeatResponse.create({ errorCode: ErrorCode.UNSUPPORTED_VERSION }),
  });
  const consumer = kafka.consumer(options);
  consumer.subscribe("t");
  const reader = new GroupReader(consumer);
  await bed.clock.advance(3000);
  assert.deepEqual(reader.values, ["a"]);
  assert.equal(bed.cluster.groups.get("g").classic.size, 1);
});

test("who insists on the consumer protocol is told that the broker does not have it", async () => {
  const bed = await bedOfValues(["a"]);
  bed.cluster.highestVersions.set(CONSUMER_GROUP_HEARTBEAT, -1);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...options, groupProtocol: "consumer" });
  consumer.subscribe("t");
  const reader = new GroupReader(consumer);
  await bed.run(reader.done);
  assert.match(String(reader.failure), /does not serve it/);
});

test("options that only one of the protocols knows choose it, and contradictions are refused", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...options, partitionAssignmentStrategy: ["range"] });
  consumer.subscribe("t");
  await bed.clock.advance(3000);
  assert.equal(bed.cluster.groups.get("g").classic.size, 1);
  for (const wrong of [
    { groupProtocol: "consumer", sessionTimeoutMs: 10_000 },
    { groupProtocol: "classic", groupRemoteAssignor: "uniform" },
    { heartbeatIntervalMs: 50_000 },
    { partitionAssignmentStrategy: ["nosuch"] },
    { partitionAssignmentStrategy: ["range", "range"] },
    { partitionAssignmentStrategy: [] },
    { groupId: "" },
  ] as const) {
    assert.throws(() => kafka.consumer(wrong), ConfigurationError, JSON.stringify(wrong));
  }
});

test("a commit by an epoch that has passed meanwhile is made with the new one", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...options, enableAutoCommit: false });
  consumer.subscribe("t");
  await bed.clock.advance(3000);
  const group = bed.cluster.groups.get("g");
  const member = group.consumers.get(consumer.groupMetadata().memberId);
  assert.ok(member !== undefined);
  group.generationId++;
  member.epoch = group.generationId; // the coordinator moved on, and its answer is on its way
  bed.cluster.interceptNext("ConsumerGroupHeartbeatRequest", {
    answer: ConsumerGroupHeartbeatResponse.create({ memberEpoch: member.epoch, heartbeatIntervalMs: 1000 }),
  });
  await bed.run(consumer.commit([{ topic: "t", partition: 0, offset: 1 }]));
  assert.deepEqual(group.commits, ["t-0=1"]);
});

for (const [what, errorCode] of [
  ["that is behind", ErrorCode.STALE_MEMBER_EPOCH],
  ["that the group has gone on without", ErrorCode.UNKNOWN_MEMBER_ID],
] as const) {
  test(`a member ${what} and hears so as it is closed commits nothing, not even as nobody`, async () => {
    const bed = await bedOfValues(["a", "b"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer(options);
    consumer.subscribe("t");
    const reader = new GroupReader(consumer);
    await bed.clock.advance(3000);
    await bed.run(reader.stop());
    bed.cluster.groups.get("g").consumers.clear();
    bed.cluster.interceptNext("ConsumerGroupHeartbeatRequest", fenced, 100);
    bed.cluster.interceptNext("OffsetCommitRequest", ({ request }) => {
      const { topics } = request as OffsetCommitRequest;
      return {
        answer: OffsetCommitResponse.create({
          topics: topics.map(({ name, topicId }) => ({
            name,
            topicId,
            partitions: [{ partitionIndex: 0, errorCode }],
          })),
        }),
      };
    });
    await bed.run(consumer.close());
    const commits = bed.cluster.requests("OffsetCommitRequest").map(({ request }) => request as OffsetCommitRequest);
    assert.deepEqual(
      commits.filter(({ generationIdOrMemberEpoch: epoch }) => epoch < 0),
      [],
    );
    assert.deepEqual(bed.cluster.groups.get("g").commits, []);
  });
}
