import { ByteReader, ErrorCode, errorCodeOf, InvariantError } from "@samsa/base";
import { ApiKey, decodeRequestHeader, encodeResponse, encodeUnsupportedApiVersions } from "@samsa/protocol";
import type { ApiHandler } from "./api-handler.ts";
import { CloseConnectionError, NO_RESPONSE } from "./api-handler.ts";
import type { BrokerServices, ServedApi } from "./broker-services.ts";
import { LoopTime, NOT_MEASURED } from "./quota/loop-time.ts";
import type { RequestContext } from "./request-context.ts";
import type { RequestCall } from "./request-probe.ts";

/** The frame that answers a request. */
export interface Answer {
  /** None when there is no answer. */
  readonly chunks: readonly Uint8Array[];
  /** To be called when the chunks have left. */
  readonly onSent?: (() => void) | undefined;
  /** For so long nothing more of the client is read (KIP-219). */
  readonly throttleMs?: number;
  /** Nobody looks at the bytes of the request any more. */
  readonly isRequestFree?: boolean;
}

/** What a connection adds to a request. */
export type ConnectionContext = Pick<
  RequestContext,
  "listenerName" | "clientAddress" | "clientSoftware" | "user" | "onDisconnect"
>;

/** A handler together with its codecs, so that handlers of all message types fit one table. */
export interface ApiEndpoint {
  readonly apiKey: number;
  readonly lowestVersion: number;
  readonly highestVersion: number;
  readonly advertised: ServedApi;
  readonly mayOverlap: boolean;
  serve(reader: ByteReader, context: RequestContext, services: BrokerServices): Answer | Promise<Answer>;
}

/**
 * Elements that a request may have, over all its arrays: many times what a client asks for at once, and little enough for
 * any answer to fit into memory. Without a bound, a request of 8 MB could name eight million things.
 */
const MAX_REQUEST_ELEMENTS = 100_000;

export function endpoint<Request, Response extends object>(handler: ApiHandler<Request, Response>): ApiEndpoint {
  const { apiKey, lowestVersion } = handler.request;
  const highestVersion = handler.highestVersion ?? handler.request.highestVersion;
  const lowestAdvertised = handler.lowestAdvertisedVersion ?? lowestVersion;
  return {
    apiKey,
    lowestVersion,
    highestVersion,
    advertised: { apiKey, lowestVersion: lowestAdvertised, highestVersion },
    mayOverlap: handler.mayOverlap ?? false,
    serve(reader, context, services) {
      const { metrics, requestLog } = services;
      const startedMs = metrics?.nowMs() ?? (requestLog.isDebugEnabled ? services.clock.monotonicMs() : 0);
      const request = handler.request.read(reader, context.apiVersion); // what may follow it is ignored, as Kafka does
      const probed = services.probe?.intercept(context, request as object);
      const isProbed = probed !== undefined;
      let response: ReturnType<typeof handler.handle>;
      try {
        response =
          probed === undefined
            ? handler.handle(request, context, services)
            : (probed(callOf(handler, request, context, services)) as typeof response);
      } catch (error) {
        return refusalOf(handler, request, error, context, services, { startedMs, isProbed });
      }
      if (!(response instanceof Promise))
        return answerOf(handler, response, context, services, { startedMs, isProbed });
      context.loopTime.leave();
      const serving = { startedMs, isProbed, handledMs: metrics?.nowMs() };
      return response.then(
        (decided) => answerOf(handler, decided, context, services, serving),
        (error: unknown) => refusalOf(handler, request, error, context, services, serving),
      );
    },
  };
}

/** Of one request. */
interface Serving {
  readonly startedMs: number;
  readonly isProbed: boolean;
  readonly handledMs?: number | undefined; // of what waited
}

function answerOf<Request, Response extends object>(
  handler: ApiHandler<Request, Response>,
  decided: Response | typeof NO_RESPONSE,
  context: RequestContext,
  services: BrokerServices,
  { startedMs, handledMs, isProbed }: Serving,
): Answer {
  const { metrics, requestLog } = services;
  const { apiVersion } = context;
  const { apiKey, name } = handler.request;
  if (requestLog.isDebugEnabled) {
    requestLog.debug(requestFacts(name, context, services.clock.monotonicMs() - startedMs), "request");
  }
  const ownThrottleMs = handler.recordUse?.(context, services) ?? 0;
  // A probe may keep what it has seen.
  const isRequestFree = !isProbed && handler.isDoneWithRequest?.(decided) === true;
  // Kafka lets what is not answered pass, for it takes no time of the thread that answers.
  if (decided === NO_RESPONSE) {
    metrics?.requestAnswered(apiKey, apiVersion, startedMs, handledMs, ownThrottleMs);
    return { chunks: [], throttleMs: ownThrottleMs, isRequestFree };
  }
  const { throttleTimeMs: told = 0 } = decided as Throttled;
  const isExempt = handler.recordsRequestTime === true;
  const requestThrottleMs = isExempt ? 0 : services.quotas.recordRequestTime(context, context.loopTime.spentMs());
  const throttleMs = Math.max(told, ownThrottleMs, requestThrottleMs);
  const response = throttleMs > told ? { ...decided, throttleTimeMs: throttleMs } : decided;
  try {
    const chunks = encodeResponse(handler.response, response, apiVersion, context.correlationId);
    metrics?.requestAnswered(apiKey, apiVersion, startedMs, handledMs, throttleMs);
    return { chunks, onSent: handler.onSent && (() => handler.onSent?.(response)), throttleMs, isRequestFree };
  } catch (cause) {
    // Our own mistake, and this client's loss; the others go on.
    throw new Error(`the answer of ${name} ${apiVersion} cannot be written`, { cause });
  }
}

function refusalOf<Request, Response extends object>(
  handler: ApiHandler<Request, Response>,
  request: Request,
  error: unknown,
  context: RequestContext,
  services: BrokerServices,
  serving: Serving,
): Answer {
  if (error instanceof CloseConnectionError || error instanceof InvariantError) throw error;
  const code = errorCodeOf(error);
  if (code === ErrorCode.UNKNOWN_SERVER_ERROR) {
    services.logger.error({ api: handler.request.name, err: error }, "a request failed unexpectedly");
  }
  const refused = handler.refuse(request, code, error instanceof Error ? error.message : String(error));
  return answerOf(handler, refused, context, services, serving);
}

function requestFacts(request: string, context: RequestContext, totalTimeMs: number): object {
  const { apiVersion, correlationId, clientId, listenerName: listener, clientAddress, requestBytes } = context;
  const client = `${clientAddress.host}:${clientAddress.port}`;
  return { request, apiVersion, correlationId, clientId, client, listener, requestBytes, totalTimeMs };
}

/** For a probe, which knows requests and responses as plain objects. */
function callOf<Request, Response extends object>(
  handler: ApiHandler<Request, Response>,
  request: Request,
  context: RequestContext,
  services: BrokerServices,
): RequestCall {
  return {
    request: request as object,
    handle: (part) => handler.handle(part as Request, context, services),
    refuse: (part, code, message) => handler.refuse(part as Request, code, message),
  };
}

/** Most responses tell how long the client is to wait. */
interface Throttled {
  readonly throttleTimeMs?: number;
}

/** From the bytes of a request to the bytes of its answer. */
export class RequestDispatcher {
  readonly #endpoints: ReadonlyMap<number, ApiEndpoint>;
  readonly #services: BrokerServices;

  constructor(endpoints: readonly ApiEndpoint[], services: BrokerServices) {
    this.#endpoints = new Map(endpoints.map((api) => [api.apiKey, api]));
    this.#services = services;
  }

  /**
   * @param isFollowed whether the next request of the connection is there already
   * @returns the answering frame
   * @throws what asks for the connection to be closed: bytes that are no request, an API or version that is not served
   */
  dispatch(frame: Uint8Array, connection: ConnectionContext, isFollowed = false): Answer | Promise<Answer> {
    const reader = new ByteReader(frame);
    const apiKey = reader.int16();
    const apiVersion = reader.int16();
    const api = this.#endpoints.get(apiKey);
    if (api === undefined) throw new CloseConnectionError(`API ${apiKey} is not served`);
    if (apiVersion < api.lowestVersion || apiVersion > api.highestVersion) {
      if (apiKey === ApiKey.ApiVersions) {
        return { chunks: encodeUnsupportedApiVersions(reader.int32(), api.lowestVersion, api.highestVersion) };
      }
      throw new CloseConnectionError(`version ${apiVersion} of API ${apiKey} is not served`);
    }
    reader.offset = 0;
    reader.elementsLeft = MAX_REQUEST_ELEMENTS;
    const { correlationId, clientId } = decodeRequestHeader(reader);
    const { quotas, clock } = this.#services;
    const loopTime = quotas.request.isEnabled ? new LoopTime(clock) : NOT_MEASURED;
    const { listenerName, clientAddress, clientSoftware, user, onDisconnect } = connection;
    // Named one by one: two spreads took a twentieth of the time of a small request.
    const context: RequestContext = {
      apiKey,
      apiVersion,
      correlationId,
      clientId,
      listenerName,
      clientAddress,
      clientSoftware,
      user,
      requestBytes: frame.length,
      isFollowed,
      loopTime,
      onDisconnect,
    };
    return api.serve(reader, context, this.#services);
  }
}
