import { ErrorCode, KafkaError } from "@samsa/base";

/** The connection to a broker could not be had or broke. What was sent on it may or may not have been done. */
export class ConnectionError extends KafkaError {
  override readonly name = "ConnectionError";
  readonly address: string; // host:port

  constructor(address: string, message: string, options?: ErrorOptions) {
    super(ErrorCode.NETWORK_EXCEPTION, `${address}: ${message}`, options);
    this.address = address;
  }
}

/** None of the addresses that were tried answered. A retry helps while the time for it is not over. */
export class NoBrokerReachableError extends KafkaError {
  override readonly name = "NoBrokerReachableError";
  readonly addresses: readonly string[];
  readonly failures: readonly KafkaError[]; // the last one of each address
  readonly #isRetriable: boolean;

  constructor(addresses: readonly string[], failures: readonly KafkaError[], isRetriable: boolean) {
    const reasons = failures.map(({ message }) => message).join("; ");
    super(ErrorCode.BROKER_NOT_AVAILABLE, `no broker answers: ${reasons || addresses.join(", ")}`, {
      cause: failures[0],
    });
    this.addresses = addresses;
    this.failures = failures;
    this.#isRetriable = isRetriable;
  }

  override get isRetriable(): boolean {
    return this.#isRetriable;
  }
}

/** The broker did not answer within the request's time. Its connection is closed, for an answer may still come. */
export class RequestTimeoutError extends KafkaError {
  override readonly name = "RequestTimeoutError";

  constructor(what: string, timeoutMs: number) {
    super(ErrorCode.REQUEST_TIMED_OUT, `${what}: no answer within ${timeoutMs} ms (requestTimeoutMs)`);
  }
}

/** Something with a time limit did not come about; `cause` is what stood in its way last. */
export class TimeLimitError extends KafkaError {
  override readonly name = "TimeLimitError";

  constructor(what: string, timeoutMs: number, option: string, cause?: unknown) {
    const reason = cause instanceof Error ? `; last: ${cause.message}` : "";
    super(ErrorCode.REQUEST_TIMED_OUT, `${what}: not done within ${timeoutMs} ms (${option})${reason}`, { cause });
  }

  override get isRetriable(): boolean {
    return false; // the retries are what took the time
  }
}

/** No version of a request is known to both sides. */
export class UnsupportedVersionError extends KafkaError {
  override readonly name = "UnsupportedVersionError";

  constructor(message: string) {
    super(ErrorCode.UNSUPPORTED_VERSION, message);
  }
}

/** An option that does not exist, or a value or combination that cannot be. */
export class ConfigurationError extends KafkaError {
  override readonly name = "ConfigurationError";

  constructor(message: string) {
    super(ErrorCode.INVALID_CONFIG, message);
  }
}

/** A key or value that its serialiser cannot turn into bytes, or back. `cause` is what the serialiser threw. */
export class SerialisationError extends KafkaError {
  override readonly name = "SerialisationError";

  constructor(message: string, options?: ErrorOptions) {
    super(ErrorCode.INVALID_RECORD, message, options);
  }
}

/** The client, producer or consumer was closed before or while this was done. */
export class ClosedError extends KafkaError {
  override readonly name = "ClosedError";

  constructor(what: string) {
    super(ErrorCode.INVALID_REQUEST, `${what} is closed`);
  }
}

/** A record larger than `maxRequestSize`. */
export class RecordTooLargeError extends KafkaError {
  override readonly name = "RecordTooLargeError";
  readonly sizeInBytes: number;

  constructor(sizeInBytes: number, maxRequestSize: number) {
    super(
      ErrorCode.MESSAGE_TOO_LARGE,
      `a record of ${sizeInBytes} bytes, where maxRequestSize is ${maxRequestSize}; the topic's max.message.bytes must allow it too`,
    );
    this.sizeInBytes = sizeInBytes;
  }
}

/** More was handed to the producer than `bufferMemory` holds, and nothing left it in time. */
export class BufferExhaustedError extends KafkaError {
  override readonly name = "BufferExhaustedError";

  constructor(message: string) {
    super(ErrorCode.REQUEST_TIMED_OUT, message);
  }

  override get isRetriable(): boolean {
    return true;
  }
}

/** What a broker answered, with the broker, and what had been asked of it. */
export class BrokerError extends KafkaError {
  override readonly name = "BrokerError";
  readonly what: string;
  readonly broker: string | undefined; // host:port

  constructor(code: ErrorCode, what: string, message?: string | null, broker?: string) {
    const plain = new KafkaError(code);
    super(
      code,
      `${what}: ${message ?? (plain.message || plain.codeName)}${broker === undefined ? "" : ` (${broker})`}`,
    );
    this.what = what;
    this.broker = broker;
  }
}

/** Some items of a call that takes many failed; the others are done. */
export class SomeItemsFailedError extends KafkaError {
  override readonly name = "SomeItemsFailedError";
  readonly errors: ReadonlyMap<string, KafkaError>;

  constructor(errors: ReadonlyMap<string, KafkaError>) {
    const first = [...errors.values()][0] ?? new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR);
    super(first.code, [...errors.values()].map(({ message }) => message).join("; "), { cause: first });
    this.errors = errors;
  }
}

/** Whatever was thrown, as a KafkaError. */
export function toKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, message, { cause: error });
}
