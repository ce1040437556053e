// What our client is to reach beside others: most of it as a ratio to another client at the same broker in the same run.
import { writeTable } from "./table.mjs";

const MB = 1_000_000 / 2 ** 20; // what is measured in MiB, promised in MB
const rate = (value) => Math.round(value).toLocaleString("en");
const precise = (value) => value.toPrecision(3);

const absolute = (isMet, text) => (ours) => ({ bound: text, isMet: isMet(ours) });
const atLeast = (bound) => absolute((ours) => ours >= bound, `>= ${rate(bound)}`);
const atMost = (bound, text) => absolute((ours) => ours <= bound, `<= ${text}`);
const timesOf = (factor, client, work) => (ours, medianOf) => {
  const theirs = medianOf(work, client);
  if (theirs === undefined) return undefined;
  const bound = `>= ${factor}x ${client}'s ${rate(theirs)}`;
  return { bound, isMet: ours >= factor * theirs };
};
/** A promise for each record, of so many callers: beside batches in the same table, and single sends of whichever number of callers is best for them. */
const EACH = { 100: "100 callers", 1000: "1,000 callers", 10000: "10,000 callers", together: "1,000 at once" };
const timesBatches = (factor, client, work) => (ours, _, bestOf) => {
  const theirs = bestOf(work, "recordsPerSecond", (label) => label === `${client}, batches`);
  if (theirs === undefined) return undefined;
  return { bound: `>= ${factor}x ${client}'s batches, ${rate(theirs)}`, isMet: ours >= factor * theirs };
};
const timesSingleSends = (factor, client) => (ours, _, bestOf) => {
  const all = Object.keys(EACH).map((shape) =>
    bestOf(`each-${shape}`, "recordsPerSecond", (label) => label === client),
  );
  const theirs = Math.max(...all.filter((value) => value !== undefined));
  if (!Number.isFinite(theirs)) return undefined;
  return { bound: `>= ${factor}x ${client}'s single sends, ${rate(theirs)}`, isMet: ours >= factor * theirs };
};
const noMoreThan = (client, work, name) => (ours, medianOf) => {
  const theirs = medianOf(work, client, name);
  return theirs === undefined ? undefined : { bound: `<= ${client}'s ${precise(theirs)}`, isMet: ours <= theirs };
};

/** `[what, work, figure, who is meant, what it is to reach]`; of several rows of one client the best is meant. */
const GOALS = [
  ...[atLeast(1_000_000), timesOf(0.7, "librdkafka", "produce-100"), timesOf(2, "platformatic", "produce-100")].map(
    (goal) => ["produce 100 B (records/s)", "produce-100", "recordsPerSecond", /^samsa(, sendBatch)?$/, goal],
  ),
  ...Object.entries(EACH).flatMap(([shape, callers]) =>
    [timesBatches(1, "platformatic", `each-${shape}`), timesSingleSends(20, "platformatic")].map((goal) => [
      `produce 100 B, a promise each, ${callers} (records/s)`,
      `each-${shape}`,
      "recordsPerSecond",
      /^samsa/,
      goal,
    ]),
  ),
  ["produce 1 KiB (records/s)", "produce-1k", "recordsPerSecond", /^samsa/, timesOf(0.9, "librdkafka", "produce-1k")],
  ["a lone send, p50 (ms)", "alone", "p50Ms", /^samsa/, noMoreThan("platformatic", "alone", "p50Ms")],
  ["a lone send, p99 (ms)", "alone", "p99Ms", /^samsa/, noMoreThan("platformatic", "alone", "p99Ms")],
  ["consume 100 B, batches (records/s)", "consume-100", "recordsPerSecond", /^samsa$/, atLeast(2_000_000)],
  ["consume 100 B, a record at a time", "consume-100", "recordsPerSecond", /^samsa, a record/, atLeast(800_000)],
  ["consume 1 KiB (records/s, 1 GB/s)", "consume-1k", "recordsPerSecond", /^samsa$/, atLeast(1e9 / 1024)],
  ["memory, 10 GB consumed (MiB)", "memory", "peakMiB", /^samsa/, atMost(150 * MB, "150 MB")],
  ["memory, 1,000 idle partitions (MiB)", "idle", "memoryMiB", /^samsa/, atMost(80 * MB, "80 MB")],
];

/**
 * @param works for each work that was measured its rows, `{ label, figure, median }`; a row is a way of one client, whose name its label
 *   begins with
 */
export function clientGoalsTable(works) {
  const best = (work, name, isMeant) => {
    const medians = (works[work] ?? [])
      .filter(({ label, figure, median }) => figure === name && median !== undefined && isMeant(label))
      .map(({ median }) => median);
    if (medians.length === 0) return undefined;
    return /Ms|MiB/.test(name) ? Math.min(...medians) : Math.max(...medians);
  };
  const medianOf = (work, client, name = "recordsPerSecond") => best(work, name, (label) => label.startsWith(client));
  return GOALS.flatMap(([what, work, name, pattern, goal]) => {
    const ours = best(work, name, (label) => pattern.test(label));
    const reached = ours === undefined ? undefined : goal(ours, medianOf, best);
    if (reached === undefined) return [];
    const format = name === "recordsPerSecond" ? rate : precise;
    return [[what, format(ours), reached.bound, reached.isMet ? "met" : "missed"]];
  });
}

export function printClientGoals(works, target) {
  const lines = clientGoalsTable(works);
  if (lines.length > 0) writeTable([[`goals, medians, against ${target}`, "ours", "goal", ""], ...lines]);
}
