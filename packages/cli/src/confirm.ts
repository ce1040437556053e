import process from "node:process";
import { createInterface } from "node:readline/promises";
import { CommandError, ExitCode } from "./exit-code.ts";
import { isTerminal } from "./talk.ts";

/**
 * Asks a person; a script has said what it wants.
 * @throws CommandError when the answer is no
 */
export async function confirm(
  question: string,
  refusal: string,
  { yes = false }: { readonly yes?: boolean },
): Promise<void> {
  if (yes || !process.stdin.isTTY || !isTerminal()) return;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    if (/^y(es)?$/iu.test(answer.trim())) return;
  } finally {
    lines.close();
  }
  throw new CommandError(ExitCode.KAFKA_ERROR, refusal);
}
