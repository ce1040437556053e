export { Broker } from "./broker.ts";
export type { BrokerOptions } from "./broker.ts";
export type { Logger } from "./logger.ts";
export { MetadataCache } from "./metadata-cache.ts";
