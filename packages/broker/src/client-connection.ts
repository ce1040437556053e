import type { Connection, ConnectionHandler } from "@samsa/base";
import { InvariantError, KafkaError } from "@samsa/base";
import { ApiKey, FrameDecoder } from "@samsa/protocol";
import { CloseConnectionError } from "./api-handler.ts";
import type { Logger } from "./logger.ts";
import type { Answer, RequestDispatcher } from "./request-dispatcher.ts";

/** Requests of one connection that may be in progress at once, all of an API that may overlap. */
const MAX_OVERLAPPING_REQUESTS = 64;
/** Bytes of such requests, beyond which the next one waits. */
const MAX_OVERLAPPING_BYTES = 32 * 1024 * 1024;

export interface ClientConnectionOptions {
  readonly connection: Connection;
  readonly dispatcher: RequestDispatcher;
  readonly listenerName: string;
  readonly maxRequestBytes: number; // socket.request.max.bytes
  readonly logger: Logger;
  readonly onClose: (connection: ClientConnection) => void;
  /** A promise of our own code was broken: the broker must stop. */
  readonly onFatal: (error: InvariantError) => void;
}

interface Exchange {
  readonly mayOverlap: boolean;
  readonly requestBytes: number;
  answer?: Answer; // once it is there
  refusal?: { readonly error: unknown }; // why there will be none, and the connection ends here
}

/**
 * One client. Its requests are answered in the order they came: a request waits for the one before it, save those that may
 * overlap. While requests wait, or while the client does not take its answers, nothing more is read from it, so a client
 * holds no more memory than one read and what it is being answered. What cannot be answered closes the connection, after the
 * answers to everything before it.
 */
export class ClientConnection implements ConnectionHandler {
  readonly #options: ClientConnectionOptions;
  readonly #frames: FrameDecoder;
  #waiting: Uint8Array[] = []; // whole requests not yet started, from one read
  readonly #exchanges: Exchange[] = []; // started, oldest first
  readonly #disconnectCallbacks = new Set<() => void>();
  #requestBytes = 0; // of what was started and not answered
  #isWriteBlocked = false;
  #isPaused = false;
  #isPumping = false;
  #isClosed = false;
  #isEnding = false; // nothing more is started

  constructor(options: ClientConnectionOptions) {
    this.#options = options;
    this.#frames = new FrameDecoder(options.maxRequestBytes);
  }

  onData(bytes: Uint8Array): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#waiting.push(...this.#frames.push(bytes));
    this.#pump();
  }

  onDrain(): void {
    this.#isWriteBlocked = false;
    this.#pump();
  }

  onClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
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
      this.#start(frame);
    }
    if (started > 0) this.#waiting = this.#waiting.slice(started);
    this.#isPumping = false;
    if (this.#exchanges.length === 0 && this.#waiting.length === 0) {
      if (this.#isEnding) return this.#options.connection.end();
      if (this.#frames.failure !== undefined) return this.#refuse(this.#frames.failure);
    }
    if (this.#isEnding) return;
    const mustPause = this.#waiting.length > 0 || this.#isWriteBlocked;
    if (this.#isClosed || mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#options.connection.pause();
    else this.#options.connection.resume();
  }

  #mayStart(frame: Uint8Array): boolean {
    if (this.#isWriteBlocked || this.#isEnding) return false;
    const last = this.#exchanges.at(-1);
    if (last === undefined) return true;
    const isRoom =
      this.#exchanges.length < MAX_OVERLAPPING_REQUESTS && this.#requestBytes + frame.length <= MAX_OVERLAPPING_BYTES;
    return isRoom && last.mayOverlap && isProduce(frame);
  }

  #start(frame: Uint8Array): void {
    const { connection, dispatcher, listenerName } = this.#options;
    const exchange: Exchange = { mayOverlap: isProduce(frame), requestBytes: frame.length };
    this.#exchanges.push(exchange);
    this.#requestBytes += frame.length;
    try {
      const answer = dispatcher.dispatch(frame, {
        listenerName,
        clientAddress: connection.remoteAddress,
        onDisconnect: (callback) => this.#onDisconnect(callback),
      });
      if (!(answer instanceof Promise)) {
        exchange.answer = answer;
        return;
      }
      answer.then(
        (later) => {
          exchange.answer = later;
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
      const { chunks, onSent } = exchange.answer;
      this.#exchanges.shift();
      this.#requestBytes -= exchange.requestBytes;
      if (chunks.length > 0 && !this.#options.connection.write(chunks, onSent)) this.#isWriteBlocked = true;
    }
  }

  #stopStarting(): void {
    this.#isEnding = true;
    this.#waiting = [];
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
