import { ErrorCode, KafkaError } from "@samsa/base";
import type { ConfigDefinition } from "../config-definition.ts";
import { int, list } from "../config-definition.ts";
import type { ConfigValidator } from "../config-validator.ts";
import { InvalidConfigError } from "../invalid-config-error.ts";

const HOUR_MS = 3_600_000;
/** What a subscription may look at in a client (KIP-714). */
const SELECTORS: readonly string[] = [
  "client_instance_id",
  "client_id",
  "client_software_name",
  "client_software_version",
  "client_source_address",
  "client_source_port",
];

const interval: ConfigValidator = {
  valid: `[100,...,${HOUR_MS}]`,
  check(_key, value) {
    if (typeof value === "number" && value >= 100 && value <= HOUR_MS) return;
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `Invalid value ${String(value)} for interval.ms, interval must be between 100 and 3600000 (1 hour)`,
    );
  },
};

const selectors: ConfigValidator = {
  valid: "selector=regular expression",
  check(_key, value) {
    for (const entry of Array.isArray(value) ? (value as readonly string[]) : []) {
      const [name = "", pattern] = entry.split("=").map((part) => part.trim());
      if (pattern === undefined || pattern === "") {
        throw new InvalidConfigError(`Illegal client matching pattern: ${entry}`);
      }
      if (!SELECTORS.includes(name)) throw new InvalidConfigError(`Illegal client matching pattern: ${entry}`);
    }
  },
};

/** What clients are asked to measure and to tell. */
export const CLIENT_METRICS_CONFIGS_LIST: readonly ConfigDefinition[] = [
  list("metrics", [], "medium", "Beginnings of the names of metrics; one that is empty stands for all."),
  int("interval.ms", 300_000, "medium", "How often a client tells them.", interval),
  list("match", [], "medium", "Which clients are meant; all of them when empty.", selectors),
];
