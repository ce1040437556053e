export { assert, InvariantError, unreachable } from "./assert.ts";
export { ByteReader } from "./byte-reader.ts";
export { ByteWriter, unsignedVarintSize } from "./byte-writer.ts";
export { ErrorCode, ERRORS } from "./error-code.ts";
export type { ErrorInfo } from "./error-code.ts";
export { INT64_MAX, INT64_MIN, isInt64 } from "./int64.ts";
export { errorCodeOf, KafkaError, ProtocolError, refusal, withoutStack } from "./kafka-error.ts";
export { DiskError, TransportError } from "./ports.ts";
export type {
  Address,
  Clock,
  Connection,
  ConnectionHandler,
  DirectoryEntry,
  Disk,
  DiskFile,
  DiskSpace,
  Listener,
  Random,
  Thread,
  ThreadHandler,
  Threads,
  Timer,
  Transport,
} from "./ports.ts";
export { utf8Length } from "./utf8.ts";
export { METADATA_TOPIC_ID, parseUuid, randomUuid, uuidFromBytes, uuidToBytes, ZERO_UUID } from "./uuid.ts";
export type { Uuid } from "./uuid.ts";
