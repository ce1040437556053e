import type { Command } from "commander";
import type { ExitCode } from "./exit-code.ts";

export function addStorage(_program: Command, _done: (exitCode: ExitCode) => void): void {}
