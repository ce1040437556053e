import type { Clock, Random, Timer, Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import type { CompressionType } from "@samsa/protocol";
import { compress, COMPRESSION_TYPES, compressionTypeId } from "@samsa/protocol";
import { GetTelemetrySubscriptionsRequest } from "@samsa/protocol/messages/get-telemetry-subscriptions-request";
import { GetTelemetrySubscriptionsResponse } from "@samsa/protocol/messages/get-telemetry-subscriptions-response";
import { PushTelemetryRequest } from "@samsa/protocol/messages/push-telemetry-request";
import { PushTelemetryResponse } from "@samsa/protocol/messages/push-telemetry-response";
import type { Cluster } from "../cluster/cluster.ts";
import { api } from "../connection/api.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import { BrokerError, toKafkaError, UnsupportedVersionError } from "../errors.ts";
import type { ClientMetrics } from "./client-metrics.ts";
import type { Metric } from "./otlp.ts";
import { encodeMetrics } from "./otlp.ts";

const GET = api(GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse);
const PUSH = api(PushTelemetryRequest, PushTelemetryResponse);
/** Where no broker has said how often. */
const DEFAULT_INTERVAL_MS = 300_000;
/** The last push must not hold up who closes. */
const LAST_PUSH_LIMIT_MS = 2000;
const ALL_METRICS: ReadonlySet<string> = new Set(["*", ""]);
/** After these another answer of the broker would be the same. */
const FOR_GOOD: ReadonlySet<number> = new Set([
  ErrorCode.INVALID_REQUEST,
  ErrorCode.INVALID_RECORD,
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
]);
/** What was asked for is not what is asked for now. */
const ASK_AGAIN: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_SUBSCRIPTION_ID,
  ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
]);

export interface ClientTelemetryOptions {
  readonly cluster: Cluster;
  readonly metrics: ClientMetrics;
  /** Its timers do not keep the process alive. */
  readonly idleClock: Clock;
  readonly random: Random;
  readonly clientRack: string;
}

type Subscription = GetTelemetrySubscriptionsResponse;

/**
 * Pushes metrics of this client to its brokers when they ask for them (KIP-714). It asks once there is a connection, pushes first
 * after a part of the interval that is another for each client, and says a last word when the client closes. What goes wrong costs
 * metrics and nothing else.
 */
export class ClientTelemetry {
  readonly #options: ClientTelemetryOptions;
  #clientInstanceId: Uuid = ZERO_UUID;
  #subscription: Subscription | undefined;
  #asking: Promise<Subscription> | undefined;
  #intervalMs = DEFAULT_INTERVAL_MS;
  #timer: Timer | undefined;
  #hasStarted = false;
  #isOver = false;

  constructor(options: ClientTelemetryOptions) {
    this.#options = options;
  }

  /** There is a broker to be asked. */
  start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    this.#after(0);
  }

  /**
   * The id under which brokers know this client's metrics; the first call asks for it.
   * @throws UnsupportedVersionError where brokers take no metrics, BrokerError
   */
  async clientInstanceId(): Promise<Uuid> {
    if (this.#clientInstanceId === ZERO_UUID) await this.#ask(await this.#options.cluster.anyConnection());
    return this.#clientInstanceId;
  }

  /** Before the connections close. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    const connection = this.#options.cluster.anyLiveConnection();
    if (connection === undefined || this.#subscription === undefined) return;
    await this.#push(connection, this.#subscription, true).catch(() => {}); // nobody is left to mend it
  }

  #after(delayMs: number): void {
    if (this.#isOver) return;
    this.#timer = this.#options.idleClock.setTimer(delayMs, () => {
      this.#step().catch((thrown: unknown) => this.#onFailure(thrown));
    });
  }

  async #step(): Promise<void> {
    const connection = await this.#options.cluster.anyConnection();
    if (this.#subscription === undefined) {
      const subscription = await this.#ask(connection);
      if (subscription.requestedMetrics.length === 0) return this.#after(this.#intervalMs);
      this.#subscription = subscription;
      // Clients that were started together do not push together.
      return this.#after(this.#intervalMs * (0.5 + this.#options.random.uint32() / 2 ** 32));
    }
    await this.#push(connection, this.#subscription, false);
    this.#after(this.#intervalMs);
  }

  #onFailure(thrown: unknown): void {
    const { code } = toKafkaError(thrown);
    this.#subscription = undefined;
    if (FOR_GOOD.has(code)) this.#isOver = true;
    else this.#after(ASK_AGAIN.has(code) ? 0 : this.#intervalMs);
  }

  /** Together with whoever asks at the same time. */
  #ask(connection: BrokerConnection): Promise<Subscription> {
    this.#asking ??= this.#askNow(connection).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askNow(connection: BrokerConnection): Promise<Subscription> {
    if (!connection.supports(GET)) {
      throw new UnsupportedVersionError(`${connection.address} takes no metrics of clients`);
    }
    const request = GetTelemetrySubscriptionsRequest.create({ clientInstanceId: this.#clientInstanceId });
    const answer = await connection.send(GET, request);
    check(answer.errorCode, "GetTelemetrySubscriptions", connection);
    this.#clientInstanceId = answer.clientInstanceId;
    if (answer.pushIntervalMs > 0) this.#intervalMs = answer.pushIntervalMs;
    return answer;
  }

  async #push(connection: BrokerConnection, subscription: Subscription, terminating: boolean): Promise<void> {
    const { metrics, clientRack } = this.#options;
    const { requestedMetrics, deltaTemporality, telemetryMaxBytes, acceptedCompressionTypes } = subscription;
    const collected = metrics.collect(deltaTemporality);
    const wanted = collected.metrics.filter((metric) => isWanted(metric, requestedMetrics));
    if (wanted.length === 0 && !terminating) return;
    const resource: Record<string, string> = clientRack === "" ? {} : { client_rack: clientRack };
    const encoded = encodeMetrics(wanted, collected, resource);
    const compressionType = firstCompressionType(acceptedCompressionTypes);
    const compressed = compress(compressionType, encoded);
    if (compressed.length > telemetryMaxBytes && !terminating) return; // it would be refused
    const request = PushTelemetryRequest.create({
      clientInstanceId: subscription.clientInstanceId,
      subscriptionId: subscription.subscriptionId,
      terminating,
      compressionType: compressionTypeId(compressionType),
      metrics: compressed.length > telemetryMaxBytes ? new Uint8Array(0) : compressed,
    });
    const answer = await connection.send(PUSH, request, terminating ? { timeoutMs: LAST_PUSH_LIMIT_MS } : {});
    check(answer.errorCode, "PushTelemetry", connection);
    collected.commit();
  }
}

function check(errorCode: number, what: string, { address }: BrokerConnection): void {
  if (errorCode !== 0) throw new BrokerError(errorCode as ErrorCode, what, null, address);
}

/** By their prefixes. */
function isWanted({ name }: Metric, requested: readonly string[]): boolean {
  return requested.some((prefix) => ALL_METRICS.has(prefix) || name.startsWith(prefix));
}

/** The broker names first what it likes best. */
function firstCompressionType(accepted: readonly number[]): CompressionType {
  for (const id of accepted) {
    const type = COMPRESSION_TYPES[id];
    if (type !== undefined) return type;
  }
  return "none";
}
