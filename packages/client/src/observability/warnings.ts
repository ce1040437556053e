import type { Clock, KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { WarningOptions } from "@samsa/io";
import { adviceFor } from "../advice.ts";
import { CommitFailedError } from "../consumer/group/commit-errors.ts";
import { EventLoopBlockedError, MaxPollIntervalExceededError } from "../consumer/group/group-errors.ts";
import { ConnectionError, NoBrokerReachableError } from "../errors.ts";

/** What goes on is said again after so long, and not with every attempt. */
const PAUSE_MS = 60_000;

/** What does not go by without somebody who mends it; an election, say, does. */
const FOR_PEOPLE: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  ErrorCode.GROUP_AUTHORIZATION_FAILED,
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
]);

function isForPeople(error: KafkaError): boolean {
  return (
    FOR_PEOPLE.has(error.code) ||
    error instanceof EventLoopBlockedError ||
    error instanceof MaxPollIntervalExceededError ||
    error instanceof CommitFailedError ||
    error instanceof NoBrokerReachableError ||
    error instanceof ConnectionError
  );
}

/**
 * What `onRetry` does where nobody has said: what would otherwise be tried again in silence, and needs somebody to mend it, becomes a
 * warning of Node's, each kind once a minute. `process.on("warning")` sees it, `--disable-warning=SamsaWarning` hides it.
 */
export function warner(
  clock: Clock,
  emitWarning: (message: string, options: WarningOptions) => void,
): (error: KafkaError) => void {
  const saidMs = new Map<string, number>();
  return (error) => {
    if (!isForPeople(error)) return;
    const nowMs = clock.monotonicMs();
    const kind = `${error.name} ${error.code}`;
    if (nowMs - (saidMs.get(kind) ?? Number.NEGATIVE_INFINITY) < PAUSE_MS) return;
    saidMs.set(kind, nowMs);
    const advice = error instanceof EventLoopBlockedError ? TO_THREADS : adviceFor(error);
    const detail = advice === undefined ? {} : { detail: advice };
    emitWarning(`${error.message}${isGoingOn(error) ? "; trying again" : ""}`, {
      type: "SamsaWarning",
      code: error.codeName,
      ...detail,
    });
  };
}

const TO_THREADS = "Have the handler await now and then, or compute in threads: WorkerPool.";

function isGoingOn(error: KafkaError): boolean {
  return !(
    error instanceof EventLoopBlockedError ||
    error instanceof MaxPollIntervalExceededError ||
    error instanceof CommitFailedError
  );
}
