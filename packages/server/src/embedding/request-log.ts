import type { ErrorCode } from "@samsa/base";
import { ERRORS } from "@samsa/base";
import type { ApiKey } from "@samsa/protocol";

export type ApiName = keyof typeof ApiKey;

/** A request as the broker got it, and what became of it. */
export interface LoggedRequest {
  readonly api: ApiName;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly user: string;
  readonly listenerName: string;
  /** By the clock of the broker, milliseconds since 1970. */
  readonly receivedMs: number;
  /** Names of the topics that it is about. */
  readonly topics: readonly string[];
  /** Its fields by Kafka's names in camelCase; none of a request of more than 64 KiB. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  readonly outcome: "pending" | "answered" | "not answered" | "closed";
  /** Names of the errors in the answer, each once. */
  readonly errors: readonly string[];
}

export interface RequestFilter {
  readonly api?: ApiName;
  readonly clientId?: string;
  readonly topic?: string;
}

export const MAX_BODY_BYTES = 64 * 1024;

export type MutableRequest = { -readonly [K in keyof LoggedRequest]: LoggedRequest[K] };

/** The last so many requests, the oldest first. */
export class RequestLog {
  readonly #most: number;
  #requests: MutableRequest[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get isOn(): boolean {
    return this.#most > 0;
  }

  add(request: MutableRequest): void {
    this.#requests.push(request);
    // Twice as many before the older half goes: moving them all for each request would cost more than the request.
    if (this.#requests.length >= 2 * this.#most) this.#requests = this.#requests.slice(-this.#most);
  }

  list({ api, clientId, topic }: RequestFilter): readonly LoggedRequest[] {
    return this.#requests
      .slice(-this.#most)
      .filter(
        (request) =>
          (api === undefined || request.api === api) &&
          (clientId === undefined || request.clientId === clientId) &&
          (topic === undefined || request.topics.includes(topic)),
      );
  }

  clear(): void {
    this.#requests = [];
  }
}

/** Names of the errors anywhere in an answer, each once. */
export function errorsIn(answer: object): readonly string[] {
  const codes = new Set<ErrorCode>();
  collect(answer, codes);
  return [...codes].map((code) => ERRORS.get(code)?.name ?? String(code));
}

function collect(value: unknown, codes: Set<ErrorCode>): void {
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return;
  for (const [key, field] of Object.entries(value)) {
    if (key === "errorCode" && field !== 0) codes.add(field as ErrorCode);
    else collect(field, codes);
  }
}
