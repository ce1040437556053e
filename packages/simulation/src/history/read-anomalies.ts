import type { Anomaly } from "./anomaly.ts";
import { recordsPolledBy, sendsOf } from "./history.ts";
import type { History, Operation } from "./history.ts";
import { stronglyConnected } from "./strongly-connected.ts";
import type { VersionOrder } from "./version-order.ts";

/** G1a: a write that failed was read. */
export function abortedReads(order: VersionOrder): Anomaly[] {
  return order.operations
    .filter(({ outcome }) => outcome === "failed")
    .flatMap(sendsOf)
    .filter(({ value }) => order.polled.has(value))
    .map(({ log, value }) => ({ kind: "aborted-read", log, values: [value], detail: `${value} failed, and was read` }));
}

/** What was read was written by nobody. */
export function unwrittenReads(order: VersionOrder): Anomaly[] {
  return [...order.logs].flatMap(([log, { polled }]) =>
    [...polled]
      .filter((value) => !order.writerOf.has(value))
      .map((value): Anomaly => ({ kind: "unwritten-read", log, values: [value], detail: `nobody sent ${value}` })),
  );
}

/** A transaction polled what it had sent itself. */
export function precommittedReads(order: VersionOrder): Anomaly[] {
  return order.operations
    .filter(({ transactional }) => transactional)
    .flatMap((operation) => {
      const sent = new Set(sendsOf(operation).map(({ value }) => value));
      return recordsPolledBy(operation)
        .filter(({ value }) => sent.has(value))
        .map(({ log, value }): Anomaly => {
          const detail = `${value} was read within the transaction that wrote it`;
          return { kind: "precommitted-read", log, values: [value], detail };
        });
    });
}

/** G1b: a poll shows a part of a transaction, and has passed where another part lies. */
export function intermediateReads(order: VersionOrder): Anomaly[] {
  const anomalies: Anomaly[] = [];
  for (const { steps } of order.operations) {
    for (const step of steps) {
      if (step.kind !== "poll") continue;
      const seen = new Set(step.records.map(({ value }) => value));
      const ranges = new Map<string, { first: number; last: number }>();
      for (const { log, offset } of step.records) {
        const range = ranges.get(log) ?? { first: offset, last: offset };
        ranges.set(log, { first: Math.min(range.first, offset), last: Math.max(range.last, offset) });
      }
      const writers = new Set(step.records.map(({ value }) => order.writerOf.get(value)));
      for (const writer of writers) {
        if (writer === undefined || !writer.transactional) continue;
        for (const { log, value } of sendsOf(writer)) {
          const range = ranges.get(log);
          const offset = order.log(log).offsetsOf.get(value)?.[0];
          if (seen.has(value) || range === undefined || offset === undefined) continue;
          if (offset < range.first || offset > range.last) continue;
          const detail = `a poll of ${range.first} to ${range.last} shows the transaction of ${value} without it`;
          anomalies.push({ kind: "intermediate-read", log, values: [value], detail });
        }
      }
    }
  }
  return anomalies;
}

/** G1c: transactions that know of one another in a circle; and a value that was read before anybody asked for it to be written. */
export function cyclicInformationFlow(order: VersionOrder): Anomaly[] {
  const readers = new Map<Operation, Operation[]>();
  const anomalies: Anomaly[] = [];
  for (const reader of order.operations) {
    for (const { log, value } of recordsPolledBy(reader)) {
      const writer = order.writerOf.get(value);
      if (writer === undefined || writer === reader) continue;
      readers.set(writer, [...(readers.get(writer) ?? []), reader]);
      if (reader.end >= writer.begin) continue;
      const detail = `${value} was read at ${reader.end} and sent at ${writer.begin}`;
      anomalies.push({ kind: "read-from-the-future", log, values: [value], detail });
    }
  }
  for (const circle of stronglyConnected(order.operations, (operation) => readers.get(operation) ?? [])) {
    const values = circle.flatMap(sendsOf).map(({ value }) => value);
    const detail = `${circle.length} operations each know of the others`;
    anomalies.push({ kind: "cyclic-information-flow", values, detail });
  }
  return anomalies;
}

/** What was read once stays, above the log start offset. */
export function vanishedReads(history: History, order: VersionOrder): Anomaly[] {
  const anomalies: Anomaly[] = [];
  for (const event of history) {
    if (event.kind !== "read-again") continue;
    const now = new Map(event.records.map(({ offset, value }) => [offset, value]));
    for (const { steps } of order.operations)
      for (const step of steps) {
        if (step.kind !== "poll") continue;
        for (const { log, offset, value } of step.records) {
          if (log !== event.log || offset < event.logStartOffset || now.get(offset) === value) continue;
          const detail = `${value} was read at ${offset}, where now ${now.get(offset) ?? "nothing"} is`;
          anomalies.push({ kind: "vanished-read", log, values: [value], detail });
        }
      }
  }
  return anomalies;
}
