import type { Anomaly } from "./anomaly.ts";
import type { History, LogName } from "./history.ts";
import type { VersionOrder } from "./version-order.ts";

interface Position {
  readonly index: number;
  readonly fixed: boolean; // by `assign`: nobody but the process itself moves it
  readonly operation: number;
}

/**
 * Within a poll, and from poll to poll of a process that assigned itself, the records of a log follow one another without a
 * gap. Between the polls of a member of a group anything may have happened.
 */
export function pollOrder(history: History, order: VersionOrder): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const positions = new Map<number, Map<LogName, Position>>();
  const chosenBy = new Map<number, "assign" | "subscribe">();
  history.forEach((event, operation) => {
    if (event.kind === "assigned") {
      chosenBy.set(event.process, event.by);
      positions.delete(event.process);
    }
    if (event.kind !== "operation") return;
    let own = positions.get(event.process);
    if (own === undefined) positions.set(event.process, (own = new Map()));
    for (const step of event.steps) {
      if (step.kind !== "poll") continue;
      for (const { log, offset, value } of step.records) {
        const index = order.log(log).indexOf(offset) ?? 0;
        const before = own.get(log);
        own.set(log, { index, fixed: chosenBy.get(event.process) !== "subscribe", operation });
        if (before === undefined || (before.operation !== operation && !before.fixed)) continue;
        const step = index - before.index;
        if (step === 1) continue;
        const kind = step > 1 ? "poll-skip" : "nonmonotonic-poll";
        const detail = `process ${event.process} came to offset ${offset} by ${step} records`;
        anomalies.push({ kind, log, values: [value], detail });
      }
    }
    // What a failed transaction polled is polled again.
    if (event.outcome !== "ok" && event.transactional) positions.delete(event.process);
  });
  return anomalies;
}

/** The records of a producer lie in the order in which it sent them. */
export function sendOrder(order: VersionOrder): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const last = new Map<string, number>();
  for (const { process, steps, outcome } of order.operations) {
    if (outcome !== "ok") continue;
    for (const step of steps) {
      if (step.kind !== "send" || step.offset === undefined) continue;
      const { log, offset, value } = step;
      const before = last.get(`${process} ${log}`) ?? -1;
      if (offset <= before) {
        const detail = `process ${process} sent ${value} to offset ${offset} after one to ${before}`;
        anomalies.push({ kind: "nonmonotonic-send", log, values: [value], detail });
      }
      last.set(`${process} ${log}`, Math.max(before, offset));
    }
  }
  return anomalies;
}
