import type { Clock, Connection, ConnectionHandler, Timer } from "@samsa/base";
import { InvariantError, KafkaError } from "@samsa/base";
import { ApiKey, FrameDecoder } from "@samsa/protocol";
import { CloseConnectionError } from "./api-handler.ts";
import type { Logger } from "./logger.ts";
import type { BrokerMetrics } from "./metrics/broker-metrics.ts";
import { ExchangeTimes } from "./metrics/exchange-times.ts";
import { hasPromises, keepPromises } from "./promised-records.ts";
import { ANONYMOUS } from "./quota/client-quota-limits.ts";
import type { MemoryShare, RequestMemory } from "./quota/request-memory.ts";
import { allowedMs } from "./quota/slow-peer.ts";
import type { Answer, ConnectionContext, RequestDispatcher } from "./request-dispatcher.ts";
import { requestFrames } from "./request-frames.ts";

/** Requests of one connection that may be in progress at once, all of an API that may overlap. */
const MAX_OVERLAPPING_REQUESTS = 64;
/** Bytes of such requests, beyond which the next one waits. */
const MAX_OVERLAPPING_BYTES = 32 * 1024 * 1024;
const NOTHING: readonly Uint8Array[] = [];

export interface ClientConnectionOptions {
  readonly connection: Connection;
  readonly dispatcher: RequestDispatcher;
  readonly listenerName: string;
  readonly maxRequestBytes: number; // socket.request.max.bytes
  readonly maxIdleMs: number; // connections.max.idle.ms; below 0 there is no bound
  readonly memory: RequestMemory;
  readonly clock: Clock;
  readonly metrics: BrokerMetrics | undefined;
  readonly logger: Logger;
  readonly onClose: (connection: ClientConnection) => void;
  /** A promise of our own code was broken: the broker must stop. */
  readonly onFatal: (error: InvariantError) => void;
}

interface Exchange {
  readonly mayOverlap: boolean;
  readonly requestBytes: number;
  answer?: Answer | undefined; // once it is there, and again when all that was promised in it is
  refusal?: { readonly error: unknown }; // why there will be none, and the connection ends here
}

/**
 * One client. Its requests are answered in the order they came: a request waits for the one before it, save those that may
 * overlap. While requests wait, or while the client does not take its answers, nothing more is read from it, so a client
 * holds no more memory than one read and what it is being answered. What cannot be answered closes the connection, after the
 * answers to everything before it.
 *
 * A client that is over its quota is answered at once, and then nothing of it is read for a while (KIP-219). One that is idle,
 * or that sends a request or takes its answers too slowly, is closed at a `check`.
 */
export class ClientConnection implements ConnectionHandler {
  readonly #options: ClientConnectionOptions;
  readonly #context: ConnectionContext;
  readonly #frames: FrameDecoder;
  #waiting: readonly Uint8Array[] = NOTHING; // whole requests not yet started, from one read
  readonly #exchanges: Exchange[] = []; // started, oldest first
  readonly #disconnectCallbacks = new Set<() => void>();
  readonly #share: MemoryShare;
  readonly #times: ExchangeTimes | undefined; // while somebody counts
  #requestBytes = 0; // of what was started and not answered
  #waitingBytes = 0; // of what was not started
  #writtenBytes = 0;
  #muted: Timer | undefined;
  #mutedUntilMs = 0;
  #wasActive = true; // since the last check
  #lastActiveMs: number;
  #lastCheckMs: number;
  #receivingMs = 0; // how long a request that is not complete has been on its way, while it was read
  #takenBytes = 0; // of the answers, at the last check at which there were more than before
  #takenAtMs = 0;
  #isWriteBlocked = false;
  #isPaused = false;
  #isPumping = false;
  #isClosed = false;
  #isEnding = false; // nothing more is started

  constructor(options: ClientConnectionOptions) {
    this.#options = options;
    this.#context = {
      listenerName: options.listenerName,
      clientAddress: options.connection.remoteAddress,
      clientSoftware: { name: "unknown", version: "unknown" },
      user: ANONYMOUS,
      onDisconnect: (callback) => this.#onDisconnect(callback),
    };
    this.#frames = new FrameDecoder(options.maxRequestBytes, { memory: requestFrames });
    this.#times = options.metrics === undefined ? undefined : new ExchangeTimes(options.metrics);
    this.#share = options.memory.join(() => this.#pump());
    this.#lastActiveMs = this.#lastCheckMs = options.clock.monotonicMs();
  }

  /** Nothing of it is in progress. */
  get isQuiet(): boolean {
    return this.#exchanges.length === 0 && this.#waiting.length === 0;
  }

  /** As of the last check. */
  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  onData(bytes: Uint8Array): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#wasActive = true;
    const complete = this.#frames.push(bytes);
    if (complete.length > 0) this.#receivingMs = 0;
    this.#times?.arrived(complete.length);
    for (const frame of complete) this.#waitingBytes += frame.length;
    this.#waiting = this.#waiting.length === 0 ? complete : [...this.#waiting, ...complete];
    this.#pump();
  }

  onDrain(): void {
    this.#wasActive = true;
    this.#isWriteBlocked = false;
    this.#pump();
  }

  onClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = NOTHING;
    this.#muted?.cancel();
    this.#options.memory.leave(this.#share);
    for (const callback of this.#disconnectCallbacks) callback();
    this.#disconnectCallbacks.clear();
    this.#options.onClose(this);
  }

  /** Starts nothing more, lets long polls go and ends the connection when what was started has been answered. */
  drain(): void {
    this.#stopStarting();
    for (const callback of this.#disconnectCallbacks) callback();
    this.#pump();
  }

  /** Ends the connection from our side. */
  close(): void {
    this.#options.connection.destroy();
    this.onClose();
  }

  /** To be called every now and then: closes a client that is idle, or too slow. */
  check(): void {
    const { clock, memory, maxIdleMs, connection } = this.#options;
    const nowMs = clock.monotonicMs();
    const sinceLastMs = nowMs - this.#lastCheckMs;
    this.#lastCheckMs = nowMs;
    if (this.#wasActive) this.#lastActiveMs = nowMs;
    this.#wasActive = false;
    this.#holdMemory();

    const untakenBytes = connection.bufferedBytes;
    const takenBytes = this.#writtenBytes - untakenBytes;
    if (untakenBytes === 0 || takenBytes > this.#takenBytes) {
      this.#takenBytes = takenBytes;
      this.#takenAtMs = nowMs;
    }
    const partialBytes = this.#frames.pendingBytes;
    if (partialBytes === 0) this.#receivingMs = 0;
    else if (!this.#isPaused) this.#receivingMs += sinceLastMs;

    if (nowMs - this.#takenAtMs > allowedMs(untakenBytes, memory.isUsedUp)) {
      this.#cutOff(`it does not take its answers (${untakenBytes} bytes)`);
    } else if (this.#receivingMs > allowedMs(partialBytes, memory.isUsedUp)) {
      this.#cutOff(`its request does not end (${partialBytes} bytes so far)`);
    } else if (maxIdleMs >= 0 && this.isQuiet && nowMs - this.#lastActiveMs >= maxIdleMs) {
      this.#cutOff("it is idle");
    }
  }

  #cutOff(reason: string): void {
    const { connection, logger } = this.#options;
    const { host, port } = connection.remoteAddress;
    logger.debug({ client: `${host}:${port}`, reason }, "closing a connection");
    this.close();
  }

  /** Starts nothing and reads nothing for as long as the client was told to wait. */
  #mute(throttleMs: number): void {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + throttleMs;
    if (this.#muted !== undefined && untilMs <= this.#mutedUntilMs) return;
    this.#mutedUntilMs = untilMs;
    this.#muted?.cancel();
    this.#muted = clock.setTimer(throttleMs, () => {
      this.#muted = undefined;
      this.#pump();
    });
  }

  #holdMemory(): void {
    const partialBytes = this.#frames.pendingBytes;
    const requestBytes = partialBytes + this.#waitingBytes + this.#requestBytes;
    this.#options.memory.hold(this.#share, requestBytes + this.#options.connection.bufferedBytes, partialBytes > 0);
  }

  #onDisconnect(callback: () => void): () => void {
    this.#disconnectCallbacks.add(callback);
    return () => this.#disconnectCallbacks.delete(callback);
  }

  /** Starts what may start and sends what is ready, then reads on only if nothing waits. */
  #pump(): void {
    if (this.#isPumping) return; // an answer that came at once, from below this loop
    this.#isPumping = true;
    let started = 0;
    for (;;) {
      this.#sendReady();
      const frame = this.#waiting[started];
      if (this.#isClosed || frame === undefined || !this.#mayStart(frame)) break;
      started++;
      this.#waitingBytes -= frame.length;
      this.#start(frame, started < this.#waiting.length);
    }
    if (started > 0) this.#waiting = started === this.#waiting.length ? NOTHING : this.#waiting.slice(started);
    this.#isPumping = false;
    if (!this.#isClosed) this.#holdMemory();
    if (this.#exchanges.length === 0 && this.#waiting.length === 0) {
      if (this.#isEnding) return this.#options.connection.end();
      if (this.#frames.failure !== undefined) return this.#refuse(this.#frames.failure);
    }
    if (this.#isEnding || this.#isClosed) return;
    const isBusy = this.#waiting.length > 0 || this.#isWriteBlocked || this.#muted !== undefined;
    const mustPause = isBusy || !this.#options.memory.mayRead(this.#share);
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#options.connection.pause();
    else this.#options.connection.resume();
  }

  #mayStart(frame: Uint8Array): boolean {
    if (this.#isWriteBlocked || this.#isEnding || this.#muted !== undefined) return false;
    const last = this.#exchanges.at(-1);
    if (last === undefined) return true;
    const isRoom =
      this.#exchanges.length < MAX_OVERLAPPING_REQUESTS && this.#requestBytes + frame.length <= MAX_OVERLAPPING_BYTES;
    return isRoom && last.mayOverlap && isProduce(frame);
  }

  #start(frame: Uint8Array, isFollowed: boolean): void {
    const { dispatcher } = this.#options;
    const exchange: Exchange = { mayOverlap: isProduce(frame), requestBytes: frame.length };
    this.#exchanges.push(exchange);
    this.#requestBytes += frame.length;
    const number = this.#times?.started(apiKeyOf(frame)) ?? 0;
    const ready = (answer: Answer): void => {
      exchange.answer = answer;
      if (answer.isRequestFree === true) requestFrames.giveBack(frame);
      this.#times?.ready(number);
    };
    try {
      const answer = dispatcher.dispatch(frame, this.#context, isFollowed);
      if (!(answer instanceof Promise)) return ready(answer);
      answer.then(
        (later) => {
          ready(later);
          this.#pump();
        },
        (error: unknown) => {
          exchange.refusal = { error };
          this.#pump();
        },
      );
    } catch (error) {
      exchange.refusal = { error };
    }
  }

  #sendReady(): void {
    for (;;) {
      const exchange = this.#exchanges[0];
      if (exchange === undefined || this.#isClosed) return;
      if (exchange.refusal !== undefined) {
        this.#exchanges.length = 0;
        return this.#refuse(exchange.refusal.error);
      }
      if (exchange.answer === undefined) return;
      if (hasPromises(exchange.answer.chunks)) return this.#keepPromises(exchange, exchange.answer);
      const { chunks, onSent, throttleMs = 0 } = exchange.answer;
      this.#exchanges.shift();
      this.#requestBytes -= exchange.requestBytes;
      this.#wasActive = true;
      for (const chunk of chunks) this.#writtenBytes += chunk.length;
      if (throttleMs > 0) this.#mute(throttleMs);
      this.#times?.turn(chunks.length > 0);
      if (chunks.length > 0 && !this.#options.connection.write(chunks, this.#whenTaken(onSent))) {
        this.#isWriteBlocked = true;
      }
    }
  }

  /** All but the last chunks leave from here. */
  #keepPromises(exchange: Exchange, { chunks, onSent, ...answer }: Answer): void {
    exchange.answer = undefined;
    const write = (some: readonly Uint8Array[], onTaken?: () => void): boolean => {
      if (this.#isClosed) return false;
      for (const chunk of some) this.#writtenBytes += chunk.length;
      this.#wasActive = true;
      this.#options.connection.write(some, onTaken);
      return true;
    };
    keepPromises(chunks, write).then(
      (last) => {
        const whenSent = (): void => {
          last.onTaken?.();
          onSent?.();
        };
        exchange.answer = { ...answer, chunks: last.chunks, onSent: whenSent };
        this.#pump();
      },
      (error: unknown) => {
        exchange.refusal = { error };
        this.#pump();
      },
    );
  }

  #whenTaken(onSent: (() => void) | undefined): (() => void) | undefined {
    const onTaken = this.#times?.onTaken;
    if (onSent === undefined || onTaken === undefined) return onSent ?? onTaken;
    return () => {
      onSent();
      onTaken();
    };
  }

  #stopStarting(): void {
    this.#isEnding = true;
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    this.#muted?.cancel();
    this.#options.connection.pause();
  }

  /** Closes, as Kafka does, on what cannot be answered. */
  #refuse(error: unknown): void {
    const { connection, logger } = this.#options;
    const facts = { client: `${connection.remoteAddress.host}:${connection.remoteAddress.port}`, err: error };
    const isRefusal = error instanceof KafkaError || error instanceof CloseConnectionError;
    if (isRefusal) logger.info(facts, "closing a connection");
    else logger.error(facts, "closing a connection");
    this.#stopStarting();
    connection.end();
    if (error instanceof InvariantError) this.#options.onFatal(error);
  }
}

function isProduce(frame: Uint8Array): boolean {
  return frame[0] === 0 && frame[1] === ApiKey.Produce;
}

function apiKeyOf(frame: Uint8Array): number {
  return ((frame[0] ?? 0) << 8) | (frame[1] ?? 0);
}
