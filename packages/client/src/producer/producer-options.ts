import type { CompressionType } from "@samsa/protocol";
import { ConfigurationError } from "../errors.ts";
import type { OptionRule } from "../options.ts";
import { milliseconds, oneOf, resolveOptions, whole } from "../options.ts";

/** Kafka's producer configuration in camelCase, with Kafka's defaults. */
export interface ProducerOptions {
  /** Who must have a record before it counts as sent: nobody (0), the leader (1), all in-sync replicas ("all"). Default "all". */
  readonly acks?: 0 | 1 | -1 | "all";
  /** How long a batch waits for company. Default 5. */
  readonly lingerMs?: number;
  /** Bytes of a batch, before compression. Default 16384. */
  readonly batchSize?: number;
  /** Bytes of records not yet acknowledged. Default 32 MiB. */
  readonly bufferMemory?: number;
  /** How long `send` may wait for metadata or for room. Default 60000. */
  readonly maxBlockMs?: number;
  /** From `send` to success or failure, retries included. Default 120000. */
  readonly deliveryTimeoutMs?: number;
  /** For one request. Default: that of the client. */
  readonly requestTimeoutMs?: number;
  /** Attempts after the first; deliveryTimeoutMs is the better bound. Default 2147483647. */
  readonly retries?: number;
  /** Bytes of one request and of one record, before compression. Default 1048576. */
  readonly maxRequestSize?: number;
  /** Default 5. Never more than one for a partition, so that order holds. */
  readonly maxInFlightRequestsPerConnection?: number;
  readonly compressionType?: CompressionType;
  /** As Kafka's compression.gzip.level, compression.lz4.level and compression.zstd.level; the codec's default when left out. */
  readonly compressionLevel?: number;
}

export interface ResolvedProducerOptions {
  readonly acks: 0 | 1 | -1 | "all";
  readonly lingerMs: number;
  readonly batchSize: number;
  readonly bufferMemory: number;
  readonly maxBlockMs: number;
  readonly deliveryTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retries: number;
  readonly maxRequestSize: number;
  readonly maxInFlightRequestsPerConnection: number;
  readonly compressionType: CompressionType;
  readonly compressionLevel: number | undefined;
}

const INT32_MAX = 0x7fffffff;

const RULES: { readonly [Name in keyof ResolvedProducerOptions]: OptionRule } = {
  acks: oneOf(0, 1, -1, "all"),
  lingerMs: milliseconds,
  batchSize: whole(0, INT32_MAX),
  bufferMemory: whole(1),
  maxBlockMs: milliseconds,
  deliveryTimeoutMs: milliseconds,
  requestTimeoutMs: whole(1, INT32_MAX),
  retries: whole(0),
  maxRequestSize: whole(1, INT32_MAX),
  maxInFlightRequestsPerConnection: whole(1),
  compressionType: oneOf("none", "gzip", "snappy", "lz4", "zstd"),
  compressionLevel: whole(-131072, 22),
};

/** @throws ConfigurationError for unknown names, impossible values and combinations that cannot work */
export function resolveProducerOptions(given: ProducerOptions, requestTimeoutMs: number): ResolvedProducerOptions {
  const defaults: ResolvedProducerOptions = {
    acks: "all",
    lingerMs: 5,
    batchSize: 16_384,
    bufferMemory: 33_554_432,
    maxBlockMs: 60_000,
    deliveryTimeoutMs: 120_000,
    requestTimeoutMs,
    retries: INT32_MAX,
    maxRequestSize: 1_048_576,
    maxInFlightRequestsPerConnection: 5,
    compressionType: "none",
    compressionLevel: undefined,
  };
  const options = resolveOptions("kafka.producer()", given, defaults, RULES);
  const leastMs = options.lingerMs + options.requestTimeoutMs;
  if (options.deliveryTimeoutMs < leastMs) {
    if (given.deliveryTimeoutMs === undefined) return { ...options, deliveryTimeoutMs: leastMs };
    throw new ConfigurationError(
      `kafka.producer(): deliveryTimeoutMs (${options.deliveryTimeoutMs}) is less than lingerMs + requestTimeoutMs (${leastMs})`,
    );
  }
  return options;
}
