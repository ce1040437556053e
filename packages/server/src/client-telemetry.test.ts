import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import type { ClientMetricsPayload } from "@samsa/broker";
import { ApiKey } from "@samsa/protocol";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { GetTelemetrySubscriptionsRequest } from "@samsa/protocol/messages/get-telemetry-subscriptions-request";
import { GetTelemetrySubscriptionsResponse } from "@samsa/protocol/messages/get-telemetry-subscriptions-response";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import { PushTelemetryRequest } from "@samsa/protocol/messages/push-telemetry-request";
import { PushTelemetryResponse } from "@samsa/protocol/messages/push-telemetry-response";
import type { RawClient } from "./testing/raw-client.ts";
import { startTestBroker } from "./testing/test-broker.ts";

const CLIENT_METRICS = 16;

test("a client without subscriptions is told to wait five minutes, and to push nothing, as by Kafka without a plug-in", async () => {
  await using broker = await startTestBroker();
  assert.deepEqual(await advertised(broker.client), []);
  const told = await subscriptions(broker.client);
  assert.notEqual(told.clientInstanceId, ZERO_UUID);
  assert.deepEqual(
    [told.errorCode, told.pushIntervalMs, told.telemetryMaxBytes, told.deltaTemporality, told.requestedMetrics],
    [0, 300_000, 1_048_576, true, []],
  );
  assert.deepEqual(told.acceptedCompressionTypes, [4, 3, 1, 2]);
});

test("subscriptions that fit a client are put together; the shortest interval counts", async () => {
  await using broker = await startTestBroker();
  const { client } = broker;
  await subscribe(client, "one", { metrics: "org.a.,org.b", "interval.ms": "1000", match: "client_id=r.w" });
  await subscribe(client, "two", {
    metrics: "org.c",
    "interval.ms": "5000",
    match: "client_software_name=some,client_software_version=1\\..*",
  });
  await subscribe(client, "others", { metrics: "org.d", "interval.ms": "100", match: "client_id=ra" });
  await subscribe(client, "never", { metrics: "org.e", "interval.ms": "100", match: "client_id=(" });
  assert.deepEqual(await advertised(client), [ApiKey.GetTelemetrySubscriptions, ApiKey.PushTelemetry]);
  const told = await subscriptions(client);
  assert.deepEqual([told.requestedMetrics, told.pushIntervalMs], [["org.a.", "org.b", "org.c"], 1000]);
  await subscribe(client, "all", { metrics: "*" });
  const again = await subscriptions(client, told.clientInstanceId); // at once, for they have changed
  assert.deepEqual([again.requestedMetrics, again.errorCode], [["*"], 0]);
  assert.notEqual(again.subscriptionId, told.subscriptionId);
});

test("a client that comes too early is held off, one that pushes for what is no more may ask again", async () => {
  await using broker = await startTestBroker();
  const { client, clock } = broker;
  const { clientInstanceId, subscriptionId } = await subscriptions(client);
  const push = (more: Partial<PushTelemetryRequest>) => pushed(client, { clientInstanceId, subscriptionId, ...more });
  assert.equal((await subscriptions(client, clientInstanceId)).errorCode, ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  assert.equal(await push({}), ErrorCode.NONE); // the first one after it was told is welcome
  assert.equal(await push({}), ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  clock.advance(300_000);
  assert.equal(await push({ subscriptionId: subscriptionId + 1 }), ErrorCode.UNKNOWN_SUBSCRIPTION_ID);
  assert.equal((await subscriptions(client, clientInstanceId)).errorCode, ErrorCode.NONE);
  clock.advance(300_000);
  assert.equal(await push({ compressionType: 9 }), ErrorCode.UNSUPPORTED_COMPRESSION_TYPE);
  clock.advance(300_000);
  assert.equal(await push({ metrics: new Uint8Array(1_048_577) }), ErrorCode.TELEMETRY_TOO_LARGE);
  assert.equal(await push({ terminating: true }), ErrorCode.NONE); // at any time
  assert.equal(await push({ terminating: true }), ErrorCode.INVALID_REQUEST); // once
  assert.equal(await push({ clientInstanceId: ZERO_UUID }), ErrorCode.INVALID_REQUEST);
});

test("a receiver is handed what clients push, and is enough for them to be told that they may", async () => {
  const taken: ClientMetricsPayload[] = [];
  await using broker = await startTestBroker({
    onClientMetrics: (payload) => {
      if (payload.data[0] === 0xff) throw new Error("no metrics");
      taken.push(payload);
    },
  });
  const { client, clock } = broker;
  assert.equal((await advertised(client)).length, 2);
  const { clientInstanceId, subscriptionId } = await subscriptions(client);
  const push = (data: number) =>
    pushed(client, { clientInstanceId, subscriptionId, compressionType: 4, metrics: Uint8Array.of(data) });
  assert.equal(await push(1), ErrorCode.NONE);
  clock.advance(300_000);
  assert.equal(await push(0xff), ErrorCode.INVALID_RECORD);
  assert.deepEqual(
    taken.map((one) => [one.clientId, one.softwareName, one.compressionType, one.data[0], one.isTerminating]),
    [["raw", "some", "zstd", 1, false]],
  );
});

async function advertised(client: RawClient): Promise<readonly number[]> {
  const request = ApiVersionsRequest.create({ clientSoftwareName: "some", clientSoftwareVersion: "1.2" });
  const { apiKeys } = await client.request(ApiVersionsRequest, ApiVersionsResponse, 4, request);
  const telemetry: readonly number[] = [ApiKey.GetTelemetrySubscriptions, ApiKey.PushTelemetry];
  return apiKeys.map(({ apiKey }) => apiKey).filter((apiKey) => telemetry.includes(apiKey));
}

async function subscriptions(client: RawClient, clientInstanceId: Uuid = ZERO_UUID) {
  const request = GetTelemetrySubscriptionsRequest.create({ clientInstanceId });
  return await client.request(GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse, 0, request);
}

async function pushed(client: RawClient, fields: Partial<PushTelemetryRequest>): Promise<number> {
  const request = PushTelemetryRequest.create({ metrics: new Uint8Array(0), ...fields });
  return (await client.request(PushTelemetryRequest, PushTelemetryResponse, 0, request)).errorCode;
}

async function subscribe(client: RawClient, name: string, configs: Readonly<Record<string, string>>): Promise<void> {
  const request = IncrementalAlterConfigsRequest.create({
    resources: [
      {
        resourceType: CLIENT_METRICS,
        resourceName: name,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value, configOperation: 0 })),
      },
    ],
  });
  const { responses } = await client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    request,
  );
  assert.equal(responses[0]?.errorCode, 0);
}
