import process from "node:process";
import { table } from "./table.ts";

/** How a column of a table shows an item. What is not there is shown as `-`. */
export type Columns<T> = Readonly<Record<string, (item: T) => Cell>>;
type Cell = string | number | boolean | null | undefined | readonly (string | number)[];

/** A table for people, or with `--json` each item as an object in a line of its own. */
export function printRows<T>(
  items: readonly T[],
  columns: Columns<T>,
  { json = false }: { readonly json?: boolean },
): void {
  if (json) {
    process.stdout.write(items.map((item) => `${JSON.stringify(item)}\n`).join(""));
    return;
  }
  const shows = Object.values(columns);
  process.stdout.write(
    table(
      Object.keys(columns),
      items.map((item) => shows.map((show) => cell(show(item)))),
    ),
  );
}

/** One thing: its facts below each other, or with `--json` the object itself. */
export function printFacts(
  facts: Readonly<Record<string, Cell>>,
  object: object,
  { json = false }: { readonly json?: boolean },
): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(object)}\n`);
    return;
  }
  const width = Math.max(...Object.keys(facts).map((name) => name.length)) + 3;
  const lines = Object.entries(facts).map(([name, value]) => `${`${name}:`.padEnd(width)}${cell(value)}`.trimEnd());
  process.stdout.write(`${lines.join("\n")}\n`);
}

function cell(value: Cell): string {
  if (value === undefined || value === null) return "-";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.join(",");
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === "" ? '""' : String(value);
}

/** `1 broker`, `2 brokers`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
