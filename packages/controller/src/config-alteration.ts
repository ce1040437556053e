import { ErrorCode, KafkaError } from "@samsa/base";
import type { MetadataRecord } from "@samsa/metadata";
import {
  brokerConfigDefinition,
  ConfigResourceType,
  DYNAMIC_BROKER_CONFIG_NAMES,
  EffectiveBrokerConfig,
  InvalidConfigError,
  metadataRecord,
  parseConfigValue,
  PER_BROKER_CONFIG_NAMES,
  TOPIC_CONFIGS,
  validateTopicConfigs,
} from "@samsa/metadata";
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsRequestAlterableConfig as AlterableConfig,
  IncrementalAlterConfigsRequestAlterConfigsResource as AlterConfigsResource,
} from "@samsa/protocol/messages/incremental-alter-configs-request";
import {
  createIncrementalAlterConfigsResponseAlterConfigsResourceResponse as createResult,
  IncrementalAlterConfigsResponse,
} from "@samsa/protocol/messages/incremental-alter-configs-response";
import { apiErrorOf, NO_ERROR } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

const Operation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;
const MIN_INSYNC_REPLICAS = "min.insync.replicas";

/** Changes single entries of the configurations of topics and brokers (KIP-339). A resource changes as a whole or not at all. */
export function incrementalAlterConfigs(
  context: ControllerContext,
  request: IncrementalAlterConfigsRequest,
): ControllerResult<IncrementalAlterConfigsResponse> {
  const records: MetadataRecord[] = [];
  const seen = new Set<string>();
  const responses = request.resources.map((resource) => {
    const { resourceType, resourceName } = resource;
    const key = `${resourceType}:${resourceName}`;
    try {
      if (seen.has(key)) throw invalidRequest("Each resource must appear at most once.");
      seen.add(key);
      const changed = alterResource(context, resource);
      if (!request.validateOnly) records.push(...changed);
      return createResult({ resourceType, resourceName, ...NO_ERROR });
    } catch (error) {
      return createResult({ resourceType, resourceName, ...apiErrorOf(error) });
    }
  });
  return { records, response: IncrementalAlterConfigsResponse.create({ responses }) };
}

/** @throws KafkaError for each reason not to change it */
function alterResource(context: ControllerContext, resource: AlterConfigsResource): MetadataRecord[] {
  const { resourceType, resourceName, configs } = resource;
  checkOperations(configs);
  const current = context.image.configs.configFor(resourceType, resourceName);
  switch (resourceType) {
    case ConfigResourceType.TOPIC: {
      const next = applyOperations(configs, current, topicListDefault);
      checkTopic(context, resourceName, next);
      return configRecords(context, resource, current, next);
    }
    case ConfigResourceType.BROKER: {
      const next = applyOperations(configs, current, brokerListDefault);
      checkBroker(context, resource, next);
      return configRecords(context, resource, current, next);
    }
    default:
      throw invalidRequest(`Unexpected resource type ${resourceType}.`);
  }
}

function checkOperations(configs: readonly AlterableConfig[]): void {
  const names = new Set(configs.map(({ name }) => name));
  if (names.size !== configs.length) throw invalidRequest("Error due to duplicate config keys");
  const missing = configs.filter(
    ({ configOperation, value }) => configOperation !== Operation.DELETE && value === null,
  );
  if (missing.length > 0) {
    throw invalidRequest(`Null value not supported for : ${missing.map(({ name }) => name).join(", ")}`);
  }
}

function applyOperations(
  configs: readonly AlterableConfig[],
  current: ReadonlyMap<string, string>,
  listDefault: (name: string) => readonly string[] | undefined,
): Map<string, string> {
  const next = new Map(current);
  for (const { name, configOperation, value } of configs) {
    switch (configOperation) {
      case Operation.SET:
        next.set(name, value ?? "");
        break;
      case Operation.DELETE:
        next.delete(name);
        break;
      case Operation.APPEND:
      case Operation.SUBTRACT: {
        const verb = configOperation === Operation.APPEND ? "APPEND" : "SUBTRACT";
        const fallback = listDefault(name);
        if (fallback === undefined) {
          throw new InvalidConfigError(`Can't ${verb} to key ${name} because its type is not LIST.`);
        }
        const text = current.get(name);
        const before = text === undefined ? fallback : elements(text);
        const named = elements(value ?? "");
        const after =
          verb === "APPEND"
            ? [...before, ...named.filter((element) => !before.includes(element))]
            : before.filter((element) => !named.includes(element));
        next.set(name, after.join(","));
        break;
      }
      default:
        throw invalidRequest(`Unknown operation type ${configOperation}`);
    }
  }
  return next;
}

function checkTopic(context: ControllerContext, name: string, next: ReadonlyMap<string, string>): void {
  if (!context.image.topics.byName.has(name)) {
    throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${name}' does not exist.`);
  }
  validateTopicConfigs(next, new EffectiveBrokerConfig(context.image.configs, context.config));
}

function checkBroker(
  { image, config }: ControllerContext,
  { resourceName, configs }: AlterConfigsResource,
  next: ReadonlyMap<string, string>,
): void {
  const isDefault = resourceName === "";
  const nodeId = String(config.value("node.id"));
  if (!isDefault && !/^\d+$/.test(resourceName)) {
    throw invalidRequest(`Node id must be an integer, but it is: ${resourceName}`);
  }
  if (!isDefault && !image.cluster.brokers.has(Number(resourceName))) {
    throw invalidRequest(`Unexpected broker id, expected ${nodeId} or empty string, but received ${resourceName}`);
  }
  const names = configs.map(({ name }) => name);
  const fixed = names.filter(
    (name) => brokerConfigDefinition(name) !== undefined && !DYNAMIC_BROKER_CONFIG_NAMES.has(name),
  );
  if (fixed.length > 0) throw invalidRequest(`Cannot update these configs dynamically: [${fixed.join(", ")}]`);
  const perBroker = isDefault ? names.filter((name) => PER_BROKER_CONFIG_NAMES.has(name)) : [];
  if (perBroker.length > 0) {
    throw invalidRequest(
      `Cannot update these configs at default cluster level, broker id must be specified: [${perBroker.join(", ")}]`,
    );
  }
  for (const [name, text] of next) {
    const definition = brokerConfigDefinition(name);
    try {
      if (definition !== undefined) parseConfigValue(definition, text);
    } catch (error) {
      // Kafka's brokers refuse their own values with another code than the controller refuses those of topics.
      throw error instanceof InvalidConfigError ? invalidRequest(error.message) : error;
    }
  }
  if (!names.includes(MIN_INSYNC_REPLICAS) || !image.features.isElrEnabled) return;
  if (!isDefault) {
    throw new InvalidConfigError("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
  }
  if (!next.has(MIN_INSYNC_REPLICAS)) {
    throw new InvalidConfigError("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
  }
}

function configRecords(
  context: ControllerContext,
  { resourceType, resourceName, configs }: AlterConfigsResource,
  current: ReadonlyMap<string, string>,
  next: ReadonlyMap<string, string>,
): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  for (const { name, configOperation } of configs) {
    const value = next.get(name) ?? null;
    // A broker's value counts when it is set again: that is how it is told to read a changed file behind it.
    const isSetAgain = resourceType === ConfigResourceType.BROKER && configOperation === Operation.SET;
    if (!isSetAgain && (current.get(name) ?? null) === value) continue;
    records.push(metadataRecord("ConfigRecord", { resourceType, resourceName, name, value }));
    if (name !== MIN_INSYNC_REPLICAS || !context.image.features.isElrEnabled) continue;
    // The eligible replicas were found under another least ISR.
    const topicName = resourceType === ConfigResourceType.TOPIC ? resourceName : "";
    records.push(metadataRecord("ClearElrRecord", { topicName }));
  }
  return records;
}

function topicListDefault(name: string): readonly string[] | undefined {
  const definition = TOPIC_CONFIGS.get(name);
  return definition?.type === "list" ? ((definition.defaultValue ?? []) as readonly string[]) : undefined;
}

function brokerListDefault(name: string): readonly string[] | undefined {
  const definition = brokerConfigDefinition(name);
  return definition?.type === "list" ? ((definition.defaultValue ?? []) as readonly string[]) : undefined;
}

function elements(text: string): readonly string[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : trimmed.split(/\s*,\s*/);
}

function invalidRequest(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message);
}
