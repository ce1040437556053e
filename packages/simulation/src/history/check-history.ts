import type { Anomaly } from "./anomaly.ts";
import { fencedCommits, offsetRegressions, twoOwners } from "./group-anomalies.ts";
import type { History } from "./history.ts";
import { pollOrder, sendOrder } from "./order-anomalies.ts";
import {
  abortedReads,
  cyclicInformationFlow,
  intermediateReads,
  precommittedReads,
  unwrittenReads,
  vanishedReads,
} from "./read-anomalies.ts";
import { stuckLastStableOffsets } from "./state-anomalies.ts";
import { VersionOrder } from "./version-order.ts";
import { duplicates, inconsistentOffsets, lostWrites } from "./write-anomalies.ts";

/**
 * Judges what the clients of a run saw, in the manner of Jepsen's workload for Kafka. What is allowed is not listed: writes of
 * transactions that interleave (G0), and gaps between the polls of a member of a group.
 */
export function checkHistory(history: History): Anomaly[] {
  const order = new VersionOrder(history);
  return [
    ...inconsistentOffsets(order),
    ...duplicates(order),
    ...lostWrites(history, order),
    ...abortedReads(order),
    ...unwrittenReads(order),
    ...precommittedReads(order),
    ...intermediateReads(order),
    ...cyclicInformationFlow(order),
    ...vanishedReads(history, order),
    ...pollOrder(history, order),
    ...sendOrder(order),
    ...offsetRegressions(history),
    ...fencedCommits(history),
    ...twoOwners(history),
    ...stuckLastStableOffsets(history),
  ];
}
