import type { CompressionType } from "@samsa/protocol";
import { ConfigurationError } from "../errors.ts";
import type { OptionRule } from "../options.ts";
import { boolean, milliseconds, oneOf, optional, resolveOptions, whole } from "../options.ts";
import type { Serializer } from "../serialisers/serialiser.ts";
import type { PartitionerFunction, PartitionerName } from "./partitioner.ts";
import { PARTITIONERS } from "./partitioner.ts";
import type { Data } from "./record.ts";

/** Kafka's producer configuration in camelCase, with Kafka's defaults. Key and value types follow from the serialisers. */
export interface ProducerOptions<K = Data, V = Data> {
  /** Bytes and text need none, and without one nothing else is taken. */
  readonly keySerializer?: Serializer<K> | undefined;
  readonly valueSerializer?: Serializer<V> | undefined;
  /** Who must have a record before it counts as sent: nobody (0), the leader (1), all in-sync replicas ("all"). Default "all". */
  readonly acks?: 0 | 1 | -1 | "all" | undefined;
  /**
   * A record arrives once, however often it had to be sent (KIP-98). Default true, unless acks, retries or
   * maxInFlightRequestsPerConnection are set to what it cannot be had with.
   */
  readonly enableIdempotence?: boolean | undefined;
  /**
   * Makes the producer transactional: its name, which no other producer may use at the same time, and which finds again what an
   * earlier one has left open. Default none.
   */
  readonly transactionalId?: string | undefined;
  /** A transaction that is open for longer is aborted by its coordinator. At most `transaction.max.timeout.ms` of the broker. Default 60000. */
  readonly transactionTimeoutMs?: number | undefined;
  /** How long a batch waits for company. Default 5. */
  readonly lingerMs?: number | undefined;
  /** Bytes of a batch, as it is expected to be after compression. 0 sends every record alone. Default 16384. */
  readonly batchSize?: number | undefined;
  /** Bytes of records not yet acknowledged, before compression. Default 32 MiB. */
  readonly bufferMemory?: number | undefined;
  /** How long `send` may wait for metadata or for room. Default 60000. */
  readonly maxBlockMs?: number | undefined;
  /** From `send` to success or failure, retries included. Default 120000. */
  readonly deliveryTimeoutMs?: number | undefined;
  /** For one request. Default: that of the client. */
  readonly requestTimeoutMs?: number | undefined;
  /** Attempts after the first; deliveryTimeoutMs is the better bound. Default 2147483647. */
  readonly retries?: number | undefined;
  /** Default: that of the client. */
  readonly retryBackoffMs?: number | undefined;
  readonly retryBackoffMaxMs?: number | undefined;
  /** Bytes of one request and of one record, before compression. Default 1048576. */
  readonly maxRequestSize?: number | undefined;
  /** Default 5, which is also the most that idempotence allows. Without it a partition has one of them at a time. */
  readonly maxInFlightRequestsPerConnection?: number | undefined;
  /** Default "none". */
  readonly compressionType?: CompressionType | undefined;
  /** 1 to 9, or -1 for zlib's own default. Default -1. */
  readonly compressionGzipLevel?: number | undefined;
  /** 1 to 17. Default 9. */
  readonly compressionLz4Level?: number | undefined;
  /** -131072 to 22. Default 3. */
  readonly compressionZstdLevel?: number | undefined;
  /** A name, or a function of the application's own. Default "default", which is Java's. */
  readonly partitioner?: PartitionerName | PartitionerFunction<K, V> | undefined;
  /** Sends records with keys where those without would go. Default false. */
  readonly partitionerIgnoreKeys?: boolean | undefined;
  /** Partitions that keep up get more of the records without key (KIP-794). Default true. */
  readonly partitionerAdaptivePartitioningEnable?: boolean | undefined;
  /** Partitions of a broker that has not taken anything for so long get none of them. 0: never mind. Default 0. */
  readonly partitionerAvailabilityTimeoutMs?: number | undefined;
  /** Records without key go to leaders in the client's own rack, where there are any (needs clientRack). Default false. */
  readonly partitionerRackAware?: boolean | undefined;
}

/** The options filled up, and what follows from them. */
export interface ResolvedProducerOptions {
  readonly keySerializer: Serializer<unknown> | undefined;
  readonly valueSerializer: Serializer<unknown> | undefined;
  readonly acks: 0 | 1 | -1 | "all";
  readonly enableIdempotence: boolean;
  readonly transactionalId: string | undefined;
  readonly transactionTimeoutMs: number;
  readonly lingerMs: number;
  readonly batchSize: number;
  readonly bufferMemory: number;
  readonly maxBlockMs: number;
  readonly deliveryTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retries: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly maxRequestSize: number;
  readonly maxInFlightRequestsPerConnection: number;
  readonly compressionType: CompressionType;
  readonly compressionGzipLevel: number;
  readonly compressionLz4Level: number;
  readonly compressionZstdLevel: number;
  readonly partitioner: PartitionerName | PartitionerFunction;
  readonly partitionerIgnoreKeys: boolean;
  readonly partitionerAdaptivePartitioningEnable: boolean;
  readonly partitionerAvailabilityTimeoutMs: number;
  readonly partitionerRackAware: boolean;
}

const INT32_MAX = 0x7fffffff;
const MAX_IN_FLIGHT_OF_IDEMPOTENCE = 5; // a broker remembers so many batches of a producer
const WHO = "kafka.producer()";

const serializer: OptionRule = (value) =>
  typeof value === "object" && value !== null && "serialize" in value && typeof value.serialize === "function"
    ? undefined
    : "an object with a method serialize";

const gzipLevel: OptionRule = (value) => (value === -1 ? undefined : whole(1, 9)(value)?.concat(", or -1"));
const partitionerRule: OptionRule = (value) =>
  typeof value === "function" ? undefined : oneOf(...PARTITIONERS)(value)?.concat(", or a function");

const RULES: { readonly [Name in keyof ResolvedProducerOptions]: OptionRule } = {
  keySerializer: optional(serializer),
  valueSerializer: optional(serializer),
  acks: oneOf(0, 1, -1, "all"),
  enableIdempotence: boolean,
  transactionalId: optional((value) =>
    typeof value === "string" && value !== "" ? undefined : "a name that is not empty",
  ),
  transactionTimeoutMs: whole(1, INT32_MAX),
  lingerMs: milliseconds,
  batchSize: whole(0, INT32_MAX),
  bufferMemory: whole(1),
  maxBlockMs: milliseconds,
  deliveryTimeoutMs: milliseconds,
  requestTimeoutMs: whole(1, INT32_MAX),
  retries: whole(0),
  retryBackoffMs: milliseconds,
  retryBackoffMaxMs: milliseconds,
  maxRequestSize: whole(1, INT32_MAX),
  maxInFlightRequestsPerConnection: whole(1),
  compressionType: oneOf("none", "gzip", "snappy", "lz4", "zstd"),
  compressionGzipLevel: gzipLevel,
  compressionLz4Level: whole(1, 17),
  compressionZstdLevel: whole(-131_072, 22),
  partitioner: partitionerRule,
  partitionerIgnoreKeys: boolean,
  partitionerAdaptivePartitioningEnable: boolean,
  partitionerAvailabilityTimeoutMs: milliseconds,
  partitionerRackAware: boolean,
};

/** What `kafka.producer()` takes. */
export const PRODUCER_OPTION_NAMES: readonly string[] = Object.keys(RULES);

/** What the producer has from the client it belongs to. */
export interface ClientDefaults {
  readonly requestTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly clientRack: string;
}

/** @throws ConfigurationError for unknown names, impossible values and combinations that cannot work */
export function resolveProducerOptions<K, V>(
  given: ProducerOptions<K, V>,
  client: ClientDefaults,
): ResolvedProducerOptions {
  const defaults: ResolvedProducerOptions = {
    keySerializer: undefined,
    valueSerializer: undefined,
    acks: "all",
    enableIdempotence: true,
    transactionalId: undefined,
    transactionTimeoutMs: 60_000,
    lingerMs: 5,
    batchSize: 16_384,
    bufferMemory: 33_554_432,
    maxBlockMs: 60_000,
    deliveryTimeoutMs: 120_000,
    requestTimeoutMs: client.requestTimeoutMs,
    retries: INT32_MAX,
    retryBackoffMs: client.retryBackoffMs,
    retryBackoffMaxMs: client.retryBackoffMaxMs,
    maxRequestSize: 1_048_576,
    maxInFlightRequestsPerConnection: 5,
    compressionType: "none",
    compressionGzipLevel: -1,
    compressionLz4Level: 9,
    compressionZstdLevel: 3,
    partitioner: "default",
    partitionerIgnoreKeys: false,
    partitionerAdaptivePartitioningEnable: true,
    partitionerAvailabilityTimeoutMs: 0,
    partitionerRackAware: false,
  };
  const options = resolveOptions(WHO, given, defaults, RULES);
  checkCombinations(options, given, client);
  return {
    ...options,
    enableIdempotence: options.enableIdempotence && idempotenceObstacle(options) === undefined,
    deliveryTimeoutMs: deliveryTimeoutMs(options, given),
  };
}

/** The level that belongs to the type; snappy has none. */
export function compressionLevelOf(options: ResolvedProducerOptions): number | undefined {
  switch (options.compressionType) {
    case "gzip":
      return options.compressionGzipLevel;
    case "lz4":
      return options.compressionLz4Level;
    case "zstd":
      return options.compressionZstdLevel;
    default:
      return undefined;
  }
}

function checkCombinations<K, V>(
  options: ResolvedProducerOptions,
  given: ProducerOptions<K, V>,
  client: ClientDefaults,
): void {
  const obstacle = idempotenceObstacle(options);
  if (given.enableIdempotence === true && obstacle !== undefined) {
    throw new ConfigurationError(`${WHO}: enableIdempotence needs ${obstacle}`);
  }
  if (options.transactionalId !== undefined && (obstacle !== undefined || given.enableIdempotence === false)) {
    throw new ConfigurationError(`${WHO}: transactionalId needs ${obstacle ?? "enableIdempotence"}`);
  }
  if (options.transactionalId === undefined && given.transactionTimeoutMs !== undefined) {
    throw new ConfigurationError(`${WHO}: transactionTimeoutMs has no meaning without transactionalId`);
  }
  if (options.partitionerRackAware && client.clientRack === "") {
    throw new ConfigurationError(`${WHO}: partitionerRackAware needs the clientRack of new Kafka()`);
  }
  if (typeof options.partitioner === "function" && options.partitionerIgnoreKeys) {
    throw new ConfigurationError(`${WHO}: partitionerIgnoreKeys has no meaning beside a partitioner of your own`);
  }
  if (options.retryBackoffMs > options.retryBackoffMaxMs && given.retryBackoffMaxMs !== undefined) {
    throw new ConfigurationError(`${WHO}: retryBackoffMs is more than retryBackoffMaxMs`);
  }
}

function idempotenceObstacle(options: ResolvedProducerOptions): string | undefined {
  if (options.acks !== "all" && options.acks !== -1) return `acks "all", not ${options.acks}`;
  if (options.retries === 0) return "retries, which are 0";
  if (options.maxInFlightRequestsPerConnection <= MAX_IN_FLIGHT_OF_IDEMPOTENCE) return undefined;
  const found = options.maxInFlightRequestsPerConnection;
  return `maxInFlightRequestsPerConnection of at most ${MAX_IN_FLIGHT_OF_IDEMPOTENCE}, not ${found}`;
}

function deliveryTimeoutMs<K, V>(options: ResolvedProducerOptions, given: ProducerOptions<K, V>): number {
  const leastMs = options.lingerMs + options.requestTimeoutMs;
  if (options.deliveryTimeoutMs >= leastMs) return options.deliveryTimeoutMs;
  if (given.deliveryTimeoutMs === undefined) return leastMs;
  throw new ConfigurationError(
    `${WHO}: deliveryTimeoutMs (${options.deliveryTimeoutMs}) is less than lingerMs + requestTimeoutMs (${leastMs})`,
  );
}
