import type { ErrorCode } from "@samsa/base";
import type { NO_RESPONSE } from "./api-handler.ts";
import type { RequestContext } from "./request-context.ts";

/** What a handler, or whoever stands in front of it, makes of a request. */
export type Decided = object | typeof NO_RESPONSE;

/** How a request would be answered. */
export interface RequestCall {
  readonly request: object;
  /** What the handler says, to the whole request or to a part of it. It decides what is decided at once before this returns. */
  handle(request: object): Decided | Promise<Decided>;
  /** The whole request, or a part of it, refused. */
  refuse(request: object, code: ErrorCode, message: string): object;
}

/** Stands in front of the handlers, for tests: notes what is asked, answers in their place. */
export interface RequestProbe {
  /**
   * Decides about one request. What it throws is answered as an error of the handler would be; a CloseConnectionError closes the
   * connection. Undefined: the request takes its usual way.
   */
  intercept(context: RequestContext, request: object): ((call: RequestCall) => Decided | Promise<Decided>) | undefined;
}
