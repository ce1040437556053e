import type { ApiMessageCodec } from "@samsa/protocol";

/** An API and the versions of it that this client can speak. */
export interface ApiRange {
  readonly name: string;
  readonly apiKey: number;
  readonly lowestVersion: number;
  readonly highestVersion: number;
}

/** A request and the response that answers it. */
export interface Api<Request, Response> extends ApiRange {
  readonly request: ApiMessageCodec<Request>;
  readonly response: ApiMessageCodec<Response>;
}

export interface ApiLimits {
  /** Below the highest that the schema knows, where the client does not do what the later ones ask. */
  readonly highestVersion?: number;
  readonly lowestVersion?: number;
}

export function api<Request, Response>(
  request: ApiMessageCodec<Request>,
  response: ApiMessageCodec<Response>,
  limits: ApiLimits = {},
): Api<Request, Response> {
  return {
    name: request.name.replace(/Request$/, ""),
    apiKey: request.apiKey,
    request,
    response,
    lowestVersion: limits.lowestVersion ?? request.lowestVersion,
    highestVersion: limits.highestVersion ?? request.highestVersion,
  };
}
