import type { KafkaError } from "@samsa/base";
import { ErrorCode, refusal, ZERO_UUID } from "@samsa/base";
import type { MetadataRecord, TopicImage } from "@samsa/metadata";
import { metadataRecord } from "@samsa/metadata";
import type {
  DeleteTopicsRequest,
  DeleteTopicsRequestDeleteTopicState as DeleteTopicState,
} from "@samsa/protocol/messages/delete-topics-request";
import type { DeleteTopicsResponseDeletableTopicResult as DeletableTopicResult } from "@samsa/protocol/messages/delete-topics-response";
import {
  createDeleteTopicsResponseDeletableTopicResult as createResult,
  DeleteTopicsResponse,
} from "@samsa/protocol/messages/delete-topics-response";
import {
  apiErrorOf,
  NO_ERROR,
  TOPIC_DELETION_DISABLED_MESSAGE,
  UNKNOWN_TOPIC_ID_MESSAGE,
  UNKNOWN_TOPIC_OR_PARTITION_MESSAGE,
} from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

/** Deletes topics by name, or by id (v6 and later). Their configurations go with them, without records. */
export function deleteTopics(
  context: ControllerContext,
  request: DeleteTopicsRequest,
): ControllerResult<DeleteTopicsResponse> {
  const asked: readonly DeleteTopicState[] = [
    ...request.topics,
    ...request.topicNames.map((name) => ({ name, topicId: ZERO_UUID })),
  ];
  const names = counts(asked.map(({ name }) => name));
  const ids = counts(asked.map(({ topicId }) => topicId));
  const records: MetadataRecord[] = [];
  const responses: DeletableTopicResult[] = [];
  // What stands twice is refused, and answered once.
  for (const state of new Map(asked.map((one) => [`${one.topicId}/${one.name}`, one])).values()) {
    try {
      if (state.name !== null && (names.get(state.name) ?? 0) > 1) throw invalidRequest("Duplicate topic name.");
      if (state.topicId !== ZERO_UUID && (ids.get(state.topicId) ?? 0) > 1) throw invalidRequest("Duplicate topic id.");
      const topic = findTopic(context, state);
      const { id: topicId, name } = topic;
      const isNamedTwice = names.get(name) === 1 && ids.get(topicId) === 1; // by its name, and elsewhere by its id
      if (!isNamedTwice) {
        context.applyPartitionChangeQuota?.(topic.partitions.size);
        records.push(metadataRecord("RemoveTopicRecord", { topicId }));
        responses.push(createResult({ name, topicId, ...NO_ERROR }));
      } else if (state.name !== null) {
        const refusal = invalidRequest("The provided topic name maps to an ID that was already supplied.");
        responses.push(createResult({ name, topicId, ...apiErrorOf(refusal) }));
      }
    } catch (error) {
      responses.push(createResult({ ...state, ...apiErrorOf(error) }));
    }
  }
  return { records, response: DeleteTopicsResponse.create({ responses }) };
}

/** @throws KafkaError */
function findTopic({ image, config }: ControllerContext, { name, topicId }: DeleteTopicState): TopicImage {
  const hasId = topicId !== ZERO_UUID;
  if (!config.boolean("delete.topic.enable")) {
    throw refusal(ErrorCode.TOPIC_DELETION_DISABLED, TOPIC_DELETION_DISABLED_MESSAGE);
  }
  if (name === null && !hasId) throw invalidRequest("Neither topic name nor id were specified.");
  if (name !== null && hasId) throw invalidRequest("You may not specify both topic name and topic id.");
  const topic = name === null ? image.topics.byId.get(topicId) : image.topics.byName.get(name);
  if (topic !== undefined) return topic;
  throw hasId
    ? refusal(ErrorCode.UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_ID_MESSAGE)
    : refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_OR_PARTITION_MESSAGE);
}

function counts<T>(values: readonly T[]): ReadonlyMap<T, number> {
  const found = new Map<T, number>();
  for (const value of values) found.set(value, (found.get(value) ?? 0) + 1);
  return found;
}

function invalidRequest(message: string): KafkaError {
  return refusal(ErrorCode.INVALID_REQUEST, message);
}
