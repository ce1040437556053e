import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { DescribeConfigsRequest } from "@samsa/protocol/messages/describe-configs-request";
import { DescribeConfigsResponse } from "@samsa/protocol/messages/describe-configs-response";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import type { TestBroker } from "./testing/test-broker.ts";
import { startTestBroker } from "./testing/test-broker.ts";

const [SET, DELETE, APPEND] = [0, 1, 2];
const LOGGER = 8;
const REQUESTS = "kafka.request.logger";

interface Change {
  readonly name: string;
  readonly value: string | null;
  readonly configOperation: number;
}

async function alter({ client }: TestBroker, configs: readonly Change[], resourceName = "1", validateOnly = false) {
  const { responses } = await client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    IncrementalAlterConfigsRequest.create({
      resources: [{ resourceType: LOGGER, resourceName, configs: [...configs] }],
      validateOnly,
    }),
  );
  return responses[0];
}

async function levels({ client }: TestBroker): Promise<Map<string, string | null>> {
  const resources = [{ resourceType: LOGGER, resourceName: "1", configurationKeys: null }];
  const { results } = await client.request(
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    4,
    DescribeConfigsRequest.create({ resources }),
  );
  return new Map(results[0]?.configs.map(({ name, value }) => [name, value]));
}

test("a logger has the level of the nearest above it that has one, until it has its own", async () => {
  await using broker = await startTestBroker();
  await alter(broker, [
    { name: "root", value: "ERROR", configOperation: SET },
    { name: "kafka", value: "INFO", configOperation: SET },
    { name: "kafka.server.KafkaApis", value: "TRACE", configOperation: SET },
  ]);
  const set = await levels(broker);
  assert.deepEqual(
    [
      "root",
      "org.apache.kafka.controller.QuorumController",
      "kafka.network.SocketServer",
      "kafka.server.KafkaApis",
    ].map((name) => set.get(name)),
    ["ERROR", "ERROR", "INFO", "TRACE"],
  );
  await alter(broker, [{ name: "kafka.server.KafkaApis", value: null, configOperation: DELETE }]);
  assert.equal((await levels(broker)).get("kafka.server.KafkaApis"), "INFO");
});

test("requests are told one by one once their logger is at DEBUG, and no longer when it is not", async () => {
  await using broker = await startTestBroker();
  const told = () => broker.logged.filter(({ message }) => message === "request").length;
  await levels(broker);
  assert.equal(told(), 0);
  await alter(broker, [{ name: REQUESTS, value: "DEBUG", configOperation: SET }]);
  await levels(broker);
  const facts = broker.logged.find(
    ({ facts: { request } }: { facts: { request?: string } }) => request === "DescribeConfigsRequest",
  );
  assert.ok(facts !== undefined, "the request is named");
  await alter(broker, [{ name: REQUESTS, value: "INFO", configOperation: SET }]);
  const before = told();
  await levels(broker);
  assert.equal(told(), before);
});

test("what is only to be validated changes nothing, and of what is refused in part nothing is done", async () => {
  await using broker = await startTestBroker();
  const before = await levels(broker);
  const toError = { name: "root", value: "ERROR", configOperation: SET };
  assert.equal((await alter(broker, [toError], "1", true))?.errorCode, ErrorCode.NONE);
  await alter(broker, [toError, { name: "no.such.logger", value: "INFO", configOperation: SET }]);
  assert.deepEqual(await levels(broker), before);
});

const REFUSALS: readonly (readonly [what: string, broker: string, change: Change, code: ErrorCode, why: RegExp])[] = [
  [
    "a logger that is none",
    "1",
    { name: "nobody", value: "INFO", configOperation: SET },
    ErrorCode.INVALID_CONFIG,
    /Logger nobody does not exist!/,
  ],
  [
    "a level that is none",
    "1",
    { name: "root", value: "LOUD", configOperation: SET },
    ErrorCode.INVALID_CONFIG,
    /Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN/,
  ],
  [
    "no level",
    "1",
    { name: "root", value: null, configOperation: SET },
    ErrorCode.INVALID_REQUEST,
    /Null value not supported for : root/,
  ],
  [
    "to unset the root",
    "1",
    { name: "root", value: null, configOperation: DELETE },
    ErrorCode.INVALID_REQUEST,
    /Removing the log level of the root logger is not allowed/,
  ],
  [
    "to append",
    "1",
    { name: "root", value: "INFO", configOperation: APPEND },
    ErrorCode.INVALID_REQUEST,
    /APPEND operation is not allowed/,
  ],
  [
    "an operation that is none",
    "1",
    { name: "root", value: "INFO", configOperation: 9 },
    ErrorCode.INVALID_REQUEST,
    /Unknown operation type 9/,
  ],
  [
    "another broker",
    "5",
    { name: "root", value: "INFO", configOperation: SET },
    ErrorCode.INVALID_REQUEST,
    /Expected 1, but received 5/,
  ],
  [
    "no broker",
    "",
    { name: "root", value: "INFO", configOperation: SET },
    ErrorCode.INVALID_REQUEST,
    /must be an integer/,
  ],
];
for (const [what, resourceName, change, code, why] of REFUSALS) {
  test(`refused of loggers: ${what}`, async () => {
    await using broker = await startTestBroker();
    const answer = await alter(broker, [change], resourceName);
    assert.equal(answer?.errorCode, code);
    assert.match(answer?.errorMessage ?? "", why);
  });
}
