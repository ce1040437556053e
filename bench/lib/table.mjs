// Figures of several rounds as a table: min, median and max for each target, and the ratio of the medians.
import process from "node:process";

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param samples for each target a list of `{ "name of a figure": number }`, one a round; `floor` may be among them, for what no target
 *   can be better than
 */
export function tableOf(samples, targets) {
  const names = [...new Set(targets.flatMap((target) => samples[target].flatMap((sample) => Object.keys(sample))))];
  return names.map((name) => {
    const row = { name };
    const medians = targets.map((target) => {
      const values = samples[target].map((sample) => sample[name]).filter((value) => value !== undefined);
      if (values.length === 0) return undefined;
      row[target] = { min: Math.min(...values), median: median(values), max: Math.max(...values) };
      return row[target].median;
    });
    const floor = samples.floor?.map((sample) => sample[name]).filter((value) => value !== undefined) ?? [];
    if (floor.length > 0) row.floor = { min: Math.min(...floor), median: median(floor), max: Math.max(...floor) };
    if (medians.length === 2 && medians.every((value) => value !== undefined)) row.ratio = medians[0] / medians[1];
    return row;
  });
}

export function figure(value) {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** @param floor the name of the column for what no target can be better than, if there is one */
export function printTable(title, rows, targets, rounds, floor) {
  const cell = (spread) =>
    spread === undefined ? "-" : `${figure(spread.min)} / ${figure(spread.median)} / ${figure(spread.max)}`;
  const head = [
    `${title}, ${rounds} rounds: min / median / max`,
    ...targets,
    "ratio",
    ...(floor === undefined ? [] : [floor]),
  ];
  const lines = rows.map((row) => [
    row.name,
    ...targets.map((t) => cell(row[t])),
    row.ratio?.toFixed(2) ?? "",
    ...(floor === undefined ? [] : [cell(row.floor)]),
  ]);
  writeTable([head, ...lines]);
}

/** The first column to the left, the others to the right. */
export function writeTable(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  for (const line of lines) {
    const cells = line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])));
    process.stdout.write(`${cells.join("   ")}\n`);
  }
  process.stdout.write("\n");
}

/** The medians and their ratio as a table for a README. */
export function markdownOf(results, targets) {
  const lines = [`| | ${targets.join(" | ")} | ratio |`, `| --- |${" ---: |".repeat(targets.length + 1)}`];
  for (const { rows } of Object.values(results)) {
    for (const row of rows) {
      const cells = targets.map((target) => (row[target] === undefined ? "-" : figure(row[target].median)));
      lines.push(`| ${row.name} | ${cells.join(" | ")} | ${row.ratio?.toFixed(2) ?? ""} |`);
    }
  }
  return lines.join("\n");
}
