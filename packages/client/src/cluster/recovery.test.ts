import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import { SeededRandom } from "@samsa/simulation";
import { testBed } from "../testing/client-test.ts";

test("a broker that says so is left for the bootstrap servers", async () => {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  await bed.run(kafka.admin().describeCluster());
  bed.cluster.interceptNext("MetadataRequest", {
    answer: MetadataResponse.create({ errorCode: ErrorCode.REBOOTSTRAP_REQUIRED }),
  });
  assert.equal((await bed.run(kafka.producer().send({ topic: "t", value: "1" }))).offset, 0);
  assert.equal(kafka.counters.rebootstraps, 1);
});

test("without recovery only brokers that are known are asked again", async () => {
  const bed = await testBed([1, 2]);
  await using kafka = bed.kafka({ metadataRecoveryStrategy: "none", defaultApiTimeoutMs: 3000 });
  await bed.run(kafka.admin().describeCluster());
  await bed.cluster.stop(1);
  await bed.cluster.stop(2);
  await assert.rejects(bed.run(kafka.admin().describeCluster()), /no broker answers|not done within/);
  assert.equal(kafka.counters.rebootstraps, 0);
});

test("a broker over its quota is left alone for as long as it asks", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ lingerMs: 0 });
  await bed.run(producer.send({ topic: "t", value: "1" }));
  const { topicId } = bed.cluster.topics.get("t") ?? assert.fail();
  bed.cluster.interceptNext("ProduceRequest", {
    answer: ProduceResponse.create({
      responses: [{ name: "t", topicId, partitionResponses: [] }],
      throttleTimeMs: 5000,
    }),
  });
  const sent = producer.send({ topic: "t", value: "2" });
  await bed.clock.advance(4990);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 2);
  assert.equal((await bed.run(sent)).offset, 1);
  assert.equal(kafka.counters.throttleTimeMs, 5000);
});

test("a connection that nobody uses is closed, and opened again when somebody does", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka({ connectionsMaxIdleMs: 10_000 });
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", value: "1" }));
  const { connectionsOpened } = kafka.counters;
  await bed.clock.advance(9000);
  assert.equal(kafka.counters.connectionsClosed, 0);
  await bed.clock.advance(2000);
  assert.equal(kafka.counters.connectionsClosed, connectionsOpened);
  assert.equal((await bed.run(producer.send({ topic: "t", value: "2" }))).offset, 1);
});

test("clients begin with different bootstrap servers", async () => {
  const bed = await testBed([1, 2, 3]);
  for (let i = 0; i < 10; i++) {
    await using kafka = bed.kafka({ random: new SeededRandom(i) });
    await bed.run(kafka.admin().describeCluster());
  }
  const firsts = new Set(bed.cluster.requests("ApiVersionsRequest").map(({ nodeId }) => nodeId));
  assert.ok(firsts.size > 1);
});
