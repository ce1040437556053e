// A pipeline that reads, processes and writes in transactions, while its processes and the broker are killed again and again.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Kafka } from "../../packages/client/dist/index.js";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { PATIENCE } from "./harness.mjs";

const PIPELINE = fileURLToPath(new URL("exactly-once-pipeline.mjs", import.meta.url));
const PARTITIONS = 4;
/** Members that are gone are noticed soon. */
export const EAGER_SETTINGS = {
  "group.initial.rebalance.delay.ms": 0,
  "group.min.session.timeout.ms": 500,
  "group.consumer.min.session.timeout.ms": 500,
  "group.consumer.session.timeout.ms": 2000,
  "group.consumer.min.heartbeat.interval.ms": 100,
  "group.consumer.heartbeat.interval.ms": 300,
};

/** How an instance of each kind of pipeline is run: `[program, arguments]` before the arguments they share. */
const PIPELINES = {
  samsa: [process.execPath, [PIPELINE, "pipeline"]],
  /** The same by the handlers of a consumer. */
  handlers: [process.execPath, [PIPELINE, "handlers"]],
  java: ["java", toolArguments("ExactlyOncePipeline", [])],
};

export class ExactlyOnceLoop {
  brokerKills = 0;
  pipelineKills = 0;
  fed = 0;
  #broker;
  #options;
  #kafka;
  #command;
  #instances = [];
  #seen = new Map(); // times by value
  #problem;

  /** @param options `name` of the group and of what belongs to it, `records`, `kills` (of the broker, and as many of the pipeline), `instances`, `groupProtocol`, `pipeline` (samsa, handlers or java), `dir` for logs */
  constructor(broker, options) {
    this.#broker = broker;
    this.#options = {
      name: "eos",
      instances: 2,
      groupProtocol: "classic",
      pipeline: "samsa",
      pauseMs: 2500,
      ...options,
    };
  }

  get #from() {
    return `${this.#options.name}-in`;
  }

  get #to() {
    return `${this.#options.name}-out`;
  }

  get seen() {
    return this.#seen.size;
  }

  async run() {
    const { kills, records, instances, pauseMs, pipeline } = this.#options;
    this.#command = PIPELINES[pipeline];
    this.#kafka = new Kafka({
      bootstrapServers: this.#broker.bootstrap,
      reconnectBackoffMaxMs: 200,
      retryBackoffMaxMs: 200,
      defaultApiTimeoutMs: 120_000,
    });
    try {
      const admin = this.#kafka.admin();
      const numPartitions = PARTITIONS;
      await admin.createTopics([this.#from, this.#to].map((name) => ({ name, numPartitions, replicationFactor: 1 })));
      const feeding = this.#feed(records, (records * 1000) / Math.max(1, 2 * kills * pauseMs));
      const watching = this.#watch(records);
      watching.catch(() => {}); // told at the end
      for (let index = 0; index < instances; index++) this.#start(index);
      for (let kill = 0; kill < 2 * kills; kill++) {
        await sleep(pauseMs * (0.3 + 1.4 * Math.random()));
        if (kill % 2 === 0) await this.#killBroker();
        else await this.#killInstance(Math.floor(Math.random() * instances));
        if (this.#problem !== undefined) throw this.#problem;
      }
      await feeding;
      await watching;
      await this.#checkAtRest();
    } finally {
      for (const { child } of this.#instances) child.kill("SIGKILL");
      await this.#kafka.close().catch(() => {});
    }
  }

  /** Every record once, whatever happens to the broker: the producer is idempotent and patient. */
  async #feed(records, ratePerSecond) {
    const producer = this.#kafka.producer({ deliveryTimeoutMs: 600_000, lingerMs: 5, maxBlockMs: 600_000 });
    const startedMs = performance.now();
    const sent = [];
    while (this.fed < records) {
      const due = Math.min(records, Math.ceil(((performance.now() - startedMs) / 1000) * ratePerSecond));
      for (; this.fed < due; this.fed++) {
        sent.push(producer.send({ topic: this.#from, key: `k${this.fed % 97}`, value: String(this.fed) }));
      }
      await sleep(10);
    }
    await Promise.all(sent);
    await producer.close();
  }

  /** Reads what is committed until there are as many as were fed, and then for a while more. */
  async #watch(records) {
    const consumer = this.#kafka.consumer({ isolationLevel: "read_committed", fetchMaxWaitMs: 100 });
    await consumer.assign([{ topic: this.#to, offset: "earliest" }]);
    const decoder = new TextDecoder();
    for await (const { value, partition, offset } of consumer) {
      const text = decoder.decode(value);
      const times = (this.#seen.get(text) ?? 0) + 1;
      this.#seen.set(text, times);
      if (times > 1) {
        this.#problem = new Error(`"${text}" is there ${times} times, now in ${this.#to}-${partition} at ${offset}`);
        throw this.#problem;
      }
      if (this.#seen.size === records) break;
    }
    await consumer.close();
  }

  #start(index) {
    const log = openSync(join(this.#options.dir, `${this.#options.name}-${index}.log`), "a");
    const [program, first] = this.#command;
    const { name, groupProtocol } = this.#options;
    const args = [...first, this.#broker.bootstrap, name, `${name}-${index}`, groupProtocol];
    const child = spawn(program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    const instance = { child, ended: new Promise((resolve) => child.once("exit", resolve)), isKilled: false };
    child.once("exit", (code) => {
      if (instance.isKilled || code === null) return;
      const words = readFileSync(join(this.#options.dir, `${this.#options.name}-${index}.log`), "utf8").slice(-2000);
      this.#problem ??= new Error(`instance ${index} of the pipeline ended with ${code}: ${words}`);
    });
    this.#instances[index] = instance;
  }

  async #killInstance(index) {
    const instance = this.#instances[index];
    instance.isKilled = true;
    instance.child.kill("SIGKILL");
    await instance.ended;
    this.pipelineKills++;
    this.#start(index);
  }

  async #killBroker() {
    await this.#broker.kill();
    this.brokerKills++;
    await this.#broker.start();
  }

  /** Nothing comes later, nothing is stuck: the last stable offset reaches the end, and everything from the start is there once. */
  async #checkAtRest() {
    const { records } = this.#options;
    const limitMs = performance.now() + 60_000 * PATIENCE;
    for (const instance of this.#instances) {
      instance.isKilled = true;
      instance.child.kill("SIGTERM");
      await instance.ended;
    }
    for (;;) {
      const ends = await Promise.all(["read_committed", "read_uncommitted"].map((level) => this.#endOffsets(level)));
      if (ends[0].join() === ends[1].join()) break;
      if (performance.now() > limitMs)
        throw new Error(`the last stable offsets stay at ${ends[0]}, where ${ends[1]} are the ends`);
      await sleep(200);
    }
    if (this.#problem !== undefined) throw this.#problem;
    const consumer = this.#kafka.consumer({ isolationLevel: "read_committed" });
    await consumer.assign([{ topic: this.#to, offset: "earliest", endOffset: "latest" }]);
    const values = new Set();
    let count = 0;
    const decoder = new TextDecoder();
    for await (const { value } of consumer) {
      values.add(decoder.decode(value));
      count++;
    }
    await consumer.close();
    const missing = Array.from({ length: records }, (_, n) => `${n} done`).filter((value) => !values.has(value));
    if (missing.length > 0) throw new Error(`${missing.length} records are missing, the first ${missing[0]}`);
    if (count !== records) throw new Error(`${count} records came out of ${records}`);
  }

  async #endOffsets(isolationLevel) {
    const consumer = this.#kafka.consumer({ isolationLevel });
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: this.#to, partition }));
    const ends = await consumer.endOffsets(partitions);
    await consumer.close();
    return ends.map((end) => (typeof end === "number" ? end : end.offset));
  }
}
