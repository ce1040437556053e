import { ErrorCode, KafkaError } from "@samsa/base";

/** The disk failed, or what it holds cannot be trusted. The log answers nothing else until it is loaded anew. */
export class KafkaStorageError extends KafkaError {
  override readonly name: string = "KafkaStorageError";

  constructor(message: string, options?: ErrorOptions) {
    super(ErrorCode.KAFKA_STORAGE_ERROR, message, options);
  }
}

/** Records were promised, and by the time they were to be read the log had been cut, cleaned or closed. */
export class BrokenPromiseError extends KafkaError {
  override readonly name = "BrokenPromiseError";

  constructor(logName: string, offset: number) {
    super(
      ErrorCode.KAFKA_STORAGE_ERROR,
      `${logName}: what was to be read from offset ${offset} on is not there any more`,
    );
  }
}

/** A read outside [logStartOffset, logEndOffset]. */
export class OffsetOutOfRangeError extends KafkaError {
  override readonly name = "OffsetOutOfRangeError";
  readonly offset: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number; // exclusive

  constructor(offset: number, logStartOffset: number, logEndOffset: number) {
    super(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `offset ${offset} is outside of the log, which holds ${logStartOffset} to ${logEndOffset}`,
    );
    this.offset = offset;
    this.logStartOffset = logStartOffset;
    this.logEndOffset = logEndOffset;
  }
}

/** What is wrong with one record of a refused batch (KIP-467). */
export interface RecordError {
  readonly batchIndex: number; // of the record within its batch
  readonly message: string;
}

/** Records that their topic does not accept: INVALID_RECORD or INVALID_TIMESTAMP, with a message for each (KIP-467). */
export class RecordValidationError extends KafkaError {
  override readonly name = "RecordValidationError";
  readonly recordErrors: readonly RecordError[];

  constructor(code: ErrorCode, message: string, recordErrors: readonly RecordError[]) {
    super(code, message);
    this.recordErrors = recordErrors;
  }
}

/** A checkpoint, index or metadata file that does not say what it should. */
export class CorruptFileError extends KafkaStorageError {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
  }
}
