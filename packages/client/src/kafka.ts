import type { Clock, KafkaError, Random, Transport } from "@samsa/base";
import { canonicalAddresses, emitWarning, SystemClock, SystemRandom, TcpTransport } from "@samsa/io";
import type { TlsClientOptions } from "@samsa/io";
import { Admin } from "./admin/admin.ts";
import { parseBootstrapServers } from "./cluster/bootstrap-servers.ts";
import { Cluster } from "./cluster/cluster.ts";
import type { ConnectionCounters } from "./connection/connection-counters.ts";
import { newConnectionCounters } from "./connection/connection-counters.ts";
import type { ConsumerOptions } from "./consumer/consumer-options.ts";
import { resolveConsumerOptions } from "./consumer/consumer-options.ts";
import { Consumer } from "./consumer/consumer.ts";
import { ClosedError, ConfigurationError } from "./errors.ts";
import type { ExactlyOnceOptions } from "./exactly-once.ts";
import { checkExactlyOnceOptions, ExactlyOnce } from "./exactly-once.ts";
import { HoldingClock } from "./holding-clock.ts";
import type { OpenTelemetryApi } from "./observability/open-telemetry.ts";
import { warner } from "./observability/warnings.ts";
import type { OptionRule } from "./options.ts";
import { aFunction, anything, boolean, having, milliseconds, oneOf, resolveOptions, text, whole } from "./options.ts";
import type { ProducerOptions } from "./producer/producer-options.ts";
import { resolveProducerOptions } from "./producer/producer-options.ts";
import { Producer } from "./producer/producer.ts";
import type { Data } from "./producer/record.ts";
import type { SaslOptions, SecurityProtocol } from "./security-options.ts";
import { resolveSecurity, SECURITY_PROTOCOLS } from "./security-options.ts";
import { ClientMetrics } from "./telemetry/client-metrics.ts";
import { ClientTelemetry } from "./telemetry/client-telemetry.ts";
import { VERSION } from "./version.ts";

/** What all of a client's parts share. Kafka's names in camelCase, with Kafka's defaults. */
export interface KafkaOptions {
  /** `host:port`, several with commas or as a list; only the first contact, the rest is learned. */
  readonly bootstrapServers: string | readonly string[];
  /** Shown in the brokers' logs and metrics. Default "samsa". */
  readonly clientId?: string;
  /** The rack, zone or room this client stands in, for leaders and followers near by. Default none. */
  readonly clientRack?: string;
  /** For one request. Default 30000. */
  readonly requestTimeoutMs?: number;
  /** For administrative and other calls as a whole, retries included. Default 60000. */
  readonly defaultApiTimeoutMs?: number;
  /** How long to look for a first broker that answers. Ours; default 60000. */
  readonly bootstrapTimeoutMs?: number;
  /** For a connection to come about, TLS included. Default 10000, growing with each failure in a row up to … */
  readonly socketConnectionSetupTimeoutMs?: number;
  /** Default 30000. */
  readonly socketConnectionSetupTimeoutMaxMs?: number;
  /** A connection that is not used for so long is closed. Default 540000. */
  readonly connectionsMaxIdleMs?: number;
  /** Whether to go back to bootstrapServers when no broker that is known answers (KIP-899). Default "rebootstrap". */
  readonly metadataRecoveryStrategy?: "rebootstrap" | "none";
  /** … or none has given metadata for so long (KIP-1102). Default 300000. */
  readonly metadataRecoveryRebootstrapTriggerMs?: number;
  /**
   * All addresses of a name are tried in either case. `resolve_canonical_bootstrap_servers_only` takes bootstrap servers to be aliases
   * and goes on with the names their addresses have. Default "use_all_dns_ips".
   */
  readonly clientDnsLookup?: "use_all_dns_ips" | "resolve_canonical_bootstrap_servers_only";
  /** Whether connections are encrypted, and whether brokers ask who we are. Default "PLAINTEXT". */
  readonly securityProtocol?: SecurityProtocol;
  /** For SSL and SASL_SSL: whom to trust, and who we are. Default: the authorities that Node knows, and nobody. */
  readonly ssl?: TlsClientOptions;
  /** For SASL_PLAINTEXT and SASL_SSL: how to say who we are. */
  readonly sasl?: SaslOptions;
  /** Default 50, doubling up to … */
  readonly reconnectBackoffMs?: number;
  /** Default 1000. */
  readonly reconnectBackoffMaxMs?: number;
  /** Default 100, doubling up to … */
  readonly retryBackoffMs?: number;
  /** Default 1000. */
  readonly retryBackoffMaxMs?: number;
  /** Metadata older than this is asked for again. Default 300000. */
  readonly metadataMaxAgeMs?: number;
  /** Bytes of one answer of a broker. Ours; default 256 MiB. */
  readonly maxResponseBytes?: number;
  /**
   * Told of failures that are tried again by themselves, and so reach no caller, or reach one late; of handlers that block the event
   * loop too. Default: those that somebody has to mend become warnings of Node's (`process.emitWarning`), each kind once a minute.
   */
  readonly onRetry?: (error: KafkaError) => void;
  /**
   * `@opentelemetry/api` itself: records take the headers of the active trace along, and `run` hands each record to its handler in the
   * context of the trace that it came with; for the other ways of reading there is `traceContextOf`. Default none.
   */
  readonly openTelemetry?: OpenTelemetryApi;
  /**
   * Whether metrics of this client go to the brokers when they ask for them (KIP-714), for whoever runs them to see. Default false,
   * where Java's is true.
   */
  readonly enableMetricsPush?: boolean;
  /** How bytes travel. Default TCP. */
  readonly transport?: Transport;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Nobody comes back for them, and readers wait until they are aborted. */
const TIMEOUT_OF_UNNAMED_TRANSACTIONS_MS = 10_000;

/** Waiting requests of others do not delay each other by much, and order within a partition is the producer's care. */
const MAX_IN_FLIGHT_REQUESTS = 100;

type Absent = "ssl" | "sasl" | "openTelemetry" | "transport" | "clock" | "random";
type Resolved = Required<Omit<KafkaOptions, Absent>> &
  Pick<{ [Name in keyof KafkaOptions]-?: KafkaOptions[Name] | undefined }, Absent>;

const RULES: { readonly [Name in keyof Resolved]: OptionRule } = {
  bootstrapServers: anything,
  clientId: text,
  clientRack: text,
  requestTimeoutMs: whole(1, 0x7fffffff),
  defaultApiTimeoutMs: milliseconds,
  bootstrapTimeoutMs: milliseconds,
  socketConnectionSetupTimeoutMs: milliseconds,
  socketConnectionSetupTimeoutMaxMs: milliseconds,
  connectionsMaxIdleMs: milliseconds,
  metadataRecoveryStrategy: oneOf("rebootstrap", "none"),
  metadataRecoveryRebootstrapTriggerMs: milliseconds,
  clientDnsLookup: oneOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"),
  securityProtocol: oneOf(...SECURITY_PROTOCOLS),
  ssl: anything, // checked with the others, in security-options.ts
  sasl: anything,
  reconnectBackoffMs: milliseconds,
  reconnectBackoffMaxMs: milliseconds,
  retryBackoffMs: milliseconds,
  retryBackoffMaxMs: milliseconds,
  metadataMaxAgeMs: milliseconds,
  maxResponseBytes: whole(1024, 0x7fffffff),
  onRetry: aFunction,
  openTelemetry: (value) => {
    const { context, propagation } = Object(value) as Partial<OpenTelemetryApi>;
    const isWhole = having("active", "with")(context) ?? having("inject", "extract")(propagation);
    return isWhole === undefined ? undefined : "the module @opentelemetry/api";
  },
  enableMetricsPush: boolean,
  transport: having("connect"),
  clock: having("wallMs", "monotonicMs", "setTimer"),
  random: having("uint32"),
};

/** The second is what the first may grow to. */
const GROWING = [
  ["socketConnectionSetupTimeoutMs", "socketConnectionSetupTimeoutMaxMs"],
  ["reconnectBackoffMs", "reconnectBackoffMaxMs"],
  ["retryBackoffMs", "retryBackoffMaxMs"],
] as const;

/** What `new Kafka()` takes. */
export const KAFKA_OPTION_NAMES: readonly string[] = Object.keys(RULES);

/**
 * A client of one Kafka cluster: producers, consumers and administration over shared metadata. Nothing is opened until
 * something is asked of a broker; `close` (or `await using`) closes all.
 */
export class Kafka {
  readonly #cluster: Cluster;
  readonly #options: Resolved;
  readonly #parts = new Set<{ close(): Promise<void> }>();
  readonly #pipelines = new Set<{ close(): Promise<void> }>(); // of a producer and a consumer
  readonly #counters = newConnectionCounters();
  readonly #metrics: ClientMetrics | undefined;
  readonly #telemetry: ClientTelemetry | undefined;
  #partCount = 0;
  #isClosed = false;

  /** @throws ConfigurationError */
  constructor(options: KafkaOptions) {
    const defaults: Resolved = {
      bootstrapServers: [],
      clientId: "samsa",
      clientRack: "",
      requestTimeoutMs: 30_000,
      defaultApiTimeoutMs: 60_000,
      bootstrapTimeoutMs: 60_000,
      socketConnectionSetupTimeoutMs: 10_000,
      socketConnectionSetupTimeoutMaxMs: 30_000,
      connectionsMaxIdleMs: 540_000,
      metadataRecoveryStrategy: "rebootstrap",
      metadataRecoveryRebootstrapTriggerMs: 300_000,
      clientDnsLookup: "use_all_dns_ips",
      securityProtocol: "PLAINTEXT",
      ssl: undefined,
      sasl: undefined,
      reconnectBackoffMs: 50,
      reconnectBackoffMaxMs: 1000,
      retryBackoffMs: 100,
      retryBackoffMaxMs: 1000,
      metadataMaxAgeMs: 300_000,
      maxResponseBytes: 268_435_456,
      onRetry: warner(new SystemClock(), emitWarning),
      openTelemetry: undefined,
      enableMetricsPush: false,
      transport: undefined,
      clock: undefined,
      random: undefined,
    };
    const resolved = resolveOptions("new Kafka()", options, defaults, RULES);
    for (const [first, most] of GROWING) {
      if (resolved[first] <= resolved[most] || options[most] === undefined) continue;
      throw new ConfigurationError(
        `new Kafka(): ${first} (${resolved[first]}) is more than ${most} (${resolved[most]})`,
      );
    }
    this.#options = resolved;
    const security = resolveSecurity("new Kafka()", resolved, resolved.transport !== undefined);
    const random = resolved.random ?? new SystemRandom();
    const idleClock = resolved.clock ?? new SystemClock();
    const transport = resolved.transport ?? new TcpTransport(security.tls === undefined ? {} : { tls: security.tls });
    const isCanonical = resolved.clientDnsLookup === "resolve_canonical_bootstrap_servers_only";
    const metrics = resolved.enableMetricsPush ? new ClientMetrics(idleClock) : undefined;
    this.#metrics = metrics;
    this.#cluster = new Cluster({
      ...resolved,
      bootstrapServers: parseBootstrapServers(resolved.bootstrapServers),
      connectionSetupTimeoutMs: resolved.socketConnectionSetupTimeoutMs,
      connectionSetupTimeoutMaxMs: resolved.socketConnectionSetupTimeoutMaxMs,
      softwareVersion: VERSION,
      maxInFlightRequests: MAX_IN_FLIGHT_REQUESTS,
      counters: this.#counters,
      transport,
      idleClock,
      clock: resolved.clock ?? new HoldingClock(idleClock),
      random,
      newSaslClient: security.newSaslClient?.(random),
      resolveBootstrap: isCanonical ? canonicalAddresses : undefined,
      observer: metrics && {
        connected: (key) => {
          metrics.connected(key);
          this.#telemetry?.start();
        },
        answered: (...answer) => metrics.answered(...answer),
      },
    });
    const { clientRack } = resolved;
    this.#telemetry =
      metrics && new ClientTelemetry({ cluster: this.#cluster, metrics, idleClock, random, clientRack });
  }

  /** What the connections of this client have done so far; a producer has counters of its own. */
  get counters(): Readonly<ConnectionCounters> {
    return { ...this.#counters };
  }

  /**
   * A producer of records whose keys and values have the types of its serialisers.
   * @throws ConfigurationError, ClosedError
   */
  producer<K = Data, V = Data>(options: ProducerOptions<K, V> = {}): Producer<K, V> {
    this.#checkOpen();
    const resolved = resolveProducerOptions(options, this.#options);
    const { clientRack, openTelemetry } = this.#options;
    const purpose = `producer-${++this.#partCount}`;
    const metrics = this.#metrics;
    const onFirstSend = metrics && ((queuedMs: number) => metrics.batchQueued(queuedMs));
    const onClosed = (): void => {
      this.#parts.delete(producer);
      metrics?.removeProducer(producer);
    };
    const producer = new Producer<K, V>(
      { cluster: this.#cluster, purpose, clientRack, openTelemetry, onFirstSend, onClosed },
      resolved,
    );
    this.#parts.add(producer);
    metrics?.addProducer(producer);
    return producer;
  }

  /**
   * A consumer of records whose keys and values have the types of its deserialisers.
   * @throws ConfigurationError, ClosedError
   */
  consumer<K = Uint8Array, V = Uint8Array>(options: ConsumerOptions<K, V> = {}): Consumer<K, V> {
    this.#checkOpen();
    const { onRetry, clientRack, maxResponseBytes } = this.#options;
    const resolved = resolveConsumerOptions(options);
    if (resolved.fetchMaxBytes >= maxResponseBytes) {
      throw new ConfigurationError("kafka.consumer(): fetchMaxBytes leaves no room in the client's maxResponseBytes");
    }
    const consumer = new Consumer<K, V>(this.#cluster, {
      ...resolved,
      ...this.#timeouts(),
      rackId: resolved.clientRack ?? clientRack,
      purpose: `consumer-${++this.#partCount}`,
      onRetry,
      openTelemetry: this.#options.openTelemetry,
      onClosed: () => {
        this.#parts.delete(consumer);
        this.#metrics?.removeConsumer(consumer);
      },
    });
    this.#parts.add(consumer);
    this.#metrics?.addConsumer(consumer);
    return consumer;
  }

  /**
   * Reads topics, processes each record and writes what comes of it, with an effect of once for each record (KIP-447): offsets and
   * records are committed together. Runs until it is closed.
   * @throws ConfigurationError, ClosedError
   */
  exactlyOnce<K = Uint8Array, V = Uint8Array, OutKey = Data, OutValue = Data>(
    options: ExactlyOnceOptions<K, V, OutKey, OutValue>,
  ): ExactlyOnce<K, V, OutKey, OutValue> {
    this.#checkOpen();
    checkExactlyOnceOptions(options);
    const { groupId, transactionalId, consumer: consumerOptions, producer: producerOptions } = options;
    const { retryBackoffMs, retryBackoffMaxMs } = this.#options;
    const { random } = this.#cluster.options;
    const name = transactionalId ?? `${groupId}-${random.uint32().toString(36)}${random.uint32().toString(36)}`;
    const producer = this.producer<OutKey, OutValue>({
      ...(transactionalId === undefined && { transactionTimeoutMs: TIMEOUT_OF_UNNAMED_TRANSACTIONS_MS }),
      ...producerOptions,
      transactionalId: name,
    });
    const consumer = this.consumer<K, V>({
      autoOffsetReset: "earliest",
      ...consumerOptions,
      groupId,
      isolationLevel: "read_committed",
      enableAutoCommit: false,
    });
    const pipeline = new ExactlyOnce<K, V, OutKey, OutValue>(options, {
      consumer,
      producer,
      retries: this.#cluster.retries,
      retryBackoffMs,
      retryBackoffMaxMs,
      onClosed: () => void this.#pipelines.delete(pipeline),
    });
    this.#pipelines.add(pipeline);
    return pipeline;
  }

  /**
   * The id under which brokers know the metrics of this client (KIP-714); the first call asks for it. Needs `enableMetricsPush`.
   * @throws ConfigurationError, UnsupportedVersionError where brokers take no metrics, BrokerError
   */
  async clientInstanceId(): Promise<string> {
    this.#checkOpen();
    if (this.#telemetry !== undefined) return await this.#telemetry.clientInstanceId();
    throw new ConfigurationError("kafka.clientInstanceId() needs the option enableMetricsPush");
  }

  admin(): Admin {
    this.#checkOpen();
    return new Admin(this.#cluster, this.#timeouts());
  }

  /** Closes what was made here, producers after what they hold has been sent, and all connections. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await Promise.allSettled(Array.from(this.#pipelines, (pipeline) => pipeline.close())); // their `done` tells how it was
      await Promise.all(Array.from(this.#parts, (part) => part.close()));
    } finally {
      await this.#telemetry?.close();
      this.#cluster.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #timeouts(): { readonly requestTimeoutMs: number; readonly defaultApiTimeoutMs: number } {
    const { requestTimeoutMs, defaultApiTimeoutMs } = this.#options;
    return { requestTimeoutMs, defaultApiTimeoutMs };
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError("the client");
  }
}
