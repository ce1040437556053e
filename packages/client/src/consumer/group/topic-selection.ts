import { ConfigurationError } from "../../errors.ts";
import { checkNames } from "../../options.ts";
import type { RebalanceListener } from "./rebalance-listener.ts";

/** Topics by name, those that match a RegExp here, or those that match a pattern (RE2, the whole name) on the broker. */
export type TopicSelection = string | readonly string[] | RegExp | { readonly pattern: string };

const LISTENER_METHODS: readonly (keyof RebalanceListener)[] = ["onAssigned", "onRevoked", "onLost"];

/** @returns what is wanted instead */
export function isSelection(value: unknown): string | undefined {
  const isName = (one: unknown): boolean => typeof one === "string" && one !== "";
  const isTopics = isName(value) || (Array.isArray(value) && value.every(isName));
  const isPattern = value instanceof RegExp || isName((Object(value) as { readonly pattern?: unknown }).pattern);
  return isTopics || isPattern ? undefined : "a topic, a list of topics, a RegExp or { pattern }";
}

/** @throws ConfigurationError */
export function checkSubscription(selection: unknown, listener: unknown): void {
  const wanted = isSelection(selection);
  if (wanted !== undefined) throw new ConfigurationError(`consumer.subscribe: wanted is ${wanted}`);
  if (typeof listener !== "object" || listener === null) {
    throw new ConfigurationError(`consumer.subscribe: wanted is a listener with ${LISTENER_METHODS.join(", ")}`);
  }
  // An object of a class has fields of its own, and its methods are not among them.
  if (Object.getPrototypeOf(listener) === Object.prototype)
    checkNames("consumer.subscribe", listener, LISTENER_METHODS);
}
