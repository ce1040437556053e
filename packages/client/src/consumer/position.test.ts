import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import type { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { createFetchResponsePartitionData, FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { OffsetForLeaderEpochRequest } from "@samsa/protocol/messages/offset-for-leader-epoch-request";
import { ConfigurationError } from "../errors.ts";
import { serializers } from "../serialisers/serialisers.ts";
import { appendValues, bedOfValues, takeValues } from "../testing/appended.ts";
import type { TestBed } from "../testing/client-test.ts";
import { LogTruncationError } from "./log-truncation-error.ts";

const T0 = { topic: "t", partition: 0 };
const text = { valueDeserializer: serializers.string };

/** The leader of epoch 1 had more than the one of epoch 2 that took its place: its records from `offset` on are others. */
function truncate(bed: TestBed, batches: number, values: readonly string[]): void {
  const partition = bed.cluster.partition("t", 0);
  partition.batches.length = batches;
  partition.endOffset = batches; // of one record each
  bed.cluster.moveLeader("t", 0, 2);
  appendValues(bed, values);
}

test("a new leader is asked whether its log holds what was read", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([T0]));
  await bed.run(takeValues(consumer, 1));
  assert.equal(consumer.positionLeaderEpoch(T0), 1);
  bed.cluster.moveLeader("t", 0, 2);
  appendValues(bed, ["b"]);
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["b"]);
  const asked = bed.cluster.requests("OffsetForLeaderEpochRequest");
  assert.deepEqual(
    asked.map(({ nodeId, request }) => [nodeId, (request as OffsetForLeaderEpochRequest).topics[0]?.partitions[0]]),
    [[2, { partition: 0, currentLeaderEpoch: 2, leaderEpoch: 1, unknownTaggedFields: undefined }]],
  );
});

test("a log that was truncated behind the position is read again from where it is another", async () => {
  const bed = await bedOfValues(["a"]);
  appendValues(bed, ["lost 1"]);
  appendValues(bed, ["lost 2"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([T0]));
  assert.deepEqual(await bed.run(takeValues(consumer, 3)), ["a", "lost 1", "lost 2"]);
  truncate(bed, 1, ["b", "c", "d", "e"]);
  assert.deepEqual(await bed.run(takeValues(consumer, 4)), ["b", "c", "d", "e"]);
});

test("a truncated log is an error where autoOffsetReset is none", async () => {
  const bed = await bedOfValues(["a"]);
  appendValues(bed, ["lost"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "none" });
  await bed.run(consumer.assign([{ ...T0, offset: 0 }]));
  await bed.run(takeValues(consumer, 2));
  truncate(bed, 1, ["b", "c"]);
  await assert.rejects(bed.run(takeValues(consumer, 1)), (error) => {
    assert.ok(error instanceof LogTruncationError);
    assert.deepEqual([error.position, error.divergentOffset], [2, 1]);
    return true;
  });
  consumer.seek(T0, 1);
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["b"]);
});

test("an offset kept with its leader epoch is checked before the first fetch", async () => {
  const bed = await bedOfValues(["a"]);
  appendValues(bed, ["lost"]);
  truncate(bed, 1, ["b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ ...T0, offset: 2, leaderEpoch: 1 }]));
  assert.deepEqual(await bed.run(takeValues(consumer, 2)), ["b", "c"]);
});

test("a fetch that finds the log diverging drops what is buffered and goes on at the position", async () => {
  const bed = await bedOfValues(["a"]);
  appendValues(bed, ["b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([T0]));
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["a"]);
  bed.cluster.interceptNext("FetchRequest", ({ request }) => {
    const [{ topic, topicId } = assert.fail()] = (request as FetchRequest).topics;
    const partitions = [
      createFetchResponsePartitionData({ partitionIndex: 0, divergingEpoch: { epoch: 1, endOffset: 1 } }),
    ];
    return { answer: FetchResponse.create({ responses: [{ topic, topicId, partitions }] }) };
  });
  await bed.clock.advance(1000);
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["b"]);
});

test("a follower near by is read from, and the leader again when it fails", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka({ clientRack: "here" });
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  const asked: [number, string][] = [];
  bed.cluster.intercept(({ name, nodeId, request }) => {
    if (name !== "FetchRequest") return undefined;
    const { topics, rackId } = request as FetchRequest;
    const [{ topic, topicId, partitions: [{ fetchOffset } = assert.fail()] } = assert.fail()] = topics;
    asked.push([nodeId, rackId]);
    const told =
      nodeId === 2
        ? fetchOffset === 0
          ? { records: bed.cluster.partition("t", 0).batches[0] ?? null, highWatermark: 1 }
          : { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }
        : fetchOffset === 0
          ? { preferredReadReplica: 2 }
          : undefined;
    if (told === undefined) return undefined;
    const partitions = [createFetchResponsePartitionData({ partitionIndex: 0, ...told })];
    return { answer: FetchResponse.create({ responses: [{ topic, topicId, partitions }] }) };
  });
  await bed.run(consumer.assign([T0]));
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["a"]);
  appendValues(bed, ["b"]);
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["b"]);
  assert.deepEqual(asked.slice(0, 4), [
    [1, "here"],
    [2, "here"],
    [2, "here"],
    [1, "here"],
  ]);
});

test("by_duration begins so long ago", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "by_duration:PT1H" });
  await bed.run(consumer.assign([T0]));
  await bed.clock.advance(10);
  const [{ request } = assert.fail()] = bed.cluster.requests("ListOffsetsRequest");
  const { topics } = request as { topics: { partitions: { timestamp: number }[] }[] };
  const ago = bed.clock.wallMs() - (topics[0]?.partitions[0]?.timestamp ?? 0);
  assert.ok(ago >= 3_600_000 && ago < 3_601_000, `${ago} ms ago`);
  assert.throws(() => kafka.consumer({ autoOffsetReset: "by_duration:1h" }), ConfigurationError);
});

test("offsets of partitions are told whether they are assigned or not, and the lag of those that are", async () => {
  const bed = await bedOfValues(["a", "b", "c"], []);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([T0]));
  const both = [T0, { topic: "t", partition: 1 }];
  const offsets = (listed: readonly { readonly offset: number }[]): number[] => listed.map(({ offset }) => offset);
  assert.deepEqual(offsets(await bed.run(consumer.beginningOffsets(both))), [0, 0]);
  assert.deepEqual(offsets(await bed.run(consumer.endOffsets(both))), [3, 0]);
  const atTime = async (timestampMs: number): Promise<unknown> =>
    (await bed.run(consumer.offsetsForTimes([{ ...T0, timestampMs }]))).map((one) => one?.offset);
  assert.deepEqual([await atTime(500), await atTime(5000)], [[0], [undefined]]);
  await bed.run(takeValues(consumer, 1));
  assert.equal(consumer.lag(T0), 2);
});

test("a partition may be asked about as often as one likes", async () => {
  const bed = await bedOfValues(["a", "b", "c"], []);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(text);
  const times = [500, 5000, 500].map((timestampMs) => ({ ...T0, timestampMs }));
  const found = await bed.run(consumer.offsetsForTimes(times));
  assert.deepEqual(
    found.map((one) => one?.offset),
    [0, undefined, 0],
  );
  const ends = await bed.run(consumer.endOffsets([T0, { topic: "t", partition: 1 }, T0]));
  assert.deepEqual(
    ends.map(({ offset }) => offset),
    [3, 0, 3],
  );
});

test("a partition that stays assigned keeps its position", async () => {
  const bed = await bedOfValues(["a", "b"], ["c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([T0]));
  await bed.run(takeValues(consumer, 1));
  await bed.run(consumer.assign([{ topic: "t" }]));
  assert.deepEqual(new Set(await bed.run(takeValues(consumer, 2))), new Set(["b", "c"]));
});

test("a session that the broker lost is begun anew at once, and nothing is read twice", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([T0]));
  await bed.run(takeValues(consumer, 1));
  bed.cluster.interceptNext("FetchRequest", {
    answer: FetchResponse.create({ errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND }),
  });
  await bed.clock.advance(600);
  appendValues(bed, ["b"]);
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["b"]);
});
