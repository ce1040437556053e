import type { Uuid } from "@samsa/base";
import type { BrokerServices } from "./broker-services.ts";

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
