import type { ConfigDefinition, ConfigValue } from "./config-definition.ts";
import { invalidValue } from "./invalid-config-error.ts";
import { formatNumber, parseNumber } from "./java-number.ts";

/**
 * Reads the text of a value as Kafka's ConfigDef does and holds it against the key's rule.
 * @throws InvalidConfigError in Kafka's words
 */
export function parseConfigValue(definition: ConfigDefinition, text: string | null): ConfigValue {
  const value = text === null ? null : parseText(definition, text);
  definition.validator?.check(definition, value);
  return value;
}

/** The text of a value as Kafka answers it: DescribeConfigs, CreateTopics. Passwords are the caller's to hide. */
export function formatConfigValue(definition: ConfigDefinition, value: ConfigValue): string | null {
  if (value === null) return null;
  if (Array.isArray(value)) return value.join(",");
  if (typeof value !== "number") return String(value);
  const { type } = definition;
  return formatNumber(value, type === "double" || type === "int" || type === "short" ? type : "long");
}

/**
 * The text of a value in its canonical form. Unlike format(parse(text)) it keeps longs beyond the safe range of numbers.
 * @throws InvalidConfigError
 */
export function canonicalConfigText(definition: ConfigDefinition, text: string): string {
  const value = parseConfigValue(definition, text);
  if (definition.type === "long" && typeof value === "number") return BigInt(text.trim().replace(/^\+/, "")).toString();
  return formatConfigValue(definition, value) ?? "";
}

function parseText(definition: ConfigDefinition, original: string): ConfigValue {
  const { type } = definition;
  const text = original.trim();
  switch (type) {
    case "boolean": {
      const lower = text.toLowerCase();
      if (lower !== "true" && lower !== "false")
        throw invalidValue(definition, original, "Expected value to be either true or false");
      return lower === "true";
    }
    case "int":
    case "short":
    case "long":
    case "double": {
      const value = parseNumber(text, type);
      if (value === undefined) throw invalidValue(definition, original, `Not a number of type ${type.toUpperCase()}`);
      return value;
    }
    case "list":
      return text === "" ? [] : text.split(/\s*,\s*/);
    case "class":
    case "password":
    case "string":
      return text;
  }
}
