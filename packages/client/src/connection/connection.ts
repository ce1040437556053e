import type { Address, Clock, Connection, ConnectionHandler, Timer, Transport } from "@samsa/base";
import { ByteReader, ErrorCode, KafkaError, ProtocolError, TransportError } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { encodeRequest, FrameDecoder, responseHeaderVersion } from "@samsa/protocol";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { ResponseHeader } from "@samsa/protocol/messages/response-header";
import { BrokerError, ConnectionError, RequestTimeoutError, toKafkaError } from "../errors.ts";
import type { Api, ApiRange } from "./api.ts";
import { api } from "./api.ts";
import { ApiVersionTable } from "./api-version-table.ts";

export interface BrokerConnectionOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly clientId: string;
  readonly softwareVersion: string;
  readonly requestTimeoutMs: number;
  readonly connectionSetupTimeoutMs: number;
  readonly maxInFlightRequests: number;
  /** Bound of one answer; more than `fetchMaxBytes`, since the first batch comes whole whatever its size (KIP-74). */
  readonly maxResponseBytes: number;
}

export interface SendOptions {
  /** How long to wait for the answer; `requestTimeoutMs` when left out. It begins when the request leaves. */
  readonly timeoutMs?: number;
}

interface Request {
  readonly what: string;
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  readonly timeoutMs: number;
  readonly chunks: readonly Uint8Array[];
  deadlineMs: number; // once it has left
  succeed(reader: ByteReader): void;
  fail(error: KafkaError): void;
}

/** Requests that wait for their turn to leave. Callers wait for answers, so many more are a mistake of ours. */
const MAX_WAITING_REQUESTS = 10_000;
const API_VERSIONS = api(ApiVersionsRequest, ApiVersionsResponse);
/** The names a broker accepts, as its telemetry has it (KIP-511). */
const SOFTWARE_NAME = "samsa";

/**
 * One connection to one broker. Requests leave in the order of `send`, up to `maxInFlightRequests` before the first answer;
 * answers come in the order of the requests, as Kafka promises. Whatever breaks that order, or a request that outlives its
 * time, ends the connection and fails all that wait on it.
 */
export class BrokerConnection implements ConnectionHandler {
  readonly address: string;
  readonly #options: BrokerConnectionOptions;
  readonly #frames: FrameDecoder;
  #connection: Connection | undefined;
  #versions = new ApiVersionTable([]);
  #correlationId = 0;
  readonly #inFlight: Request[] = [];
  readonly #waiting: Request[] = [];
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
    this.#frames = new FrameDecoder(options.maxResponseBytes);
  }

  /**
   * Connects and agrees on versions.
   * @throws ConnectionError, RequestTimeoutError, ProtocolError, BrokerError
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
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  }

  /** What ended the connection; undefined while it serves. */
  get failure(): KafkaError | undefined {
    return this.#failure;
  }

  /** Requests that have left or wait to leave. */
  get pendingRequests(): number {
    return this.#inFlight.length + this.#waiting.length;
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
        this.#enqueue(API_VERSIONS, version, request, timeoutMs, resolve, reject);
      });
    let response = await ask(API_VERSIONS.highestVersion);
    if (response.errorCode === ErrorCode.UNSUPPORTED_VERSION) {
      const served = response.apiKeys.find(({ apiKey }) => apiKey === API_VERSIONS.apiKey);
      response = await ask(Math.min(served?.maxVersion ?? 0, API_VERSIONS.highestVersion));
    }
    if (response.errorCode !== ErrorCode.NONE) {
      throw new BrokerError(response.errorCode as ErrorCode, `ApiVersions to ${this.address}`);
    }
    return new ApiVersionTable(response.apiKeys);
  }

  #enqueue<Req, Res>(
    api: Api<Req, Res>,
    version: number,
    request: Req,
    timeoutMs: number,
    resolve: (response: Res) => void,
    reject: (error: KafkaError) => void,
  ): void {
    if (this.#failure !== undefined) return reject(this.#failure);
    if (this.#waiting.length >= MAX_WAITING_REQUESTS) {
      return reject(new ConnectionError(this.address, `${MAX_WAITING_REQUESTS} requests wait already`));
    }
    const correlationId = this.#nextCorrelationId();
    const what = `${api.name} to ${this.address}`;
    this.#waiting.push({
      what,
      apiKey: api.apiKey,
      version,
      correlationId,
      timeoutMs,
      chunks: encodeRequest(api.request, request, version, correlationId, this.#options.clientId),
      deadlineMs: Number.POSITIVE_INFINITY,
      succeed: (reader) => resolve(decode(api.response, reader, version, what)),
      fail: reject,
    });
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    while (this.#connection !== undefined && this.#inFlight.length < this.#options.maxInFlightRequests) {
      if (this.#isWriteBlocked) return; // onDrain goes on
      const request = this.#waiting.shift();
      if (request === undefined) return;
      request.deadlineMs = this.#options.clock.monotonicMs() + request.timeoutMs;
      this.#inFlight.push(request);
      this.#armTimer(request.deadlineMs);
      this.#isWriteBlocked = !this.#connection.write(request.chunks);
    }
  }

  #receive(frame: Uint8Array): void {
    const reader = new ByteReader(frame);
    const request = this.#inFlight[0];
    if (request === undefined) throw new ProtocolError(`${this.address} answers what nobody asked`);
    // The broker may answer ApiVersions at version 0, which has the same header as every other version.
    const header = ResponseHeader.read(reader, responseHeaderVersion(request.apiKey, request.version));
    if (header.correlationId !== request.correlationId) {
      throw new ProtocolError(`${request.what}: answer ${header.correlationId} where ${request.correlationId} is next`);
    }
    request.succeed(reader); // a throw leaves it in flight, to fail with the connection
    this.#inFlight.shift();
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
    for (const { deadlineMs, what, timeoutMs } of this.#inFlight) {
      if (deadlineMs <= nowMs) return this.#end(new RequestTimeoutError(what, timeoutMs));
      nextMs = Math.min(nextMs, deadlineMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.#armTimer(nextMs);
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
    this.#connection?.destroy();
    const lost = [...this.#inFlight.splice(0), ...this.#waiting.splice(0)];
    for (const request of lost) request.fail(failure);
    for (const callback of [...this.#whenWritable.splice(0), ...this.#whenClosed.splice(0)]) callback();
  }
}

/** A broker that answers ApiVersions at version 0 says so in the first field; every other answer has our version. */
function decode<Res>(codec: ApiMessageCodec<Res>, reader: ByteReader, version: number, what: string): Res {
  const start = reader.offset;
  const isVersionRefused =
    codec.apiKey === API_VERSIONS.apiKey && reader.remaining >= 2 && reader.int16() === ErrorCode.UNSUPPORTED_VERSION;
  reader.offset = start;
  const response = codec.read(reader, isVersionRefused ? 0 : version);
  if (reader.remaining > 0) throw new ProtocolError(`${what}: ${reader.remaining} bytes follow the answer`);
  return response;
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
