import type { Uuid } from "@samsa/base";
import type { TopicImage } from "@samsa/metadata";
import type { BrokerServices } from "./broker-services.ts";
import type { MetadataCache } from "./metadata-cache.ts";

/**
 * The topic that a request names, by id from `firstIdVersion` of the API on and by name before (KIP-516).
 * @throws KafkaError UNKNOWN_TOPIC_ID
 */
export function requestedTopicName(
  request: { readonly name: string; readonly topicId: Uuid },
  apiVersion: number,
  firstIdVersion: number,
  services: BrokerServices,
): string {
  return apiVersion >= firstIdVersion ? services.metadata.topicById(request.topicId).name : request.name;
}

/** The topic of a request that may name one we do not have. */
export function findTopic(
  { image }: MetadataCache,
  { name, topicId }: { readonly name: string; readonly topicId: Uuid },
  isById: boolean,
): TopicImage | undefined {
  return isById ? image.topics.byId.get(topicId) : image.topics.byName.get(name);
}
