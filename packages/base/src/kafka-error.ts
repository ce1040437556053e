import { ERRORS, ErrorCode } from "./error-code.ts";

const FATAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.ILLEGAL_SASL_STATE,
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.SASL_AUTHENTICATION_FAILED,
  ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
  ErrorCode.UNSUPPORTED_SASL_MECHANISM,
  ErrorCode.UNSUPPORTED_VERSION,
]);

/**
 * What a peer, a disk or an operator got wrong, as Kafka names it: the code goes on the wire, the message into the log or
 * to the person. Subclasses add the facts a reader needs.
 */
export class KafkaError extends Error {
  override readonly name: string = "KafkaError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message?: string, options?: ErrorOptions) {
    super(message ?? ERRORS.get(code)?.description ?? `error ${code}`, options);
    this.code = code;
  }

  /** Kafka's name of the code, e.g. `NOT_LEADER_OR_FOLLOWER`. */
  get codeName(): string {
    return ERRORS.get(this.code)?.name ?? "UNKNOWN_SERVER_ERROR";
  }

  /** Whether the same request may succeed when it is sent again. */
  get isRetriable(): boolean {
    return ERRORS.get(this.code)?.isRetriable ?? false;
  }

  /** Whether whoever was told this, a producer say, is of no use any more: another in its place may be. */
  get isFatal(): boolean {
    return FATAL.has(this.code);
  }
}

/** Bytes that are no message of the protocol. Kafka closes the connection that sent them. */
export class ProtocolError extends KafkaError {
  override readonly name = "ProtocolError";

  constructor(message: string) {
    super(ErrorCode.INVALID_REQUEST, message);
  }
}

/**
 * A refusal that a request may meet very many times, as one that names a hundred thousand topics that are not there. It goes on
 * the wire as code and message; to find out where each was made would take longer than all the rest.
 */
export function refusal(code: ErrorCode, message?: string): KafkaError {
  return withoutStack(() => new KafkaError(code, message));
}

/** For errors of other classes that come in such numbers: what `make` makes has no stack. */
export function withoutStack<Made extends Error>(make: () => Made): Made {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The Kafka code that answers for whatever was thrown: UNKNOWN_SERVER_ERROR for what is no KafkaError. */
export function errorCodeOf(error: unknown): ErrorCode {
  return error instanceof KafkaError ? error.code : ErrorCode.UNKNOWN_SERVER_ERROR;
}
