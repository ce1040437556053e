import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import type { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import type { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import { BrokerError, ConfigurationError } from "../../errors.ts";
import { serializers } from "../../serialisers/serialisers.ts";
import { appendValues, bedOfValues } from "../../testing/appended.ts";
import type { Intercepted, Received } from "../../testing/fake-cluster.ts";
import { GroupReader } from "../../testing/group-reader.ts";
import { CommitFailedError, RetriableCommitFailedError } from "./commit-errors.ts";

const T0 = { topic: "t", partition: 0 };
const manual = {
  groupId: "g",
  groupProtocol: "classic",
  autoOffsetReset: "earliest",
  enableAutoCommit: false,
  valueDeserializer: serializers.string,
} as const;

function refused(errorCode: ErrorCode): (received: Received) => Intercepted {
  return ({ request }) => {
    const { topics } = request as OffsetCommitRequest;
    return {
      answer: OffsetCommitResponse.create({
        topics: topics.map(({ name, topicId, partitions }) => ({
          name,
          topicId,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
        })),
      }),
    };
  };
}

test("commit without offsets covers what a loop was handed, the record in hand included", async () => {
  const bed = await bedOfValues(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(manual);
  consumer.subscribe("t");
  const offsets: unknown[] = [];
  const reader = new GroupReader(consumer, async () => {
    await consumer.commit();
    offsets.push(bed.cluster.groups.get("g").offsets.get("t-0")?.offset);
  });
  await bed.clock.advance(1000);
  assert.deepEqual([offsets, reader.failure], [[1, 2, 3], undefined]);
});

test("auto commit leaves out what is in hand, and what a loop was left at", async () => {
  const bed = await bedOfValues(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...manual, enableAutoCommit: true, autoCommitIntervalMs: 1000 });
  consumer.subscribe("t");
  const { offsets } = bed.cluster.groups.get("g");
  const loop = (async () => {
    for await (const { value } of consumer) {
      if (value === "b") await new Promise<void>((resolve) => void bed.clock.setTimer(5000, resolve));
      if (value === "b") break;
    }
  })();
  await bed.clock.advance(3000);
  assert.equal(offsets.get("t-0")?.offset, 1);
  await bed.run(loop);
  await bed.run(consumer.close());
  assert.equal(offsets.get("t-0")?.offset, 1, "nobody knows whether b was dealt with");
});

test("auto commit takes back nothing that the application has committed of the batch it left", async () => {
  const bed = await bedOfValues(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...manual, enableAutoCommit: true });
  consumer.subscribe("t");
  const read = async (): Promise<void> => {
    for await (const batch of consumer.batches()) {
      assert.deepEqual([batch.firstOffset, batch.lastOffset], [0, 2]);
      break;
    }
    await consumer.commit([{ ...T0, offset: 2 }]);
    await consumer.close();
  };
  await bed.run(read());
  assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 2);
});

test("auto commit of a run ends before the first record that is not done", async () => {
  const bed = await bedOfValues(["slow", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...manual, enableAutoCommit: true, autoCommitIntervalMs: 1000 });
  consumer.subscribe("t");
  const { offsets, commits } = bed.cluster.groups.get("g");
  const abort = new AbortController();
  const done: unknown[] = [];
  const run = consumer.run({
    concurrency: 3,
    orderedBy: "key", // none has one: all at once
    signal: abort.signal,
    eachRecord: async ({ value }) => {
      if (value === "slow") await new Promise<void>((resolve) => void bed.clock.setTimer(5000, resolve));
      done.push(value);
    },
  });
  await bed.clock.advance(3000);
  assert.deepEqual([done, offsets.get("t-0")?.offset], [["b", "c"], 0]);
  await bed.clock.advance(5000);
  assert.deepEqual(commits, ["t-0=0", "t-0=3"]);
  abort.abort();
  await bed.run(run);
});

test("a run finishes and commits what is in hand before its partition goes, and begins nothing of it any more", async () => {
  const bed = await bedOfValues(["a", "b"], ["c", "d"]);
  await using kafka = bed.kafka();
  const [one, two] = [kafka.consumer({ ...manual, enableAutoCommit: true }), kafka.consumer(manual)];
  one.subscribe("t");
  const log: string[] = [];
  const abort = new AbortController();
  const run = one.run({
    signal: abort.signal,
    eachRecord: async ({ value }) => {
      log.push(`begin ${value}`);
      await new Promise<void>((resolve) => void bed.clock.setTimer(10_000, resolve));
      log.push(`end ${value}`);
      abort.abort();
    },
  });
  await bed.clock.advance(1000);
  two.subscribe("t");
  await bed.run(run);
  await bed.clock.advance(10_000);
  assert.deepEqual(log, ["begin a", "end a"]);
  assert.ok(bed.cluster.groups.get("g").commits.includes("t-0=1"));
  await bed.run(Promise.all([one.close(), two.close()]));
});

test("at most once commits in the group before it hands over, and auto commit does not take it back", async () => {
  const bed = await bedOfValues(["a", "b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...manual, enableAutoCommit: true, autoCommitIntervalMs: 100 });
  consumer.subscribe("t");
  const abort = new AbortController();
  const { commits } = bed.cluster.groups.get("g");
  const seen: string[][] = [];
  const run = consumer.run({
    deliveryGuarantee: "at-most-once",
    signal: abort.signal,
    eachRecord: async () => {
      seen.push([...commits]);
      await new Promise<void>((resolve) => void bed.clock.setTimer(1000, resolve));
    },
  });
  await bed.clock.advance(5000);
  abort.abort();
  await bed.run(run);
  assert.equal(seen.length, 2);
  assert.ok(seen.every((before) => before.includes("t-0=2")));
  assert.equal(commits.at(-1), "t-0=2");
});

test("batches are completed when the next is asked for", async () => {
  const bed = await bedOfValues(["a", "b"]);
  appendValues(bed, ["c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...manual, enableAutoCommit: true, autoCommitIntervalMs: 1000 });
  consumer.subscribe("t");
  const abort = new AbortController();
  const loop = (async () => {
    for await (const { firstOffset } of consumer.batches({ signal: abort.signal })) {
      if (firstOffset === 2) await new Promise<void>((resolve) => void bed.clock.setTimer(5000, resolve));
    }
  })();
  const ended = assert.rejects(loop);
  await bed.clock.advance(3000);
  assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 2);
  await bed.clock.advance(5000);
  assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 3);
  abort.abort();
  await bed.run(ended);
});

test("commits are asked for one after another, and those that wait share a request", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(manual);
  consumer.subscribe("t");
  await bed.clock.advance(1000);
  const first = consumer.commit([{ ...T0, offset: 1 }]);
  await bed.clock.advance(0);
  const more = [5, 4, 3].map((offset) =>
    consumer.commit([{ ...T0, offset, metadata: `at ${offset}`, leaderEpoch: 1 }]),
  );
  const other = consumer.commitOnce([{ topic: "t", partition: 1, offset: 7 }]);
  await bed.run(Promise.all([first, ...more, other]));
  const { commits, offsets } = bed.cluster.groups.get("g");
  assert.deepEqual(commits, ["t-0=1", "t-0=3", "t-1=7"]);
  assert.deepEqual(offsets.get("t-0"), { offset: 3, leaderEpoch: 1, metadata: "at 3" });
  const committed = await bed.run(consumer.committed([T0, { topic: "t", partition: 1 }]));
  assert.deepEqual(committed[0], { ...T0, offset: 3, leaderEpoch: 1, metadata: "at 3" });
});

test("a commit for a record is one behind it", async () => {
  const bed = await bedOfValues(["a", "b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(manual);
  consumer.subscribe("t");
  const reader = new GroupReader(consumer, (record) => consumer.commitRecord(record));
  await bed.clock.advance(1000);
  assert.equal(reader.failure, undefined);
  assert.deepEqual(bed.cluster.groups.get("g").commits, ["t-0=1", "t-0=2"]);
});

for (const errorCode of [
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.REBALANCE_IN_PROGRESS,
]) {
  test(`a commit that fails with error ${errorCode} is tried again, and one that is tried once says that another may work`, async () => {
    const bed = await bedOfValues(["a"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer(manual);
    consumer.subscribe("t");
    await bed.clock.advance(1000);
    bed.cluster.interceptNext("OffsetCommitRequest", refused(errorCode), 2);
    await bed.run(consumer.commit([{ ...T0, offset: 1 }]));
    assert.deepEqual(bed.cluster.groups.get("g").commits, ["t-0=1"]);
    bed.cluster.interceptNext("OffsetCommitRequest", refused(errorCode));
    await assert.rejects(bed.run(consumer.commitOnce([{ ...T0, offset: 1 }])), (error) => {
      assert.ok(error instanceof RetriableCommitFailedError && error.code === errorCode && error.isRetriable);
      return true;
    });
  });
}

for (const errorCode of [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION, ErrorCode.FENCED_INSTANCE_ID]) {
  test(`a commit that fails with error ${errorCode} will not work any more`, async () => {
    const bed = await bedOfValues(["a"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer(manual);
    consumer.subscribe("t");
    await bed.clock.advance(1000);
    bed.cluster.interceptNext("OffsetCommitRequest", refused(errorCode));
    await assert.rejects(bed.run(consumer.commit([{ ...T0, offset: 1 }])), (error) => {
      assert.ok(error instanceof CommitFailedError && error.code === errorCode && !error.isRetriable);
      return true;
    });
    assert.deepEqual(bed.cluster.groups.get("g").commits, []);
  });
}

test("a commit whose partition went to another member while it was tried again fails", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const [one, two] = [kafka.consumer(manual), kafka.consumer(manual)];
  one.subscribe("t");
  await bed.clock.advance(1000);
  bed.cluster.interceptNext("OffsetCommitRequest", refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS), 30);
  const commit = assert.rejects(one.commit([{ topic: "t", partition: 1, offset: 1 }]), CommitFailedError);
  two.subscribe("t");
  await bed.run(commit);
  await bed.run(Promise.all([one.close(), two.close()]));
});

test("metadata that is too large is the caller's to know", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(manual);
  consumer.subscribe("t");
  await bed.clock.advance(1000);
  bed.cluster.interceptNext("OffsetCommitRequest", refused(ErrorCode.OFFSET_METADATA_TOO_LARGE));
  await assert.rejects(bed.run(consumer.commit([{ ...T0, offset: 1, metadata: "…" }])), BrokerError);
});

test("partitions that were assigned by hand begin where the group has stopped, and are committed without a membership", async () => {
  const bed = await bedOfValues(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(manual);
  await bed.run(consumer.commit([{ ...T0, offset: 1 }]));
  await bed.run(consumer.assign([T0]));
  assert.equal(consumer.position(T0), 1);
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  assert.deepEqual(reader.values, ["b", "c"]);
  await bed.run(consumer.commit());
  assert.deepEqual(bed.cluster.groups.get("g").commits, ["t-0=1", "t-0=3"]);
  assert.equal(bed.cluster.requests("JoinGroupRequest").length, 0);
});

test("consumedOffsets are what commit would commit, for who keeps them elsewhere", async () => {
  const bed = await bedOfValues(["a", "b"], ["c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(manual);
  consumer.subscribe("t");
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  const offsets = consumer.consumedOffsets().map(({ partition, offset }) => [partition, offset]);
  assert.deepEqual(
    new Map(offsets as [number, number][]),
    new Map([
      [0, 2],
      [1, 1],
    ]),
  );
  await bed.run(reader.stop());
});

test("read_committed waits for transactions that are about to commit offsets", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  let refusals = 0;
  bed.cluster.interceptNext(
    "OffsetFetchRequest",
    ({ request }) => {
      const { groups } = request as OffsetFetchRequest;
      refusals++;
      assert.equal((request as OffsetFetchRequest).requireStable, true);
      const partition = { partitionIndex: 0, committedOffset: -1, committedLeaderEpoch: -1, metadata: "" };
      const partitions = [{ ...partition, errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT }];
      return {
        answer: OffsetFetchResponse.create({
          groups: groups.map(({ groupId, topics }) => ({
            groupId,
            errorCode: 0,
            topics: (topics ?? []).map(({ name, topicId }) => ({ name, topicId, partitions })),
          })),
        }),
      };
    },
    3,
  );
  const consumer = kafka.consumer({ ...manual, isolationLevel: "read_committed" });
  consumer.subscribe("t");
  const reader = new GroupReader(consumer);
  await bed.clock.advance(5000);
  assert.deepEqual([refusals, reader.values], [3, ["a"]]);
  await bed.run(reader.stop());
});

test("an old broker is asked by name and without what it does not know", async () => {
  const bed = await bedOfValues(["a", "b"]);
  for (const [apiKey, version] of [
    [8, 2], // OffsetCommit
    [9, 1], // OffsetFetch
    [10, 0], // FindCoordinator
    [11, 0], // JoinGroup
    [12, 0], // Heartbeat
    [13, 0], // LeaveGroup
    [14, 0], // SyncGroup
    [68, -1], // ConsumerGroupHeartbeat
  ] as const) {
    bed.cluster.highestVersions.set(apiKey, version);
  }
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...manual, groupProtocol: undefined, enableAutoCommit: true });
  consumer.subscribe("t");
  const reader = new GroupReader(consumer);
  await bed.clock.advance(1000);
  assert.deepEqual(reader.values, ["a", "b"]);
  await bed.run(reader.stop());
  await bed.run(consumer.close());
  assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 2);
});

test("commits need a group", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer();
  await assert.rejects(consumer.commit(), ConfigurationError);
  await assert.rejects(consumer.committed([T0]), ConfigurationError);
  assert.throws(() => consumer.groupMetadata(), ConfigurationError);
});
