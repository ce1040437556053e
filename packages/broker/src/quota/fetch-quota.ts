import type { FetchedPartition } from "../fetch-session/fetch-context.ts";
import type { BrokerServices } from "../broker-services.ts";
import type { RequestContext } from "../request-context.ts";

/** About what a partition takes in a response beside its records. */
const PARTITION_BYTES = 48;

/** What one fetch may still use of its client's quotas. */
export interface FetchQuota {
  /** More than a whole window of the quota could never be let pass. */
  readonly maxBytes: number;
  /** Counts what is about to be answered. When the client has to wait, nothing is answered, and the bytes do not count. */
  record(fetched: readonly FetchedPartition[]): number;
}

/** Followers are not clients. */
export const UNLIMITED: FetchQuota = { maxBytes: Infinity, record: () => 0 };

export function fetchQuota(context: RequestContext, { quotas, clock }: BrokerServices): FetchQuota {
  const { fetch, request } = quotas;
  if (!fetch.isEnabled && !request.isEnabled) return UNLIMITED;
  return {
    maxBytes: Math.floor(fetch.mostInWindow(context)),
    record(fetched) {
      const bytes = fetched.reduce((sum, { data }) => sum + PARTITION_BYTES + (data.records?.length ?? 0), 0);
      const nowMs = clock.monotonicMs();
      const requestThrottleMs = quotas.recordRequestTime(context, context.loopTime.spentMs());
      const fetchThrottleMs = fetch.record(context, bytes, nowMs);
      const throttleMs = Math.max(requestThrottleMs, fetchThrottleMs);
      if (throttleMs > 0) fetch.unrecord(context, bytes, nowMs);
      return throttleMs;
    },
  };
}
