import type { Clock } from "@samsa/base";
import type { Decided, RequestCall, RequestContext, RequestProbe } from "@samsa/broker";
import { CloseConnectionError, NO_RESPONSE } from "@samsa/broker";
import { ApiKey } from "@samsa/protocol";
import { InjectedErrors } from "./injected-errors.ts";
import type { TopicNameOf } from "./named-topics.ts";
import { topicsOf } from "./named-topics.ts";
import type { ApiName, MutableRequest } from "./request-log.ts";
import { errorsIn, MAX_BODY_BYTES, RequestLog } from "./request-log.ts";

const API_NAMES = new Map(Object.entries(ApiKey).map(([name, key]) => [key as number, name as ApiName]));

/** What embedding tests want of the requests: to see them, and to have them fail. It costs nothing while neither is asked for. */
export class EmbeddingProbe implements RequestProbe {
  readonly errors: InjectedErrors;
  readonly log: RequestLog;
  readonly #clock: Clock;
  readonly #nameOf: TopicNameOf;

  constructor(clock: Clock, mostRequests: number, nameOf: TopicNameOf) {
    this.#clock = clock;
    this.#nameOf = nameOf;
    this.errors = new InjectedErrors(clock);
    this.log = new RequestLog(mostRequests);
  }

  intercept(context: RequestContext, request: object): ((call: RequestCall) => Decided | Promise<Decided>) | undefined {
    if (!this.log.isOn) return this.errors.isOn ? (call) => this.#decide(context, call) : undefined;
    const logged = this.#note(context, request);
    return (call) => {
      const answered = (decided: Decided): Decided => {
        logged.outcome = decided === NO_RESPONSE ? "not answered" : "answered";
        if (decided !== NO_RESPONSE) logged.errors = errorsIn(decided);
        return decided;
      };
      const failed = (error: unknown): never => {
        logged.outcome = error instanceof CloseConnectionError ? "closed" : "answered";
        throw error;
      };
      try {
        const decided = this.#decide(context, call);
        return decided instanceof Promise ? decided.then(answered, failed) : answered(decided);
      } catch (error) {
        return failed(error);
      }
    };
  }

  #decide(context: RequestContext, call: RequestCall): Decided | Promise<Decided> {
    return this.errors.isOn ? this.errors.intercept(context, call, this.#nameOf) : call.handle(call.request);
  }

  #note(context: RequestContext, request: object): MutableRequest {
    const logged: MutableRequest = {
      api: API_NAMES.get(context.apiKey) ?? ("ApiVersions" as const),
      version: context.apiVersion,
      correlationId: context.correlationId,
      clientId: context.clientId,
      user: context.user,
      listenerName: context.listenerName,
      receivedMs: this.#clock.wallMs(),
      topics: topicsOf(request, this.#nameOf),
      body: context.requestBytes > MAX_BODY_BYTES ? undefined : (request as Readonly<Record<string, unknown>>),
      outcome: "pending",
      errors: [],
    };
    this.log.add(logged);
    return logged;
  }
}
