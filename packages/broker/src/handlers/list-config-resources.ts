import { ErrorCode, KafkaError } from "@samsa/base";
import { ConfigResourceType } from "@samsa/metadata";
import { ListConfigResourcesRequest } from "@samsa/protocol/messages/list-config-resources-request";
import { ListConfigResourcesResponse } from "@samsa/protocol/messages/list-config-resources-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

type ListResources = (services: BrokerServices) => Iterable<string>;

const ofConfigs =
  (type: number): ListResources =>
  ({ metadata }) =>
    [...metadata.image.configs.resources()].filter((resource) => resource.type === type).map(({ name }) => name);
const brokers: ListResources = ({ metadata }) => [...metadata.image.cluster.brokers.keys()].map(String);

const RESOURCES: ReadonlyMap<number, ListResources> = new Map([
  [ConfigResourceType.GROUP, ofConfigs(ConfigResourceType.GROUP)],
  [ConfigResourceType.CLIENT_METRICS, ofConfigs(ConfigResourceType.CLIENT_METRICS)],
  [ConfigResourceType.BROKER_LOGGER, brokers],
  [ConfigResourceType.BROKER, brokers],
  [ConfigResourceType.TOPIC, ({ metadata }) => metadata.image.topics.byName.keys()],
]);

/** ListConfigResources 0-1 (KIP-714, KIP-1142). v0 lists client metrics alone. */
export const listConfigResources: ApiHandler<ListConfigResourcesRequest, ListConfigResourcesResponse> = {
  request: ListConfigResourcesRequest,
  response: ListConfigResourcesResponse,

  handle({ resourceTypes }, { apiVersion }, services) {
    const asked = apiVersion === 0 ? [ConfigResourceType.CLIENT_METRICS] : resourceTypes;
    const unknown = asked.filter((type) => !RESOURCES.has(type));
    if (unknown.length > 0) {
      throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `unsupported resource types: ${unknown.join(", ")}`);
    }
    const types =
      asked.length === 0 ? [...RESOURCES.keys()] : [...RESOURCES.keys()].filter((type) => asked.includes(type));
    return ListConfigResourcesResponse.create({
      configResources: types.flatMap((resourceType) =>
        Array.from(RESOURCES.get(resourceType)?.(services) ?? [], (resourceName) => ({ resourceName, resourceType })),
      ),
    });
  },

  refuse: (_request, errorCode) => ListConfigResourcesResponse.create({ errorCode }),
};
