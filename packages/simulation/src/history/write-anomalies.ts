import type { Anomaly } from "./anomaly.ts";
import { sendsOf } from "./history.ts";
import type { History } from "./history.ts";
import type { LogOrder, VersionOrder } from "./version-order.ts";

/** One offset held two values: two leaders, or a log that was cut and written anew. */
export function inconsistentOffsets(order: VersionOrder): Anomaly[] {
  return [...order.logs].flatMap(([log, { valuesAt }]) =>
    [...valuesAt]
      .filter(([, values]) => values.size > 1)
      .map(([offset, values]): Anomaly => ({
        kind: "inconsistent-offsets",
        log,
        values: [...values],
        detail: `offset ${offset} held ${[...values].join(" and ")}`,
      })),
  );
}

/** One value at two offsets: a retry that was written again. */
export function duplicates(order: VersionOrder): Anomaly[] {
  return [...order.logs].flatMap(([log, { offsetsOf }]) =>
    [...offsetsOf]
      .filter(([, offsets]) => offsets.length > 1)
      .map(([value, offsets]): Anomaly => ({
        kind: "duplicate",
        log,
        values: [value],
        detail: `${value} lies at the offsets ${offsets.join(" and ")}`,
      })),
  );
}

/**
 * A committed value that nobody read although what lies behind it was read; or, where a log was read to its end, that nobody
 * read at all. Of a transaction of which another part was read it is the other part: the transaction is torn.
 */
export function lostWrites(history: History, order: VersionOrder): Anomaly[] {
  const drained = new Set(history.flatMap((event) => (event.kind === "drained" ? [event.log] : [])));
  const readUpTo = new Map([...order.logs].map(([name, log]) => [name, lastRead(log)]));
  const anomalies: Anomaly[] = [];
  for (const operation of order.committed) {
    const torn = operation.transactional && sendsOf(operation).some(({ value }) => order.polled.has(value));
    for (const { log, value } of sendsOf(operation)) {
      if (order.polled.has(value) || !order.isCommittedWrite(value)) continue;
      const passed = (order.log(log).offsetsOf.get(value)?.at(-1) ?? Infinity) < (readUpTo.get(log) ?? -1);
      if (!passed && !drained.has(log)) continue;
      const detail = passed ? `${value} was passed over by those who read on` : `${value} is not in the whole log`;
      anomalies.push({ kind: passed ? "lost-write" : "unseen", log, values: [value], detail });
      if (torn) {
        const read = sendsOf(operation).filter((send) => order.polled.has(send.value));
        const values = [value, ...read.map((send) => send.value)];
        anomalies.push({ kind: "torn-transaction", log, values, detail: `${value} is missing where the rest is` });
      }
    }
  }
  return anomalies;
}

/** The offset up to which somebody read; a value that was read at two offsets counts with its first. */
function lastRead(log: LogOrder): number {
  let last = -1;
  for (const value of log.polled) last = Math.max(last, log.offsetsOf.get(value)?.[0] ?? -1);
  return last;
}
