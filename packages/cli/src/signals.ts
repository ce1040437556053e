import process from "node:process";
import { ExitCode } from "./exit-code.ts";

/** How a signal ended the command, for its exit code. */
export interface Interruption {
  readonly exitCode: ExitCode | undefined;
  /** Back to how the process takes signals by itself. */
  dispose(): void;
}

/** The first SIGINT or SIGTERM asks the command to finish, the second ends it at once. */
export function onInterrupt(finish: (signal: NodeJS.Signals) => void): Interruption {
  let exitCode: ExitCode | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const code = signal === "SIGINT" ? ExitCode.SIGINT : ExitCode.SIGTERM;
    if (exitCode !== undefined) process.exit(code);
    exitCode = code;
    finish(signal);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    get exitCode() {
      return exitCode;
    },
    dispose() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
