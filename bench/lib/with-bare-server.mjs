// A server of Node in a process of its own that does nothing but answer: what no broker in Node can be below.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * @param file of this folder; its process sends `{ port }` when it listens
 * @param measure gets the port
 */
export async function withBareServer(file, measure) {
  const server = fork(fileURLToPath(new URL(file, import.meta.url)));
  try {
    const { port } = await new Promise((resolve, reject) => {
      server.once("message", resolve);
      server.once("exit", (code) => reject(new Error(`the bare server ended with ${code}`)));
    });
    return await measure(port);
  } finally {
    server.kill();
  }
}
