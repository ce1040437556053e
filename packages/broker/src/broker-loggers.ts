import type { Logger } from "./logger.ts";

/** From the most talkative on. */
export const LOG_LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const ROOT_LOGGER = "root";

/** Under the names of Kafka's classes for the same things, so that an operator finds them; those without a dot are above others. */
export const LoggerName = {
  kafka: "kafka",
  apache: "org.apache.kafka",
  server: "kafka.server.BrokerServer",
  apis: "kafka.server.KafkaApis",
  replicas: "kafka.server.ReplicaManager",
  network: "kafka.network.SocketServer",
  requests: "kafka.request.logger",
  controller: "org.apache.kafka.controller.QuorumController",
  groups: "org.apache.kafka.coordinator.group.GroupCoordinatorService",
  transactions: "kafka.coordinator.transaction.TransactionCoordinator",
} as const;
export type LoggerName = (typeof LoggerName)[keyof typeof LoggerName];

/** A logger that can be asked first, where making the facts would take time. */
export interface LeveledLogger extends Logger {
  readonly isDebugEnabled: boolean;
}

const NAMES: ReadonlySet<string> = new Set([ROOT_LOGGER, ...Object.values(LoggerName)]);

/**
 * The loggers of a broker, each with a level of its own or that of the nearest above it, `root` at last (KIP-412). Levels change
 * while the broker runs and are forgotten when it stops, as Kafka's are.
 */
export class BrokerLoggers {
  readonly #sink: Logger;
  readonly #own = new Map<string, LogLevel>();
  readonly #loggers = new Map<LoggerName, NamedLogger>();

  /**
   * @param sink gets what the levels let through, and may be choosy itself
   * @param rootLevel where nothing else is set
   */
  constructor(sink: Logger, rootLevel: LogLevel = "DEBUG") {
    this.#sink = sink;
    this.#own.set(ROOT_LOGGER, rootLevel);
    this.#own.set(LoggerName.requests, "WARN"); // a line for each request has to be asked for, as in Kafka's own settings
  }

  get(name: LoggerName): LeveledLogger {
    let logger = this.#loggers.get(name);
    if (logger === undefined) {
      logger = new NamedLogger(this.#sink, this.levelOf(name));
      this.#loggers.set(name, logger);
    }
    return logger;
  }

  exists(name: string): boolean {
    return NAMES.has(name);
  }

  /** Each logger with the level that counts for it. */
  levels(): ReadonlyMap<string, LogLevel> {
    return new Map([...NAMES].map((name) => [name, this.levelOf(name)]));
  }

  levelOf(name: string): LogLevel {
    for (let at = name; ;) {
      const level = this.#own.get(at);
      if (level !== undefined) return level;
      const dot = at.lastIndexOf(".");
      at = dot < 0 ? ROOT_LOGGER : at.slice(0, dot);
    }
  }

  set(name: string, level: LogLevel): void {
    this.#own.set(name, level);
    this.#apply();
  }

  /** From now on the level of the one above counts. */
  unset(name: string): void {
    this.#own.delete(name);
    this.#apply();
  }

  #apply(): void {
    for (const [name, logger] of this.#loggers) logger.least = LOG_LEVELS.indexOf(this.levelOf(name));
  }
}

const [DEBUG, INFO, WARN, ERROR] = [1, 2, 3, 4];

class NamedLogger implements LeveledLogger {
  readonly #sink: Logger;
  least: number;

  constructor(sink: Logger, level: LogLevel) {
    this.#sink = sink;
    this.least = LOG_LEVELS.indexOf(level);
  }

  get isDebugEnabled(): boolean {
    return this.least <= DEBUG;
  }

  debug(facts: object, message: string): void {
    if (this.least <= DEBUG) this.#sink.debug(facts, message);
  }

  info(facts: object, message: string): void {
    if (this.least <= INFO) this.#sink.info(facts, message);
  }

  warn(facts: object, message: string): void {
    if (this.least <= WARN) this.#sink.warn(facts, message);
  }

  error(facts: object, message: string): void {
    if (this.least <= ERROR) this.#sink.error(facts, message);
  }
}
