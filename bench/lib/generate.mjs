// Runs a job of generator.mjs, or of another that takes jobs as it does, in a process of its own.
import { fork } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = dirname(fileURLToPath(import.meta.url));

/**
 * @param job `{ kind: "produce" | "fetch", ... }`, see there
 * @param generator another file of this folder that takes a job in the same way
 */
export async function generate(job, generator = "generator.mjs") {
  const child = fork(join(FOLDER, generator), [], { serialization: "advanced" });
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`the generator ended with ${signal ?? code}`)));
      child.once("message", ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(error))));
      child.send(job);
    });
  } finally {
    if (child.connected) child.disconnect();
    child.kill();
  }
}
