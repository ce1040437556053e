/** Where a broker tells what happened; pino fits. */
export interface Logger {
  /** The least that it takes, where it says so: `info`. */
  readonly level?: string;
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}
