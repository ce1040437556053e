import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { DescribeConfigsRequest } from "@samsa/protocol/messages/describe-configs-request";
import { DescribeConfigsResponse } from "@samsa/protocol/messages/describe-configs-response";
import type { RawClient } from "./testing/raw-client.ts";
import { startTestBroker } from "./testing/test-broker.ts";

const TOPIC = 2;
const BROKER = 4;

async function describe(client: RawClient, resourceType: number, resourceName: string, keys: string[] | null = null) {
  const request = DescribeConfigsRequest.create({
    resources: [{ resourceType, resourceName, configurationKeys: keys }],
  });
  const { results } = await client.request(DescribeConfigsRequest, DescribeConfigsResponse, 4, request);
  const [result] = results;
  if (result === undefined) throw new Error("the response names no resource");
  return result;
}

test("the keys that are asked for are answered; none asks for all, as null does", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders", { configs: { "retention.ms": "5" } });
  const asked = await describe(broker.client, TOPIC, "orders", ["retention.ms", "no.such.key"]);
  assert.deepEqual(
    asked.configs.map(({ name, value }) => [name, value]),
    [["retention.ms", "5"]],
  );
  const all = await describe(broker.client, TOPIC, "orders");
  assert.ok(all.configs.length > 30);
  assert.deepEqual((await describe(broker.client, TOPIC, "orders", [])).configs, all.configs);
});

const refusals = [
  { what: "an unknown topic", type: TOPIC, name: "nowhere", code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  { what: "a name that is none", type: TOPIC, name: "no/name", code: ErrorCode.INVALID_TOPIC_EXCEPTION },
  { what: "another broker", type: BROKER, name: "2", code: ErrorCode.INVALID_REQUEST },
  { what: "a broker that is no number", type: BROKER, name: "one", code: ErrorCode.INVALID_REQUEST },
  { what: "an unknown type", type: 99, name: "x", code: ErrorCode.INVALID_REQUEST },
];
for (const { what, type, name, code } of refusals) {
  test(`${what} is refused with error ${code}`, async () => {
    await using broker = await startTestBroker();
    const { errorCode, configs } = await describe(broker.client, type, name);
    assert.deepEqual([errorCode, configs], [code, []]);
  });
}

test("a resource that is named twice is answered once, as it was asked for last", async () => {
  await using broker = await startTestBroker();
  const resources = ["num.partitions", "log.retention.hours"].map((key) => ({
    resourceType: BROKER,
    resourceName: "1",
    configurationKeys: [key],
  }));
  const request = DescribeConfigsRequest.create({ resources });
  const { results } = await broker.client.request(DescribeConfigsRequest, DescribeConfigsResponse, 4, request);
  assert.deepEqual(
    results.map(({ configs }) => configs.map(({ name }) => name)),
    [["log.retention.hours"]],
  );
});
