import { ErrorCode, ZERO_UUID } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { incrementSequence, RecordBatch } from "@samsa/protocol";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import {
  createCreateTopicsResponseCreatableTopicResult,
  CreateTopicsResponse,
} from "@samsa/protocol/messages/create-topics-response";
import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import {
  createDeleteTopicsResponseDeletableTopicResult,
  DeleteTopicsResponse,
} from "@samsa/protocol/messages/delete-topics-response";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { createFetchResponsePartitionData, FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { GetTelemetrySubscriptionsRequest } from "@samsa/protocol/messages/get-telemetry-subscriptions-request";
import { GetTelemetrySubscriptionsResponse } from "@samsa/protocol/messages/get-telemetry-subscriptions-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { ListOffsetsRequest } from "@samsa/protocol/messages/list-offsets-request";
import {
  createListOffsetsResponseListOffsetsPartitionResponse,
  ListOffsetsResponse,
} from "@samsa/protocol/messages/list-offsets-response";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import {
  createMetadataResponsePartition,
  createMetadataResponseTopic,
  MetadataResponse,
} from "@samsa/protocol/messages/metadata-response";
import { OffsetForLeaderEpochRequest } from "@samsa/protocol/messages/offset-for-leader-epoch-request";
import {
  createOffsetForLeaderEpochResponseEpochEndOffset,
  OffsetForLeaderEpochResponse,
} from "@samsa/protocol/messages/offset-for-leader-epoch-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import {
  createProduceResponsePartitionProduceResponse,
  ProduceResponse,
} from "@samsa/protocol/messages/produce-response";
import { PushTelemetryRequest } from "@samsa/protocol/messages/push-telemetry-request";
import { PushTelemetryResponse } from "@samsa/protocol/messages/push-telemetry-response";
import { SaslAuthenticateRequest } from "@samsa/protocol/messages/sasl-authenticate-request";
import { SaslAuthenticateResponse } from "@samsa/protocol/messages/sasl-authenticate-response";
import { SaslHandshakeRequest } from "@samsa/protocol/messages/sasl-handshake-request";
import { SaslHandshakeResponse } from "@samsa/protocol/messages/sasl-handshake-response";
import type { FakeApi, FakeCluster, FakePartition } from "./fake-cluster.ts";
import { GROUP_APIS } from "./fake-group-apis.ts";
import { TRANSACTION_APIS } from "./fake-transaction-apis.ts";

/** As a highest version: the broker does not have the API. */
export const NOT_SERVED = -1;

/** The APIs a client of this package uses, as the shortest broker that keeps their promises. */
export const FAKE_APIS: ReadonlyMap<number, FakeApi> = new Map(
  [
    fakeApi(ApiVersionsRequest, ApiVersionsResponse, answerApiVersions),
    fakeApi(SaslHandshakeRequest, SaslHandshakeResponse, () => SaslHandshakeResponse.create()),
    fakeApi(SaslAuthenticateRequest, SaslAuthenticateResponse, () => SaslAuthenticateResponse.create()),
    fakeApi(MetadataRequest, MetadataResponse, answerMetadata),
    fakeApi(InitProducerIdRequest, InitProducerIdResponse, answerInitProducerId),
    fakeApi(ProduceRequest, ProduceResponse, answerProduce),
    fakeApi(FetchRequest, FetchResponse, answerFetch),
    fakeApi(ListOffsetsRequest, ListOffsetsResponse, answerListOffsets),
    fakeApi(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, answerOffsetForLeaderEpoch),
    fakeApi(GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse, () =>
      GetTelemetrySubscriptionsResponse.create(),
    ),
    fakeApi(PushTelemetryRequest, PushTelemetryResponse, () => PushTelemetryResponse.create()),
    ...GROUP_APIS,
    ...TRANSACTION_APIS,
    fakeApi(CreateTopicsRequest, CreateTopicsResponse, answerCreateTopics),
    fakeApi(DeleteTopicsRequest, DeleteTopicsResponse, answerDeleteTopics),
  ].map((api) => [api.request.apiKey, api]),
);

export function fakeApi<Req, Res>(
  request: ApiMessageCodec<Req>,
  response: ApiMessageCodec<Res>,
  answer: (cluster: FakeCluster, request: Req, version: number, nodeId: number) => Res | undefined | Promise<Res>,
): FakeApi {
  return { request, response, answer } as unknown as FakeApi;
}

function answerApiVersions(cluster: FakeCluster): ApiVersionsResponse {
  const all = Array.from(FAKE_APIS.values(), ({ request: { apiKey, lowestVersion, highestVersion } }) => ({
    apiKey,
    minVersion: lowestVersion,
    maxVersion: cluster.highestVersions.get(apiKey) ?? highestVersion,
  }));
  const apiKeys = all.filter(({ maxVersion }) => maxVersion !== NOT_SERVED);
  const { version } = cluster.transactions;
  const finalizedFeatures =
    version > 0 ? [{ name: "transaction.version", maxVersionLevel: version, minVersionLevel: version }] : [];
  return ApiVersionsResponse.create({ apiKeys, finalizedFeatures, finalizedFeaturesEpoch: 1 });
}

function answerMetadata(cluster: FakeCluster, request: MetadataRequest): MetadataResponse {
  const names =
    request.topics === null
      ? [...cluster.topics.keys()]
      : request.topics.map(({ name, topicId }) => name ?? cluster.topicName(topicId) ?? "");
  return MetadataResponse.create({
    brokers: cluster.brokers,
    clusterId: "fake",
    controllerId: cluster.controllerId,
    topics: names.map((name) => {
      const topic = cluster.topics.get(name);
      if (topic === undefined) {
        return createMetadataResponseTopic({ name, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
      }
      return createMetadataResponseTopic({
        name,
        topicId: topic.topicId,
        isInternal: name.startsWith("__"),
        partitions: topic.partitions.map(({ leaderId, leaderEpoch }, partitionIndex) =>
          createMetadataResponsePartition({ partitionIndex, leaderId, leaderEpoch, replicaNodes: [1], isrNodes: [1] }),
        ),
      });
    }),
  });
}

function answerProduce(
  cluster: FakeCluster,
  request: ProduceRequest,
  version: number,
  nodeId: number,
): ProduceResponse | undefined {
  const responses = request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index, records }) => {
      const topic = version >= 13 ? cluster.topicName(topicId) : name;
      const partition = cluster.topics.get(topic ?? "")?.partitions[index];
      if (partition === undefined || records === null) {
        const errorCode = version >= 13 ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
        return createProduceResponsePartitionProduceResponse({ index, errorCode });
      }
      if (partition.leaderId !== nodeId) {
        const { leaderId, leaderEpoch } = partition;
        return createProduceResponsePartitionProduceResponse({
          index,
          errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER,
          currentLeader: { leaderId, leaderEpoch },
        });
      }
      const { logStartOffset } = partition;
      const place = `${topic}/${index}`;
      const { transactionalId } = request;
      const errorCode = cluster.transactions.verify(transactionalId, records, place, version);
      if (errorCode !== ErrorCode.NONE) return createProduceResponsePartitionProduceResponse({ index, errorCode });
      const appended = appendOnce(partition, records);
      if (transactionalId !== null) cluster.transactions.appended(transactionalId, place, appended.baseOffset ?? -1);
      return createProduceResponsePartitionProduceResponse({ index, logStartOffset, ...appended });
    }),
  }));
  cluster.appended();
  if (request.acks === 0) return undefined;
  return ProduceResponse.create({ responses, nodeEndpoints: version >= 10 ? cluster.brokers : [] });
}

function answerInitProducerId(cluster: FakeCluster, request: InitProducerIdRequest): InitProducerIdResponse {
  const { transactionalId } = request;
  if (transactionalId !== null) {
    const found = cluster.transactions.init(transactionalId, request);
    if (typeof found === "number") return InitProducerIdResponse.create({ errorCode: found });
    return InitProducerIdResponse.create({ producerId: found.producerId, producerEpoch: found.producerEpoch });
  }
  return InitProducerIdResponse.create({ producerId: cluster.nextProducerId++, producerEpoch: 0 });
}

/** A broker remembers so many batches of each producer, to know them when they come again. */
const REMEMBERED_BATCHES = 5;

/** Takes what an idempotent producer sends once, and only in its order, as `ProducerStateManager` does. */
function appendOnce(partition: FakePartition, records: Uint8Array): { errorCode?: ErrorCode; baseOffset?: number } {
  const { producerId, producerEpoch, baseSequence, lastSequence } = new RecordBatch(records);
  if (producerId < 0) return { baseOffset: appendTo(partition, records) };
  let known = partition.producers.get(producerId);
  if (known !== undefined && producerEpoch < known.epoch) return { errorCode: ErrorCode.INVALID_PRODUCER_EPOCH };
  if (known === undefined || producerEpoch > known.epoch) {
    if (known !== undefined && baseSequence !== 0) return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER };
    if (known === undefined && baseSequence !== 0 && partition.forgetsProducers) {
      return { errorCode: ErrorCode.UNKNOWN_PRODUCER_ID };
    }
    known = { epoch: producerEpoch, batches: [] };
    partition.producers.set(producerId, known);
  }
  if (partition.forgetsBatches) known.batches.splice(0, known.batches.length - 1);
  const again = known.batches.find((batch) => batch.first === baseSequence && batch.last === lastSequence);
  if (again !== undefined) return { baseOffset: again.baseOffset };
  const last = known.batches.at(-1)?.last;
  if (last !== undefined && baseSequence !== incrementSequence(last, 1)) {
    const isOld = last >= lastSequence && !partition.forgetsBatches;
    return { errorCode: isOld ? ErrorCode.DUPLICATE_SEQUENCE_NUMBER : ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER };
  }
  const baseOffset = appendTo(partition, records);
  known.batches.push({ first: baseSequence, last: lastSequence, baseOffset });
  if (known.batches.length > REMEMBERED_BATCHES) known.batches.shift();
  return { baseOffset };
}

/** Writes a batch as a leader does. @returns its base offset */
export function appendTo(partition: FakePartition, records: Uint8Array): number {
  const batch = new RecordBatch(records.slice());
  batch.ensureValid();
  const baseOffset = partition.endOffset;
  batch.setLastOffset(baseOffset + batch.lastOffsetDelta);
  batch.setPartitionLeaderEpoch(partition.leaderEpoch);
  partition.batches.push(batch.bytes);
  partition.endOffset = batch.nextOffset;
  return baseOffset;
}

async function answerFetch(
  cluster: FakeCluster,
  request: FetchRequest,
  version: number,
  nodeId: number,
): Promise<FetchResponse> {
  let isLast = false;
  for (;;) {
    const responses = request.topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition: partitionIndex, fetchOffset, partitionMaxBytes }) => {
        const name = version >= 13 ? cluster.topicName(topicId) : topic;
        const partition = cluster.topics.get(name ?? "")?.partitions[partitionIndex];
        if (partition === undefined) {
          return createFetchResponsePartitionData({ partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_ID });
        }
        const { leaderId, leaderEpoch } = partition;
        if (leaderId !== nodeId) {
          const errorCode = ErrorCode.NOT_LEADER_OR_FOLLOWER;
          return createFetchResponsePartitionData({
            partitionIndex,
            errorCode,
            currentLeader: { leaderId, leaderEpoch },
          });
        }
        if (fetchOffset < partition.logStartOffset || fetchOffset > partition.endOffset) {
          return createFetchResponsePartitionData({ partitionIndex, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
        }
        const lastStableOffset = partition.lastStableOffset ?? partition.endOffset;
        const limit = request.isolationLevel === 1 ? lastStableOffset : partition.endOffset;
        return createFetchResponsePartitionData({
          partitionIndex,
          highWatermark: partition.endOffset,
          lastStableOffset,
          logStartOffset: partition.logStartOffset,
          // Those that the range touches, as a broker's index of aborted transactions has it.
          abortedTransactions:
            request.isolationLevel === 1
              ? partition.aborted.filter(({ lastOffset }) => lastOffset >= fetchOffset)
              : null,
          records: readFrom(partition, fetchOffset, limit, partitionMaxBytes),
        });
      }),
    }));
    const isWorthAnswering = responses.some(({ partitions }) =>
      partitions.some(({ errorCode, records }) => errorCode !== 0 || (records?.length ?? 0) > 0),
    );
    if (isWorthAnswering || isLast)
      return FetchResponse.create({ responses, nodeEndpoints: version >= 16 ? cluster.brokers : [] });
    await cluster.appendOrAfter(request.maxWaitMs);
    isLast = true;
  }
}

/** Whole batches from the one that holds the offset; the first whatever its size. */
function readFrom(partition: FakePartition, fetchOffset: number, limit: number, maxBytes: number): Uint8Array {
  const chosen: Uint8Array[] = [];
  let bytes = 0;
  for (const batch of partition.batches) {
    const { baseOffset, nextOffset } = new RecordBatch(batch);
    if (nextOffset <= fetchOffset || baseOffset >= limit) continue;
    if (bytes > 0 && bytes + batch.length > maxBytes) break;
    chosen.push(batch);
    bytes += batch.length;
  }
  return Buffer.concat(chosen);
}

function answerListOffsets(
  cluster: FakeCluster,
  request: ListOffsetsRequest,
  _version: number,
  nodeId: number,
): ListOffsetsResponse {
  return ListOffsetsResponse.create({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, timestamp }) => {
        const partition = cluster.topics.get(name)?.partitions[partitionIndex];
        if (partition === undefined || partition.leaderId !== nodeId) {
          const errorCode = ErrorCode.NOT_LEADER_OR_FOLLOWER;
          return createListOffsetsResponseListOffsetsPartitionResponse({ partitionIndex, errorCode });
        }
        const end =
          request.isolationLevel === 1 ? (partition.lastStableOffset ?? partition.endOffset) : partition.endOffset;
        const offset =
          timestamp === -1 ? end : timestamp === -2 ? partition.logStartOffset : firstAtOrAfter(partition, timestamp);
        return createListOffsetsResponseListOffsetsPartitionResponse({
          partitionIndex,
          offset,
          timestamp: -1,
          leaderEpoch: 1,
        });
      }),
    })),
  });
}

function answerOffsetForLeaderEpoch(
  cluster: FakeCluster,
  request: OffsetForLeaderEpochRequest,
): OffsetForLeaderEpochResponse {
  return OffsetForLeaderEpochResponse.create({
    topics: request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, leaderEpoch }) =>
        createOffsetForLeaderEpochResponseEpochEndOffset({
          partition,
          ...epochEnd(cluster.partition(topic, partition), leaderEpoch),
        }),
      ),
    })),
  });
}

/** Where the largest epoch at or below the one asked for ends. */
export function epochEnd(partition: FakePartition, epoch: number): { leaderEpoch: number; endOffset: number } {
  let found = -1;
  for (const bytes of partition.batches) {
    const { partitionLeaderEpoch, baseOffset } = new RecordBatch(bytes);
    if (partitionLeaderEpoch > epoch) return { leaderEpoch: found < 0 ? epoch : found, endOffset: baseOffset };
    found = partitionLeaderEpoch;
  }
  return { leaderEpoch: epoch === partition.leaderEpoch ? epoch : found, endOffset: partition.endOffset };
}

function firstAtOrAfter(partition: FakePartition, timestamp: number): number {
  for (const bytes of partition.batches) {
    for (const record of new RecordBatch(bytes).records()) if (record.timestamp >= timestamp) return record.offset;
  }
  return -1;
}

function answerCreateTopics(cluster: FakeCluster, request: CreateTopicsRequest): CreateTopicsResponse {
  return CreateTopicsResponse.create({
    topics: request.topics.map(({ name, numPartitions, replicationFactor }) => {
      const exists = cluster.topics.has(name);
      if (exists)
        return createCreateTopicsResponseCreatableTopicResult({ name, errorCode: ErrorCode.TOPIC_ALREADY_EXISTS });
      const partitions = numPartitions < 0 ? 1 : numPartitions;
      const { topicId } = cluster.createTopic(
        name,
        Array.from({ length: partitions }, () => 1),
      );
      return createCreateTopicsResponseCreatableTopicResult({
        name,
        topicId,
        numPartitions: partitions,
        replicationFactor: Math.abs(replicationFactor),
      });
    }),
  });
}

function answerDeleteTopics(cluster: FakeCluster, request: DeleteTopicsRequest): DeleteTopicsResponse {
  const names = [...request.topicNames, ...request.topics.map(({ name }) => name ?? "")];
  return DeleteTopicsResponse.create({
    responses: names.map((name) => {
      const errorCode = cluster.topics.delete(name) ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      return createDeleteTopicsResponseDeletableTopicResult({ name, topicId: ZERO_UUID, errorCode });
    }),
  });
}
