import { RateWindow, type RateWindowConfig, throttleTimeMs } from "./rate-window.ts";

/** Addresses whose connection rate is measured at once. */
const MAX_ADDRESSES = 10_000;

export interface ListenerLimits {
  readonly maxConnections: number;
  readonly maxCreationRate: number; // a second
}

/** As they are now: `max.connections` and its like, and the quotas of addresses. */
export interface ConnectionLimits {
  /** A listener's own, which count beside those of all; configuration bounds how many listeners there are. */
  readonly ofListener: (listenerName: string) => ListenerLimits;
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly maxConnectionsPerIpOverrides: ReadonlyMap<string, number>;
  readonly maxCreationRate: number; // a second
  readonly creationRateOf: (ip: string) => number | undefined; // a second
}

export type Admission =
  | { readonly kind: "admitted" }
  /** The address has as many as it may have: the connection is closed. */
  | { readonly kind: "too-many"; readonly most: number }
  /** The address connects too often: the connection is closed after a while, so that it does not try again at once. */
  | { readonly kind: "too-often"; readonly throttleMs: number };

interface ListenerUse {
  count: number;
  readonly rate: RateWindow;
}

/** Counts connections and how often they are made, over all, by listener and by address (KIP-402, KIP-612). */
export class ConnectionQuotas {
  readonly #window: RateWindowConfig;
  readonly #counts = new Map<string, number>();
  readonly #rate: RateWindow;
  readonly #rates = new Map<string, RateWindow>();
  readonly #listeners = new Map<string, ListenerUse>();
  #total = 0;

  constructor(window: RateWindowConfig) {
    this.#window = window;
    this.#rate = new RateWindow(window);
  }

  get total(): number {
    return this.#total;
  }

  countOf(ip: string): number {
    return this.#counts.get(ip) ?? 0;
  }

  /** Records that somebody wants in, and how long to wait before anybody is let in by this listener. */
  throttleMs(listenerName: string, { maxCreationRate, ofListener }: ConnectionLimits, nowMs: number): number {
    const listener = this.#use(listenerName);
    this.#rate.record(1, nowMs);
    listener.rate.record(1, nowMs);
    const ofAll = throttleTimeMs(this.#rate, maxCreationRate, nowMs);
    const ofOne = throttleTimeMs(listener.rate, ofListener(listenerName).maxCreationRate, nowMs);
    return this.#bounded(Math.max(ofAll, ofOne));
  }

  hasSlot(listenerName: string, { maxConnections, ofListener }: ConnectionLimits): boolean {
    if (this.#use(listenerName).count >= ofListener(listenerName).maxConnections) return false;
    return this.#total < maxConnections;
  }

  /** Counts the connection when it is admitted, until `release`. */
  admit(ip: string, listenerName: string, limits: ConnectionLimits, nowMs: number): Admission {
    const rate = limits.creationRateOf(ip);
    if (rate !== undefined) {
      const window = this.#rateOf(ip, nowMs);
      window.record(1, nowMs);
      const throttleMs = this.#bounded(throttleTimeMs(window, rate, nowMs));
      if (throttleMs > 0) {
        for (const rate of [window, this.#rate, this.#use(listenerName).rate]) rate.record(-1, nowMs); // it is not let in
        return { kind: "too-often", throttleMs };
      }
    }
    const most = limits.maxConnectionsPerIpOverrides.get(ip) ?? limits.maxConnectionsPerIp;
    const count = this.countOf(ip);
    if (count >= most) return { kind: "too-many", most };
    this.#counts.set(ip, count + 1);
    this.#use(listenerName).count++;
    this.#total++;
    return { kind: "admitted" };
  }

  release(ip: string, listenerName: string): void {
    const count = this.countOf(ip);
    if (count > 1) this.#counts.set(ip, count - 1);
    else this.#counts.delete(ip);
    this.#use(listenerName).count--;
    this.#total--;
  }

  #use(listenerName: string): ListenerUse {
    const known = this.#listeners.get(listenerName) ?? { count: 0, rate: new RateWindow(this.#window) };
    this.#listeners.set(listenerName, known);
    return known;
  }

  /** As Kafka: nobody waits longer than one sample at a time. */
  #bounded(throttleMs: number): number {
    return Math.min(throttleMs, this.#window.sampleMs);
  }

  #rateOf(ip: string, nowMs: number): RateWindow {
    const known = this.#rates.get(ip);
    if (known !== undefined) return known;
    if (this.#rates.size >= MAX_ADDRESSES) {
      for (const [address, window] of this.#rates) if (window.isIdle(nowMs)) this.#rates.delete(address);
      const [oldest] = this.#rates.keys();
      if (this.#rates.size >= MAX_ADDRESSES && oldest !== undefined) this.#rates.delete(oldest);
    }
    const window = new RateWindow(this.#window);
    this.#rates.set(ip, window);
    return window;
  }
}
