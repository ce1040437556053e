import { KafkaError } from "@samsa/base";
import { CommandError, ExitCode, UsageError } from "./exit-code.ts";
import { red, say } from "./talk.ts";

/** Tells what went wrong and what helps, on stderr, and says with which code to end. */
export function tellError(error: unknown): ExitCode {
  if (error instanceof UsageError) {
    say(`${red("samsa:")} ${error.message}`);
    return ExitCode.USAGE;
  }
  if (error instanceof CommandError) {
    tell(error.message, error.remedies);
    return error.exitCode;
  }
  if (error instanceof KafkaError) {
    tell(`${error.codeName} (${error.code}): ${error.message}`, []);
    return ExitCode.KAFKA_ERROR;
  }
  const isDebug = process.env["SAMSA_DEBUG"] !== undefined;
  const message = error instanceof Error ? ((isDebug ? error.stack : undefined) ?? error.message) : String(error);
  tell(message, isDebug ? [] : ["SAMSA_DEBUG=1 before the command shows where this comes from"]);
  return ExitCode.KAFKA_ERROR;
}

function tell(message: string, remedies: readonly string[]): void {
  say(`${red("samsa:")} ${message}`);
  for (const remedy of remedies) say(`  ${remedy}`);
}
