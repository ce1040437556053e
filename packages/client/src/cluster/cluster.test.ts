import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import {
  createMetadataResponsePartition,
  createMetadataResponseTopic,
  MetadataResponse,
} from "@samsa/protocol/messages/metadata-response";
import { BrokerError, ClosedError, ConfigurationError, NoBrokerReachableError } from "../errors.ts";
import { testBed } from "../testing/client-test.ts";
import { parseBootstrapServers } from "./bootstrap-servers.ts";
import { CoalescedCall } from "./coalesced-call.ts";
import { MetadataCache } from "./metadata-cache.ts";

const addresses = [
  { servers: "localhost:9092", parsed: [["localhost", 9092]] },
  {
    servers: " a:1 , b:2,",
    parsed: [
      ["a", 1],
      ["b", 2],
    ],
  },
  {
    servers: ["a", "[::1]:9094", "[2001:db8::1]"],
    parsed: [
      ["a", 9092],
      ["::1", 9094],
      ["2001:db8::1", 9092],
    ],
  },
];
for (const { servers, parsed } of addresses) {
  test(`reads the bootstrap servers ${JSON.stringify(servers)}`, () => {
    assert.deepEqual(
      parseBootstrapServers(servers).map(({ host, port }) => [host, port]),
      parsed,
    );
  });
}
for (const servers of ["", [], "a:0", "a:70000", "a:b", "::1:9092", "http://a:9092", "a b:1"]) {
  test(`refuses the bootstrap servers ${JSON.stringify(servers)}`, () => {
    assert.throws(() => parseBootstrapServers(servers), ConfigurationError);
  });
}

test("calls that come while one is under way are one call after it", async () => {
  const asked: string[][] = [];
  const answers: (() => void)[] = [];
  const call = new CoalescedCall<string, number>(async (keys) => {
    asked.push([...keys]);
    await new Promise<void>((resolve) => answers.push(resolve));
    return asked.length;
  });
  const first = call.request(["a"]);
  await Promise.resolve();
  await Promise.resolve();
  const second = call.request(["b"]);
  const third = call.request(["b", "c"]);
  assert.deepEqual(asked, [["a"]]);
  answers[0]?.();
  assert.equal(await first, 1);
  await Promise.resolve();
  answers[1]?.();
  assert.deepEqual(await Promise.all([second, third]), [2, 2]);
  assert.deepEqual(asked, [["a"], ["b", "c"]]);
});

test("a call that fails does not fail the one after it", async () => {
  let calls = 0;
  const call = new CoalescedCall<string, string>(async () => {
    if (++calls === 1) throw new Error("the first");
    return "fine";
  });
  const first = call.request(["a"]);
  await assert.rejects(first, /the first/);
  assert.equal(await call.request(["a"]), "fine");
});

function metadataOf(leaderId: number, leaderEpoch: number, topicId: string): MetadataResponse {
  const partitions = [createMetadataResponsePartition({ partitionIndex: 0, leaderId, leaderEpoch })];
  return MetadataResponse.create({
    brokers: [{ nodeId: leaderId, host: "h", port: 1, rack: null }],
    topics: [createMetadataResponseTopic({ name: "t", topicId: topicId as never, partitions })],
  });
}

test("an answer with an older leader epoch brings no older leader back, unless the topic is another", () => {
  const cache = new MetadataCache();
  const leader = (): number | undefined => cache.topic("t")?.partitions[0]?.leaderId;
  cache.update(metadataOf(2, 5, "AAAAAAAAAAAAAAAAAAAABQ"), 0);
  cache.update(metadataOf(1, 4, "AAAAAAAAAAAAAAAAAAAABQ"), 1);
  assert.equal(leader(), 2);
  cache.update(metadataOf(1, 0, "AAAAAAAAAAAAAAAAAAAACQ"), 2);
  assert.equal(leader(), 1);
  assert.equal(cache.topicName("AAAAAAAAAAAAAAAAAAAABQ" as never), undefined);
});

test("a leader hint counts when its epoch is newer", () => {
  const cache = new MetadataCache();
  cache.update(metadataOf(1, 5, "AAAAAAAAAAAAAAAAAAAABQ"), 0);
  assert.equal(cache.updateLeader("t", 0, 2, 5), false);
  assert.equal(cache.updateLeader("t", 0, 2, 6), true);
  assert.equal(cache.topic("t")?.partitions[0]?.leaderId, 2);
  assert.equal(cache.updateLeader("unknown", 0, 2, 6), false);
});

test("a client that finds no broker says what each address said, after bootstrapTimeoutMs", async () => {
  const bed = await testBed([1, 2]);
  await bed.cluster.stop(1);
  await bed.cluster.stop(2);
  const kafka = bed.kafka({ bootstrapTimeoutMs: 3000 });
  const startedMs = bed.clock.monotonicMs();
  await assert.rejects(bed.run(kafka.admin().describeCluster()), (error) => {
    assert.ok(error instanceof NoBrokerReachableError);
    assert.equal(error.failures.length, 2);
    assert.match(error.message, /127\.0\.0\.1:9092: connection refused.*127\.0\.0\.1:9093: connection refused/);
    return true;
  });
  const tookMs = bed.clock.monotonicMs() - startedMs;
  assert.ok(tookMs > 1500 && tookMs <= 3000, `${tookMs} ms`);
  await kafka.close();
});

test("one bootstrap server that answers is enough, and one that comes later too", async () => {
  const bed = await testBed([1, 2]);
  await bed.cluster.stop(1);
  const kafka = bed.kafka();
  const { brokers } = await bed.run(kafka.admin().describeCluster());
  assert.deepEqual(
    brokers.map(({ nodeId }) => nodeId),
    [2],
  );
  await bed.cluster.stop(2);
  const late = bed.kafka();
  const described = late.admin().describeCluster();
  await bed.clock.advance(500);
  await bed.cluster.start(1);
  assert.equal((await bed.run(described)).brokers[0]?.nodeId, 1);
});

test("when every known broker has gone the bootstrap servers are asked again", async () => {
  const bed = await testBed([1]);
  const kafka = bed.kafka({ bootstrapServers: "127.0.0.1:9092,127.0.0.1:9099" });
  const admin = kafka.admin();
  await bed.run(admin.describeCluster());
  await bed.cluster.stop(1);
  await bed.cluster.start(8); // at port 9099
  const { brokers } = await bed.run(admin.describeCluster());
  assert.deepEqual(
    brokers.map(({ nodeId }) => nodeId),
    [8],
  );
});

test("nothing is opened until something is asked", async () => {
  const bed = await testBed();
  const kafka = bed.kafka();
  kafka.producer();
  kafka.consumer();
  kafka.admin();
  await bed.clock.advance(1000);
  assert.equal(bed.cluster.received.length, 0);
  await kafka.close();
});

test("a closed client does nothing more, and what waits for a broker ends", async () => {
  const bed = await testBed([1]);
  await bed.cluster.stop(1);
  const kafka = bed.kafka();
  const admin = kafka.admin();
  const described = admin.describeCluster();
  const refused = assert.rejects(described, ClosedError);
  await bed.clock.advance(200);
  await kafka.close();
  await bed.run(refused);
  assert.throws(() => kafka.producer(), ClosedError);
  await assert.rejects(bed.run(admin.listTopics()), ClosedError);
});

test("metadata older than metadataMaxAgeMs is asked for again beside the work", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka({ metadataMaxAgeMs: 1000 });
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", value: "1" }));
  const before = bed.cluster.requests("MetadataRequest").length;
  await bed.clock.advance(2000);
  await bed.run(producer.send({ topic: "t", value: "2" }));
  await bed.clock.advance(100);
  assert.equal(bed.cluster.requests("MetadataRequest").length, before + 1);
});

test("a metadata answer of which nothing helps is told as the broker's error", async () => {
  const bed = await testBed();
  bed.cluster.interceptNext("MetadataRequest", {
    answer: MetadataResponse.create({ errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED }),
  });
  await assert.rejects(bed.run(bed.kafka().admin().listTopics()), (error) => {
    assert.ok(error instanceof BrokerError);
    assert.equal(error.codeName, "CLUSTER_AUTHORIZATION_FAILED");
    return true;
  });
});
