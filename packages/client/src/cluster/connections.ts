import type { Address, Clock, Timer } from "@samsa/base";
import type { BrokerConnectionOptions } from "../connection/connection.ts";
import { BrokerConnection } from "../connection/connection.ts";
import { ClosedError } from "../errors.ts";
import { backoffDelayMs, sleep } from "../retry.ts";
import type { ConnectionObserver } from "../telemetry/client-metrics.ts";

export interface ConnectionsOptions extends Omit<BrokerConnectionOptions, "onAnswer"> {
  readonly signal: AbortSignal;
  /** The time a connection may take grows with each failure in a row, up to this. */
  readonly connectionSetupTimeoutMaxMs: number;
  /** What nobody has used for so long is closed. */
  readonly connectionsMaxIdleMs: number;
  /** Whose timers do not keep the process alive. */
  readonly idleClock: Clock;
  readonly reconnectBackoffMs: number;
  readonly reconnectBackoffMaxMs: number;
  /** None where nobody measures. */
  readonly observer?: ConnectionObserver | undefined;
}

type Answer = [apiKey: number, tookMs: number, throttleTimeMs: number];

interface Slot {
  readonly address: Address;
  connection: BrokerConnection | undefined;
  opening: Promise<BrokerConnection> | undefined;
  failures: number; // in a row
  notBeforeMs: number; // the next attempt
}

/** The connections of one client, by name: one each, shared by all who ask, opened when first asked for. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #slots = new Map<string, Slot>();
  #idleTimer: Timer | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** A connection that serves now, of any name that the predicate takes. */
  findLive(matches: (key: string) => boolean): BrokerConnection | undefined {
    for (const [key, { connection }] of this.#slots) {
      if (connection !== undefined && connection.failure === undefined && matches(key)) return connection;
    }
    return undefined;
  }

  /** The connection if it serves now. @param address when given, and leads there */
  live(key: string, address?: Address): BrokerConnection | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined || (address !== undefined && !isSameAddress(slot.address, address))) return undefined;
    const { connection } = slot;
    return connection?.failure === undefined ? connection : undefined;
  }

  /** Waits out the back-off after a failure, then tries once. @throws what `BrokerConnection.open` throws, ClosedError */
  get(key: string, address: Address): Promise<BrokerConnection> {
    let slot = this.#slots.get(key);
    if (slot !== undefined && !isSameAddress(slot.address, address)) {
      slot.connection?.close();
      slot = undefined;
    }
    if (slot === undefined) {
      slot = { address, connection: undefined, opening: undefined, failures: 0, notBeforeMs: 0 };
      this.#slots.set(key, slot);
    }
    const { connection } = slot;
    if (connection !== undefined && connection.failure === undefined) return Promise.resolve(connection);
    slot.opening ??= this.#open(key, slot);
    return slot.opening;
  }

  /** Closes those whose names the predicate takes. */
  close(matches: (key: string) => boolean): void {
    for (const [key, slot] of this.#slots) {
      if (!matches(key)) continue;
      slot.connection?.close();
      this.#slots.delete(key);
    }
  }

  closeAll(): void {
    this.#idleTimer?.cancel();
    for (const { connection } of this.#slots.values()) connection?.close();
    this.#slots.clear();
  }

  async #open(key: string, slot: Slot): Promise<BrokerConnection> {
    const { clock, random, signal, observer } = this.#options;
    try {
      const waitMs = slot.notBeforeMs - clock.monotonicMs();
      if (waitMs > 0) await sleep(waitMs, { clock, random, signal });
      if (signal.aborted) throw new ClosedError("the client");
      const connectionSetupTimeoutMs = this.#setupTimeoutMs(slot);
      const onAnswer = observer && ((...answer: Answer) => observer.answered(key, ...answer));
      const how = { ...this.#options, connectionSetupTimeoutMs, onAnswer };
      const connection = await BrokerConnection.open(slot.address, how);
      if (signal.aborted) {
        connection.close();
        throw new ClosedError("the client");
      }
      slot.connection = connection;
      slot.failures = 0;
      connection.onceClosed(() => this.#backOff(slot));
      this.#armIdleTimer();
      observer?.connected(key);
      return connection;
    } catch (error) {
      this.#options.counters.connectionFailures++;
      this.#backOff(slot);
      throw error;
    } finally {
      slot.opening = undefined;
    }
  }

  #setupTimeoutMs({ failures }: Slot): number {
    const { random, connectionSetupTimeoutMs, connectionSetupTimeoutMaxMs } = this.#options;
    if (failures === 0 || connectionSetupTimeoutMs >= connectionSetupTimeoutMaxMs) return connectionSetupTimeoutMs;
    const backoff = { backoffMs: connectionSetupTimeoutMs, backoffMaxMs: connectionSetupTimeoutMaxMs };
    return backoffDelayMs(backoff, failures, random);
  }

  /** Looks once in a while; a connection with a request under way is in use however long it takes. */
  #armIdleTimer(): void {
    const { idleClock, connectionsMaxIdleMs } = this.#options;
    if (this.#idleTimer !== undefined || connectionsMaxIdleMs === Number.POSITIVE_INFINITY) return;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { connection } of this.#slots.values()) {
      if (connection !== undefined && connection.failure === undefined) {
        oldestMs = Math.min(oldestMs, connection.lastUsedMs);
      }
    }
    if (oldestMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(1, oldestMs + connectionsMaxIdleMs - idleClock.monotonicMs());
    this.#idleTimer = idleClock.setTimer(delayMs, () => {
      this.#idleTimer = undefined;
      const sinceMs = idleClock.monotonicMs() - connectionsMaxIdleMs;
      for (const { connection } of this.#slots.values()) {
        if (connection === undefined || connection.failure !== undefined) continue;
        if (connection.pendingRequests === 0 && connection.lastUsedMs <= sinceMs) connection.close();
      }
      this.#armIdleTimer();
    });
  }

  #backOff(slot: Slot): void {
    const { clock, random, reconnectBackoffMs, reconnectBackoffMaxMs } = this.#options;
    const backoff = { backoffMs: reconnectBackoffMs, backoffMaxMs: reconnectBackoffMaxMs };
    slot.notBeforeMs = clock.monotonicMs() + backoffDelayMs(backoff, slot.failures, random);
    slot.failures++;
  }
}

function isSameAddress(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}
