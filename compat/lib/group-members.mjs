// Members of groups, ours and Java's, that note what they read.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Kafka } from "../../packages/client/dist/index.js";
import { toolArguments } from "../apache-kafka/kafka.mjs";

const decoder = new TextDecoder();
const nameOf = ({ topic, partition }) => `${topic}-${partition}`;

/** A consumer of ours in a client of its own. */
export class OurMember {
  /** `t-0 value`, in the order in which they came. */
  records = [];
  /** As NotingListener has it: `+ t-0 t-1`, `- t-0`, `! t-0`. */
  log = [];
  failure;
  #kafka;
  #abort = new AbortController();
  #done;

  constructor(bootstrap, topics, options, { onRetry = () => {} } = {}) {
    this.#kafka = new Kafka({ bootstrapServers: bootstrap, onRetry });
    this.consumer = this.#kafka.consumer({ autoOffsetReset: "earliest", autoCommitIntervalMs: 500, ...options });
    const note = (sign) => (partitions) => void this.log.push(`${sign} ${partitions.map(nameOf).sort().join(" ")}`);
    const listener = { onAssigned: note("+"), onRevoked: note("-"), onLost: note("!") };
    this.consumer.subscribe(topics, listener);
    this.#done = this.#read();
  }

  async #read() {
    try {
      for await (const record of this.consumer.records({ signal: this.#abort.signal })) {
        this.records.push(`${nameOf(record)} ${decoder.decode(record.value)}`);
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.failure = error;
    }
  }

  get assignment() {
    if (this.failure !== undefined) throw this.failure;
    return this.consumer.assignment.map(nameOf).sort();
  }

  async close(options) {
    this.#abort.abort();
    await this.#done;
    await this.consumer.close(options);
    await this.#kafka.close();
  }
}

/** A consumer of Java's, in a process of its own. */
export class JavaMember {
  records = [];
  log = [];
  assignment = [];
  #process;
  #ended;

  constructor(bootstrap, topic, { groupId, groupProtocol, ...settings }) {
    const pairs = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    const args = toolArguments("GroupMember", [bootstrap, topic, groupId, groupProtocol, ...pairs]);
    this.#process = spawn("java", args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdin.on("error", () => {});
    this.#ended = new Promise((resolve) => this.#process.once("close", resolve));
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#onLine(line));
  }

  #onLine(line) {
    const rest = line.slice(2);
    if (line.startsWith("R ")) this.records.push(rest);
    else if (line.startsWith("= ")) this.assignment = rest === "" ? [] : rest.split(" ");
    else this.log.push(line);
  }

  async close() {
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 30_000);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** Consumers of Java's, all of them in one process. They commit what they have read before it is told, with their name as the metadata. */
export class JavaMembers {
  /** By name `{ records, log, assignment, ended }`, as JavaMember has them; `ended` is a reason, empty when it was asked to leave. */
  members = new Map();
  #bootstrap;
  #process;
  #ended;

  constructor(bootstrap) {
    this.#bootstrap = bootstrap;
    this.#process = spawn("java", toolArguments("GroupMembers", []), { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdin.on("error", () => {});
    this.#ended = new Promise((resolve) => this.#process.once("close", resolve));
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#onLine(line));
  }

  /** `topic` may be a pattern: `^…`. */
  join(name, topic, groupId, groupProtocol, settings = {}) {
    const pairs = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    this.members.set(name, { groupId, records: [], log: [], assignment: [], ended: undefined });
    this.#process.stdin.write(
      `${["join", name, this.#bootstrap, topic, groupId, groupProtocol, ...pairs].join(" ")}\n`,
    );
  }

  leave(name) {
    this.#process.stdin.write(`leave ${name}\n`);
  }

  ofGroup(groupId) {
    return [...this.members.values()].filter((member) => member.groupId === groupId && member.ended === undefined);
  }

  #onLine(line) {
    const [name, sign, ...words] = line.split(" ");
    const member = this.members.get(name);
    if (sign === "R") member.records.push(words.join(" "));
    else if (sign === "=") member.assignment = words.filter((word) => word !== "");
    else if (sign === "X") member.ended = words.join(" ");
    else member.log.push(`${sign} ${words.join(" ")}`);
  }

  /** Ends them all at once, without a word to the broker. */
  async kill() {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }
}
