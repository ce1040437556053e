import type { Clock, Random, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, randomUuid, ZERO_UUID } from "@samsa/base";
import type { ConfigsImage } from "@samsa/metadata";
import { crc32c } from "@samsa/protocol";
import type { GetTelemetrySubscriptionsRequest } from "@samsa/protocol/messages/get-telemetry-subscriptions-request";
import { GetTelemetrySubscriptionsResponse } from "@samsa/protocol/messages/get-telemetry-subscriptions-response";
import type { PushTelemetryRequest } from "@samsa/protocol/messages/push-telemetry-request";
import type { RequestContext } from "../request-context.ts";
import type { ClientSubscription, TelemetryClient } from "./client-metrics-subscriptions.ts";
import { ClientMetricsSubscriptions } from "./client-metrics-subscriptions.ts";

/** Metrics that a client has pushed, in OTLP's encoding (`opentelemetry.proto.metrics.v1.MetricsData`). */
export interface ClientMetricsPayload extends TelemetryClient {
  /** The client ends: it has nothing more to tell. */
  readonly isTerminating: boolean;
  readonly compressionType: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  /** As it was sent, compressed. */
  readonly data: Uint8Array;
}

/** Takes what clients measure. What it throws is answered with INVALID_RECORD. */
export type ClientMetricsReceiver = (payload: ClientMetricsPayload) => void;

export interface ClientMetricsManagerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly configs: () => ConfigsImage;
  /** `telemetry.max.bytes` */
  readonly maxBytes: () => number;
  /** None: what is pushed is checked, counted and dropped. */
  readonly receiver?: ClientMetricsReceiver | undefined;
}

const COMPRESSION_TYPES = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
/** In the order in which they are to be preferred. */
const ACCEPTED_COMPRESSION_TYPES = [4, 3, 1, 2];
/** Clients that are remembered; the one that was not heard of for longest goes first. Kafka's bound. */
const MAX_CLIENT_INSTANCES = 16_384;
/** Ids that Kafka keeps for itself: of no topic, and of the metadata. */
const RESERVED_IDS: ReadonlySet<string> = new Set([ZERO_UUID, "AAAAAAAAAAAAAAAAAAAAAQ"]);
/** After these a client may ask again at once, to mend what was wrong. */
const MENDABLE: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.UNKNOWN_SUBSCRIPTION_ID,
  ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
]);

interface ClientInstance {
  readonly client: TelemetryClient;
  readonly subscription: ClientSubscription;
  readonly subscriptionId: number;
  readonly version: number; // of the subscriptions
  lastGetMs: number;
  lastPushMs: number;
  lastError: ErrorCode;
  isTerminating: boolean;
}

/**
 * Asks clients for metrics and takes what they push (KIP-714), as Kafka's ClientMetricsManager does. Times are those of the client's
 * own interval; who comes too early is told THROTTLING_QUOTA_EXCEEDED.
 */
export class ClientMetricsManager {
  readonly #options: ClientMetricsManagerOptions;
  readonly #subscriptions = new ClientMetricsSubscriptions();
  readonly #instances = new Map<Uuid, ClientInstance>(); // the one that was not heard of for longest first
  unknownSubscriptionRequests = 0;
  throttled = 0;
  pluginExports = 0; // payloads that were taken, by the receiver if there is one
  pluginErrors = 0;
  receivedBytes = 0;

  constructor(options: ClientMetricsManagerOptions) {
    this.#options = options;
  }

  /** For metrics. */
  get clientInstances(): number {
    return this.#instances.size;
  }

  /**
   * Whether clients are told that they may push. Kafka tells them where a plug-in takes the metrics; here a subscription is enough,
   * for what is pushed is counted. Without either it is answered as Kafka answers it, and not advertised.
   */
  get isAdvertised(): boolean {
    return this.#options.receiver !== undefined || this.#subscriptions.update(this.#options.configs()) > 0;
  }

  /** @throws KafkaError THROTTLING_QUOTA_EXCEEDED */
  getSubscriptions(
    { clientInstanceId: asked }: GetTelemetrySubscriptionsRequest,
    context: RequestContext,
  ): GetTelemetrySubscriptionsResponse {
    const { random, clock, maxBytes } = this.#options;
    const clientInstanceId = asked === ZERO_UUID ? randomUuid(random) : asked;
    const instance = this.#instance(clientInstanceId, context);
    const nowMs = clock.monotonicMs();
    const lastMs = Math.max(instance.lastGetMs, instance.lastPushMs);
    const isDue = nowMs - lastMs >= instance.subscription.pushIntervalMs;
    if (isDue) instance.lastGetMs = nowMs;
    else if (!MENDABLE.has(instance.lastError)) throw this.#throttle(instance);
    instance.lastError = ErrorCode.NONE;
    return GetTelemetrySubscriptionsResponse.create({
      clientInstanceId,
      subscriptionId: instance.subscriptionId,
      acceptedCompressionTypes: ACCEPTED_COMPRESSION_TYPES,
      pushIntervalMs: instance.subscription.pushIntervalMs,
      telemetryMaxBytes: maxBytes(),
      deltaTemporality: true,
      requestedMetrics: instance.subscription.metrics,
    });
  }

  /**
   * @throws KafkaError INVALID_REQUEST, THROTTLING_QUOTA_EXCEEDED, UNKNOWN_SUBSCRIPTION_ID, UNSUPPORTED_COMPRESSION_TYPE,
   * TELEMETRY_TOO_LARGE, INVALID_RECORD
   */
  push(request: PushTelemetryRequest, context: RequestContext): void {
    const { clientInstanceId } = request;
    if (RESERVED_IDS.has(clientInstanceId)) throw new KafkaError(ErrorCode.INVALID_REQUEST, "no id of a client");
    const instance = this.#instance(clientInstanceId, context);
    try {
      const compressionType = this.#check(instance, request);
      instance.isTerminating ||= request.terminating;
      if (request.metrics.length > 0) this.#take(instance, request, compressionType);
      instance.lastError = ErrorCode.NONE;
    } catch (error) {
      if (error instanceof KafkaError) instance.lastError = error.code;
      throw error;
    }
  }

  #check(instance: ClientInstance, request: PushTelemetryRequest): ClientMetricsPayload["compressionType"] {
    const { clock, maxBytes } = this.#options;
    if (instance.isTerminating) throw new KafkaError(ErrorCode.INVALID_REQUEST, "the client has said its last");
    const nowMs = clock.monotonicMs();
    const isFirst = instance.lastGetMs > instance.lastPushMs; // since it was told what to push
    const isDue = isFirst || nowMs - instance.lastPushMs >= instance.subscription.pushIntervalMs;
    if (isDue) instance.lastPushMs = nowMs;
    else if (!request.terminating) throw this.#throttle(instance);
    if (request.subscriptionId !== instance.subscriptionId) {
      this.unknownSubscriptionRequests++;
      throw new KafkaError(ErrorCode.UNKNOWN_SUBSCRIPTION_ID);
    }
    const compressionType = COMPRESSION_TYPES[request.compressionType];
    if (compressionType === undefined) throw new KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE);
    if (request.metrics.length > maxBytes()) throw new KafkaError(ErrorCode.TELEMETRY_TOO_LARGE);
    return compressionType;
  }

  #take(
    { client }: ClientInstance,
    { terminating, metrics }: PushTelemetryRequest,
    compressionType: ClientMetricsPayload["compressionType"],
  ): void {
    this.receivedBytes += metrics.length;
    try {
      this.#options.receiver?.({ ...client, isTerminating: terminating, compressionType, data: metrics });
      this.pluginExports++;
    } catch (cause) {
      this.pluginErrors++;
      throw new KafkaError(ErrorCode.INVALID_RECORD, "the metrics were not taken", { cause });
    }
  }

  #throttle(instance: ClientInstance): KafkaError {
    this.throttled++;
    instance.lastError = ErrorCode.THROTTLING_QUOTA_EXCEEDED;
    return new KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED, "the client comes before its next push");
  }

  /** Made anew when the subscriptions have changed, and with it the times that it had. */
  #instance(clientInstanceId: Uuid, context: RequestContext): ClientInstance {
    this.#subscriptions.update(this.#options.configs());
    const { version } = this.#subscriptions;
    const known = this.#instances.get(clientInstanceId);
    this.#instances.delete(clientInstanceId); // to the end
    const instance = known?.version === version ? known : this.#newInstance(clientInstanceId, context, version);
    this.#instances.set(clientInstanceId, instance);
    const [oldest] = this.#instances.keys();
    if (this.#instances.size > MAX_CLIENT_INSTANCES && oldest !== undefined) this.#instances.delete(oldest);
    return instance;
  }

  #newInstance(clientInstanceId: Uuid, context: RequestContext, version: number): ClientInstance {
    const { clientId, clientAddress, clientSoftware } = context;
    const client: TelemetryClient = {
      clientInstanceId,
      clientId,
      softwareName: clientSoftware.name,
      softwareVersion: clientSoftware.version,
      sourceAddress: clientAddress.host,
      sourcePort: clientAddress.port,
    };
    const subscription = this.#subscriptions.for(client);
    const subscriptionId = subscriptionIdOf(subscription, clientInstanceId);
    return {
      client,
      subscription,
      subscriptionId,
      version,
      lastGetMs: -Infinity,
      lastPushMs: -Infinity,
      lastError: ErrorCode.NONE,
      isTerminating: false,
    };
  }
}

/** Another one for whatever else is asked for, and for another client. */
function subscriptionIdOf({ metrics, pushIntervalMs }: ClientSubscription, clientInstanceId: Uuid): number {
  const text = `${[...metrics].sort().join(", ")}${pushIntervalMs}${clientInstanceId}`;
  return crc32c(new TextEncoder().encode(text)) | 0;
}
