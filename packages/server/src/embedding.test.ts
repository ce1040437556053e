import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { fetch, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

test("a topic that an embedding test makes takes records at once", async () => {
  await using test = await startTestBroker();
  await test.broker.createTopic("orders", { partitions: 3, configs: { "retention.ms": "60000" } });
  await produce(test.client, batchOf(["a"]), { topic: "orders", partition: 2 });
  assert.deepEqual(recordsOf(await fetch(test.client, { topic: "orders", partition: 2 })), ["0:a"]);
  assert.deepEqual(test.broker.topics(), ["orders"]);
});

test("after all topics are deleted, one of the same name begins anew", async () => {
  await using test = await startTestBroker();
  for (const name of ["orders", "users"]) await test.broker.createTopic(name);
  await produce(test.client, batchOf(["a"]), { topic: "orders" });
  await test.broker.deleteAllTopics();
  assert.deepEqual(test.broker.topics(), []);
  await test.broker.deleteAllTopics(); // nothing is left, and that is no error
  await assert.rejects(
    test.broker.createTopic("orders", { numPartitions: 3 } as never),
    /no option numPartitions; there are partitions and configs/u,
  );
  await test.broker.createTopic("orders");
  assert.deepEqual(recordsOf(await fetch(test.client, { topic: "orders" })), []);
});

const refusals = [
  { name: "no/name", options: {}, code: ErrorCode.INVALID_TOPIC_EXCEPTION },
  { name: "orders", options: { partitions: 0 }, code: ErrorCode.INVALID_PARTITIONS },
  { name: "orders", options: { configs: { "no.such.key": "1" } }, code: ErrorCode.INVALID_CONFIG },
];
for (const { name, options, code } of refusals) {
  test(`a topic that may not be is refused with error ${code}`, async () => {
    await using test = await startTestBroker();
    await assert.rejects(
      test.broker.createTopic(name, options),
      (error) => error instanceof KafkaError && error.code === code,
    );
  });
}

test("a cluster has the id that it is given, and keeps it", async () => {
  const clusterId = "MkU3OEVBNTcwNTJENDM2Qk";
  const first = await startTestBroker({ clusterId });
  assert.equal(first.broker.clusterId, clusterId);
  await first.broker.close();
  await using again = await startTestBroker({ disk: first.disk });
  assert.equal(again.broker.clusterId, clusterId);
});

test("a directory of another cluster is refused", async () => {
  const first = await startTestBroker({ clusterId: "MkU3OEVBNTcwNTJENDM2Qk" });
  await first.broker.close();
  await assert.rejects(startTestBroker({ disk: first.disk, clusterId: "AAAAAAAAAAAAAAAAAAAAAQ" }), /cluster/);
});
