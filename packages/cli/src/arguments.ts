import { InvalidArgumentError } from "commander";

/** What stands under the options of a command: lines to copy. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}

/** For an option that may be repeated. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** For an option that may be repeated and is one of some names, in whatever case: another would find nothing, and not say why. */
export function collectNames(
  names: readonly string[],
): (value: string, previous?: readonly string[]) => readonly string[] {
  return (value, previous = []) => {
    const name = names.find((one) => one.toLowerCase() === value.toLowerCase());
    if (name === undefined) throw new InvalidArgumentError(`There are ${names.join(", ")}.`);
    return [...previous, name];
  };
}

/** For an option that is a count. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/u.test(text)) throw new InvalidArgumentError("A whole number is wanted.");
  return Number(text);
}

/** For an option that is a port. */
export function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}
