// What is to be reached, figure by figure: most of it as a ratio to Apache Kafka in the same run.
import { appendFigure, partitionsText } from "../log.mjs";
import { latencyFigure, requestsFigure, tailFigure } from "../requests.mjs";
import { transactionsFigure } from "../transactions.mjs";
import { figure, writeTable } from "./table.mjs";

const KIB = 1024;
const atLeast = (ratio) => ({ text: `>= ${ratio}x`, isMet: (row) => row.ratio >= ratio });
const atMost = (ratio) => ({ text: `<= ${ratio}x`, isMet: (row) => row.ratio <= ratio });
const below = (bound, unit) => ({ text: `<= ${bound} ${unit}`, isMet: (row) => row.samsa.median <= bound });

const each = (items, make) => items.flatMap((item) => make(item));

/** Names of figures as the benchmarks give them, in the order of the table. */
const GOALS = [
  ...each([1, 10], (partitions) => [
    [appendFigure(16, 100, partitions), atLeast(1.4)],
    [appendFigure(16, KIB, partitions), atLeast(1.4)],
    [appendFigure(256, KIB, partitions), atLeast(1.1)],
  ]),
  [requestsFigure(1), atLeast(2)],
  [requestsFigure(8), atLeast(1)],
  ...each([1, 10], (partitions) => [[`catch-up read, ${partitionsText(partitions)} (MB/s)`, atLeast(1)]]),
  ...each([false, true], (isPolling) => [
    ...each([1000, 5000], (rate) =>
      each(["p50", "p99", "p99.9"], (q) => [[latencyFigure(rate, "sleeping", q, isPolling), atMost(0.5)]]),
    ),
    [tailFigure("sleeping", "p99", isPolling), atMost(0.5)],
  ]),
  ["1,000 topics created and writable (ms)", atMost(1)],
  ["first record, formatting included (ms)", below(300, "ms")],
  ["embedded, first record of the first broker of a process (ms)", below(60, "ms")],
  ["embedded, first record of the next one (ms)", below(60, "ms")],
  ["memory before (MiB)", below(120, "MiB")],
  ["memory after they were read (MiB)", below(300, "MiB")],
  ["CPU time per GB produced and consumed (s)", atMost(0.7)],
  ["first record after SIGKILL, 1 GiB to recover (ms)", atMost(1)],
  ...each(["1,000", "10,000"], (count) =>
    each(["a clean stop", "SIGKILL"], (end) => [[`start, ${count} partitions, after ${end} (ms)`, atMost(1)]]),
  ),
  ["compaction (s)", atMost(1)],
  ...each([1, 100, 10_000], (records) => [
    [transactionsFigure(records, "rate (1/s)"), atLeast(1.2)],
    [transactionsFigure(records, "commit p50 (ms)"), atMost(0.7)],
    [transactionsFigure(records, "commit p99 (ms)"), atMost(0.7)],
  ]),
];

/** The figures that have a goal, as far as they were measured with Samsa first. */
export function printGoals(results, targets) {
  const rows = new Map(Object.values(results).flatMap(({ rows: all }) => all.map((row) => [row.name, row])));
  const lines = GOALS.flatMap(([name, goal]) => {
    const row = rows.get(name);
    if (row?.samsa === undefined) return [];
    const cells = targets.map((target) => (row[target] === undefined ? "-" : figure(row[target].median)));
    const isKnown = row.ratio !== undefined || !goal.text.endsWith("x");
    const verdict = isKnown ? (goal.isMet(row) ? "met" : "missed") : "-";
    return [[name, ...cells, row.ratio?.toFixed(2) ?? "", goal.text, verdict]];
  });
  if (lines.length > 0) writeTable([["goals, medians", ...targets, "ratio", "goal", ""], ...lines]);
}
