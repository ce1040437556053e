import { type Address, type Connection, type ConnectionHandler, type Timer, TransportError } from "@samsa/base";

import { type ConnectionSettings, runHandler } from "./connection-options.ts";
import { formatAddress } from "./transport-errors.ts";

export interface MemoryConnectionSettings extends ConnectionSettings {
  readonly readBytes: number;
}

/**
 * One end of a byte stream in memory. What it writes waits here until the peer takes it, so an end that is paused holds its
 * peer's bytes back. Every call of the handler comes from a turn of the event loop of its own.
 */
export class MemoryConnection implements Connection {
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  readonly #settings: MemoryConnectionSettings;
  #peer: MemoryConnection = this;
  #handler: ConnectionHandler | undefined;
  #outgoing: Uint8Array[] = [];
  /** By the last chunk of a write. */
  readonly #onTaken = new WeakMap<Uint8Array, () => void>();
  #bufferedBytes = 0;
  #owesDrain = false;
  #paused = false;
  /** We ended, or the peer did: nothing more is written, and what arrives is dropped. */
  #ended = false;
  /** The peer ended, and all it wrote has been taken. */
  #sawEnd = false;
  #closed = false;
  #pumping = false;
  #linger: Timer | undefined;

  static pair(
    client: Address,
    server: Address,
    settings: MemoryConnectionSettings,
  ): [MemoryConnection, MemoryConnection] {
    const near = new MemoryConnection(client, server, settings);
    const far = new MemoryConnection(server, client, settings);
    near.#peer = far;
    far.#peer = near;
    return [near, far];
  }

  private constructor(localAddress: Address, remoteAddress: Address, settings: MemoryConnectionSettings) {
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.#settings = settings;
  }

  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#pump();
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  write(chunks: readonly Uint8Array[], onTaken?: () => void): boolean {
    if (this.#ended || this.#closed) return false;
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#outgoing.push(chunk);
      this.#bufferedBytes += chunk.length;
    }
    const last = this.#outgoing.at(-1);
    if (onTaken !== undefined && last !== undefined) this.#onTaken.set(last, onTaken);
    this.#peer.#pump();
    if (this.#bufferedBytes < this.#settings.highWaterMarkBytes) return true;
    this.#owesDrain = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    const { clock, lingerMs } = this.#settings;
    this.#linger = clock.setTimer(lingerMs, () => {
      const unsent = this.#bufferedBytes;
      const message = `${formatAddress(this.remoteAddress)}: ${unsent} bytes were not taken within ${lingerMs} ms of the end`;
      this.destroy(unsent > 0 ? new TransportError("ETIMEDOUT", message) : undefined);
    });
    this.#pump();
    this.#peer.#pump();
  }

  destroy(error?: Error): void {
    if (this.#closed) return;
    const isLossy = this.#bufferedBytes > 0 || this.#peer.#bufferedBytes > 0;
    this.#close(error);
    const message = `${formatAddress(this.#peer.remoteAddress)}: connection reset by peer`;
    this.#peer.#close(isLossy ? new TransportError("ECONNRESET", message) : undefined);
  }

  /** Sees, in a turn of its own, whether there is something to take from the peer. */
  #pump(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#receive();
    });
  }

  #receive(): void {
    if (this.#closed || this.#handler === undefined || (this.#paused && !this.#ended)) return;
    const peer = this.#peer;
    if (peer.#bufferedBytes > 0) {
      const bytes = peer.#take(this.#settings.readBytes);
      this.#pump();
      if (!this.#ended) this.#call((handler) => handler.onData(bytes));
      return;
    }
    if (!peer.#ended || this.#sawEnd) return;
    this.#sawEnd = true;
    this.end();
    if (!peer.#sawEnd) return;
    this.#close();
    peer.#close();
  }

  /** A copy of the next bytes: they are the receiver's, and the chunks may be the writer's again. */
  #take(maxBytes: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(maxBytes, this.#bufferedBytes));
    let filled = 0;
    let used = 0;
    while (filled < bytes.length) {
      const chunk = this.#outgoing[used] as Uint8Array;
      const part = chunk.subarray(0, bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) {
        used++;
        this.#onTaken.get(chunk)?.();
        this.#onTaken.delete(chunk);
        continue;
      }
      const rest = chunk.subarray(part.length);
      this.#outgoing[used] = rest;
      const onTaken = this.#onTaken.get(chunk);
      if (onTaken !== undefined) this.#onTaken.set(rest, onTaken);
    }
    this.#outgoing.splice(0, used);
    this.#bufferedBytes -= filled;
    if (this.#bufferedBytes === 0 && this.#owesDrain) setImmediate(() => this.#drain());
    return bytes;
  }

  #drain(): void {
    if (!this.#owesDrain || this.#ended || this.#closed || this.#bufferedBytes > 0) return;
    this.#owesDrain = false;
    this.#call((handler) => handler.onDrain());
  }

  #close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#linger?.cancel();
    this.#outgoing = [];
    this.#bufferedBytes = 0;
    setImmediate(() => this.#call((handler) => handler.onClose(error)));
  }

  #call(act: (handler: ConnectionHandler) => void): void {
    const handler = this.#handler;
    if (handler !== undefined) runHandler(this.#settings, this, () => act(handler));
  }
}
