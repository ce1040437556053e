import assert from "node:assert/strict";
import { test } from "node:test";
import { serializers } from "../../serialisers/serialisers.ts";
import { appendValues, bedOfValues } from "../../testing/appended.ts";
import type { TestBed } from "../../testing/client-test.ts";
import { GroupReader, NotingListener } from "../../testing/group-reader.ts";
import type { Consumer } from "../consumer.ts";
import type { GroupOptions } from "./group-options.ts";

const KINDS: Record<string, GroupOptions> = {
  "classic, eager": { groupProtocol: "classic", partitionAssignmentStrategy: ["range"] },
  "classic, cooperative": { groupProtocol: "classic", partitionAssignmentStrategy: ["cooperative-sticky"] },
  consumer: { groupProtocol: "consumer" },
};
const METADATA_MS = 10_000;

function named(consumer: Consumer<unknown, unknown>): readonly string[] {
  return consumer.assignment.map(({ topic, partition }) => `${topic}-${partition}`).toSorted();
}

interface Begun {
  readonly consumer: Consumer<unknown, string>;
  readonly reader: () => GroupReader<string>;
  readonly close: () => Promise<void>;
}

for (const [name, kind] of Object.entries(KINDS)) {
  const begin = (bed: TestBed): Begun => {
    const kafka = bed.kafka({ metadataMaxAgeMs: METADATA_MS });
    const consumer = kafka.consumer({
      groupId: "g",
      autoOffsetReset: "earliest",
      valueDeserializer: serializers.string,
      ...kind,
    });
    return { consumer, close: () => kafka.close(), reader: () => new GroupReader(consumer) };
  };

  test(`${name}: who subscribes to nothing is in the group and has nothing, until it subscribes to something`, async () => {
    const bed = await bedOfValues(["a"]);
    const { consumer, reader, close } = begin(bed);
    consumer.subscribe([]);
    const reading = reader();
    await bed.clock.advance(15_000);
    assert.ok(consumer.groupMetadata().generationId > 0, "it is a member");
    assert.deepEqual([named(consumer), reading.failure], [[], undefined]);
    consumer.subscribe("t");
    await bed.clock.advance(15_000);
    assert.deepEqual([named(consumer), reading.values], [["t-0"], ["a"]]);
    consumer.subscribe([]);
    await bed.clock.advance(15_000);
    assert.deepEqual([named(consumer), reading.failure], [[], undefined]);
    await bed.run(reading.stop());
    await bed.run(close());
  });

  for (const [kindOfPattern, nothing, everything] of [
    ["RegExp", /^none$/u, /./u],
    ["pattern for the broker", { pattern: "none" }, { pattern: "[^_].*" }],
  ] as const) {
    test(`${name}: a ${kindOfPattern} that matches nothing waits, and one that matches everything leaves Kafka's own topics out`, async () => {
      const bed = await bedOfValues(["a"]);
      bed.cluster.createTopic("__consumer_offsets", [1]);
      bed.cluster.createTopic("u", [2]);
      const { consumer, reader, close } = begin(bed);
      consumer.subscribe(nothing);
      const reading = reader();
      await bed.clock.advance(2 * METADATA_MS);
      assert.deepEqual([named(consumer), reading.failure], [[], undefined]);
      bed.cluster.createTopic("none", [1]);
      await bed.clock.advance(2 * METADATA_MS);
      assert.deepEqual(named(consumer), ["none-0"], "it has come");
      consumer.subscribe(everything);
      await bed.clock.advance(2 * METADATA_MS);
      assert.deepEqual([named(consumer), reading.values], [["none-0", "t-0", "u-0"], ["a"]]);
      await bed.run(reading.stop());
      await bed.run(close());
    });
  }

  test(`${name}: a topic that grows is read from the start of its new partition`, async () => {
    const bed = await bedOfValues(["a"]);
    const { consumer, reader, close } = begin(bed);
    consumer.subscribe("t");
    const reading = reader();
    await bed.clock.advance(5000);
    bed.cluster.growTopic("t", 2);
    appendValues(bed, ["b"], 1);
    await bed.clock.advance(2 * METADATA_MS);
    assert.deepEqual(
      [named(consumer), reading.values],
      [
        ["t-0", "t-1"],
        ["a", "b"],
      ],
    );
    await bed.run(reading.stop());
    await bed.run(close());
  });

  test(`${name}: a topic that is deleted is given up without waiting for its commit, and another of its name is read from the start`, async () => {
    const bed = await bedOfValues(["a", "b"]);
    bed.cluster.createTopic("u", [1]);
    const { consumer, reader, close } = begin(bed);
    const listener = new NotingListener();
    consumer.subscribe(["t", "u"], listener);
    const reading = reader();
    await bed.clock.advance(2000); // what was read is not committed yet
    assert.deepEqual(
      [reading.values, named(consumer)],
      [
        ["a", "b"],
        ["t-0", "u-0"],
      ],
    );
    bed.cluster.deleteTopic("t");
    await bed.clock.advance(METADATA_MS + 2000);
    assert.deepEqual([named(consumer), reading.failure], [["u-0"], undefined]);
    bed.cluster.createTopic("t", [1]);
    appendValues(bed, ["c", "d", "e"]);
    await bed.clock.advance(2 * METADATA_MS);
    assert.deepEqual(
      [named(consumer), reading.values],
      [
        ["t-0", "u-0"],
        ["a", "b", "c", "d", "e"],
      ],
    );
    await bed.run(reading.stop());
    await bed.run(close());
    assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 3);
  });
}

for (const [groupProtocol, told] of [
  ["classic", ["+t-0"]],
  ["consumer", ["+t-0", "-t-0", "+t-0"]],
] as const) {
  test(`${groupProtocol}: a topic that is made anew before anybody has seen it go is another, though its name is the same`, async () => {
    const bed = await bedOfValues(["a", "b"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer({
      groupId: "g",
      groupProtocol,
      autoOffsetReset: "earliest",
      valueDeserializer: serializers.string,
    });
    const listener = new NotingListener();
    consumer.subscribe("t", listener);
    const reading = new GroupReader(consumer);
    await bed.clock.advance(8000);
    bed.cluster.deleteTopic("t");
    bed.cluster.createTopic("t", [1]);
    appendValues(bed, ["c", "d", "e"]);
    await bed.clock.advance(10_000);
    assert.deepEqual(listener.log, told);
    assert.deepEqual(reading.values, ["a", "b", "c", "d", "e"]);
    await bed.run(reading.stop());
    await bed.run(consumer.close());
    assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 3);
  });
}

test("without a policy a topic that is made anew ends the reading", async () => {
  const bed = await bedOfValues(["a", "b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "none", valueDeserializer: serializers.string });
  await bed.run(consumer.assign([{ topic: "t", partition: 0, offset: 0 }]));
  const reading = new GroupReader(consumer);
  await bed.clock.advance(1000);
  bed.cluster.deleteTopic("t");
  bed.cluster.createTopic("t", [1]);
  appendValues(bed, ["c", "d", "e"]);
  await bed.clock.advance(10_000);
  assert.deepEqual(reading.values, ["a", "b"]);
  assert.match(String(reading.failure), /t-0: the topic was deleted, and another has its name/u);
});
