import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import type { TopicImage } from "@samsa/metadata";
import { isInternalTopic } from "@samsa/metadata";
import { topicNameProblem } from "@samsa/protocol";
import type { MetadataRequestTopic } from "@samsa/protocol/messages/metadata-request";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import type { MetadataResponseTopic } from "@samsa/protocol/messages/metadata-response";
import { createMetadataResponseTopic, MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import type { ApiHandler } from "../api-handler.ts";
import { ALL_CLUSTER_OPERATIONS, ALL_TOPIC_OPERATIONS, NO_AUTHORIZED_OPERATIONS } from "../authorized-operations.ts";
import type { BrokerServices } from "../broker-services.ts";
import { replicaStatus } from "../replica-status.ts";
import type { RequestContext } from "../request-context.ts";

const FIRST_VERSION_ASKED_BY_ID = 12;

/**
 * Metadata 0-13. v1 takes null for "all topics" where v0 takes an empty list; v4 says whether topics may be made; v8 to v10
 * ask for authorized operations; v10 brings topic ids and v12 asks by them (KIP-516); v13 a top-level error (KIP-1102).
 *
 * A topic that is made on the way is answered at once with its leader. Kafka answers UNKNOWN_TOPIC_OR_PARTITION and lets the
 * client ask again. Internal topics are not made here: they are made by the coordinator they belong to, in its own shape.
 *
 * A topic that is asked for twice is answered once, which also bounds the answer by what there is.
 */
export const metadata: ApiHandler<MetadataRequest, MetadataResponse> = {
  request: MetadataRequest,
  response: MetadataResponse,

  handle(request, context, services) {
    const wanted = request.topics;
    const wantsAll = wanted === null || (context.apiVersion === 0 && wanted.length === 0);
    if (wantsAll) return answer(request, context, services, [...services.metadata.image.topics.byName.values()], []);

    const isByNameOnly = wanted.every(({ name, topicId }) => name !== null && topicId === ZERO_UUID);
    if (context.apiVersion < FIRST_VERSION_ASKED_BY_ID && !isByNameOnly) {
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `Metadata ${context.apiVersion} asks by name`);
    }
    const mayCreate = request.allowAutoTopicCreation && services.autoTopicCreation.isEnabled;
    const missing = mayCreate ? topicsToCreate(wanted, services) : [];
    if (missing.length === 0) return answerWanted(wanted, request, context, services, new Map());
    const quota = services.quotas.controllerMutation.newQuota(context, true);
    return services.autoTopicCreation
      .createTopics(missing, quota.record)
      .then((created) => answerWanted(wanted, request, context, services, created));
  },

  refuse: (request, errorCode) =>
    MetadataResponse.create({
      errorCode,
      topics: (request.topics ?? []).map(({ name, topicId }) =>
        createMetadataResponseTopic({ errorCode, name: name ?? "", topicId }),
      ),
    }),
};

function topicsToCreate(wanted: readonly MetadataRequestTopic[], { metadata: cache }: BrokerServices): string[] {
  const missing = new Set<string>();
  for (const { name, topicId } of wanted) {
    if (name === null || topicId !== ZERO_UUID || missing.has(name)) continue;
    const mayBe = topicNameProblem(name) === undefined && !isInternalTopic(name);
    if (mayBe && cache.topic(name) === undefined) missing.add(name);
  }
  return [...missing];
}

function answerWanted(
  wanted: readonly MetadataRequestTopic[],
  request: MetadataRequest,
  context: RequestContext,
  services: BrokerServices,
  created: ReadonlyMap<string, ErrorCode>,
): MetadataResponse {
  const found = new Set<TopicImage>();
  const refused = new Map<string | null, MetadataResponseTopic>();
  const refusedIds = new Map<Uuid, MetadataResponseTopic>();
  for (const { name, topicId } of wanted) {
    if (topicId !== ZERO_UUID) {
      const topic = services.metadata.image.topics.byId.get(topicId);
      if (topic === undefined) refusedIds.set(topicId, refusedTopic(ErrorCode.UNKNOWN_TOPIC_ID, null, topicId));
      else found.add(topic);
      continue;
    }
    if (refused.has(name)) continue;
    if (name === null) {
      refused.set(null, refusedTopic(ErrorCode.INVALID_REQUEST, null));
      continue;
    }
    const topic = services.metadata.topic(name);
    if (topic !== undefined) found.add(topic);
    else if (topicNameProblem(name) !== undefined) {
      refused.set(name, refusedTopic(ErrorCode.INVALID_TOPIC_EXCEPTION, name));
    } else {
      const code = created.get(name) ?? ErrorCode.NONE;
      refused.set(name, refusedTopic(code === ErrorCode.NONE ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : code, name));
    }
  }
  return answer(request, context, services, [...found], [...refusedIds.values(), ...refused.values()]);
}

/** Spelled out: a request may name a hundred thousand, and filling in the rest for each takes its time. */
function refusedTopic(errorCode: ErrorCode, name: string | null, topicId = ZERO_UUID): MetadataResponseTopic {
  return {
    errorCode,
    name,
    topicId,
    isInternal: false,
    partitions: NO_PARTITIONS,
    topicAuthorizedOperations: NO_AUTHORIZED_OPERATIONS,
  };
}

const NO_PARTITIONS: MetadataResponseTopic["partitions"] = [];

function answer(
  request: MetadataRequest,
  { apiVersion, listenerName }: RequestContext,
  services: BrokerServices,
  topics: readonly TopicImage[],
  refused: readonly MetadataResponseTopic[],
): MetadataResponse {
  const wantsClusterOperations = apiVersion >= 8 && apiVersion <= 10 && request.includeClusterAuthorizedOperations;
  return MetadataResponse.create({
    brokers: services.metadata
      .brokers(listenerName)
      .map(({ nodeId, host, port, rack }) => ({ nodeId, host, port, rack })),
    clusterId: services.clusterId,
    controllerId: services.nodeId,
    topics: [
      ...refused,
      ...topics.map((topic) => describeTopic(topic, request.includeTopicAuthorizedOperations, services)),
    ],
    clusterAuthorizedOperations: wantsClusterOperations ? ALL_CLUSTER_OPERATIONS : NO_AUTHORIZED_OPERATIONS,
  });
}

function describeTopic(topic: TopicImage, wantsOperations: boolean, services: BrokerServices): MetadataResponseTopic {
  return createMetadataResponseTopic({
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: Array.from(topic.partitions, ([partitionIndex, partition]) => ({
      partitionIndex,
      ...replicaStatus(partition, services.metadata.image.cluster),
    })),
    topicAuthorizedOperations: wantsOperations ? ALL_TOPIC_OPERATIONS : NO_AUTHORIZED_OPERATIONS,
  });
}
