import type { ConfigType, ConfigValue } from "./config-definition.ts";
import { InvalidConfigError, invalidValue } from "./invalid-config-error.ts";

export interface ConfigKey {
  readonly name: string;
  readonly type: ConfigType;
}

/** A rule for parsed values. `valid` is the rule in Kafka's notation, e.g. `[1,...]`. */
export interface ConfigValidator {
  readonly valid: string;
  /** @throws InvalidConfigError in Kafka's words */
  check(key: ConfigKey, value: ConfigValue): void;
}

export function atLeast(minimum: number): ConfigValidator {
  return { valid: `[${minimum},...]`, check: (key, value) => checkRange(key, value, minimum, Infinity) };
}

export function between(minimum: number, maximum: number): ConfigValidator {
  return { valid: `[${minimum},...,${maximum}]`, check: (key, value) => checkRange(key, value, minimum, maximum) };
}

/** gzip's levels: 1 to 9, or -1 for the library's choice. */
export function betweenOrMinusOne(minimum: number, maximum: number): ConfigValidator {
  return {
    valid: `[${minimum},...,${maximum}] or -1`,
    check(key, value) {
      if (value === null) throw invalidValue(key, null, "Value must be non-null");
      if (value === -1) return;
      if (typeof value !== "number" || value < minimum || value > maximum) {
        throw invalidValue(key, value, `Value must be between ${minimum} and ${maximum} or equal to -1`);
      }
    },
  };
}

export function oneOf(...choices: readonly string[]): ConfigValidator {
  return {
    valid: `[${choices.join(", ")}]`,
    check(key, value) {
      if (typeof value === "string" && choices.includes(value)) return;
      throw invalidValue(key, value, `String must be one of: ${choices.join(", ")}`);
    },
  };
}

export function oneOfIgnoringCase(...choices: readonly string[]): ConfigValidator {
  return {
    valid: `(case insensitive) [${choices.join(", ")}]`,
    check(key, value) {
      if (typeof value === "string" && choices.includes(value.toUpperCase())) return;
      throw invalidValue(key, value, `String must be one of (case insensitive): ${choices.join(", ")}`);
    },
  };
}

/** Text that is not empty once set. */
export const nonEmptyString: ConfigValidator = {
  valid: "non-empty string",
  check(key, value) {
    if (value === "") throw invalidValue(key, value, "String must be non-empty");
  },
};

export const nonNullString: ConfigValidator = {
  valid: "non-null string",
  check(key, value) {
    if (value === null) throw invalidValue(key, value, "entry must be non null");
  },
};

interface ListRules {
  readonly mayBeEmpty?: boolean;
  readonly mayBeNull?: boolean;
  /** Topics written by old tools may name a policy twice. */
  readonly mayRepeat?: boolean;
  readonly choices?: readonly string[];
}

/** Lists whose elements are not empty and differ. */
export function listOf(rules: ListRules = {}): ConfigValidator {
  const { choices } = rules;
  return {
    valid: choices === undefined ? "" : `[${choices.join(", ")}]`,
    check(key, value) {
      if (value === null) {
        if (rules.mayBeNull === true) return;
        throw new InvalidConfigError(`Configuration '${key.name}' values must not be null.`);
      }
      const elements = Array.isArray(value) ? (value as readonly string[]) : [];
      if (elements.length === 0 && rules.mayBeEmpty !== true) {
        const allowed = choices === undefined ? "any non-empty value" : `[${choices.join(", ")}]`;
        throw new InvalidConfigError(`Configuration '${key.name}' must not be empty. Valid values include: ${allowed}`);
      }
      if (rules.mayRepeat !== true && new Set(elements).size !== elements.length) {
        throw new InvalidConfigError(`Configuration '${key.name}' values must not be duplicated.`);
      }
      for (const element of elements) {
        if (element === "") throw new InvalidConfigError(`Configuration '${key.name}' values must not be empty.`);
        if (choices !== undefined && !choices.includes(element)) {
          throw invalidValue(key, element, `String must be one of: ${choices.join(", ")}`);
        }
      }
    },
  };
}

/** `host:port` pairs, as every `bootstrap.servers` has them. */
export const hostPortList: ConfigValidator = {
  valid: "non-empty list",
  check(key, value) {
    if (value === null) throw invalidValue(key, value);
    for (const entry of value as readonly string[]) {
      if (/^(.*:\/\/)?(\[[^\]]+\]|[^:[\]]+):\d+$/.test(entry)) continue;
      throw new InvalidConfigError(
        `Failed to parse host name from ${entry} for the configuration ${key.name}. Each entry should be in the form "{host}:{port}"`,
      );
    }
  },
};

/** `id@host:port` of each voter of a quorum that does not change. */
export const voterList: ConfigValidator = {
  valid: "non-empty list",
  check(key, value) {
    if (value === null) throw invalidValue(key, value);
    for (const entry of value as readonly string[]) {
      if (/^\d+@(\[[^\]]+\]|[^:[\]]+):\d+$/.test(entry)) continue;
      throw new InvalidConfigError(
        `Invalid configuration value for ${key.name}. Each entry should be in the form \`{id}@{host}:{port}\`.`,
      );
    }
  },
};

const THROTTLED_REPLICAS = "[partitionId]:[brokerId],[partitionId]:[brokerId],...";

/** `*`, or `partition:broker` pairs. */
export const throttledReplicas: ConfigValidator = {
  valid: THROTTLED_REPLICAS,
  check(key, value) {
    const elements = (value ?? []) as readonly string[];
    const isWildcard = elements.length === 1 && elements[0] === "*";
    if (isWildcard || elements.every((element) => /^\d+:\d+$/.test(element))) return;
    throw invalidValue(
      key,
      value,
      `${key.name} must be the literal '*' or a list of replicas in the following format: ${THROTTLED_REPLICAS}`,
    );
  },
};

function checkRange(key: ConfigKey, value: ConfigValue, minimum: number, maximum: number): void {
  if (value === null) throw invalidValue(key, null, "Value must be non-null");
  if (typeof value !== "number") return;
  if (value < minimum) throw invalidValue(key, value, `Value must be at least ${minimum}`);
  if (value > maximum) throw invalidValue(key, value, `Value must be no more than ${maximum}`);
}
