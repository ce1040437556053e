import { assert } from "@samsa/base";
import type { ConfigValue } from "./config-definition.ts";

/** Parsed values by name, with the type a caller knows them to have. */
export abstract class TypedValues {
  abstract value(name: string): ConfigValue;

  boolean(name: string): boolean {
    const value = this.value(name);
    assert(typeof value === "boolean", `${name} is a boolean`);
    return value;
  }

  /** An int, short, long or double. Long.MAX_VALUE is INT64_MAX. */
  number(name: string): number {
    const value = this.value(name);
    assert(typeof value === "number", `${name} is a number that is set`);
    return value;
  }

  string(name: string): string {
    const value = this.value(name);
    assert(typeof value === "string", `${name} is a string that is set`);
    return value;
  }

  list(name: string): readonly string[] {
    const value = this.value(name);
    assert(Array.isArray(value), `${name} is a list that is set`);
    return value as readonly string[];
  }
}
