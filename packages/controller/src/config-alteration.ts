import type { KafkaError } from "@samsa/base";
import { ErrorCode, refusal } from "@samsa/base";
import type { ConfigDefinition, MetadataRecord } from "@samsa/metadata";
import {
  brokerConfigDefinition,
  CLIENT_METRICS_CONFIGS,
  ConfigResourceType,
  DYNAMIC_BROKER_CONFIG_NAMES,
  EffectiveBrokerConfig,
  GROUP_CONFIG_DEFINITIONS,
  InvalidConfigError,
  isPerBrokerConfig,
  isUsableBrokerConfig,
  LISTENER_ONLY_CONFIG_NAMES,
  listenerConfigBase,
  metadataRecord,
  parseConfigValue,
  TOPIC_CONFIGS,
  validateClientMetricsConfigs,
  validateGroupConfigs,
  validateTopicConfigs,
} from "@samsa/metadata";
import type { AlterConfigsRequest } from "@samsa/protocol/messages/alter-configs-request";
import {
  AlterConfigsResponse,
  createAlterConfigsResponseAlterConfigsResourceResponse,
} from "@samsa/protocol/messages/alter-configs-response";
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsRequestAlterableConfig as AlterableConfig,
} from "@samsa/protocol/messages/incremental-alter-configs-request";
import {
  createIncrementalAlterConfigsResponseAlterConfigsResourceResponse as createResult,
  IncrementalAlterConfigsResponse,
} from "@samsa/protocol/messages/incremental-alter-configs-response";
import { apiErrorOf, NO_ERROR, repeatedIn } from "./api-error.ts";
import { checkReconfiguration } from "./broker-reconfiguration.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

const Operation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;
const MIN_INSYNC_REPLICAS = "min.insync.replicas";

/** What a request makes of one resource. */
interface Alteration {
  readonly resourceType: number;
  readonly resourceName: string;
  /** The keys that the request names. */
  readonly names: readonly string[];
  readonly next: ReadonlyMap<string, string>;
  /** Keys that are written although they stay as they are: so a broker is told to read a changed file behind its value. */
  readonly setAgain: ReadonlySet<string>;
}

/** Changes single entries of the configurations of topics and brokers (KIP-339). A resource changes as a whole or not at all. */
export function incrementalAlterConfigs(
  context: ControllerContext,
  request: IncrementalAlterConfigsRequest,
): ControllerResult<IncrementalAlterConfigsResponse> {
  const { records, results } = alterResources(context, request, ({ resourceType, resourceName, configs }) => {
    checkEntries(
      configs.map(({ name, configOperation, value }) => ({
        name,
        isMissing: value === null && configOperation !== Operation.DELETE,
      })),
    );
    const current = context.image.configs.configFor(resourceType, resourceName);
    const set = configs.filter(({ configOperation }) => configOperation === Operation.SET);
    return {
      resourceType,
      resourceName,
      names: configs.map(({ name }) => name),
      next: applyOperations(configs, current, LIST_DEFAULTS.get(resourceType) ?? (() => undefined)),
      setAgain: new Set(set.map(({ name }) => name)),
    };
  });
  return { records, response: IncrementalAlterConfigsResponse.create({ responses: results.map(createResult) }) };
}

/** Replaces all entries of resources: what is not named goes. */
export function alterConfigs(
  context: ControllerContext,
  request: AlterConfigsRequest,
): ControllerResult<AlterConfigsResponse> {
  const { records, results } = alterResources(context, request, ({ resourceType, resourceName, configs }) => {
    checkEntries(configs.map(({ name, value }) => ({ name, isMissing: value === null })));
    const names = configs.map(({ name }) => name);
    const next = new Map(configs.map(({ name, value }) => [name, value ?? ""]));
    return { resourceType, resourceName, names, next, setAgain: new Set(names) };
  });
  const responses = results.map(createAlterConfigsResponseAlterConfigsResourceResponse);
  return { records, response: AlterConfigsResponse.create({ responses }) };
}

type Resource = Pick<Alteration, "resourceType" | "resourceName">;

function alterResources<R extends Resource>(
  context: ControllerContext,
  request: { readonly resources: readonly R[]; readonly validateOnly: boolean },
  alterationOf: (resource: R) => Alteration,
) {
  const records: MetadataRecord[] = [];
  const keyOf = ({ resourceType, resourceName }: Resource) => `${resourceType}:${resourceName}`;
  const repeated = repeatedIn(request.resources.map(keyOf));
  const results = request.resources.map((resource) => {
    const { resourceType, resourceName } = resource;
    try {
      if (repeated.has(keyOf(resource))) throw invalidRequest("Each resource must appear at most once.");
      const alteration = alterationOf(resource);
      check(context, alteration);
      if (!request.validateOnly) records.push(...configRecords(context, alteration));
      return { resourceType, resourceName, ...NO_ERROR };
    } catch (error) {
      return { resourceType, resourceName, ...apiErrorOf(error) };
    }
  });
  return { records, results };
}

/** @throws KafkaError for each reason not to change it */
function check(context: ControllerContext, alteration: Alteration): void {
  switch (alteration.resourceType) {
    case ConfigResourceType.TOPIC:
      return checkTopic(context, alteration);
    case ConfigResourceType.BROKER:
      return checkBroker(context, alteration);
    case ConfigResourceType.GROUP:
      if (alteration.resourceName === "") throw invalidRequest("Default group resources are not allowed.");
      return validateGroupConfigs(alteration.next, new EffectiveBrokerConfig(context.image.configs, context.config));
    case ConfigResourceType.CLIENT_METRICS:
      if (alteration.resourceName === "") throw invalidRequest("Default client metrics resources are not allowed.");
      return validateClientMetricsConfigs(alteration.next);
    default:
      throw invalidRequest(`Unexpected resource type ${alteration.resourceType}.`);
  }
}

function checkEntries(entries: readonly { readonly name: string; readonly isMissing: boolean }[]): void {
  const names = new Set(entries.map(({ name }) => name));
  if (names.size !== entries.length) throw invalidRequest("Error due to duplicate config keys");
  const missing = entries.filter(({ isMissing }) => isMissing);
  if (missing.length > 0) {
    throw invalidRequest(`Null value not supported for : ${missing.map(({ name }) => name).join(", ")}`);
  }
}

function applyOperations(
  configs: readonly AlterableConfig[],
  current: ReadonlyMap<string, string>,
  listDefault: ListDefault,
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

function checkTopic(context: ControllerContext, { resourceName: name, next }: Alteration): void {
  if (name === "") throw invalidRequest("Default topic resources are not allowed.");
  if (!context.image.topics.byName.has(name)) {
    throw refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${name}' does not exist.`);
  }
  validateTopicConfigs(next, new EffectiveBrokerConfig(context.image.configs, context.config));
}

function checkBroker(context: ControllerContext, alteration: Alteration): void {
  const { image, config } = context;
  const { resourceName, names, next } = alteration;
  const isDefault = resourceName === "";
  const nodeId = String(config.value("node.id"));
  if (!isDefault && !/^\d+$/.test(resourceName)) {
    throw invalidRequest(`Node id must be an integer, but it is: ${resourceName}`);
  }
  if (!isDefault && !image.cluster.brokers.has(Number(resourceName))) {
    throw invalidRequest(`Unexpected broker id, expected ${nodeId} or empty string, but received ${resourceName}`);
  }
  // What was written by another version and counts for nothing is no reason to refuse the rest.
  const counting = [...next].filter(([name, text]) => names.includes(name) || isUsableBrokerConfig(name, text));
  const refuse = (why: string, isRefused: (name: string) => boolean): void => {
    const refused = counting.map(([name]) => name).filter(isRefused);
    if (refused.length > 0) throw invalidRequest(`${why}: [${refused.join(", ")}]`);
  };
  refuse(
    "Cannot update these configs dynamically",
    (name) => brokerConfigDefinition(name) !== undefined && !DYNAMIC_BROKER_CONFIG_NAMES.has(name),
  );
  refuse("These security configs can be dynamically updated only per-listener using the listener prefix", (name) =>
    LISTENER_ONLY_CONFIG_NAMES.has(name),
  );
  for (const [name, text] of counting) checkBrokerValue(listenerConfigBase(name) ?? name, text);
  if (isDefault) {
    refuse("Cannot update these configs at default cluster level, broker id must be specified", isPerBrokerConfig);
  }
  if (isDefault || resourceName === nodeId) checkReconfiguration(image.configs, config, { resourceName, next });
  const isSet = image.configs.configFor(ConfigResourceType.BROKER, resourceName).has(MIN_INSYNC_REPLICAS);
  const isAltered = names.includes(MIN_INSYNC_REPLICAS) || (isSet && !next.has(MIN_INSYNC_REPLICAS));
  if (!isAltered || !image.features.isElrEnabled) return;
  if (!isDefault) {
    throw new InvalidConfigError("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
  }
  if (!next.has(MIN_INSYNC_REPLICAS)) {
    throw new InvalidConfigError("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
  }
}

function checkBrokerValue(name: string, text: string): void {
  const definition = brokerConfigDefinition(name);
  if (definition === undefined || !DYNAMIC_BROKER_CONFIG_NAMES.has(name)) return;
  try {
    parseConfigValue(definition, text);
  } catch (error) {
    // Kafka's brokers refuse their own values with another code than the controller refuses those of topics.
    throw error instanceof InvalidConfigError ? invalidRequest(error.message) : error;
  }
  if (definition.type === "class" && !text.startsWith("org.apache.kafka.")) {
    throw invalidRequest(`Invalid value ${text} for configuration ${name}: Class ${text} could not be found.`);
  }
}

function configRecords(context: ControllerContext, alteration: Alteration): MetadataRecord[] {
  const { resourceType, resourceName, names, next, setAgain } = alteration;
  const current = context.image.configs.configFor(resourceType, resourceName);
  const records: MetadataRecord[] = [];
  const dropped = [...current.keys()].filter((name) => !next.has(name) && !names.includes(name));
  for (const name of [...names, ...dropped]) {
    const value = next.get(name) ?? null;
    const isSetAgain = resourceType === ConfigResourceType.BROKER && setAgain.has(name);
    if (!isSetAgain && (current.get(name) ?? null) === value) continue;
    records.push(metadataRecord("ConfigRecord", { resourceType, resourceName, name, value }));
    if (name !== MIN_INSYNC_REPLICAS || !context.image.features.isElrEnabled) continue;
    // The eligible replicas were found under another least ISR.
    const topicName = resourceType === ConfigResourceType.TOPIC ? resourceName : "";
    records.push(metadataRecord("ClearElrRecord", { topicName }));
  }
  return records;
}

type ListDefault = (name: string) => readonly string[] | undefined;

/** What APPEND and SUBTRACT begin with where nothing is set. */
const LIST_DEFAULTS: ReadonlyMap<number, ListDefault> = new Map([
  [ConfigResourceType.TOPIC, (name: string) => listDefault(TOPIC_CONFIGS.get(name))],
  [ConfigResourceType.BROKER, (name: string) => listDefault(brokerConfigDefinition(name))],
  [ConfigResourceType.GROUP, (name: string) => listDefault(GROUP_CONFIG_DEFINITIONS.get(name))],
  [ConfigResourceType.CLIENT_METRICS, (name: string) => listDefault(CLIENT_METRICS_CONFIGS.get(name))],
]);

function listDefault(definition: ConfigDefinition | undefined): readonly string[] | undefined {
  return definition?.type === "list" ? ((definition.defaultValue ?? []) as readonly string[]) : undefined;
}

function elements(text: string): readonly string[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : trimmed.split(/\s*,\s*/);
}

function invalidRequest(message: string): KafkaError {
  return refusal(ErrorCode.INVALID_REQUEST, message);
}
