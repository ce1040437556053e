import type { Admin } from "@samsa/client";
import { ErrorCode, Kafka, KafkaError, nearestName } from "@samsa/client";
import { clientProperties } from "./client-properties.ts";
import { hint } from "./hints.ts";
import { say } from "./talk.ts";

export interface ConnectOptions {
  readonly bootstrapServer?: string;
  readonly property?: readonly string[];
  readonly commandConfig?: string;
}

const DEFAULT_BOOTSTRAP_SERVER = "127.0.0.1:9092";
/** A command should fail while somebody still looks at it, and wait for a broker that is just starting. */
const BOOTSTRAP_TIMEOUT_MS = 3000;
const API_TIMEOUT_MS = 20_000;

/**
 * Runs work with a client and closes the client after it, whatever comes of it.
 * @param otherNames options of the producer or consumer that the work makes; it is handed what was said of them
 */
export async function withKafka<T>(
  options: ConnectOptions,
  work: (kafka: Kafka, properties: Readonly<Record<string, unknown>>) => Promise<T>,
  otherNames: readonly string[] = [],
): Promise<T> {
  const { property = [], commandConfig, bootstrapServer = "" } = options;
  const { kafkaProperties, otherProperties, unusedKeys } = clientProperties(property, commandConfig, otherNames);
  if (unusedKeys.length > 0) say(`${commandConfig}: of no use here: ${unusedKeys.join(", ")}`);
  await using kafka = new Kafka({
    clientId: "samsa-cli",
    bootstrapTimeoutMs: BOOTSTRAP_TIMEOUT_MS,
    defaultApiTimeoutMs: API_TIMEOUT_MS,
    onRetry: tellOnce(),
    bootstrapServers: DEFAULT_BOOTSTRAP_SERVER,
    ...kafkaProperties,
    ...(bootstrapServer === "" ? {} : { bootstrapServers: bootstrapServer }), // a variable of the environment may be empty
  });
  return await work(kafka, otherProperties);
}

/** Work on topics that are named: where one is not there, the nearest that is gets told. */
export async function withTopicNames<T>(admin: Admin, names: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof KafkaError && error.code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) {
      const known = (await admin.listTopics({ includeInternal: true }).catch(() => [])).map(({ name }) => name);
      for (const name of names) {
        const nearest = known.includes(name) ? undefined : nearestName(name, known);
        if (nearest !== undefined) hint(error, `did you mean ${nearest}?`);
      }
    }
    throw error;
  }
}

/** A failure that is tried again is told once, not with every attempt. */
function tellOnce(): (error: Error) => void {
  let last = "";
  return ({ message }) => {
    if (message !== last) say(`trying again: ${message}`);
    last = message;
  };
}
