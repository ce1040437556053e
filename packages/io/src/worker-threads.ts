import { availableParallelism } from "node:os";
import process from "node:process";
import type { Thread, ThreadHandler, Threads } from "@samsa/base";

/** Threads of Node. */
export class WorkerThreads implements Threads {
  get parallelism(): number {
    return availableParallelism();
  }

  start(script: URL, handler: ThreadHandler): Thread {
    const { Worker } = workerThreads();
    const worker = new Worker(script);
    let failure: Error | undefined;
    worker.on("message", (message: unknown) => handler.onMessage(message));
    worker.on("messageerror", (error) => {
      failure ??= error;
      void worker.terminate();
    });
    worker.on("error", (error: unknown) => {
      failure ??= error instanceof Error ? error : new Error(String(error));
    });
    worker.on("exit", () => handler.onEnd(failure));
    return {
      post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
      terminate: async () => {
        await worker.terminate();
      },
    };
  }
}

/** Loaded by who has threads, and only then: it takes milliseconds. */
function workerThreads() {
  return process.getBuiltinModule("node:worker_threads");
}

/** The thread that started this one. */
export interface ParentThread {
  post(message: unknown): void;
  onMessage(callback: (message: unknown) => void): void;
}

/** Undefined in the main thread. */
export function parentThread(): ParentThread | undefined {
  const { parentPort: port } = workerThreads();
  if (port === null) return undefined;
  return {
    post: (message) => port.postMessage(message),
    onMessage: (callback) => void port.on("message", callback),
  };
}
