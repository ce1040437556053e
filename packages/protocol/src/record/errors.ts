import { ErrorCode, KafkaError } from "@samsa/base";

/** Bytes that cannot be a record batch, or that are not the ones that were written: length, magic, CRC, compression. */
export class CorruptRecordError extends KafkaError {
  override readonly name: string = "CorruptRecordError";

  constructor(message: string, options?: ErrorOptions) {
    super(ErrorCode.CORRUPT_MESSAGE, message, options);
  }
}

/** A batch that arrived as it was sent and breaks the rules of the format: the sender must not send it again. */
export class InvalidRecordError extends KafkaError {
  override readonly name: string = "InvalidRecordError";

  constructor(message: string) {
    super(ErrorCode.INVALID_RECORD, message);
  }
}

/**
 * A batch of the formats that Kafka 4 neither writes nor takes from producers (KIP-724). Kafka answers a produce request with
 * INVALID_RECORD; UNSUPPORTED_FOR_MESSAGE_FORMAT is what old brokers said when the request was newer than their log.
 */
export class UnsupportedMagicError extends InvalidRecordError {
  override readonly name = "UnsupportedMagicError";
  readonly magic: number;

  constructor(magic: number) {
    super(`a record batch of magic ${magic}; only magic 2 is supported`);
    this.magic = magic;
  }
}

/** A timestamp that no number holds exactly: some 285,000 years from now, or before 1970 as far. */
export class InvalidTimestampError extends KafkaError {
  override readonly name = "InvalidTimestampError";

  constructor(message: string) {
    super(ErrorCode.INVALID_TIMESTAMP, message);
  }
}
