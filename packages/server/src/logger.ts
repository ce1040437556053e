import type { Logger } from "@samsa/broker";
import { pino } from "pino";

const STDERR = 2;

/** Warnings and errors as JSON lines on stderr; `SAMSA_LOG_LEVEL` asks for more or less. */
export function defaultLogger(): Logger {
  const level = process.env["SAMSA_LOG_LEVEL"] ?? "warn";
  return pino({ name: "samsa", level }, pino.destination({ dest: STDERR, sync: true }));
}
