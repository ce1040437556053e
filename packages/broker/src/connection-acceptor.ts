import type { Clock, Connection, ConnectionHandler } from "@samsa/base";
import type { Logger } from "./logger.ts";
import type { ConnectionLimits, ConnectionQuotas } from "./quota/connection-quotas.ts";

/** Connections of a listener that may wait to be let in, as the backlog of a socket; the next one is closed. */
const MAX_WAITING = 50;

export interface ConnectionAcceptorOptions {
  readonly quotas: ConnectionQuotas;
  readonly limits: () => ConnectionLimits;
  /** Serves a connection that has been let in. */
  readonly serve: (connection: Connection, listenerName: string) => ConnectionHandler;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Lets connections in, as Kafka's acceptor: while there are `max.connections`, of all or of the listener, or while they come faster than
 * `max.connection.creation.rate`, the next one waits, and all that come behind it by the same listener; not a byte is read of
 * them. One too many of an address is closed, and one of an address that connects too often is closed after a while.
 */
export class ConnectionAcceptor {
  readonly #options: ConnectionAcceptorOptions;
  readonly #waiting = new Map<string, WaitingConnection[]>(); // by listener, the one that is next first
  readonly #punished = new Set<WaitingConnection>(); // to be closed later

  constructor(options: ConnectionAcceptorOptions) {
    this.#options = options;
  }

  accept(connection: Connection, listenerName: string): ConnectionHandler {
    const queue = this.#waiting.get(listenerName) ?? [];
    this.#waiting.set(listenerName, queue);
    const waiting = new WaitingConnection(connection, (gone) => this.#forget(gone, listenerName));
    if (queue.length >= MAX_WAITING) return refused(waiting);
    queue.push(waiting);
    if (queue.length === 1) this.#advance(listenerName);
    return waiting;
  }

  /** A connection that was let in has gone. */
  release(connection: Connection, listenerName: string): void {
    this.#options.quotas.release(connection.remoteAddress.host, listenerName);
    this.retry();
  }

  /** Lets in who may come in by now: there is room, or the limits are others. */
  retry(): void {
    for (const listenerName of this.#waiting.keys()) this.#advance(listenerName);
  }

  /** Closes all that wait. */
  close(): void {
    for (const waiting of [...this.#waiting.values()].flat()) waiting.connection.destroy();
    for (const waiting of this.#punished) waiting.connection.destroy();
  }

  #advance(listenerName: string): void {
    const { quotas, clock, limits } = this.#options;
    const queue = this.#waiting.get(listenerName) ?? [];
    for (;;) {
      const next = queue[0];
      if (next === undefined) return;
      const now = limits();
      if (next.readyAtMs === undefined) {
        const nowMs = clock.monotonicMs();
        const throttleMs = quotas.throttleMs(listenerName, now, nowMs);
        next.readyAtMs = nowMs + throttleMs;
        if (throttleMs > 0) next.wait(clock.setTimer(throttleMs, () => this.#advance(listenerName)));
      }
      if (clock.monotonicMs() < next.readyAtMs || !quotas.hasSlot(listenerName, now)) {
        next.hold();
        return;
      }
      queue.shift();
      this.#admit(next, listenerName, now);
    }
  }

  #admit(waiting: WaitingConnection, listenerName: string, limits: ConnectionLimits): void {
    const { quotas, clock, logger, serve } = this.#options;
    const { connection } = waiting;
    const { host } = connection.remoteAddress;
    const admission = quotas.admit(host, listenerName, limits, clock.monotonicMs());
    switch (admission.kind) {
      case "admitted":
        waiting.begin(serve(connection, listenerName));
        return;
      case "too-many":
        logger.info({ client: host, most: admission.most }, "closing a connection: the address has too many");
        refused(waiting);
        return;
      case "too-often":
        logger.debug(
          { client: host, throttleMs: admission.throttleMs },
          "closing a connection: the address connects too often",
        );
        if (this.#punished.size >= MAX_WAITING) return void refused(waiting);
        waiting.hold();
        this.#punished.add(waiting);
        waiting.wait(clock.setTimer(admission.throttleMs, () => connection.destroy()));
        return;
    }
  }

  #forget(waiting: WaitingConnection, listenerName: string): void {
    this.#punished.delete(waiting);
    const queue = this.#waiting.get(listenerName) ?? [];
    const at = queue.indexOf(waiting);
    if (at < 0) return;
    queue.splice(at, 1);
    this.#advance(listenerName);
  }
}

function refused(waiting: WaitingConnection): ConnectionHandler {
  waiting.connection.destroy();
  return waiting;
}

/** A connection that nobody serves yet. */
class WaitingConnection implements ConnectionHandler {
  readonly connection: Connection;
  readyAtMs: number | undefined; // when its turn has come
  readonly #onGone: (waiting: WaitingConnection) => void;
  #handler: ConnectionHandler | undefined;
  #isHeld = false;
  readonly #early: Uint8Array[] = []; // what was on its way when it was paused
  #timer: { cancel(): void } | undefined;

  constructor(connection: Connection, onGone: (waiting: WaitingConnection) => void) {
    this.connection = connection;
    this.#onGone = onGone;
  }

  /** Reads nothing until it begins. */
  hold(): void {
    if (!this.#isHeld) this.connection.pause();
    this.#isHeld = true;
  }

  wait(timer: { cancel(): void }): void {
    this.#timer?.cancel();
    this.#timer = timer;
  }

  begin(handler: ConnectionHandler): void {
    this.#timer?.cancel();
    this.#handler = handler;
    if (this.#isHeld) this.connection.resume();
    for (const bytes of this.#early.splice(0)) handler.onData(bytes);
  }

  onData(bytes: Uint8Array): void {
    if (this.#handler === undefined) this.#early.push(bytes);
    else this.#handler.onData(bytes);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onClose(error?: Error): void {
    this.#timer?.cancel();
    if (this.#handler === undefined) this.#onGone(this);
    else this.#handler.onClose(error);
  }
}
