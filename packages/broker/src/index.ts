export { Broker } from "./broker.ts";
export type { BrokerOptions } from "./broker.ts";
export type { Logger } from "./logger.ts";
export { BrokerMetrics } from "./metrics/broker-metrics.ts";
export type { ApiMetrics, TopicCounters } from "./metrics/broker-metrics.ts";
export { LATENCY_BOUNDS_MS } from "./metrics/latency-histogram.ts";
export type { LatencyHistogram } from "./metrics/latency-histogram.ts";
export { MetadataCache } from "./metadata-cache.ts";
