import { ErrorCode, errorCodeOf, refusal } from "@samsa/base";
import type { DescribedConfig } from "@samsa/metadata";
import {
  ConfigResourceType,
  ConfigSource,
  describeBrokerConfigs,
  describeClientMetricsConfigs,
  describeDefaultBrokerConfigs,
  describeGroupConfigs,
  describeTopicConfigs,
  GroupConfig,
} from "@samsa/metadata";
import { validateTopicName } from "@samsa/protocol";
import { DescribeConfigsRequest } from "@samsa/protocol/messages/describe-configs-request";
import type {
  DescribeConfigsResponseDescribeConfigsResourceResult,
  DescribeConfigsResponseDescribeConfigsResult,
} from "@samsa/protocol/messages/describe-configs-response";
import {
  createDescribeConfigsResponseDescribeConfigsResourceResult,
  createDescribeConfigsResponseDescribeConfigsResult,
  DescribeConfigsResponse,
} from "@samsa/protocol/messages/describe-configs-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

type Resource = DescribeConfigsRequest["resources"][number];

/** DescribeConfigs 1-4. v1 answers sources and synonyms (KIP-226); v3 types and documentation (KIP-569); v4 is flexible. */
export const describeConfigs: ApiHandler<DescribeConfigsRequest, DescribeConfigsResponse> = {
  request: DescribeConfigsRequest,
  response: DescribeConfigsResponse,

  handle(request, _context, services) {
    return DescribeConfigsResponse.create({
      results: [...byName(request)].map((resource) => describeResource(resource, request, services)),
    });
  },

  refuse: (request, errorCode, errorMessage) =>
    DescribeConfigsResponse.create({
      results: request.resources.map((resource) => refusedResource(resource, errorCode, errorMessage)),
    }),
};

/** What is named twice is answered once, as it was asked for last: the answer is bounded by what there is. */
function byName({ resources }: DescribeConfigsRequest): Iterable<Resource> {
  return new Map(resources.map((resource) => [`${resource.resourceType}/${resource.resourceName}`, resource])).values();
}

function describeResource(
  resource: Resource,
  { includeSynonyms, includeDocumentation }: DescribeConfigsRequest,
  services: BrokerServices,
): DescribeConfigsResponseDescribeConfigsResult {
  try {
    const configs = configsOf(resource, services);
    return createDescribeConfigsResponseDescribeConfigsResult({
      resourceType: resource.resourceType,
      resourceName: resource.resourceName,
      configs: configs.map((config) => resourceResult(config, includeSynonyms, includeDocumentation)),
    });
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === ErrorCode.UNKNOWN_SERVER_ERROR) {
      services.logger.error({ resource: resource.resourceName, err: error }, "describing configs failed unexpectedly");
    }
    return refusedResource(resource, code, error instanceof Error ? error.message : String(error));
  }
}

function configsOf(
  { resourceType, resourceName, configurationKeys }: Resource,
  { metadata, config, nodeId, loggers }: BrokerServices,
): readonly DescribedConfig[] {
  const { configs } = metadata.image;
  const isFiltered = configurationKeys !== null && configurationKeys.length > 0; // no keys are all keys, as in Kafka
  const names = isFiltered ? new Set(configurationKeys) : undefined;
  switch (resourceType) {
    case ConfigResourceType.TOPIC:
      validateTopicName(resourceName);
      if (metadata.topic(resourceName) === undefined) throw refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
      return describeTopicConfigs(configs, resourceName, config, names);
    case ConfigResourceType.BROKER: {
      if (resourceName === "") return describeDefaultBrokerConfigs(configs, config, names);
      if (resourceName !== String(nodeId)) {
        const message = `Unexpected broker id, expected ${nodeId} or empty string, but received ${resourceName}`;
        throw refusal(ErrorCode.INVALID_REQUEST, message);
      }
      return describeBrokerConfigs(configs, config, names);
    }
    case ConfigResourceType.BROKER_LOGGER: {
      if (resourceName === "") throw refusal(ErrorCode.INVALID_REQUEST, "Broker id must not be empty");
      if (!/^[+-]?\d+$/.test(resourceName)) {
        throw refusal(ErrorCode.INVALID_REQUEST, `Broker id must be an integer, but it is: ${resourceName}`);
      }
      if (Number(resourceName) !== nodeId) {
        const message = `Unexpected broker id, expected ${nodeId} but received ${resourceName}`;
        throw refusal(ErrorCode.INVALID_REQUEST, message);
      }
      return [...loggers.levels()].flatMap(([name, level]) =>
        names?.has(name) === false ? [] : describedLogger(name, level),
      );
    }
    case ConfigResourceType.GROUP:
      if (resourceName === "") throw refusal(ErrorCode.INVALID_REQUEST, "Group name must not be empty");
      return describeGroupConfigs(GroupConfig.resolve(configs, resourceName, config), names);
    case ConfigResourceType.CLIENT_METRICS:
      if (resourceName === "") {
        throw refusal(ErrorCode.INVALID_REQUEST, "Client metrics subscription name must not be empty");
      }
      return describeClientMetricsConfigs(configs.configFor(resourceType, resourceName), names);
    default:
      throw refusal(ErrorCode.INVALID_REQUEST, `Unsupported resource type: ${resourceType}`);
  }
}

/** As Kafka: without a type, and with an empty documentation whether it was asked for or not. */
function describedLogger(name: string, value: string): DescribedConfig {
  const source = ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG;
  const [typeCode, documentation] = [0, ""];
  return { name, value, source, isReadOnly: false, isSensitive: false, typeCode, documentation, synonyms: [] };
}

function resourceResult(
  config: DescribedConfig,
  includeSynonyms: boolean,
  includeDocumentation: boolean,
): DescribeConfigsResponseDescribeConfigsResourceResult {
  return createDescribeConfigsResponseDescribeConfigsResourceResult({
    name: config.name,
    value: config.value,
    readOnly: config.isReadOnly,
    configSource: config.source,
    isSensitive: config.isSensitive,
    synonyms: includeSynonyms ? config.synonyms : [],
    configType: config.typeCode,
    documentation:
      includeDocumentation || config.source === ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG ? config.documentation : null,
  });
}

function refusedResource(
  { resourceType, resourceName }: Resource,
  errorCode: ErrorCode,
  errorMessage: string,
): DescribeConfigsResponseDescribeConfigsResult {
  return createDescribeConfigsResponseDescribeConfigsResult({ resourceType, resourceName, errorCode, errorMessage });
}
