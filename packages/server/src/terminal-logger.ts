import process from "node:process";
import type { Clock } from "@samsa/base";
import type { Logger } from "@samsa/broker";

export interface TerminalOptions {
  readonly hasColor: boolean;
  readonly clock: Pick<Clock, "wallMs">;
}

const COLORS = { debug: 90, info: 32, warn: 33, error: 31 };

/**
 * A line for each event, for the eyes: `15:04:05.123 WARN  the words  key=value`, with the stack of an error below it. Control
 * characters in what clients sent are shown, not obeyed.
 */
export function terminalLogger(write: (text: string) => void, { hasColor, clock }: TerminalOptions): Logger {
  const paint = (code: number, text: string): string => (hasColor ? `\u001b[${code}m${text}\u001b[0m` : text);
  const at = (level: keyof typeof COLORS) => (facts: object, message: string) => {
    const time = new Date(clock.wallMs()).toISOString().slice(11, 23);
    const stacks: string[] = [];
    const pairs = Object.entries(facts).map(([key, value]: [string, unknown]) => {
      if (value instanceof Error) stacks.push(value.stack ?? value.message);
      return ` ${paint(90, `${key}=`)}${value instanceof Error ? printed(value.message) : printed(value)}`;
    });
    const line = `${paint(90, time)} ${paint(COLORS[level], level.toUpperCase().padEnd(5))} ${message}${pairs.join("")}`;
    const below =
      level === "error" ? stacks.flatMap((stack) => stack.split("\n").map((part) => `    ${safe(part)}`)) : [];
    write(`${[line, ...below].join("\n")}\n`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A word as it is, what has blanks in quotes, and the rest as Node shows it, on one line. */
function printed(value: unknown): string {
  if (typeof value === "string") return /^[^\s"\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value);
  // To import it as a module has Node load all that it offers to others: 4 ms and more.
  const { inspect } = process.getBuiltinModule("node:util");
  return inspect(value, { breakLength: Infinity, compact: true, depth: 4 });
}

function safe(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
