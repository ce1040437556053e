import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { BrokerError, UnsupportedVersionError } from "../errors.ts";
import { testBed } from "../testing/client-test.ts";
import type { TestBed } from "../testing/client-test.ts";
import { appendValues, bedOfValues } from "../testing/appended.ts";
import { ItemResults } from "./item-results.ts";
import { ACL_OPERATIONS, CONFIG_SOURCES, nameOf, operationsOf } from "./names.ts";

const T0 = { topic: "t", partition: 0 };

test("offsets have a result for each partition: an answer, or an error that costs the others nothing", async () => {
  const bed = await bedOfValues(["a", "b"], ["c"]);
  await using kafka = bed.kafka();
  const queries = [0, 1, 7].map((partition) => ({ topic: "t", partition, at: "latest" as const }));
  const listed = await bed.run(kafka.admin().listOffsetsOf(queries));
  assert.deepEqual([listed.get("t-0")?.offset, listed.get("t-1")?.offset], [2, 1]);
  assert.throws(() => listed.get("t-7"), { code: ErrorCode.INVALID_PARTITIONS });
  assert.throws(() => listed.all(), { code: ErrorCode.INVALID_PARTITIONS });
  assert.equal(listed.found.size, 2);
});

test("a topic that does not exist is told at once", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const startedMs = bed.clock.monotonicMs();
  const listed = await bed.run(kafka.admin().listOffsetsOf([{ topic: "nosuch", partition: 0, at: "earliest" }]));
  assert.equal(listed.errors.get("nosuch-0")?.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.ok(bed.clock.monotonicMs() - startedMs < 1000);
});

test("a leader that moved is found, and only what it refused is asked again", async () => {
  const bed = await bedOfValues(["a"], ["b"]);
  await using kafka = bed.kafka();
  const admin = kafka.admin();
  await bed.run(admin.describeTopics(["t"]));
  bed.cluster.moveLeader("t", 0, 2);
  appendValues(bed, ["c"]);
  const queries = [0, 1].map((partition) => ({ topic: "t", partition, at: "latest" as const }));
  assert.deepEqual(
    (await bed.run(admin.listOffsets(queries))).map(({ offset }) => offset),
    [2, 1],
  );
  assert.deepEqual(
    bed.cluster.requests("ListOffsetsRequest").map(({ nodeId }) => nodeId),
    [1, 2],
  );
});

test("a call that the broker does not serve says so", async () => {
  const bed = await testBed();
  await using kafka = bed.kafka();
  const admin = kafka.admin();
  await assert.rejects(bed.run(admin.describeMetadataQuorum()), UnsupportedVersionError);
  await assert.rejects(bed.run(admin.describeAcls()), UnsupportedVersionError);
  const groups = await bed.run(admin.listGroups());
  assert.ok(groups.errors.get("1") instanceof UnsupportedVersionError);
});

test("a broker that is not there is told at once", async () => {
  const bed: TestBed = await testBed();
  await using kafka = bed.kafka();
  const dirs = await bed.run(kafka.admin().describeLogDirs([9]));
  assert.match(dirs.errors.get("9")?.message ?? "", /broker 9: there are 1/);
});

test("producers of a partition that is asked of a named broker go there", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const described = await bed.run(kafka.admin().describeProducers([T0], 5));
  assert.equal(described.errors.get("t-0")?.code, ErrorCode.BROKER_NOT_AVAILABLE);
});

test("results are told apart by name", () => {
  const failure = new BrokerError(ErrorCode.GROUP_ID_NOT_FOUND, "group b");
  const results = new ItemResults<number>(
    new Map<string, number | BrokerError>([
      ["a", 1],
      ["b", failure],
    ]),
  );
  assert.equal(results.get("a"), 1);
  assert.equal(results.get("c"), undefined);
  assert.throws(() => results.get("b"), failure);
  assert.throws(() => results.all(), failure);
  assert.deepEqual([...results.errors.keys()], ["b"]);
  assert.deepEqual([results.size, [...results].length], [2, 2]);
});

test("numbers that a later Kafka has are unknown, and bit fields are lists of names", () => {
  assert.equal(nameOf(CONFIG_SOURCES, 5), "default_config");
  assert.equal(nameOf(CONFIG_SOURCES, 99), "unknown");
  assert.deepEqual(operationsOf((1 << ACL_OPERATIONS.read) | (1 << ACL_OPERATIONS.describe)), ["read", "describe"]);
  assert.equal(operationsOf(-2_147_483_648), undefined);
});
