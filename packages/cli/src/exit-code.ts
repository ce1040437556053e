/** What the process says to a script. */
export const ExitCode = {
  DONE: 0,
  KAFKA_ERROR: 1,
  USAGE: 2,
  CANNOT_CONNECT: 3,
  SIGINT: 130,
  SIGTERM: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command line asks for something that cannot be: what, and what to write instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A failure told in full: what happened, and what helps, a line each. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;
  readonly remedies: readonly string[];

  constructor(exitCode: ExitCode, message: string, remedies: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.remedies = remedies;
  }
}
