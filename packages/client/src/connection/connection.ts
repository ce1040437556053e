import type { Address, Clock, Connection, ConnectionHandler, Random, Timer, Transport } from "@samsa/base";
import { ByteReader, ErrorCode, KafkaError, ProtocolError, TransportError } from "@samsa/base";
import { encodeRequest, FrameDecoder, responseHeaderVersion } from "@samsa/protocol";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { ResponseHeader } from "@samsa/protocol/messages/response-header";
import { SaslAuthenticateRequest } from "@samsa/protocol/messages/sasl-authenticate-request";
import { SaslAuthenticateResponse } from "@samsa/protocol/messages/sasl-authenticate-response";
import { SaslHandshakeRequest } from "@samsa/protocol/messages/sasl-handshake-request";
import { SaslHandshakeResponse } from "@samsa/protocol/messages/sasl-handshake-response";
import type { SaslClient } from "@samsa/security";
import { SaslError } from "@samsa/security";
import { BrokerError, ConnectionError, RequestTimeoutError, toKafkaError } from "../errors.ts";
import { connectionClosed, connectionOpened, requestSent, responseReceived } from "../observability/channels.ts";
import type { Api, ApiRange } from "./api.ts";
import { api } from "./api.ts";
import { ApiVersionTable } from "./api-version-table.ts";
import { recycledFrames } from "./frame-memory.ts";
import type { ConnectionCounters } from "./connection-counters.ts";

export interface BrokerConnectionOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly clientId: string;
  readonly softwareVersion: string;
  readonly requestTimeoutMs: number;
  readonly connectionSetupTimeoutMs: number;
  readonly maxInFlightRequests: number;
  /** Who we are, for brokers that ask: a machine for each authentication. */
  readonly newSaslClient?: (() => SaslClient) | undefined;
  readonly random: Random;
  readonly counters: ConnectionCounters;
  /** Told of each answer, where somebody measures. */
  readonly onAnswer?: ((apiKey: number, tookMs: number, throttleTimeMs: number) => void) | undefined;
  /** Bound of one answer; more than `fetchMaxBytes`, since the first batch comes whole whatever its size (KIP-74). */
  readonly maxResponseBytes: number;
}

export interface SendOptions {
  /** How long to wait for the answer; `requestTimeoutMs` when left out. It begins when the request leaves. */
  readonly timeoutMs?: number;
}

interface Request {
  readonly api: Api<unknown, unknown>;
  readonly version: number;
  readonly correlationId: number;
  readonly timeoutMs: number;
  readonly chunks: readonly Uint8Array[];
  sentMs: number; // once it has left
  deadlineMs: number;
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: KafkaError) => void;
}

/** Requests that wait for their turn to leave. Callers wait for answers, so many more are a mistake of ours. */
const MAX_WAITING_REQUESTS = 10_000;
const API_VERSIONS = api(ApiVersionsRequest, ApiVersionsResponse);
/** From version 1 on what follows goes in SaslAuthenticate requests; every broker since 1.0 knows it. */
const SASL_HANDSHAKE = api(SaslHandshakeRequest, SaslHandshakeResponse, { lowestVersion: 1 });
const SASL_AUTHENTICATE = api(SaslAuthenticateRequest, SaslAuthenticateResponse);
/** The names a broker accepts, as its telemetry has it (KIP-511). */
const SOFTWARE_NAME = "samsa";

/**
 * One connection to one broker. Requests leave in the order of `send`, up to `maxInFlightRequests` before the first answer;
 * answers come in the order of the requests, as Kafka promises. Whatever breaks that order, or a request that outlives its
 * time, ends the connection and fails all that wait on it.
 */
export class BrokerConnection implements ConnectionHandler {
  readonly address: string;
  readonly copiesData = true;
  readonly #options: BrokerConnectionOptions;
  readonly #frames: FrameDecoder;
  #connection: Connection | undefined;
  #versions = new ApiVersionTable([]);
  #correlationId = 0;
  readonly #inFlight: Request[] = [];
  readonly #waiting: Request[] = [];
  /** Before all others: those of an authentication. */
  readonly #urgent: Request[] = [];
  #isAuthenticating = false;
  #hasOpened = false;
  #reauthenticateAtMs = Number.POSITIVE_INFINITY;
  #throttleTimer: Timer | undefined;
  /** When something was last asked or answered (monotonic). */
  lastUsedMs: number;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #failure: KafkaError | undefined;
  #whenClosed: (() => void)[] = [];
  #isWriteBlocked = false;
  #whenWritable: (() => void)[] = [];
  /** The broker asked to be left alone until then (monotonic, KIP-219). */
  throttledUntilMs = 0;

  private constructor(address: Address, options: BrokerConnectionOptions) {
    this.address = formatAddress(address);
    this.#options = options;
    this.#frames = new FrameDecoder(options.maxResponseBytes, { copies: true, memory: recycledFrames });
    this.lastUsedMs = options.clock.monotonicMs();
  }

  /**
   * Connects, agrees on versions, and says who we are where that is asked for.
   * @throws SaslError, ConnectionError, RequestTimeoutError, ProtocolError, BrokerError
   */
  static async open(address: Address, options: BrokerConnectionOptions): Promise<BrokerConnection> {
    const opened = new BrokerConnection(address, options);
    try {
      opened.#connection = await options.transport.connect(address, opened, {
        timeoutMs: options.connectionSetupTimeoutMs,
      });
    } catch (error) {
      throw new ConnectionError(opened.address, connectFailure(error), { cause: error });
    }
    try {
      opened.#versions = await opened.#negotiate();
      await opened.#authenticate();
    } catch (error) {
      opened.close();
      throw error;
    }
    opened.#hasOpened = true;
    options.counters.connectionsOpened++;
    if (connectionOpened.hasSubscribers) connectionOpened.publish({ broker: opened.address });
    return opened;
  }

  /** What ended the connection; undefined while it serves. */
  get failure(): KafkaError | undefined {
    return this.#failure;
  }

  /** Requests that have left or wait to leave. */
  get pendingRequests(): number {
    return this.#inFlight.length + this.#waiting.length + this.#urgent.length;
  }

  /** Calls once when the connection has ended. */
  onceClosed(callback: () => void): void {
    if (this.#failure === undefined) this.#whenClosed.push(callback);
    else callback();
  }

  /** @throws UnsupportedVersionError where broker and client have none in common */
  versionOf(api: ApiRange): number {
    return this.#versions.versionOf(api, this.address);
  }

  /** The level that the cluster has agreed on for a feature, as this broker knew when the connection was opened; 0 for none. */
  finalizedFeature(name: string): number {
    return this.#versions.finalizedFeature(name);
  }

  supports(api: ApiRange): boolean {
    return this.#versions.find(api) !== undefined;
  }

  /**
   * Sends one request and resolves with its answer.
   * @param build is told the version that was agreed on
   * @throws ConnectionError, RequestTimeoutError, UnsupportedVersionError, ProtocolError
   */
  send<Req, Res>(api: Api<Req, Res>, build: Req | ((version: number) => Req), options: SendOptions = {}): Promise<Res> {
    return new Promise((resolve, reject) => {
      const version = this.versionOf(api);
      const request = typeof build === "function" ? (build as (version: number) => Req)(version) : build;
      this.#enqueue(api, version, request, options.timeoutMs ?? this.#options.requestTimeoutMs, resolve, reject);
    });
  }

  /** Sends a request that has no answer: Produce with acks=0. It does not count as in flight; `onceWritable` holds it back. */
  sendOneWay<Req>(api: Api<Req, unknown>, build: (version: number) => Req): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#renewSession();
    if (this.#isAuthenticating) throw new ConnectionError(this.address, "the session is being renewed");
    const version = this.versionOf(api);
    const { clientId } = this.#options;
    const chunks = encodeRequest(api.request, build(version), version, this.#nextCorrelationId(), clientId);
    this.#isWriteBlocked = !(this.#connection?.write(chunks) ?? false);
  }

  /** Whether the system takes what is written. */
  get isWritable(): boolean {
    return !this.#isWriteBlocked;
  }

  /** Calls once when the connection is writable again. */
  onceWritable(callback: () => void): void {
    if (this.isWritable) callback();
    else this.#whenWritable.push(callback);
  }

  close(): void {
    this.#end(new ConnectionError(this.address, "closed by this client"));
  }

  onData(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#options.counters.bytesReceived += bytes.length;
    try {
      for (const frame of this.#frames.push(bytes)) this.#receive(frame);
      if (this.#frames.failure !== undefined) throw this.#frames.failure;
    } catch (error) {
      this.#end(toKafkaError(error));
    }
  }

  onDrain(): void {
    this.#isWriteBlocked = false;
    for (const callback of this.#whenWritable.splice(0)) callback();
    this.#sendWaiting();
  }

  onClose(error?: Error): void {
    const reason = error === undefined ? "the broker closed the connection" : error.message;
    this.#end(new ConnectionError(this.address, reason, error === undefined ? {} : { cause: error }));
  }

  /** Asks with our highest version; a broker that does not know it says which it does, at version 0 (KIP-511). */
  async #negotiate(): Promise<ApiVersionTable> {
    const request = ApiVersionsRequest.create({
      clientSoftwareName: SOFTWARE_NAME,
      clientSoftwareVersion: this.#options.softwareVersion,
    });
    const timeoutMs = this.#options.requestTimeoutMs;
    const ask = (version: number): Promise<ApiVersionsResponse> =>
      new Promise((resolve, reject) => {
        this.#enqueue(API_VERSIONS, version, request, timeoutMs, resolve, reject, this.#urgent);
      });
    let response = await ask(API_VERSIONS.highestVersion);
    if (response.errorCode === ErrorCode.UNSUPPORTED_VERSION) {
      const served = response.apiKeys.find(({ apiKey }) => apiKey === API_VERSIONS.apiKey);
      response = await ask(Math.min(served?.maxVersion ?? 0, API_VERSIONS.highestVersion));
    }
    if (response.errorCode !== ErrorCode.NONE) {
      throw new BrokerError(response.errorCode as ErrorCode, `ApiVersions to ${this.address}`);
    }
    return new ApiVersionTable(response.apiKeys, response.finalizedFeatures);
  }

  /** Says who we are (KIP-152), and notes when the broker wants to hear it again (KIP-368). */
  async #authenticate(): Promise<void> {
    const { newSaslClient, clock, random } = this.#options;
    if (newSaslClient === undefined) return;
    this.#isAuthenticating = true;
    const client = newSaslClient();
    const { mechanism } = client;
    const handshake = await this.#ask(SASL_HANDSHAKE, SaslHandshakeRequest.create({ mechanism }));
    if (handshake.errorCode !== ErrorCode.NONE) {
      const offered = `${mechanism} is not offered; ${handshake.mechanisms.join(", ") || "nothing"} is`;
      throw new BrokerError(handshake.errorCode as ErrorCode, "SaslHandshake", offered, this.address);
    }
    let authBytes: Uint8Array | undefined = await this.#firstMessage(client);
    let sessionLifetimeMs = 0;
    while (authBytes !== undefined) {
      const answer = await this.#ask(SASL_AUTHENTICATE, SaslAuthenticateRequest.create({ authBytes }));
      if (answer.errorCode !== ErrorCode.NONE) {
        const { errorCode, errorMessage } = answer;
        throw new BrokerError(errorCode as ErrorCode, `SaslAuthenticate with ${mechanism}`, errorMessage, this.address);
      }
      sessionLifetimeMs = answer.sessionLifetimeMs;
      authBytes = await client.step(answer.authBytes);
    }
    if (!client.isComplete) throw new SaslError(`${mechanism}: the broker ended the exchange too early`);
    // Somewhere between 85 and 95 % of the session, as Java, so that the clients of a broker do not all come at once.
    const share = 0.85 + (0.1 * random.uint32()) / 2 ** 32;
    this.#reauthenticateAtMs =
      sessionLifetimeMs > 0 ? clock.monotonicMs() + share * sessionLifetimeMs : Number.POSITIVE_INFINITY;
    this.#isAuthenticating = false;
    this.#sendWaiting();
  }

  /** The application's callback for a token may fail for a while; that is no refusal. */
  async #firstMessage(client: SaslClient): Promise<Uint8Array> {
    try {
      return await client.initial();
    } catch (error) {
      if (error instanceof SaslError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new ConnectionError(this.address, `no token: ${reason}`, { cause: error });
    }
  }

  /** Requests wait meanwhile, and those under way are answered first. */
  #renewSession(): void {
    if (this.#isAuthenticating || this.#options.clock.monotonicMs() < this.#reauthenticateAtMs) return;
    this.#authenticate().catch((error: unknown) => this.#end(toKafkaError(error)));
  }

  #ask<Req, Res>(api: Api<Req, Res>, request: Req): Promise<Res> {
    return new Promise((resolve, reject) => {
      const version = this.versionOf(api);
      this.#enqueue(api, version, request, this.#options.requestTimeoutMs, resolve, reject, this.#urgent);
    });
  }

  #enqueue<Req, Res>(
    api: Api<Req, Res>,
    version: number,
    request: Req,
    timeoutMs: number,
    resolve: (response: Res) => void,
    reject: (error: KafkaError) => void,
    queue = this.#waiting,
  ): void {
    if (this.#failure !== undefined) return reject(this.#failure);
    if (queue === this.#waiting) this.#renewSession();
    if (this.#waiting.length >= MAX_WAITING_REQUESTS) {
      return reject(new ConnectionError(this.address, `${MAX_WAITING_REQUESTS} requests wait already`));
    }
    const correlationId = this.#nextCorrelationId();
    queue.push({
      api,
      version,
      correlationId,
      timeoutMs,
      chunks: encodeRequest(api.request, request, version, correlationId, this.#options.clientId),
      sentMs: 0,
      deadlineMs: Number.POSITIVE_INFINITY,
      resolve: resolve as (response: unknown) => void,
      reject,
    });
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    const { maxInFlightRequests, clock, counters } = this.#options;
    while (this.#connection !== undefined && this.#inFlight.length < maxInFlightRequests) {
      if (this.#isWriteBlocked) return; // onDrain goes on
      const mayGoOn = !this.#isAuthenticating && this.#throttleTimer === undefined;
      const request = this.#urgent.shift() ?? (mayGoOn ? this.#waiting.shift() : undefined);
      if (request === undefined) return;
      const nowMs = clock.monotonicMs();
      request.sentMs = nowMs;
      request.deadlineMs = nowMs + request.timeoutMs;
      this.lastUsedMs = nowMs;
      this.#inFlight.push(request);
      this.#armTimer(request.deadlineMs);
      counters.requests++;
      for (const { length } of request.chunks) counters.bytesSent += length;
      if (requestSent.hasSubscribers) requestSent.publish(this.#facts(request));
      this.#isWriteBlocked = !this.#connection.write(request.chunks);
    }
  }

  /** A broker over its quota answers at once and asks to be left alone for a while (KIP-219). */
  #noteAnswer({ api, sentMs }: Request, response: unknown): void {
    const { throttleTimeMs = 0 } = response as { readonly throttleTimeMs?: number };
    const { clock, counters, onAnswer } = this.#options;
    onAnswer?.(api.apiKey, clock.monotonicMs() - sentMs, throttleTimeMs);
    if (throttleTimeMs <= 0) return;
    counters.throttleTimeMs += throttleTimeMs;
    this.throttledUntilMs = clock.monotonicMs() + throttleTimeMs;
    this.#throttleTimer?.cancel();
    this.#throttleTimer = clock.setTimer(throttleTimeMs, () => {
      this.#throttleTimer = undefined;
      this.#sendWaiting();
    });
  }

  #facts({ api, version, correlationId }: Request): {
    readonly broker: string;
    readonly api: string;
    readonly version: number;
    readonly correlationId: number;
  } {
    return { broker: this.address, api: api.name, version, correlationId };
  }

  #receive(frame: Uint8Array): void {
    const reader = new ByteReader(frame);
    const request = this.#inFlight[0];
    if (request === undefined) throw new ProtocolError(`${this.address} answers what nobody asked`);
    // The broker may answer ApiVersions at version 0, which has the same header as every other version.
    const header = ResponseHeader.read(reader, responseHeaderVersion(request.api.apiKey, request.version));
    if (header.correlationId !== request.correlationId) {
      throw new ProtocolError(
        `${this.#what(request)}: answer ${header.correlationId} where ${request.correlationId} is next`,
      );
    }
    const response = this.#decode(request, reader); // a throw leaves it in flight, to fail with the connection
    this.#noteAnswer(request, response);
    request.resolve(response);
    this.#inFlight.shift();
    this.lastUsedMs = this.#options.clock.monotonicMs();
    if (responseReceived.hasSubscribers) {
      responseReceived.publish({ ...this.#facts(request), tookMs: this.lastUsedMs - request.sentMs });
    }
    this.#sendWaiting();
  }

  /** One timer for all: it is set for the first deadline, and looks for the next when it goes off. */
  #armTimer(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#options.clock.monotonicMs());
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#onTimer());
  }

  #onTimer(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#options.clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const request of this.#inFlight) {
      const { deadlineMs, timeoutMs } = request;
      if (deadlineMs <= nowMs) return this.#end(new RequestTimeoutError(this.#what(request), timeoutMs));
      nextMs = Math.min(nextMs, deadlineMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.#armTimer(nextMs);
  }

  /** A broker that answers ApiVersions at version 0 says so in the first field; every other answer has our version. */
  #decode(request: Request, reader: ByteReader): unknown {
    const { api, version } = request;
    const start = reader.offset;
    const isVersionRefused =
      api.apiKey === API_VERSIONS.apiKey && reader.remaining >= 2 && reader.int16() === ErrorCode.UNSUPPORTED_VERSION;
    reader.offset = start;
    const response = api.response.read(reader, isVersionRefused ? 0 : version);
    if (reader.remaining > 0) {
      throw new ProtocolError(`${this.#what(request)}: ${reader.remaining} bytes follow the answer`);
    }
    return response;
  }

  #what({ api }: Request): string {
    return `${api.name} to ${this.address}`;
  }

  #nextCorrelationId(): number {
    const id = this.#correlationId;
    this.#correlationId = (id + 1) & 0x7fffffff;
    return id;
  }

  #end(failure: KafkaError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#timer?.cancel();
    this.#throttleTimer?.cancel();
    this.#connection?.destroy();
    if (this.#hasOpened) this.#options.counters.connectionsClosed++;
    if (this.#hasOpened && connectionClosed.hasSubscribers)
      connectionClosed.publish({ broker: this.address, error: failure });
    const lost = [...this.#inFlight.splice(0), ...this.#urgent.splice(0), ...this.#waiting.splice(0)];
    for (const request of lost) request.reject(failure);
    for (const callback of [...this.#whenWritable.splice(0), ...this.#whenClosed.splice(0)]) callback();
  }
}

/** The usual failures in words; the system's own for the others. */
function connectFailure(error: unknown): string {
  switch (error instanceof TransportError ? error.code : undefined) {
    case "ECONNREFUSED":
      return "connection refused, nothing listens there";
    case "ENOTFOUND":
      return "there is no host of this name";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
