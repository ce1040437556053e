/** Lines that help against one error, known only where it came up. */
const hints = new WeakMap<Error, string[]>();

/** What to add when the error is told. */
export function hint(error: Error, line: string): void {
  const lines = hints.get(error);
  if (lines === undefined) hints.set(error, [line]);
  else lines.push(line);
}

export function hintsOf(error: Error): readonly string[] {
  return hints.get(error) ?? [];
}
