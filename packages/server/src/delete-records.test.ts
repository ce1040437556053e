import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { DeleteRecordsRequest } from "@samsa/protocol/messages/delete-records-request";
import { DeleteRecordsResponse } from "@samsa/protocol/messages/delete-records-response";
import { fetch, produce } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

async function deleteRecords(client: RawClient, offset: number, topic = "orders", version = 2) {
  const request = DeleteRecordsRequest.create({
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }],
    timeoutMs: 30_000,
  });
  const response = await client.request(DeleteRecordsRequest, DeleteRecordsResponse, version, request);
  const result = response.topics[0]?.partitions[0];
  if (result === undefined) throw new Error("the response names no partition");
  return [result.errorCode, result.lowWatermark];
}

/** Five records in `orders`. */
async function startWithRecords(configs: Readonly<Record<string, string>> = {}): Promise<TestBroker> {
  const broker = await startTestBroker();
  await broker.createTopic("orders", { configs });
  for (const value of ["a", "b", "c", "d", "e"]) {
    await produce(broker.client, batchOf([value]), { topic: "orders", acks: -1 });
  }
  return broker;
}

for (let version = 0; version <= 2; version++) {
  test(`DeleteRecords ${version} moves the log start offset, and what lies before is out of range`, async () => {
    await using broker = await startWithRecords();
    assert.deepEqual(await deleteRecords(broker.client, 3, "orders", version), [ErrorCode.NONE, 3]);
    const gone = await fetch(broker.client, { topic: "orders", offset: 2, version: 12 });
    assert.equal(gone.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
    const there = await fetch(broker.client, { topic: "orders", offset: 3, version: 12 });
    assert.deepEqual([there.errorCode, there.logStartOffset], [ErrorCode.NONE, 3]);
  });
}

test("-1 deletes all there is, and an offset below the log start offset nothing", async () => {
  await using broker = await startWithRecords();
  assert.deepEqual(await deleteRecords(broker.client, -1), [ErrorCode.NONE, 5]);
  assert.deepEqual(await deleteRecords(broker.client, 2), [ErrorCode.NONE, 5]);
});

const refusals = [
  { what: "beyond the high watermark", offset: 6, code: ErrorCode.OFFSET_OUT_OF_RANGE },
  { what: "a negative offset", offset: -2, code: ErrorCode.OFFSET_OUT_OF_RANGE },
  { what: "a topic that is not there", offset: 0, topic: "nowhere", code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  { what: "an internal topic", offset: 0, topic: "__consumer_offsets", code: ErrorCode.INVALID_TOPIC_EXCEPTION },
];
for (const { what, offset, topic = "orders", code } of refusals) {
  test(`is refused: ${what}`, async () => {
    await using broker = await startWithRecords();
    assert.deepEqual(await deleteRecords(broker.client, offset, topic), [code, -1]);
    const { logStartOffset } = await fetch(broker.client, { topic: "orders", offset: 0, version: 12 });
    assert.equal(logStartOffset, 0);
  });
}

test("is refused for a topic that is compacted only", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders", { configs: { "cleanup.policy": "compact" } });
  assert.deepEqual(await deleteRecords(broker.client, 0), [ErrorCode.POLICY_VIOLATION, -1]);
});
