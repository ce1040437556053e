// Apache Kafka's command-line tools, one command after the other in one JVM that stays.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { PATIENCE } from "./harness.mjs";

const LIMIT_MS = 60_000 * PATIENCE;

export class KafkaTools {
  #process = spawn("java", toolArguments("Tools", ["-"]), { stdio: ["pipe", "pipe", "inherit"] });
  #waiting = [];
  #ended;

  constructor() {
    this.#process.stdin.on("error", () => {});
    this.#ended = new Promise((resolve) => this.#process.once("close", resolve));
    void this.#ended.then(() => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("the JVM of the tools has ended"));
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const [status, text = ""] = line.split(" ");
      this.#waiting.shift()?.resolve({ status: Number(status), text: Buffer.from(text, "base64").toString() });
    });
  }

  /** @returns how it has ended, and what it wrote to both outputs */
  async run(className, args) {
    let timer;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      timer = setTimeout(() => reject(new Error(`${className} ${args.join(" ")}: no answer`)), LIMIT_MS);
    });
    this.#process.stdin.write(
      `${[className, ...args].map((word) => Buffer.from(word).toString("base64")).join(" ")}\n`,
    );
    return answer.finally(() => clearTimeout(timer));
  }

  async close() {
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await this.#ended;
    clearTimeout(timer);
  }
}
