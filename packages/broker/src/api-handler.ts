import type { ErrorCode } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import type { BrokerServices } from "./broker-services.ts";
import type { RequestContext } from "./request-context.ts";

/** What a Produce with acks=0 is answered with. */
export const NO_RESPONSE: unique symbol = Symbol("no response");

/** One API of the broker: the versions served and how a request becomes a response. */
export interface ApiHandler<Request, Response> {
  readonly request: ApiMessageCodec<Request>;
  readonly response: ApiMessageCodec<Response>;
  /** The highest version served, when it is below the highest that the schema knows (an unstable one). */
  readonly highestVersion?: number;
  /** The lowest version in the ApiVersions answer, when it differs from the lowest that is served. */
  readonly lowestAdvertisedVersion?: number;
  /**
   * The next request of the same API may start before this one is answered, because all that orders them is decided before
   * `handle` returns. Answers still leave in order.
   */
  readonly mayOverlap?: boolean;
  /** May throw or reject only with what is unexpected; refusals are part of the response. */
  handle(
    request: Request,
    context: RequestContext,
    services: BrokerServices,
  ): Response | typeof NO_RESPONSE | Promise<Response | typeof NO_RESPONSE>;
  /**
   * Counts what the request has used, other than time, when it is about to be answered; returns the milliseconds to hold the
   * client back.
   */
  recordUse?(context: RequestContext, services: BrokerServices): number;
  /** The handler counts the time of the request by itself, because its answer depends on that. */
  readonly recordsRequestTime?: boolean;
  /** The bytes of the response have left: what was borrowed for it may be given back. Not told when the client goes first. */
  onSent?(response: Response): void;
  /** Whether nobody looks at the bytes of a request any more that was answered so: their memory may be used again. */
  isDoneWithRequest?(response: Response | typeof NO_RESPONSE): boolean;
  /** The whole request refused, for what `handle` throws. */
  refuse(request: Request, code: ErrorCode, message: string): Response;
}

/** Closes the connection without an answer: what Kafka does where no answer is possible. */
export class CloseConnectionError extends Error {
  override readonly name = "CloseConnectionError";
}
