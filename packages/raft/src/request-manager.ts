import type { RaftApi } from "./raft-messages.ts";

/** A request that was sent and not answered. */
export interface SentRequest {
  readonly correlationId: number;
  readonly nodeId: number;
  readonly api: RaftApi;
  readonly epoch: number;
  readonly isPreVote: boolean;
  readonly deadlineMs: number;
}

/** One request at a time to each node; after a failure, a pause. */
export class RequestManager {
  readonly #requestTimeoutMs: number;
  readonly #retryBackoffMs: number;
  readonly #sent = new Map<number, SentRequest>(); // by node
  readonly #backoffUntilMs = new Map<number, number>(); // by node
  #nextCorrelationId = 1;

  constructor(options: { readonly requestTimeoutMs: number; readonly retryBackoffMs: number }) {
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#retryBackoffMs = options.retryBackoffMs;
  }

  isReady(nodeId: number, nowMs: number): boolean {
    return !this.#sent.has(nodeId) && (this.#backoffUntilMs.get(nodeId) ?? -Infinity) <= nowMs;
  }

  isBackingOff(nodeId: number, nowMs: number): boolean {
    return (this.#backoffUntilMs.get(nodeId) ?? -Infinity) > nowMs;
  }

  hasRequestInFlight(nodeIds: readonly number[]): boolean {
    return nodeIds.some((id) => this.#sent.has(id));
  }

  /** When the next request is given up or the next pause ends. */
  nextDeadlineMs(nowMs: number): number {
    let next = Infinity;
    for (const { deadlineMs } of this.#sent.values()) next = Math.min(next, deadlineMs);
    for (const untilMs of this.#backoffUntilMs.values()) if (untilMs > nowMs) next = Math.min(next, untilMs);
    return next;
  }

  send(nodeId: number, what: Pick<SentRequest, "api" | "epoch" | "isPreVote">, nowMs: number): number {
    const correlationId = this.#nextCorrelationId++;
    this.#sent.set(nodeId, { ...what, correlationId, nodeId, deadlineMs: nowMs + this.#requestTimeoutMs });
    this.#backoffUntilMs.delete(nodeId);
    return correlationId;
  }

  /** @returns the request, once; undefined when nobody waits for this answer (any more) */
  complete(correlationId: number): SentRequest | undefined {
    for (const [nodeId, request] of this.#sent) {
      if (request.correlationId !== correlationId) continue;
      this.#sent.delete(nodeId);
      return request;
    }
    return undefined;
  }

  backOff(nodeId: number, nowMs: number): void {
    this.#backoffUntilMs.set(nodeId, nowMs + this.#retryBackoffMs);
  }

  /** Gives up what was not answered in time. */
  takeExpired(nowMs: number): readonly SentRequest[] {
    const expired: SentRequest[] = [];
    for (const [nodeId, request] of this.#sent) {
      if (request.deadlineMs > nowMs) continue;
      this.#sent.delete(nodeId);
      expired.push(request);
    }
    return expired;
  }

  /** What was asked of the others in the epoch before does not hold up what is asked in this one. */
  reset(): void {
    this.#sent.clear();
    this.#backoffUntilMs.clear();
  }
}
