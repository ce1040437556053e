import { type Socket } from "node:net";

import { type Address, type Connection, type ConnectionHandler, type Timer, TransportError } from "@samsa/base";

import { type BusyPolling } from "./busy-polling.ts";
import { type ConnectionSettings, runHandler } from "./connection-options.ts";
import { type SharedRead } from "./shared-read.ts";
import { formatAddress, toTransportError } from "./transport-errors.ts";

/**
 * One socket. It must be connected and made with `allowHalfOpen: false`: a peer that says FIN has closed, as Kafka sees it.
 * What is queued for it still leaves, within the linger time, and nothing is added.
 *
 * Each read of Node comes in memory of its own, so what `onData` gets belongs to the receiver without a copy; unless the socket
 * was made to share its reads, for a handler that copies.
 */
export class TcpConnection implements Connection {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  readonly #socket: Socket;
  readonly #settings: ConnectionSettings;
  readonly #read: SharedRead | undefined;
  readonly #gathers: boolean;
  readonly #polling: BusyPolling | undefined;
  #handler: ConnectionHandler | undefined;
  #error: Error | undefined;
  /** We ended, or the peer did. */
  #ended = false;
  #closed = false;
  #corked = false;
  #isTaking = false; // the handler has been given bytes and has not returned
  #owesDrain = false;
  #linger: Timer | undefined;

  /**
   * @param options.gathers whether what is written in one tick, or in one `onData`, leaves together at the end of it: for who answers many
   *   requests at once. Not for who asks, and goes on from one microtask to the next with what has come already: the tick ends when all of it is
   *   worked off, and until then nobody would fetch more
   * @param options.read where the socket reads to, when that is shared memory
   * @param options.polling to be told of each read
   */
  constructor(
    socket: Socket,
    settings: ConnectionSettings,
    options: {
      readonly gathers: boolean;
      readonly read?: SharedRead | undefined;
      readonly polling?: BusyPolling | undefined;
    },
  ) {
    this.#socket = socket;
    this.#settings = settings;
    this.#gathers = options.gathers;
    this.#polling = options.polling;
    this.#read = options.read;
    this.remoteAddress = { host: plainHost(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.localAddress = { host: plainHost(socket.localAddress), port: socket.localPort ?? 0 };
    socket.on("error", (error) => {
      this.#error ??= toTransportError(error, formatAddress(this.remoteAddress));
    });
    socket.on("close", () => this.#onClose());
  }

  /** Starts reading. Called in the same tick as the constructor, before anything can arrive. */
  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
    const onBytes = (bytes: Uint8Array): void => {
      this.#polling?.bytesCame();
      if (this.#ended || this.#socket.destroyed) return;
      this.#isTaking = true;
      runHandler(this.#settings, this, () => handler.onData(bytes));
      this.#isTaking = false;
      if (this.#corked) this.#uncork();
    };
    if (this.#read === undefined) this.#socket.on("data", onBytes);
    else this.#read.onBytes = onBytes;
    this.#socket.on("end", () => this.#startLinger());
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(chunks: readonly Uint8Array[], onTaken?: () => void): boolean {
    if (this.#ended || this.#socket.destroyed) return false;
    const [only] = chunks;
    if (chunks.length === 1 && only !== undefined && only.length > 0 && onTaken === undefined && !this.#gathers) {
      this.#socket.write(only, this.#onWritten);
      return this.#isTaken();
    }
    // The chunks of a frame leave in one writev.
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      // What is answered at once need not wait for the end of the tick.
      if (this.#gathers && !this.#isTaking) process.nextTick(this.#uncork);
    }
    const last = chunks.findLastIndex((chunk) => chunk.length > 0);
    for (let i = 0; i <= last; i++) {
      const chunk = chunks[i] as Uint8Array;
      if (chunk.length === 0) continue;
      if (i < last) this.#socket.write(chunk);
      else if (onTaken === undefined) this.#socket.write(chunk, this.#onWritten);
      else {
        this.#socket.write(chunk, (error) => {
          if (!error) onTaken();
          this.#onWritten();
        });
      }
    }
    if (!this.#gathers) this.#uncork();
    return this.#isTaken();
  }

  /** Whether there is room for more; when there is not, a drain is owed. */
  #isTaken(): boolean {
    if (this.bufferedBytes < this.#settings.highWaterMarkBytes) return true;
    this.#owesDrain = true;
    return false;
  }

  pause(): void {
    if (!this.#ended) this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#ended || this.#socket.destroyed) return;
    this.#startLinger();
    this.#socket.end();
    // Read on, into nothing, to see the peer's FIN. Closing with bytes unread would send a reset, and a reset may destroy what
    // the peer has received from us and not yet read.
    this.#socket.resume();
  }

  destroy(error?: Error): void {
    if (this.#closed) return;
    this.#error ??= error;
    this.#socket.destroy();
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };

  readonly #onWritten = (): void => {
    if (!this.#owesDrain || this.#ended || this.#socket.destroyed || this.bufferedBytes > 0) return;
    this.#owesDrain = false;
    runHandler(this.#settings, this, () => this.#handler?.onDrain());
  };

  #startLinger(): void {
    this.#ended = true;
    const { clock, lingerMs } = this.#settings;
    this.#linger ??= clock.setTimer(lingerMs, () => {
      const unsent = this.bufferedBytes;
      const message = `${formatAddress(this.remoteAddress)}: ${unsent} bytes were not taken within ${lingerMs} ms of the end`;
      this.destroy(unsent > 0 ? new TransportError("ETIMEDOUT", message) : undefined);
    });
  }

  #onClose(): void {
    this.#closed = true;
    this.#linger?.cancel();
    const handler = this.#handler;
    if (handler === undefined) return;
    runHandler(this.#settings, this, () => handler.onClose(this.#error));
  }
}

/** An IPv4 peer of a listener on `::` shows as `::ffff:10.0.0.1`; access rules know it as 10.0.0.1. */
function plainHost(host: string | undefined): string {
  if (host === undefined) return "";
  return host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host;
}
