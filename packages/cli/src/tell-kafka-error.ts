import { ErrorCode, KafkaError } from "@samsa/base";
import { adviceFor, BrokerError, ConfigurationError, NoBrokerReachableError, TimeLimitError } from "@samsa/client";
import { ExitCode } from "./exit-code.ts";
import { hintsOf } from "./hints.ts";
import { invocation } from "./invocation.ts";
import { tell } from "./tell-error.ts";

/** What the client and its brokers have refused, with what the client advises. */
export function tellKafkaError(error: KafkaError): ExitCode {
  if (error instanceof ConfigurationError) {
    tell(error.message);
    return ExitCode.USAGE;
  }
  if (isUnreachable(error)) {
    const samsa = invocation();
    tell(`cannot connect: ${error.message}`, [
      `start a broker here:     ${samsa} start`,
      "or name another broker:  --bootstrap-server host:port (or SAMSA_BOOTSTRAP_SERVER)",
    ]);
    return ExitCode.CANNOT_CONNECT;
  }
  // What stood in the way says more than that the time was over.
  const shown = error instanceof TimeLimitError && error.cause instanceof BrokerError ? error.cause : error;
  const advice = adviceFor(shown);
  tell(`${shown.codeName} (${shown.code}): ${error.message}`, [
    ...hintsOf(error),
    ...(advice === undefined ? [] : [advice]),
    ...commandsFor(shown),
  ]);
  return ExitCode.KAFKA_ERROR;
}

export function isUnreachable(error: KafkaError): boolean {
  if (error instanceof NoBrokerReachableError || error.name === "ConnectionError") return true;
  return error instanceof TimeLimitError && error.cause instanceof KafkaError && isUnreachable(error.cause);
}

function commandsFor(error: KafkaError): readonly string[] {
  const samsa = invocation();
  switch (error.code) {
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
      return [`the topics there are:  ${samsa} topic list`, `a new one:             ${samsa} topic create NAME`];
    case ErrorCode.TOPIC_ALREADY_EXISTS:
      return [`content with it as it is:  ${samsa} topic create NAME --if-not-exists`];
    case ErrorCode.OFFSET_OUT_OF_RANGE:
      return [`the offsets there are:  ${samsa} topic describe NAME`];
    default:
      return [];
  }
}
