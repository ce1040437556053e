import { Kafka } from "@samsa/client";
import type { KafkaOptions } from "@samsa/client";
import { addPairs } from "./properties.ts";
import { say } from "./talk.ts";

export interface ConnectOptions {
  readonly bootstrapServer: string;
  readonly property?: readonly string[];
}

/** A command should fail while somebody still looks at it, and wait for a broker that is just starting. */
const BOOTSTRAP_TIMEOUT_MS = 3000;
const API_TIMEOUT_MS = 20_000;

/** The options of a client as a whole; what else `-X` names goes to the producer or consumer. */
const KAFKA_PROPERTIES = new Set([
  "clientId",
  "clientRack",
  "clientDnsLookup",
  "connectionsMaxIdleMs",
  "metadataRecoveryStrategy",
  "metadataRecoveryRebootstrapTriggerMs",
  "securityProtocol",
  "socketConnectionSetupTimeoutMaxMs",
  "requestTimeoutMs",
  "defaultApiTimeoutMs",
  "socketConnectionSetupTimeoutMs",
  "reconnectBackoffMs",
  "reconnectBackoffMaxMs",
  "retryBackoffMs",
  "retryBackoffMaxMs",
  "metadataMaxAgeMs",
]);

/** Runs work with a client and closes the client after it, whatever comes of it. */
export async function withKafka<T>(
  options: ConnectOptions,
  work: (kafka: Kafka, properties: Readonly<Record<string, unknown>>) => Promise<T>,
): Promise<T> {
  const { kafkaProperties, otherProperties } = clientProperties(options.property ?? []);
  await using kafka = new Kafka({
    clientId: "samsa-cli",
    bootstrapTimeoutMs: BOOTSTRAP_TIMEOUT_MS,
    defaultApiTimeoutMs: API_TIMEOUT_MS,
    onRetry: tellOnce(),
    ...kafkaProperties,
    bootstrapServers: options.bootstrapServer,
  });
  return await work(kafka, otherProperties);
}

/** Reads `-X linger.ms=50` as the option `lingerMs: 50`. */
export function clientProperties(pairs: readonly string[]): {
  readonly kafkaProperties: Partial<KafkaOptions>;
  readonly otherProperties: Readonly<Record<string, unknown>>;
} {
  const properties = new Map<string, string>();
  addPairs(properties, pairs, "-X");
  const kafkaProperties: Record<string, unknown> = {};
  const otherProperties: Record<string, unknown> = {};
  for (const [key, text] of properties) {
    const name = key.replaceAll(/[.-]([a-z])/gu, (_, letter: string) => letter.toUpperCase());
    const target = KAFKA_PROPERTIES.has(name) ? kafkaProperties : otherProperties;
    target[name] = valueOf(text);
  }
  return { kafkaProperties, otherProperties };
}

function valueOf(text: string): string | number | boolean {
  if (/^-?\d+$/u.test(text)) return Number(text);
  return text === "true" || text === "false" ? text === "true" : text;
}

/** A failure that is tried again is told once, not with every attempt. */
function tellOnce(): (error: Error) => void {
  let last = "";
  return ({ message }) => {
    if (message !== last) say(`trying again: ${message}`);
    last = message;
  };
}
