import { createRequire } from "node:module";
import process from "node:process";
import type { Clock } from "@samsa/base";
import type { Logger, LogLevel } from "@samsa/broker";
import { LOG_LEVELS } from "@samsa/broker";
import type { pino as Pino } from "pino";
import { terminalLogger } from "./terminal-logger.ts";

const STDERR = 2;
const DEFAULT_LEVEL = "warn";

export interface LogSettings {
  readonly sink: Logger;
  readonly rootLevel: LogLevel;
}

/**
 * Warnings and errors on stderr, as lines for a reader on a terminal and as JSON elsewhere; `SAMSA_LOG_LEVEL` asks for more or
 * less. What is let through is for the loggers of the broker to say, so the sink takes everything.
 */
export function defaultLogSettings(clock: Clock): LogSettings {
  const rootLevel = logLevelOf(process.env["SAMSA_LOG_LEVEL"] ?? DEFAULT_LEVEL);
  if (process.stderr.isTTY) {
    const hasColor = process.env["NO_COLOR"] === undefined || process.env["NO_COLOR"] === "";
    return { sink: terminalLogger((text) => process.stderr.write(text), { hasColor, clock }), rootLevel };
  }
  return { sink: jsonLogger(), rootLevel };
}

/** pino, from the first line on: a start that has nothing to say is shorter by what it takes to load. */
function jsonLogger(): Logger {
  let sink: Logger | undefined;
  const loaded = (): Logger => {
    if (sink !== undefined) return sink;
    const { pino } = createRequire(import.meta.url)("pino") as { readonly pino: typeof Pino };
    return (sink = pino({ name: "samsa", level: "trace" }, pino.destination({ dest: STDERR, sync: true })));
  };
  return {
    debug: (facts, message) => loaded().debug(facts, message),
    info: (facts, message) => loaded().info(facts, message),
    warn: (facts, message) => loaded().warn(facts, message),
    error: (facts, message) => loaded().error(facts, message),
  };
}

/** Of a logger that was handed in: it goes on to choose by its own level, too. */
export function logSettingsOf(sink: Logger): LogSettings {
  return { sink, rootLevel: logLevelOf(sink.level ?? "debug") };
}

/** From pino's name of a level; of "silent" nothing is left, as nothing is told at FATAL. */
function logLevelOf(name: string): LogLevel {
  if (name.toLowerCase() === "silent") return "FATAL";
  return LOG_LEVELS.find((level) => level === name.toUpperCase()) ?? "WARN";
}
