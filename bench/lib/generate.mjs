// Runs a job of generator.mjs in a process of its own.
import { fork } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const GENERATOR = join(dirname(fileURLToPath(import.meta.url)), "generator.mjs");

/** @param job `{ kind: "produce" | "fetch", ... }`, see there */
export async function generate(job) {
  const child = fork(GENERATOR, [], { serialization: "advanced" });
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
