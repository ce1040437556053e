import { ErrorCode } from "@samsa/base";

/**
 * PRODUCER_FENCED came with KIP-588: before it, and before the version given, a client knows only INVALID_PRODUCER_EPOCH.
 * @param firstVersion of the API that may say PRODUCER_FENCED
 */
export function producerErrorFor(errorCode: ErrorCode, apiVersion: number, firstVersion: number): ErrorCode {
  const isNew = errorCode === ErrorCode.PRODUCER_FENCED && apiVersion < firstVersion;
  return isNew ? ErrorCode.INVALID_PRODUCER_EPOCH : errorCode;
}
