import type { ConfigValidator } from "./config-validator.ts";

/** The types of Kafka's ConfigDef with their codes in DescribeConfigs (v3 and later). */
export const ConfigTypeCode = {
  unknown: 0,
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
} as const;
export type ConfigType = Exclude<keyof typeof ConfigTypeCode, "unknown">;
export type ConfigImportance = "high" | "medium" | "low";

/** A parsed value. Long.MAX_VALUE is INT64_MAX; null where a key may stay unset. */
export type ConfigValue = boolean | number | string | readonly string[] | null;

/** What is known of one configuration key. */
export interface ConfigDefinition {
  readonly name: string;
  readonly type: ConfigType;
  /** undefined: the key has no default and must be set. */
  readonly defaultValue: ConfigValue | undefined;
  readonly importance: ConfigImportance;
  /** One sentence of our own. */
  readonly documentation: string;
  readonly validator: ConfigValidator | undefined;
  /** Not listed unless it is set. */
  readonly isInternal: boolean;
}

/** The default of a key that must be set. */
export const REQUIRED = Symbol("required");

type Default<T> = T | null | typeof REQUIRED;
interface Options {
  readonly isInternal?: boolean;
}

/** Makes `boolean(name, default, importance, sentence, validator?, options?)` and so on, one for each type. */
function definer<T extends ConfigValue>(type: ConfigType) {
  return (
    name: string,
    defaultValue: Default<T>,
    importance: ConfigImportance,
    documentation: string,
    validator?: ConfigValidator,
    options?: Options,
  ): ConfigDefinition => ({
    name,
    type,
    defaultValue: defaultValue === REQUIRED ? undefined : defaultValue,
    importance,
    documentation,
    validator,
    isInternal: options?.isInternal ?? false,
  });
}

export const boolean = definer<boolean>("boolean");
export const string = definer<string>("string");
export const int = definer<number>("int");
export const short = definer<number>("short");
export const long = definer<number>("long");
export const double = definer<number>("double");
export const list = definer<readonly string[]>("list");
/** The name of a Java class; kept and shown, not loaded. */
export const className = definer<string>("class");
/** Never shown. */
export const password = definer<string>("password");
