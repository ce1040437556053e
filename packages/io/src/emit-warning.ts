export interface WarningOptions {
  readonly type: string;
  readonly code: string;
  /** What to do about it. */
  readonly detail?: string;
}

/** A warning of Node's: on stderr, and to who listens to `process.on("warning")`. */
export function emitWarning(message: string, options: WarningOptions): void {
  process.emitWarning(message, options);
}
