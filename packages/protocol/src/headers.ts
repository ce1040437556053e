import type { ByteReader } from "@samsa/base";
import { ByteWriter, ErrorCode, ProtocolError } from "@samsa/base";
import { API_INFO, ApiKey } from "./generated/api-info.ts";
import { ApiVersionsResponse } from "./generated/api-versions-response.ts";
import { RequestHeader } from "./generated/request-header.ts";
import { ResponseHeader } from "./generated/response-header.ts";
import type { ApiMessageCodec } from "./message-codec.ts";

/**
 * Every request and response is a frame:
 *
 *   length int32 │ header │ body            length counts what follows it
 *
 * The version of the header follows from API and version of the body (KIP-482): flexible bodies have flexible headers.
 */
const LENGTH_BYTES = 4;

/** @throws ProtocolError for a key that is no API */
export function requestHeaderVersion(apiKey: number, apiVersion: number): number {
  return isFlexible(apiKey, apiVersion) ? 2 : 1;
}

/**
 * An answer to ApiVersions always has header 0: a client that asked with a version the broker does not know must still be able
 * to read the answer, which then comes in version 0 (KIP-511).
 * @throws ProtocolError for a key that is no API
 */
export function responseHeaderVersion(apiKey: number, apiVersion: number): number {
  return isFlexible(apiKey, apiVersion) && apiKey !== ApiKey.ApiVersions ? 1 : 0;
}

/**
 * Reads the header of a request and leaves the reader at its body.
 * @throws ProtocolError also for a key that is no API: the length of such a header is unknown
 */
export function decodeRequestHeader(reader: ByteReader): RequestHeader {
  const start = reader.offset;
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  reader.offset = start;
  return RequestHeader.read(reader, requestHeaderVersion(apiKey, apiVersion));
}

/** A whole frame, large byte fields by reference. */
export function encodeRequest<T>(
  codec: ApiMessageCodec<T>,
  message: T,
  apiVersion: number,
  correlationId: number,
  clientId: string | null,
): readonly Uint8Array[] {
  const writer = openFrame();
  const header = RequestHeader.create({
    requestApiKey: codec.apiKey,
    requestApiVersion: apiVersion,
    correlationId,
    clientId,
  });
  RequestHeader.write(writer, header, requestHeaderVersion(codec.apiKey, apiVersion));
  codec.write(writer, message, apiVersion);
  return closeFrame(writer);
}

/** A whole frame, large byte fields by reference. */
export function encodeResponse<T>(
  codec: ApiMessageCodec<T>,
  message: T,
  apiVersion: number,
  correlationId: number,
): readonly Uint8Array[] {
  const writer = openFrame();
  ResponseHeader.write(
    writer,
    ResponseHeader.create({ correlationId }),
    responseHeaderVersion(codec.apiKey, apiVersion),
  );
  codec.write(writer, message, apiVersion);
  return closeFrame(writer);
}

/**
 * The frame that answers an ApiVersions request of a version the broker does not serve: version 0, which every client reads,
 * with the error and the versions of ApiVersions that are served (KIP-511).
 */
export function encodeUnsupportedApiVersions(
  correlationId: number,
  lowestVersion: number,
  highestVersion: number,
): readonly Uint8Array[] {
  const response = ApiVersionsResponse.create({
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: [{ apiKey: ApiKey.ApiVersions, minVersion: lowestVersion, maxVersion: highestVersion }],
  });
  return encodeResponse(ApiVersionsResponse, response, 0, correlationId);
}

function isFlexible(apiKey: number, apiVersion: number): boolean {
  const info = API_INFO.get(apiKey);
  if (info === undefined) throw new ProtocolError(`no API has the key ${apiKey}`);
  return apiVersion >= info.firstFlexibleVersion;
}

function openFrame(): ByteWriter {
  const writer = new ByteWriter("shared");
  writer.int32(0);
  return writer;
}

function closeFrame(writer: ByteWriter): readonly Uint8Array[] {
  writer.patchInt32(0, writer.length - LENGTH_BYTES);
  return writer.toChunks();
}
