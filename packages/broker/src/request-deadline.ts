import type { Clock } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";

/**
 * What a controller request with a time of its own is answered. When that is over the request is refused, and what was decided goes
 * on; one that had none to begin with is refused before anything is decided, as in Kafka.
 * @throws KafkaError REQUEST_TIMED_OUT
 */
export async function withinTimeout<T>(clock: Clock, timeoutMs: number, decide: () => Promise<T>): Promise<T> {
  if (timeoutMs <= 0) throw new RequestTimedOutError();
  const decided = decide();
  return await new Promise<T>((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () => reject(new RequestTimedOutError()));
    decided.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** For a refusal: of a request that came too late Kafka says no more than the code. */
export function refusalMessage(code: ErrorCode, message: string): string | null {
  return code === ErrorCode.REQUEST_TIMED_OUT ? null : message;
}
export class RequestTimedOutError extends KafkaError {
  override readonly name = "RequestTimedOutError";

  constructor() {
    super(ErrorCode.REQUEST_TIMED_OUT);
  }
}
