import { ByteReader, ErrorCode, errorCodeOf, InvariantError } from "@samsa/base";
import { ApiKey, decodeRequestHeader, encodeResponse, encodeUnsupportedApiVersions } from "@samsa/protocol";
import type { ApiHandler } from "./api-handler.ts";
import { CloseConnectionError, NO_RESPONSE } from "./api-handler.ts";
import type { BrokerServices, ServedApi } from "./broker-services.ts";
import type { RequestContext } from "./request-context.ts";

/** The frame that answers a request. */
export interface Answer {
  /** None when there is no answer. */
  readonly chunks: readonly Uint8Array[];
  /** To be called when the chunks have left. */
  readonly onSent?: () => void;
}

/** What a connection adds to a request. */
export type ConnectionContext = Pick<RequestContext, "listenerName" | "clientAddress" | "onDisconnect">;

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
const NO_ANSWER: Answer = { chunks: [] };

export function endpoint<Request, Response>(handler: ApiHandler<Request, Response>): ApiEndpoint {
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
      const request = handler.request.read(reader, context.apiVersion); // what may follow it is ignored, as Kafka does
      const encode = (response: Response | typeof NO_RESPONSE): Answer => {
        if (response === NO_RESPONSE) return NO_ANSWER;
        try {
          const chunks = encodeResponse(handler.response, response, context.apiVersion, context.correlationId);
          return handler.onSent === undefined ? { chunks } : { chunks, onSent: () => handler.onSent?.(response) };
        } catch (cause) {
          // Our own mistake, and this client's loss; the others go on.
          throw new Error(`the answer of ${handler.request.name} ${context.apiVersion} cannot be written`, { cause });
        }
      };
      const refuse = (error: unknown): Answer => {
        if (error instanceof CloseConnectionError || error instanceof InvariantError) throw error;
        const code = errorCodeOf(error);
        if (code === ErrorCode.UNKNOWN_SERVER_ERROR) {
          services.logger.error({ api: handler.request.name, err: error }, "a request failed unexpectedly");
        }
        return encode(handler.refuse(request, code, error instanceof Error ? error.message : String(error)));
      };
      let response: ReturnType<typeof handler.handle>;
      try {
        response = handler.handle(request, context, services);
      } catch (error) {
        return refuse(error);
      }
      return response instanceof Promise ? response.then(encode, refuse) : encode(response);
    },
  };
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
   * @returns the answering frame
   * @throws what asks for the connection to be closed: bytes that are no request, an API or version that is not served
   */
  dispatch(frame: Uint8Array, connection: ConnectionContext): Answer | Promise<Answer> {
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
    return api.serve(reader, { apiKey, apiVersion, correlationId, clientId, ...connection }, this.#services);
  }
}
