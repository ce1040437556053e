/** What may be written in which version, as Kafka's generator has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, ErrorCode, INT64_MAX, KafkaError, uuidFromBytes, ZERO_UUID } from "@samsa/base";
import { ConsumerGroupMemberMetadataValue } from "./generated/consumer-group-member-metadata-value.ts";
import { ConsumerGroupMetadataValue } from "./generated/consumer-group-metadata-value.ts";
import {
  createFetchRequestFetchPartition,
  createFetchRequestFetchTopic,
  createFetchRequestReplicaState,
  FetchRequest,
} from "./generated/fetch-request.ts";
import { createFetchResponsePartitionData, FetchResponse } from "./generated/fetch-response.ts";
import { MetadataRequest } from "./generated/metadata-request.ts";
import { RequestHeader } from "./generated/request-header.ts";
import { TransactionLogValue } from "./generated/transaction-log-value.ts";
import type { MessageCodec } from "./message-codec.ts";

function encode<T>(codec: MessageCodec<T>, message: T, version: number): number[] {
  const writer = new ByteWriter();
  codec.write(writer, message, version);
  return [...writer.toBytes()];
}

function roundTrip<T>(codec: MessageCodec<T>, message: T, version: number): T {
  return codec.read(new ByteReader(new Uint8Array(encode(codec, message, version))), version);
}

function refuses(write: () => unknown, field: string, code: ErrorCode = ErrorCode.UNSUPPORTED_VERSION): void {
  assert.throws(write, (error) => {
    assert.ok(error instanceof KafkaError);
    assert.equal(error.code, code);
    assert.match(error.message, new RegExp(field));
    return true;
  });
}

test("an ignorable field is dropped by a version without it", () => {
  const request = FetchRequest.create({ rackId: "a" });
  assert.equal(roundTrip(FetchRequest, request, 11).rackId, "a");
  assert.equal(roundTrip(FetchRequest, request, 10).rackId, "");
});

test("any other field that is set is an error in a version without it, which names the field", () => {
  const request = FetchRequest.create({ replicaId: 3 });
  assert.equal(roundTrip(FetchRequest, request, 14).replicaId, 3);
  refuses(() => encode(FetchRequest, request, 15), "FetchRequest.replicaId");
  const replicaState = createFetchRequestReplicaState({ replicaId: 3 });
  refuses(() => encode(FetchRequest, FetchRequest.create({ replicaState }), 14), "FetchRequest.replicaState");
});

test("a struct with default contents counts as not set, whichever object it is", () => {
  const replicaState = createFetchRequestReplicaState();
  assert.deepEqual(
    encode(FetchRequest, FetchRequest.create({ replicaState }), 14),
    encode(FetchRequest, FetchRequest.create(), 14),
  );
});

test("null is an error in a version that does not allow it, and means all topics in one that does", () => {
  const request = MetadataRequest.create({ topics: null });
  assert.equal(roundTrip(MetadataRequest, request, 1).topics, null);
  refuses(() => encode(MetadataRequest, request, 0), "MetadataRequest.topics");
});

test("a version that is not flexible has no room for unknown tagged fields", () => {
  const unknownTaggedFields = [{ tag: 7, bytes: new Uint8Array([1]) }];
  const request = MetadataRequest.create({ unknownTaggedFields });
  assert.deepEqual(roundTrip(MetadataRequest, request, 9).unknownTaggedFields, unknownTaggedFields);
  refuses(() => encode(MetadataRequest, request, 8), "unknownTaggedFields");
});

test("unknown tagged fields must ascend, and keep off the tags that are known", () => {
  const bytes = new Uint8Array(0);
  const twice = MetadataRequest.create({
    unknownTaggedFields: [
      { tag: 7, bytes },
      { tag: 7, bytes },
    ],
  });
  refuses(() => encode(MetadataRequest, twice, 9), "tag 7", ErrorCode.INVALID_REQUEST);
  const known = FetchRequest.create({ unknownTaggedFields: [{ tag: 0, bytes }] });
  refuses(() => encode(FetchRequest, known, 15), "tag 0", ErrorCode.INVALID_REQUEST);
});

test("known and unknown tagged fields are written in order of their tags, without those at their default", () => {
  const request = FetchRequest.create({
    clusterId: "c",
    unknownTaggedFields: [{ tag: 130, bytes: new Uint8Array([9]) }],
  });
  assert.deepEqual(encode(FetchRequest, request, 15).slice(-10), [1, 2, 0, 2, 2, 0x63, 0x82, 1, 1, 9]);
});

test("a text longer than its length can say is refused", () => {
  const longest = RequestHeader.create({ clientId: "x".repeat(0x7fff) });
  assert.equal(roundTrip(RequestHeader, longest, 2).clientId?.length, 0x7fff);
  const header = RequestHeader.create({ clientId: "é".repeat(0x4000) });
  refuses(() => encode(RequestHeader, header, 2), "RequestHeader.clientId", ErrorCode.INVALID_REQUEST);
});

test("a number that does not fit its type is refused", () => {
  refuses(() => encode(MetadataRequest, MetadataRequest.create({ topics: [] }), 14), "14");
  refuses(
    () => encode(RequestHeader, RequestHeader.create({ requestApiKey: 0x8000 }), 1),
    "int16",
    ErrorCode.INVALID_REQUEST,
  );
});

test("a nullable struct among the tagged fields has a mark of its own, and begins empty", () => {
  const empty = encode(ConsumerGroupMemberMetadataValue, ConsumerGroupMemberMetadataValue.create(), 0);
  assert.equal(empty.at(-1), 0, "its default is an empty struct, which is not written");
  const absent = ConsumerGroupMemberMetadataValue.create({ classicMemberMetadata: null });
  assert.deepEqual(encode(ConsumerGroupMemberMetadataValue, absent, 0).slice(-4), [1, 0, 1, 0]);
  const present = ConsumerGroupMemberMetadataValue.create({
    classicMemberMetadata: { sessionTimeoutMs: 5, supportedProtocols: [] },
  });
  assert.deepEqual(encode(ConsumerGroupMemberMetadataValue, present, 0).slice(-10), [1, 0, 7, 1, 0, 0, 0, 5, 1, 0]);
  for (const message of [absent, present]) {
    assert.equal(
      roundTrip(ConsumerGroupMemberMetadataValue, message, 0).classicMemberMetadata?.sessionTimeoutMs,
      message.classicMemberMetadata?.sessionTimeoutMs,
    );
  }
});

test("a field that is only ever tagged does not exist before its version is flexible", () => {
  const value = TransactionLogValue.create({ previousProducerId: 4 });
  assert.equal(roundTrip(TransactionLogValue, value, 1).previousProducerId, 4);
  refuses(() => encode(TransactionLogValue, value, 0), "previousProducerId");
});

test("a hash keeps all its bits", () => {
  const value = ConsumerGroupMetadataValue.create({ epoch: 1, metadataHash: -0x7edc_ba98_7654_3211n });
  assert.equal(roundTrip(ConsumerGroupMetadataValue, value, 0).metadataHash, -0x7edc_ba98_7654_3211n);
});

test("fields that a version does not have are read as their defaults", () => {
  const partition = createFetchRequestFetchPartition({ fetchOffset: 5 });
  const topics = [createFetchRequestFetchTopic({ topic: "t", partitions: [partition] })];
  const request = roundTrip(FetchRequest, FetchRequest.create({ topics }), 4);
  const [topic] = request.topics;
  assert.equal(topic?.topicId, ZERO_UUID);
  assert.equal(topic?.partitions[0]?.highWatermark, INT64_MAX);
  assert.equal(topic?.partitions[0]?.fetchOffset, 5);
  assert.equal(request.sessionEpoch, -1);
});

test("byte fields are views of what was read", () => {
  const records = new Uint8Array([1, 2, 3]);
  const topicId = uuidFromBytes(new Uint8Array(16).fill(1));
  const response = FetchResponse.create({
    responses: [{ topic: "", topicId, partitions: [createFetchResponsePartitionData({ records })] }],
  });
  const bytes = new Uint8Array(encode(FetchResponse, response, 17));
  const found = FetchResponse.read(new ByteReader(bytes), 17).responses[0]?.partitions[0]?.records;
  assert.deepEqual(found, records);
  assert.equal(found?.buffer, bytes.buffer);
});
