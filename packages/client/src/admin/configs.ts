import type { KafkaError } from "@samsa/base";
import { DescribeConfigsRequest } from "@samsa/protocol/messages/describe-configs-request";
import { DescribeConfigsResponse } from "@samsa/protocol/messages/describe-configs-response";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import { ListConfigResourcesRequest } from "@samsa/protocol/messages/list-config-resources-request";
import { ListConfigResourcesResponse } from "@samsa/protocol/messages/list-config-resources-response";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import type { ItemResults } from "./item-results.ts";
import type { NameOf } from "./names.ts";
import { CONFIG_OPERATIONS, CONFIG_RESOURCE_TYPES, CONFIG_SOURCES, CONFIG_TYPES, nameOf } from "./names.ts";
import { ANY, toBroker } from "./routes.ts";
import { byName } from "./topics.ts";

const DESCRIBE_CONFIGS = api(DescribeConfigsRequest, DescribeConfigsResponse);
const INCREMENTAL_ALTER_CONFIGS = api(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse);
const LIST_CONFIG_RESOURCES = api(ListConfigResourcesRequest, ListConfigResourcesResponse);
/** Version 0 was ListClientMetricsResources (KIP-714); KIP-1142 made it one for all. */
const LIST_ALL_CONFIG_RESOURCES = api(ListConfigResourcesRequest, ListConfigResourcesResponse, { lowestVersion: 1 });

export type ConfigResourceType = NameOf<typeof CONFIG_RESOURCE_TYPES>;

export interface ConfigResource {
  readonly type: ConfigResourceType;
  /** Of a topic, a group …; of a broker its id, or "" for what holds for all brokers. */
  readonly name: string;
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null; // null when it is sensitive
  readonly source: NameOf<typeof CONFIG_SOURCES>;
  readonly type: NameOf<typeof CONFIG_TYPES>;
  readonly isReadOnly: boolean;
  readonly isSensitive: boolean;
  readonly synonyms: readonly {
    readonly name: string;
    readonly value: string | null;
    readonly source: NameOf<typeof CONFIG_SOURCES>;
  }[];
  readonly documentation: string | null;
}

export interface DescribeConfigsOptions {
  readonly includeSynonyms?: boolean;
  readonly includeDocumentation?: boolean;
  /** All when left out. */
  readonly names?: readonly string[];
}

export interface ConfigAlteration extends ConfigResource {
  readonly set?: Readonly<Record<string, string>>;
  /** Back to the default. */
  readonly delete?: readonly string[];
  /** To or from a list. */
  readonly append?: Readonly<Record<string, string>>;
  readonly subtract?: Readonly<Record<string, string>>;
}

/** Brokers know their own; the rest is known to all. */
const toOwner = toBroker<ConfigResource>(({ type, name }) =>
  (type === "broker" || type === "broker_logger") && name !== "" ? Number(name) : ANY,
);

const nameOfResource = ({ type, name }: ConfigResource): string => `${type} ${name}`;

/** Named as in `topic greetings` and `broker 1`. */
export async function describeConfigs(
  driver: AdminDriver,
  resources: readonly ConfigResource[],
  { includeSynonyms = false, includeDocumentation = false, names }: DescribeConfigsOptions,
): Promise<ItemResults<readonly ConfigEntry[]>> {
  return await driver.items<ConfigResource, readonly ConfigEntry[]>({
    what: "DescribeConfigs",
    items: resources,
    nameOf: nameOfResource,
    route: toOwner,
    ask: async (connection, some) => {
      const request = DescribeConfigsRequest.create({
        resources: some.map(({ type, name }) => ({
          resourceType: CONFIG_RESOURCE_TYPES[type],
          resourceName: name,
          configurationKeys: names ?? null,
        })),
        includeSynonyms,
        includeDocumentation,
      });
      const { results } = await connection.send(DESCRIBE_CONFIGS, request);
      const answers = results.map((result): [string, readonly ConfigEntry[] | KafkaError] => {
        const named = `${nameOf(CONFIG_RESOURCE_TYPES, result.resourceType)} ${result.resourceName}`;
        const entries = result.configs.map((config) => ({
          name: config.name,
          value: config.value,
          source: nameOf(CONFIG_SOURCES, config.configSource),
          type: nameOf(CONFIG_TYPES, config.configType),
          isReadOnly: config.readOnly,
          isSensitive: config.isSensitive,
          synonyms: config.synonyms.map(({ name, value, source }) => ({
            name,
            value,
            source: nameOf(CONFIG_SOURCES, source),
          })),
          documentation: config.documentation,
        }));
        return [named, errorOf(result.errorCode, `configuration of ${named}`, result.errorMessage) ?? entries];
      });
      return byName(some, nameOfResource, answers);
    },
  });
}

export async function incrementalAlterConfigs(
  driver: AdminDriver,
  alterations: readonly ConfigAlteration[],
  validateOnly: boolean,
): Promise<void> {
  const results = await driver.items<ConfigAlteration, true>({
    what: "IncrementalAlterConfigs",
    items: alterations,
    nameOf: nameOfResource,
    route: toOwner,
    ask: async (connection, some) => {
      const request = IncrementalAlterConfigsRequest.create({
        resources: some.map((alteration) => ({
          resourceType: CONFIG_RESOURCE_TYPES[alteration.type],
          resourceName: alteration.name,
          configs: operationsOf(alteration),
        })),
        validateOnly,
      });
      const { responses } = await connection.send(INCREMENTAL_ALTER_CONFIGS, request);
      return byName(
        some,
        nameOfResource,
        responses.map(({ resourceType, resourceName, errorCode, errorMessage }) => {
          const named = `${nameOf(CONFIG_RESOURCE_TYPES, resourceType)} ${resourceName}`;
          return [named, errorOf(errorCode, `configuration of ${named}`, errorMessage) ?? (true as const)];
        }),
      );
    },
  });
  results.all();
}

function operationsOf(alteration: ConfigAlteration): { name: string; configOperation: number; value: string | null }[] {
  const { set = {}, delete: deleted = [], append = {}, subtract = {} } = alteration;
  const given = (entries: Readonly<Record<string, string>>, configOperation: number) =>
    Object.entries(entries).map(([name, value]) => ({ name, configOperation, value }));
  return [
    ...given(set, CONFIG_OPERATIONS.set),
    ...deleted.map((name) => ({ name, configOperation: CONFIG_OPERATIONS.delete, value: null })),
    ...given(append, CONFIG_OPERATIONS.append),
    ...given(subtract, CONFIG_OPERATIONS.subtract),
  ];
}

export async function listConfigResources(
  driver: AdminDriver,
  types: readonly ConfigResourceType[],
): Promise<readonly ConfigResource[]> {
  const isMetricsOnly = types.length === 1 && types[0] === "client_metrics";
  const request = ListConfigResourcesRequest.create({
    resourceTypes: types.map((type) => CONFIG_RESOURCE_TYPES[type]),
  });
  const which = isMetricsOnly ? LIST_CONFIG_RESOURCES : LIST_ALL_CONFIG_RESOURCES;
  const response = await driver.one(which, request, ({ errorCode }) => throwCode(errorCode, "ListConfigResources"));
  return response.configResources.map(({ resourceName, resourceType }) => ({
    name: resourceName,
    // Version 0 knows no other type and does not say it.
    type: isMetricsOnly ? "client_metrics" : nameOf(CONFIG_RESOURCE_TYPES, resourceType),
  }));
}
