import process from "node:process";
import { run } from "../run.ts";

/** Runs the command lines that come as messages, one at a time, and answers with what each wrote: Node starts once for many. */
let chunks: { stdout: string; stderr: string } = { stdout: "", stderr: "" };
for (const name of ["stdout", "stderr"] as const) {
  process[name].write = (chunk: string | Uint8Array): boolean => {
    chunks[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  };
}
process.stdout.setMaxListeners(0);
process.stderr.setMaxListeners(0);
process.on("message", (args: readonly string[]) => {
  chunks = { stdout: "", stderr: "" };
  void run(args).then((exitCode) => process.send?.({ exitCode, ...chunks }));
});
