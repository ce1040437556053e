import { ErrorCode, KafkaError } from "@samsa/base";
import type { ConfigType, ConfigValue } from "./config-definition.ts";
import type { ConfigKey } from "./config-validator.ts";
import { formatNumber } from "./java-number.ts";

/** A value that a configuration key may not have, or a key that there is not. */
export class InvalidConfigError extends KafkaError {
  override readonly name = "InvalidConfigError";

  constructor(message: string) {
    super(ErrorCode.INVALID_CONFIG, message);
  }
}

/** `Invalid value 0 for configuration min.insync.replicas: Value must be at least 1` */
export function invalidValue(key: ConfigKey, value: ConfigValue, reason?: string): InvalidConfigError {
  const colon = reason === undefined ? "" : `: ${reason}`;
  return new InvalidConfigError(`Invalid value ${show(key.type, value)} for configuration ${key.name}${colon}`);
}

/** As Java prints it: lists in brackets, doubles with a fraction. */
function show(type: ConfigType, value: ConfigValue): string {
  if (typeof value === "number") return formatNumber(value, type === "double" ? "double" : "long");
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}
