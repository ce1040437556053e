import process from "node:process";

/** Talk goes to stderr, so that stdout is data alone. */
export function say(line = ""): void {
  process.stderr.write(`${line}\n`);
}

/** Whether a person is reading stderr. */
export function isTerminal(): boolean {
  return process.stderr.isTTY;
}

/** Bold on a terminal, unless NO_COLOR (https://no-color.org) says otherwise. */
export function bold(text: string): string {
  return styled("bold", text);
}

export function red(text: string): string {
  return styled("red", text);
}

/** Node's util is not imported: as a module it takes 4 ms and more to load. */
function styled(format: "bold" | "red", text: string): string {
  return hasColour() ? process.getBuiltinModule("node:util").styleText(format, text) : text;
}

function hasColour(): boolean {
  const { NO_COLOR, TERM } = process.env;
  return isTerminal() && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb";
}
