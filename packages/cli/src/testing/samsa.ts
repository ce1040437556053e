import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One process in which many command lines run, one after another. */
export class Samsa {
  readonly #child: ChildProcess;

  /** @param cwd where commands run; @param env beside that of the tests */
  constructor(cwd: string, env: Readonly<Record<string, string>> = {}) {
    const file = fileURLToPath(new URL("command-runner.js", import.meta.url));
    this.#child = fork(file, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  /** @param line words apart by blanks; those with blanks of their own come after it */
  run(line: string, ...words: readonly string[]): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error(`the process of the commands ended with ${line}`));
      this.#child.once("exit", onExit);
      this.#child.once("message", (outcome: Outcome) => {
        this.#child.off("exit", onExit);
        resolve(outcome);
      });
      this.#child.send([...line.split(" "), ...words]);
    });
  }

  close(): void {
    this.#child.removeAllListeners("exit");
    this.#child.kill();
  }
}
