import type { Random } from "@samsa/base";
import { FetchSession } from "./fetch-session.ts";

/** How long a session is safe from eviction after its last use, and a privileged one after its creation (Kafka's figure). */
const MIN_EVICTION_MS = 120_000;
/** Partitions that all sessions together may hold; Kafka counts the sessions alone. */
const MAX_PARTITIONS = 1_000_000;

export interface FetchSessionCacheOptions {
  readonly maxSessions: number; // max.incremental.fetch.session.cache.slots
  readonly maxPartitions?: number;
  readonly random: Random;
}

export interface NewSession {
  readonly isPrivileged: boolean;
  readonly usesTopicIds: boolean;
  /** Partitions it is going to hold. */
  readonly size: number;
}

/**
 * The fetch sessions of a broker. When it is full, a session that was not used for two minutes makes room; else the smallest
 * that is older than two minutes and worth no more than the new one. Followers' sessions are worth more than consumers'.
 */
export class FetchSessionCache {
  readonly #options: Required<FetchSessionCacheOptions>;
  readonly #sessions = new Map<number, FetchSession>(); // least recently used first
  #partitions = 0;

  constructor(options: FetchSessionCacheOptions) {
    this.#options = { maxPartitions: MAX_PARTITIONS, ...options };
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Partitions of all sessions. */
  get partitions(): number {
    return this.#partitions;
  }

  get(id: number): FetchSession | undefined {
    return this.#sessions.get(id);
  }

  remove(id: number): void {
    this.#partitions -= this.#sessions.get(id)?.size ?? 0;
    this.#sessions.delete(id);
  }

  /** Changes what a session holds, and notes that it was used. */
  use(session: FetchSession, nowMs: number, change: () => void): void {
    const before = session.size;
    change();
    this.#partitions += session.size - before;
    session.lastUsedMs = nowMs;
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
  }

  /** A new and empty session, or undefined when there is no room for it. */
  create(wanted: NewSession, nowMs: number): FetchSession | undefined {
    const { maxSessions, maxPartitions } = this.#options;
    if (this.#partitions + wanted.size > maxPartitions) return undefined;
    if (this.#sessions.size >= maxSessions && !this.#evictFor(wanted, nowMs)) return undefined;
    const session = new FetchSession({ ...wanted, id: this.#newId(), nowMs });
    this.#sessions.set(session.id, session);
    return session;
  }

  #evictFor({ isPrivileged, size }: NewSession, nowMs: number): boolean {
    const [oldest] = this.#sessions.values();
    if (oldest === undefined) return false; // no session is allowed at all
    if (nowMs - oldest.lastUsedMs > MIN_EVICTION_MS) {
      this.remove(oldest.id);
      return true;
    }
    let least: FetchSession | undefined;
    for (const session of this.#sessions.values()) {
      const isOld = session.lastUsedMs - session.createdMs > MIN_EVICTION_MS;
      const isEvictable = isOld || (isPrivileged && !session.isPrivileged);
      if (isEvictable && (least === undefined || compareWorth(session, least) < 0)) least = session;
    }
    if (least === undefined || compareWorth({ isPrivileged, size }, least) < 0) return false;
    this.remove(least.id);
    return true;
  }

  #newId(): number {
    for (;;) {
      const id = this.#options.random.uint32() >>> 1;
      if (id !== 0 && !this.#sessions.has(id)) return id;
    }
  }
}

type Worth = Pick<FetchSession, "isPrivileged" | "size">;

function compareWorth(a: Worth, b: Worth): number {
  return Number(a.isPrivileged) - Number(b.isPrivileged) || a.size - b.size;
}
