import type { Clock } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Decided, RequestCall, RequestContext } from "@samsa/broker";
import { API_ENDPOINTS, CloseConnectionError, NO_RESPONSE } from "@samsa/broker";
import { ApiKey } from "@samsa/protocol";
import type { TopicNameOf } from "./named-topics.ts";
import { joinAnswers, splitByTopic, topicOf, topicsOf } from "./named-topics.ts";
import type { ApiName } from "./request-log.ts";

/** What is to go wrong, and with which requests. At least one of `error`, `delayMs` and `dropConnection`. */
export interface InjectedError {
  /** Kafka's name of the API, e.g. `Produce`. */
  readonly api: ApiName;
  /** Kafka's name of the error, e.g. `NOT_LEADER_OR_FOLLOWER`: the request is refused with it and does nothing. */
  readonly error?: keyof typeof ErrorCode;
  /** Told with the error, where the answer has room for that. */
  readonly message?: string;
  /** The request waits for so long first, by the clock of the broker. */
  readonly delayMs?: number;
  /** Closes the connection: `before` the request has done anything, or `after` it has done all, so that only its answer is lost. */
  readonly dropConnection?: "before" | "after";
  /** So many requests, then no more. Default 1; Infinity until it is taken back. */
  readonly times?: number;
  /** Only what is about this topic; the other topics of a request are served. */
  readonly topic?: string;
  /** Only requests of this client. */
  readonly clientId?: string;
}

/** An error that was injected. */
export interface Injection {
  /** Requests it has met. */
  readonly hits: number;
  /** Takes it back. */
  cancel(): void;
}

interface Rule extends InjectedError {
  hits: number;
  left: number;
}

const SERVED = new Set(API_ENDPOINTS.map(({ apiKey }) => apiKey));

/** Errors, delays and lost connections on demand, for tests of how clients bear them. */
export class InjectedErrors {
  readonly #clock: Clock;
  readonly #rules = new Set<Rule>();
  /** Ends of delayed Produces by connection: the next one must not come first. */
  readonly #delayed = new Map<string, Promise<void>>();

  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOn(): boolean {
    return this.#rules.size > 0 || this.#delayed.size > 0;
  }

  /** @throws TypeError for an API or an error that there is not */
  add(error: InjectedError): Injection {
    const apiKey = ApiKey[error.api];
    if (apiKey === undefined || !SERVED.has(apiKey)) throw new TypeError(`no API is called ${error.api}`);
    if (error.error !== undefined && ErrorCode[error.error] === undefined) {
      throw new TypeError(`no error is called ${error.error}`);
    }
    if (error.error === undefined && error.delayMs === undefined && error.dropConnection === undefined) {
      throw new TypeError("an error, a delay or a connection to drop is needed");
    }
    const rule: Rule = { ...error, hits: 0, left: error.times ?? 1 };
    if (rule.left > 0) this.#rules.add(rule);
    return {
      get hits() {
        return rule.hits;
      },
      cancel: () => void this.#rules.delete(rule),
    };
  }

  clear(): void {
    this.#rules.clear();
    this.release();
  }

  /** Lets go on what waits: nobody may be there to move the clock. */
  release(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** The oldest rule for the request counts. */
  intercept(context: RequestContext, call: RequestCall, nameOf: TopicNameOf): Decided | Promise<Decided> {
    const rule = this.#ruleFor(context, call.request, nameOf);
    const wait = this.#wait(context, rule);
    if (wait !== undefined) return wait.then(() => apply(rule, context, call, nameOf, () => this.#use(rule)));
    return apply(rule, context, call, nameOf, () => this.#use(rule));
  }

  #ruleFor(context: RequestContext, request: object, nameOf: TopicNameOf): Rule | undefined {
    for (const rule of this.#rules) {
      if (ApiKey[rule.api] !== context.apiKey) continue;
      if (rule.clientId !== undefined && rule.clientId !== context.clientId) continue;
      // A fetch of a session names only what has changed: its answer tells what it is about.
      const isToldLater = context.apiKey === ApiKey.Fetch && rule.error !== undefined;
      if (rule.topic !== undefined && !isToldLater && !topicsOf(request, nameOf).includes(rule.topic)) continue;
      if (!isToldLater) this.#use(rule);
      return rule;
    }
    return undefined;
  }

  #use(rule: Rule | undefined): void {
    if (rule === undefined) return;
    rule.hits++;
    rule.left--;
    if (rule.left <= 0) this.#rules.delete(rule);
  }

  #delay(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        this.#waiting.delete(goOn);
        timer.cancel();
        resolve();
      };
      const timer = this.#clock.setTimer(delayMs, goOn);
      this.#waiting.add(goOn);
    });
  }

  #wait(context: RequestContext, rule: Rule | undefined): Promise<void> | undefined {
    const { delayMs = 0 } = rule ?? {};
    const delay = () => this.#delay(delayMs);
    if (context.apiKey !== ApiKey.Produce) return delayMs > 0 ? delay() : undefined;
    const connection = `${context.clientAddress.host}:${context.clientAddress.port}`;
    const before = this.#delayed.get(connection);
    if (before === undefined && delayMs === 0) return undefined;
    const wait = Promise.resolve(before).then(() => (delayMs > 0 ? delay() : undefined));
    this.#delayed.set(connection, wait);
    void wait.then(() => {
      if (this.#delayed.get(connection) === wait) this.#delayed.delete(connection);
    });
    return wait;
  }
}

function apply(
  rule: Rule | undefined,
  context: RequestContext,
  call: RequestCall,
  nameOf: TopicNameOf,
  onUse: () => void,
): Decided | Promise<Decided> {
  if (rule?.dropConnection === "before") throw dropped(rule);
  if (rule?.error === undefined) {
    const decided = call.handle(call.request);
    if (rule?.dropConnection !== "after") return decided;
    return Promise.resolve(decided).then(() => {
      throw dropped(rule);
    });
  }
  const code = ErrorCode[rule.error];
  if (context.apiKey === ApiKey.Fetch) {
    return Promise.resolve(call.handle(call.request)).then((answer) => {
      const refused = answer === NO_RESPONSE ? undefined : refuseFetched(answer, code, rule.topic, nameOf);
      if (refused !== undefined) onUse();
      return refused ?? answer;
    });
  }
  const isUnanswered = context.apiKey === ApiKey.Produce && "acks" in call.request && call.request.acks === 0;
  if (isUnanswered) throw dropped(rule); // which is how a failure shows there
  const { message = `injected: ${rule.error}`, topic } = rule;
  const parts = topic === undefined ? undefined : splitByTopic(call.request, topic, nameOf);
  if (parts?.rest === undefined) return call.refuse(call.request, code, message);
  const refused = call.refuse(parts.matching, code, message);
  return Promise.resolve(call.handle(parts.rest)).then((answer) =>
    answer === NO_RESPONSE ? answer : joinAnswers(answer, refused),
  );
}

function dropped({ api }: Rule): CloseConnectionError {
  return new CloseConnectionError(`injected: the connection of a ${api} is closed`);
}

interface FetchedPartition {
  readonly errorCode: number;
}

/** A fetch with the error in place of records; undefined where it has no partition for that. */
function refuseFetched(
  answer: object,
  code: ErrorCode,
  topic: string | undefined,
  nameOf: TopicNameOf,
): object | undefined {
  const { responses } = answer as {
    readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[];
  };
  let isMet = false;
  const refused = responses.map((response) => {
    if (topic !== undefined && topicOf(response, nameOf) !== topic) return response;
    const partitions = response.partitions.map((partition) => ({
      ...partition,
      errorCode: code,
      highWatermark: -1,
      lastStableOffset: -1,
      logStartOffset: -1,
      records: new Uint8Array(0),
    }));
    isMet ||= partitions.length > 0;
    return { ...response, partitions };
  });
  return isMet ? { ...answer, responses: refused } : undefined;
}
