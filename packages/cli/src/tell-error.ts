import process from "node:process";
import { KafkaError } from "@samsa/base";
import { CommandError, ExitCode, UsageError } from "./exit-code.ts";
import { red, say } from "./talk.ts";

/** Tells what went wrong and what helps, on stderr, and says with which code to end. */
export async function tellError(error: unknown): Promise<ExitCode> {
  if (process.env["SAMSA_DEBUG"] !== undefined && error instanceof Error) say(error.stack);
  if (error instanceof UsageError) {
    tell(error.message);
    return ExitCode.USAGE;
  }
  if (error instanceof CommandError) {
    tell(error.message, error.remedies);
    return error.exitCode;
  }
  if (error instanceof KafkaError) {
    // With all of the client behind it: a broker does without. The disk that has failed may be the one with our own files.
    const loaded = await import("./tell-kafka-error.ts").catch(() => undefined);
    if (loaded !== undefined) return loaded.tellKafkaError(error);
  }
  const isForPeople = error instanceof Error && ["StartError", "DiskError", "TransportError"].includes(error.name);
  const message = error instanceof Error ? error.message : String(error);
  tell(message, isForPeople ? [] : ["SAMSA_DEBUG=1 before the command shows where this comes from"]);
  return ExitCode.KAFKA_ERROR;
}

export function tell(message: string, remedies: readonly string[] = []): void {
  say(`${red("samsa:")} ${message}`);
  for (const remedy of remedies) say(`  ${remedy}`);
}
