import { assert } from "@samsa/base";
import type { ConfigDefinition } from "./config-definition.ts";
import { CONTROLLER_CONFIGS } from "./definitions/controller-configs.ts";
import { CLIENT_METRICS_CONFIGS_LIST } from "./definitions/client-metrics-configs.ts";
import { GROUP_RESOURCE_CONFIGS } from "./definitions/group-resource-configs.ts";
import { GROUP_CONFIGS } from "./definitions/group-configs.ts";
import { LISTENER_CONFIGS } from "./definitions/listener-configs.ts";
import { LOG_CONFIGS } from "./definitions/log-configs.ts";
import { NODE_CONFIGS } from "./definitions/node-configs.ts";
import { QUOTA_CONFIGS } from "./definitions/quota-configs.ts";
import { REMOTE_STORAGE_CONFIGS } from "./definitions/remote-storage-configs.ts";
import { REPLICATION_CONFIGS } from "./definitions/replication-configs.ts";
import { SASL_CONFIGS } from "./definitions/sasl-configs.ts";
import { SHARE_CONFIGS } from "./definitions/share-configs.ts";
import { SSL_CONFIGS } from "./definitions/ssl-configs.ts";
import { TOPIC_CONFIG_DEFINITIONS } from "./definitions/topic-configs.ts";
import { TRANSACTION_CONFIGS } from "./definitions/transaction-configs.ts";
import { DYNAMIC_ONLY_CONFIGS } from "./dynamic-broker-configs.ts";

/** Every key of a topic, in alphabetical order. */
export const TOPIC_CONFIGS: ReadonlyMap<string, ConfigDefinition> = byName(TOPIC_CONFIG_DEFINITIONS);

/** Every key of a group (KIP-848, KIP-932, KIP-1071), in alphabetical order. */
export const GROUP_CONFIG_DEFINITIONS: ReadonlyMap<string, ConfigDefinition> = byName(GROUP_RESOURCE_CONFIGS);

/** Every key of a subscription to the metrics of clients (KIP-714), in alphabetical order. */
export const CLIENT_METRICS_CONFIGS: ReadonlyMap<string, ConfigDefinition> = byName(CLIENT_METRICS_CONFIGS_LIST);

/** Every key of a server.properties, in alphabetical order. */
export const BROKER_CONFIGS: ReadonlyMap<string, ConfigDefinition> = byName([
  ...NODE_CONFIGS,
  ...LISTENER_CONFIGS,
  ...LOG_CONFIGS,
  ...REPLICATION_CONFIGS,
  ...CONTROLLER_CONFIGS,
  ...GROUP_CONFIGS,
  ...SHARE_CONFIGS,
  ...TRANSACTION_CONFIGS,
  ...QUOTA_CONFIGS,
  ...REMOTE_STORAGE_CONFIGS,
  ...SASL_CONFIGS,
  ...SSL_CONFIGS,
]);

const DYNAMIC_ONLY: ReadonlyMap<string, ConfigDefinition> = byName(DYNAMIC_ONLY_CONFIGS);

/** A key that a broker resource may hold: one of server.properties, or one that is dynamic only. */
export function brokerConfigDefinition(name: string): ConfigDefinition | undefined {
  return BROKER_CONFIGS.get(name) ?? DYNAMIC_ONLY.get(name);
}

/** Every definition is asked for by a name that our own code knows. */
export function knownDefinition(definitions: ReadonlyMap<string, ConfigDefinition>, name: string): ConfigDefinition {
  const definition = definitions.get(name);
  assert(definition !== undefined, `there is no configuration ${name}`);
  return definition;
}

function byName(definitions: readonly ConfigDefinition[]): ReadonlyMap<string, ConfigDefinition> {
  const sorted = definitions.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const map = new Map(sorted.map((definition) => [definition.name, definition]));
  assert(map.size === definitions.length, "no configuration is defined twice");
  return map;
}
