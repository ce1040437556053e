import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ProtocolError } from "@samsa/base";
import { encodeUnsupportedApiVersions } from "@samsa/protocol";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { DescribeGroupsRequest } from "@samsa/protocol/messages/describe-groups-request";
import { DescribeGroupsResponse } from "@samsa/protocol/messages/describe-groups-response";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { SeededRandom } from "@samsa/simulation";
import { ConnectionError, RequestTimeoutError, UnsupportedVersionError } from "../errors.ts";
import type { TestBed } from "../testing/client-test.ts";
import { testBed } from "../testing/client-test.ts";
import { api } from "./api.ts";
import type { BrokerConnectionOptions } from "./connection.ts";
import { BrokerConnection } from "./connection.ts";
import { newConnectionCounters } from "./connection-counters.ts";

const METADATA = api(MetadataRequest, MetadataResponse);
const REQUEST = MetadataRequest.create({ topics: [] });

function open(bed: TestBed, options: Partial<BrokerConnectionOptions> = {}, port = 9092): Promise<BrokerConnection> {
  return bed.run(
    BrokerConnection.open(
      { host: "127.0.0.1", port },
      {
        transport: bed.transport,
        clock: bed.clock,
        clientId: "test",
        softwareVersion: "1.2.3",
        requestTimeoutMs: 1000,
        connectionSetupTimeoutMs: 1000,
        maxInFlightRequests: 5,
        random: new SeededRandom(1),
        counters: newConnectionCounters(),
        maxResponseBytes: 1_000_000,
        ...options,
      },
    ),
  );
}

test("speaks the highest version that both sides know", async () => {
  const bed = await testBed();
  bed.cluster.highestVersions.set(METADATA.apiKey, 9);
  const connection = await open(bed);
  assert.equal(connection.versionOf(METADATA), 9);
  await bed.run(connection.send(METADATA, REQUEST));
  assert.equal(bed.cluster.requests("MetadataRequest")[0]?.version, 9);
});

test("says who it is with ApiVersions", async () => {
  const bed = await testBed();
  await open(bed);
  const asked = bed.cluster.requests("ApiVersionsRequest")[0]?.request as ApiVersionsRequest;
  assert.equal(asked.clientSoftwareName, "samsa");
  assert.equal(asked.clientSoftwareVersion, "1.2.3");
});

test("asks again in the version that an older broker names", async () => {
  const bed = await testBed();
  bed.cluster.interceptNext("ApiVersionsRequest", ({ correlationId }) => ({
    bytes: Buffer.concat(encodeUnsupportedApiVersions(correlationId, 0, 2)),
  }));
  const connection = await open(bed);
  const versions = bed.cluster.requests("ApiVersionsRequest").map(({ version }) => version);
  assert.deepEqual(versions, [ApiVersionsRequest.highestVersion, 2]);
  assert.ok(connection.supports(METADATA));
});

test("asks again in version 0 where the broker names none", async () => {
  const bed = await testBed();
  bed.cluster.interceptNext("ApiVersionsRequest", {
    answer: ApiVersionsResponse.create({ errorCode: ErrorCode.UNSUPPORTED_VERSION }),
    version: 0,
  });
  await open(bed);
  assert.deepEqual(
    bed.cluster.requests("ApiVersionsRequest").map(({ version }) => version),
    [ApiVersionsRequest.highestVersion, 0],
  );
});

test("refuses at once what the broker does not serve, and says what it does", async () => {
  const bed = await testBed();
  bed.cluster.highestVersions.set(METADATA.apiKey, 3);
  const connection = await open(bed);
  const groups = api(DescribeGroupsRequest, DescribeGroupsResponse);
  await assert.rejects(connection.send(groups, DescribeGroupsRequest.create()), UnsupportedVersionError);
  const newer = api(MetadataRequest, MetadataResponse, { lowestVersion: 4 });
  await assert.rejects(connection.send(newer, REQUEST), /the broker serves versions 0-3, this client speaks 4-13/);
  assert.equal(connection.failure, undefined);
});

test("answers find their requests, however the bytes are cut", async () => {
  const bed = await testBed([1], { readBytes: 13 });
  for (const name of ["a", "b", "c"]) bed.cluster.createTopic(name, [1]);
  const connection = await open(bed);
  const answers = await bed.run(
    Promise.all(
      ["a", "b", "c"].map((name) =>
        connection.send(METADATA, (version) => {
          assert.equal(version, MetadataRequest.highestVersion);
          return MetadataRequest.create({
            topics: [{ name, topicId: bed.cluster.topics.get(name)?.topicId ?? assert.fail() }],
          });
        }),
      ),
    ),
  );
  assert.deepEqual(
    answers.map(({ topics }) => topics[0]?.name),
    ["a", "b", "c"],
  );
});

test("requests leave in the order they were sent", async () => {
  const bed = await testBed();
  const connection = await open(bed, { maxInFlightRequests: 2 });
  const answers = Array.from({ length: 5 }, () => connection.send(METADATA, REQUEST));
  assert.equal(connection.pendingRequests, 5);
  await bed.run(Promise.all(answers));
  const ids = bed.cluster.requests("MetadataRequest").map(({ correlationId }) => correlationId);
  assert.equal(ids.length, 5);
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
});

test("a third request waits for the first answer when two may be under way", async () => {
  const bed = await testBed();
  const connection = await open(bed, { maxInFlightRequests: 2 });
  bed.cluster.interceptNext("MetadataRequest", "no answer", 10);
  const answers = Array.from({ length: 3 }, () => connection.send(METADATA, REQUEST));
  const failed = Promise.allSettled(answers);
  await bed.clock.advance(500);
  assert.equal(bed.cluster.requests("MetadataRequest").length, 2);
  connection.close();
  await failed;
});

test("a request without an answer in its time ends the connection, and all that wait on it", async () => {
  const bed = await testBed();
  const connection = await open(bed);
  bed.cluster.interceptNext("MetadataRequest", "no answer", 2);
  const [first, second] = await bed.run(
    Promise.allSettled([connection.send(METADATA, REQUEST, { timeoutMs: 300 }), connection.send(METADATA, REQUEST)]),
  );
  assert.ok(first?.status === "rejected" && first.reason instanceof RequestTimeoutError);
  assert.match(first.reason.message, /Metadata to 127\.0\.0\.1:9092: no answer within 300 ms/);
  assert.ok(second?.status === "rejected" && second.reason instanceof RequestTimeoutError);
  await assert.rejects(connection.send(METADATA, REQUEST), RequestTimeoutError);
});

test("a broker that goes away fails what was asked of it, and a retry elsewhere may help", async () => {
  const bed = await testBed();
  const connection = await open(bed);
  let isClosed = false;
  connection.onceClosed(() => {
    isClosed = true;
  });
  bed.cluster.interceptNext("MetadataRequest", "close");
  await assert.rejects(bed.run(connection.send(METADATA, REQUEST)), (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.ok(error.isRetriable);
    assert.equal(error.code, ErrorCode.NETWORK_EXCEPTION);
    return true;
  });
  assert.ok(isClosed);
});

const garbage = [
  { bytes: Uint8Array.of(0, 0, 0, 5, 9, 9, 9, 9, 0), why: "an answer to what nobody asked" },
  { bytes: Uint8Array.of(0x7f, 0xff, 0xff, 0xff), why: "a frame of two gigabytes" },
  { bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff), why: "a frame of less than nothing" },
  { bytes: Uint8Array.of(0, 0, 0, 2, 0, 0), why: "a frame without a header" },
];
for (const { bytes, why } of garbage) {
  test(`${why} ends the connection with a ProtocolError`, async () => {
    const bed = await testBed();
    const connection = await open(bed);
    bed.cluster.interceptNext("MetadataRequest", { bytes });
    await assert.rejects(bed.run(connection.send(METADATA, REQUEST)), ProtocolError);
    assert.ok(connection.failure instanceof ProtocolError);
  });
}

test("bytes after an answer are no part of the protocol", async () => {
  const bed = await testBed();
  const connection = await open(bed);
  const old = api(MetadataRequest, MetadataResponse, { highestVersion: 1 });
  bed.cluster.interceptNext("MetadataRequest", ({ correlationId }) => {
    const body = Buffer.alloc(4 + 4 + 4 + 4 + 4 + 1);
    body.writeInt32BE(body.length - 4, 0);
    body.writeInt32BE(correlationId, 4);
    return { bytes: body };
  });
  await assert.rejects(bed.run(connection.send(old, REQUEST)), /bytes follow the answer/);
});

test("no listener is told as a refused connection", async () => {
  const bed = await testBed();
  await assert.rejects(open(bed, {}, 9999), /127\.0\.0\.1:9999: connection refused/);
});

test("a broker that accepts and says nothing is given up on", async () => {
  const bed = await testBed();
  bed.cluster.interceptNext("ApiVersionsRequest", "no answer");
  await assert.rejects(open(bed), RequestTimeoutError);
});

test("closing fails what is under way", async () => {
  const bed = await testBed();
  const connection = await open(bed);
  bed.cluster.interceptNext("MetadataRequest", "no answer");
  const answer = connection.send(METADATA, REQUEST);
  connection.close();
  await assert.rejects(answer, /closed by this client/);
});
