import process from "node:process";
import { CommanderError } from "commander";
import { ExitCode } from "./exit-code.ts";
import { samsaProgram } from "./program.ts";
import { tellError } from "./tell-error.ts";

/** Runs one command line and says how it ended. */
export async function run(args: readonly string[]): Promise<ExitCode> {
  quietOnClosedPipe();
  let exitCode: ExitCode = ExitCode.DONE;
  try {
    const program = samsaProgram((code) => {
      exitCode = code;
    }, args[0]);
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has said what was wrong; --help and --version also arrive here, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.DONE : ExitCode.USAGE;
    return await tellError(error);
  }
}

/** `samsa consume … | head` ends when head does, without a word. */
function quietOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(ExitCode.DONE);
      throw error;
    });
  }
}
