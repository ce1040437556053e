import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ErrorCode, ProtocolError } from "@samsa/base";
import { FrameDecoder } from "./framing.ts";
import { API_INFO, ApiKey } from "./generated/api-info.ts";
import { ApiVersionsRequest } from "./generated/api-versions-request.ts";
import { ApiVersionsResponse } from "./generated/api-versions-response.ts";
import { createProduceRequestTopicProduceData, ProduceRequest } from "./generated/produce-request.ts";
import { RequestHeader } from "./generated/request-header.ts";
import { ResponseHeader } from "./generated/response-header.ts";
import {
  decodeRequestHeader,
  encodeRequest,
  encodeResponse,
  encodeUnsupportedApiVersions,
  requestHeaderVersion,
  responseHeaderVersion,
} from "./headers.ts";

const versions = [
  { api: "Produce", version: 8, request: 1, response: 0, why: "the last one before flexible versions" },
  { api: "Produce", version: 9, request: 2, response: 1, why: "the first flexible one" },
  { api: "SaslHandshake", version: 1, request: 1, response: 0, why: "it never becomes flexible" },
  { api: "ApiVersions", version: 2, request: 1, response: 0, why: "not flexible yet" },
  { api: "ApiVersions", version: 3, request: 2, response: 0, why: "its answers must be readable to everybody" },
  { api: "ApiVersions", version: 99, request: 2, response: 0, why: "a version from the future is still answered" },
  { api: "ConsumerGroupHeartbeat", version: 0, request: 2, response: 1, why: "flexible from the start" },
] as const;
for (const { api, version, request, response, why } of versions) {
  test(`${api} ${version} has request header ${request} and response header ${response}: ${why}`, () => {
    assert.equal(requestHeaderVersion(ApiKey[api], version), request);
    assert.equal(responseHeaderVersion(ApiKey[api], version), response);
  });
}

test("every API but ApiVersions answers flexible requests with a flexible header", () => {
  for (const { apiKey, lowestVersion, highestVersion } of API_INFO.values()) {
    for (let version = lowestVersion; version <= highestVersion; version++) {
      const expected = apiKey === ApiKey.ApiVersions ? 0 : requestHeaderVersion(apiKey, version) - 1;
      assert.equal(responseHeaderVersion(apiKey, version), expected);
    }
  }
});

test("a key that is no API has no header", () => {
  assert.throws(() => requestHeaderVersion(4, 0), ProtocolError);
  assert.throws(() => responseHeaderVersion(-1, 0), ProtocolError);
  const bytes = new Uint8Array([0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
  assert.throws(() => decodeRequestHeader(new ByteReader(bytes)), ProtocolError);
});

test("a request comes out of its frame as it went in", () => {
  const request = ApiVersionsRequest.create({ clientSoftwareName: "samsa", clientSoftwareVersion: "1" });
  const [frame] = new FrameDecoder(1000).push(join(encodeRequest(ApiVersionsRequest, request, 4, 17, "gregor")));
  const reader = new ByteReader(frame ?? new Uint8Array());
  const header = decodeRequestHeader(reader);
  assert.deepEqual(
    header,
    RequestHeader.create({ requestApiKey: 18, requestApiVersion: 4, correlationId: 17, clientId: "gregor" }),
  );
  assert.deepEqual(ApiVersionsRequest.read(reader, 4), request);
  assert.equal(reader.remaining, 0);
});

test("the client id of a flexible header is still a plain string", () => {
  const bytes = join(encodeRequest(ApiVersionsRequest, ApiVersionsRequest.create(), 3, 1, "ab"));
  assert.deepEqual([...bytes.subarray(12, 17)], [0, 2, 0x61, 0x62, 0]);
});

test("large records leave by reference, behind a length that counts them", () => {
  const records = new Uint8Array(100_000).fill(7);
  const topicData = [createProduceRequestTopicProduceData({ name: "t", partitionData: [{ index: 0, records }] })];
  const chunks = encodeRequest(ProduceRequest, ProduceRequest.create({ topicData }), 9, 1, null);
  assert.ok(chunks.some((chunk) => chunk.buffer === records.buffer));
  const bytes = join(chunks);
  assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getInt32(0), bytes.length - 4);
});

test("a response comes out of its frame as it went in", () => {
  const response = ApiVersionsResponse.create({ throttleTimeMs: 5, finalizedFeaturesEpoch: 3 });
  const bytes = join(encodeResponse(ApiVersionsResponse, response, 4, -7));
  const reader = new ByteReader(bytes, 4);
  assert.equal(ResponseHeader.read(reader, 0).correlationId, -7);
  assert.deepEqual(ApiVersionsResponse.read(reader, 4), response);
  assert.equal(reader.remaining, 0);
});

test("an ApiVersions request of an unknown version is answered in version 0 with the versions there are", () => {
  const reader = new ByteReader(join(encodeUnsupportedApiVersions(42, 0, 4)), 4);
  assert.equal(ResponseHeader.read(reader, 0).correlationId, 42);
  const response = ApiVersionsResponse.read(reader, 0);
  assert.equal(response.errorCode, ErrorCode.UNSUPPORTED_VERSION);
  assert.deepEqual(
    response.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, minVersion, maxVersion]),
    [[18, 0, 4]],
  );
  assert.equal(reader.remaining, 0);
});

function join(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}
