import { ErrorCode, KafkaError } from "@samsa/base";
import { InvalidConfigError } from "@samsa/metadata";
import type { IncrementalAlterConfigsRequestAlterConfigsResource as Resource } from "@samsa/protocol/messages/incremental-alter-configs-request";
import type { BrokerLoggers, LogLevel } from "./broker-loggers.ts";
import { LOG_LEVELS, ROOT_LOGGER } from "./broker-loggers.ts";

const Operation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;
const OPERATION_NAMES = ["SET", "DELETE", "APPEND", "SUBTRACT"];
const VALID_LEVELS = [...LOG_LEVELS].sort().join(", ");

/**
 * Sets and unsets the levels of loggers (KIP-412): all that a resource names, or nothing. In Kafka's order and words.
 * @throws KafkaError INVALID_REQUEST, INVALID_CONFIG
 */
export function alterBrokerLoggers(
  { resourceName, configs }: Resource,
  { loggers, nodeId, validateOnly }: { loggers: BrokerLoggers; nodeId: number; validateOnly: boolean },
): void {
  if (new Set(configs.map(({ name }) => name)).size !== configs.length) {
    throw invalidRequest("Error due to duplicate config keys");
  }
  const missing = configs.filter(
    ({ value, configOperation }) => value === null && configOperation !== Operation.DELETE,
  );
  if (missing.length > 0) {
    throw invalidRequest(`Null value not supported for : ${missing.map(({ name }) => name).join(", ")}`);
  }
  if (!/^[+-]?\d+$/.test(resourceName)) throw invalidRequest(`Node id must be an integer, but it is: ${resourceName}`);
  if (Number(resourceName) !== nodeId) {
    throw invalidRequest(`Unexpected node id. Expected ${nodeId}, but received ${resourceName}`);
  }
  for (const config of configs) check(config, loggers);
  if (validateOnly) return;
  for (const { name, value, configOperation } of configs) {
    if (configOperation === Operation.SET) loggers.set(name, value as LogLevel);
    else loggers.unset(name);
  }
}

function check({ name, value, configOperation }: Resource["configs"][number], loggers: BrokerLoggers): void {
  if (configOperation !== Operation.SET && configOperation !== Operation.DELETE) {
    const operation = OPERATION_NAMES[configOperation];
    const what = operation === undefined ? `Unknown operation type ${configOperation} is` : `${operation} operation is`;
    throw invalidRequest(`${what} not allowed for the BROKER_LOGGER resource`);
  }
  if (!loggers.exists(name)) throw new InvalidConfigError(`Logger ${name} does not exist!`);
  if (configOperation === Operation.DELETE) {
    if (name === ROOT_LOGGER) throw invalidRequest("Removing the log level of the root logger is not allowed");
    return;
  }
  if (LOG_LEVELS.some((level) => level === value)) return;
  throw new InvalidConfigError(
    `Cannot set the log level of ${name} to ${value} as it is not a supported log level. Valid log levels are ${VALID_LEVELS}`,
  );
}

function invalidRequest(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message);
}
