import assert from "node:assert/strict";
import { test } from "node:test";
import { consistentPartitionForKey, partitionForKey } from "@samsa/protocol";
import { SeededRandom } from "@samsa/simulation";
import fc from "fast-check";
import { ConfigurationError } from "../errors.ts";
import { serializers } from "../serialisers/serialisers.ts";
import { testBed } from "../testing/client-test.ts";
import { valuesOf } from "../testing/produced.ts";
import type { PartitionedTopic, PartitionerOptions } from "./partitioner.ts";
import { recordPartitioner } from "./partitioner.ts";

const encoder = new TextEncoder();

function topicOf(options: Partial<PartitionedTopic> & { partitionCount: number }): PartitionedTopic {
  const { partitionCount } = options;
  return {
    name: "t",
    availablePartitions: () => Array.from({ length: partitionCount }, (_, index) => index),
    queueLength: () => 0,
    hasRoom: () => true,
    ...options,
  };
}

function optionsOf(options: Partial<PartitionerOptions> = {}): PartitionerOptions {
  const random = new SeededRandom(7);
  return {
    partitioner: "default",
    partitionerIgnoreKeys: false,
    stickyBytes: 100,
    isAdaptive: true,
    random,
    ...options,
  };
}

test("text and its bytes go to the same partition, which is that of Kafka's or librdkafka's hash", () => {
  const topic = topicOf({ partitionCount: 11 });
  const [java, librdkafka] = (["default", "crc32"] as const).map((partitioner) =>
    recordPartitioner(topic, optionsOf({ partitioner })),
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 400 }), (key) => {
      const bytes = encoder.encode(key);
      assert.equal(java?.partition(key, 10), partitionForKey(bytes, 11));
      assert.equal(java.partition(bytes, 10), partitionForKey(bytes, 11));
      assert.equal(librdkafka?.partition(key, 10), consistentPartitionForKey(bytes, 11));
      assert.equal(java.explain(key).partition, java.partition(key, 10));
      assert.equal(librdkafka.explain(key).partition, librdkafka.partition(key, 10));
    }),
  );
});

test("an empty key is a key to Java, and none to librdkafka", () => {
  const topic = topicOf({ partitionCount: 11 });
  assert.equal(recordPartitioner(topic, optionsOf()).explain("").rule, "murmur2 of the key");
  assert.equal(recordPartitioner(topic, optionsOf({ partitioner: "crc32" })).explain("").rule, "sticky");
});

/** How many of so many batches each partition gets. */
function batchesOf(topic: PartitionedTopic, options: Partial<PartitionerOptions>, count: number): number[] {
  const partitioner = recordPartitioner(topic, optionsOf(options));
  const batches = Array.from<number>({ length: topic.partitionCount }).fill(0);
  for (let i = 0; i < count; i++) {
    const partition = partitioner.partition(null, 100); // one record fills a batch
    batches[partition] = (batches[partition] ?? 0) + 1;
  }
  return batches;
}

test("partitions with longer queues get less, in the shares of KIP-794", () => {
  const queues = [0, 3, 1];
  const topic = topicOf({ partitionCount: 3, queueLength: (partition) => queues[partition] ?? 0 });
  const [idle = 0, slow = 0, middling = 0] = batchesOf(topic, {}, 8000);
  for (const [share, expected] of [
    [idle, 4000],
    [slow, 1000],
    [middling, 3000],
  ] as const) {
    assert.ok(Math.abs(share - expected) < 200, `${share} where ${expected} is expected`);
  }
  for (const share of batchesOf(topic, { isAdaptive: false }, 9000)) assert.ok(Math.abs(share - 3000) < 200);
});

test("partitions without a leader get none", () => {
  const topic = topicOf({ partitionCount: 3, availablePartitions: () => [0, 2] });
  assert.equal(batchesOf(topic, {}, 100)[1], 0);
  assert.deepEqual(batchesOf(topic, { partitioner: "roundRobin" }, 100), [50, 0, 50]);
});

test("a partition is left when its batch is full, though fewer bytes than planned have gone there", () => {
  let hasRoom = true;
  const topic = topicOf({ partitionCount: 50, hasRoom: () => hasRoom });
  const partitioner = recordPartitioner(topic, optionsOf({ stickyBytes: 1000 }));
  const first = partitioner.partition(null, 10);
  assert.equal(partitioner.partition(null, 10), first);
  hasRoom = false;
  assert.notEqual(partitioner.partition(null, 10), first);
});

test("explainPartition says the rule and shows the numbers, and sends nothing", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1, 1, 1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  const explained = await bed.run(producer.explainPartition({ topic: "t", key: "user100", value: "" }));
  assert.deepEqual(explained, {
    topic: "t",
    partition: 2,
    partitionCount: 3,
    rule: "murmur2 of the key",
    arithmetic: "murmur2 = 533234465, & 0x7fffffff = 533234465, % 3 partitions = 2",
  });
  const given = await bed.run(producer.explainPartition({ topic: "t", partition: 1, key: "user100", value: "" }));
  assert.equal(given.rule, "partition given");
  const drawn = await bed.run(producer.explainPartition({ topic: "t", value: "" }));
  assert.match(drawn.arithmetic, /drawn anew from 0 \(weight 1\), 1 \(weight 1\), 2 \(weight 1\)/);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 0);
});

test("a function of the application's own sees key and value as they are, and headers that say what is urgent", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1, 1, 1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({
    keySerializer: serializers.int32,
    valueSerializer: serializers.json<{ readonly name: string }>(),
    partitioner: ({ key, value, headers, partitionCount }) =>
      headers.some((header) => header.key === "urgent")
        ? 0
        : 1 + (((key ?? 0) + (value?.name.length ?? 0)) % (partitionCount - 1)),
  });
  const urgent = [{ key: "urgent", value: null }];
  const sent = await bed.run(
    producer.sendBatch([
      { topic: "t", key: 1, value: { name: "a" } },
      { topic: "t", key: 1, value: { name: "ab" } },
      { topic: "t", key: 1, value: null, headers: urgent },
    ]),
  );
  assert.deepEqual(
    sent.map(({ partition }) => partition),
    [1, 2, 0],
  );
  assert.deepEqual(valuesOf(bed, "t", 0), [null]);
});

test("a function that names a partition which is not there fails the record", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  for (const partition of [1, -1, 0.5, Number.NaN]) {
    const producer = kafka.producer({ partitioner: () => partition });
    await assert.rejects(bed.run(producer.send({ topic: "t", value: "" })), /has partitions 0 to 0/);
  }
});

test("combinations that cannot work are refused", async () => {
  const bed = await testBed();
  const kafka = bed.kafka();
  const impossible: readonly [Parameters<typeof kafka.producer>[0], RegExp][] = [
    [{ enableIdempotence: true, acks: 1 }, /enableIdempotence needs acks "all", not 1/],
    [{ enableIdempotence: true, retries: 0 }, /enableIdempotence needs retries/],
    [{ enableIdempotence: true, maxInFlightRequestsPerConnection: 6 }, /at most 5, not 6/],
    [{ partitionerRackAware: true }, /needs the clientRack/],
    [{ partitioner: () => 0, partitionerIgnoreKeys: true }, /partitionerIgnoreKeys has no meaning/],
    [{ partitioner: "murmur3" as never }, /one of default, sticky, roundRobin, crc32, or a function/],
    [{ compressionGzipLevel: 10 }, /compressionGzipLevel/],
    [{ valueSerializer: {} as never }, /an object with a method serialize/],
    [{ compressionLevel: 3 } as never, /did you mean compression\w+Level\?/],
  ];
  for (const [options, why] of impossible) {
    assert.throws(
      () => kafka.producer(options),
      (error) => {
        assert.ok(error instanceof ConfigurationError);
        assert.match(error.message, why);
        return true;
      },
    );
  }
});
