import { ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";

/** What a failed write means to who waits for it: another coordinator, a little later, or never. */
const MEANINGS: ReadonlyMap<ErrorCode, ErrorCode> = new Map([
  [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  [ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  [ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  [ErrorCode.REQUEST_TIMED_OUT, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR],
  [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR],
  [ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
  [ErrorCode.RECORD_LIST_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
]);

/** The error of a write as a client of the coordinator is told it. */
export function coordinatorError(error: unknown): KafkaError {
  const code = errorCodeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return new KafkaError(MEANINGS.get(code) ?? code, message, { cause: error });
}
