// Members of one group that are killed, paused and restarted while somebody produces.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Kafka } from "../../packages/client/dist/index.js";
import { runProgram } from "./process.mjs";
import { PATIENCE } from "./harness.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const MEMBER = join(HERE, "group-chaos-member.mjs");
const SAMSA = join(HERE, "../../packages/cli/bin/samsa.js");
/** What may happen to a member. The clean ones alone must cost no duplicate. */
const EVENTS = { clean: ["stop"], unclean: ["stop", "kill", "kill", "pause", "long pause"] };

export const CHAOS_BROKER = {
  "group.initial.rebalance.delay.ms": 300,
  "group.min.session.timeout.ms": 1000,
  "group.consumer.min.session.timeout.ms": 1000,
  "group.consumer.session.timeout.ms": 4000,
  "group.consumer.min.heartbeat.interval.ms": 300,
  "group.consumer.heartbeat.interval.ms": 500,
  "offsets.topic.num.partitions": 5,
};

const PROTOCOLS = {
  classic: { groupProtocol: "classic", sessionTimeoutMs: 4000, heartbeatIntervalMs: 500 },
  cooperative: {
    groupProtocol: "classic",
    sessionTimeoutMs: 4000,
    heartbeatIntervalMs: 500,
    partitionAssignmentStrategy: ["cooperative-sticky"],
  },
  consumer: { groupProtocol: "consumer" },
};

export class GroupChaos {
  produced = 0;
  events = { stop: 0, kill: 0, pause: 0, "long pause": 0 };
  #options;
  #topic;
  #groupId;
  #members;
  #random;
  #isProducing = true;

  /** @param options { bootstrap, dir, protocol, members, partitions, seconds, recordsPerSecond, seed, isClean, name } */
  constructor(options) {
    this.#options = options;
    this.#topic = `chaos-${options.name}`;
    this.#groupId = `chaos-${options.name}`;
    this.#members = Array.from({ length: options.members }, (_, index) => ({ index, process: undefined }));
    let state = options.seed | 0;
    this.#random = (below) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
      return (state >>> 8) % below;
    };
  }

  /** @returns { records, duplicates, events, lagAfterMs } @throws when a record was not handled, or the lag does not go */
  async run() {
    const { bootstrap, partitions, seconds, isClean } = this.#options;
    const kafka = new Kafka({ bootstrapServers: bootstrap });
    try {
      await kafka.admin().createTopics([{ name: this.#topic, numPartitions: partitions }]);
      for (const member of this.#members) this.#start(member);
      const producing = this.#produce(kafka.producer());
      const endMs = performance.now() + seconds * 1000;
      const kinds = isClean ? EVENTS.clean : EVENTS.unclean;
      while (performance.now() < endMs) {
        await sleep(200 + this.#random(1500));
        const member = this.#members[this.#random(this.#members.length)];
        if (!member.isBusy) void this.#disturb(member, kinds[this.#random(kinds.length)]);
      }
      this.#isProducing = false;
      await producing;
      await Promise.all(this.#members.map(({ busy }) => busy));
      const lagAfterMs = await this.#whenNoLag(kafka);
      await Promise.all(this.#members.map((member) => this.#stop(member)));
      await this.#expectNoLag();
      return { records: this.produced, events: this.events, lagAfterMs, ...this.#count() };
    } finally {
      for (const { process: child } of this.#members) child?.kill("SIGKILL");
      await kafka.close();
    }
  }

  #fileOf({ index }) {
    return join(this.#options.dir, `${this.#topic}-${index}.txt`);
  }

  #start(member) {
    const { bootstrap, protocol } = this.#options;
    const options = JSON.stringify({ groupId: this.#groupId, ...PROTOCOLS[protocol] });
    const args = [MEMBER, bootstrap, this.#topic, options, this.#fileOf(member)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    member.process = child;
    child.ready = new Promise((resolve) => child.stdout.once("data", resolve));
    child.ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
  }

  async #stop(member) {
    const child = member.process;
    await child.ready; // before that nobody listens to the signal
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
    const how = await child.ended;
    clearTimeout(timer);
    if (how !== 0) throw new Error(`member ${member.index} ended with ${how} when it was asked to stop`);
  }

  async #disturb(member, what) {
    member.isBusy = true;
    this.events[what]++;
    member.busy = (async () => {
      if (what === "stop") await this.#stop(member);
      else if (what === "kill") {
        member.process.kill("SIGKILL");
        await member.process.ended;
      } else {
        member.process.kill("SIGSTOP");
        await sleep(what === "pause" ? 200 + this.#random(1500) : 5000 + this.#random(3000)); // within the session, beyond it
        member.process.kill("SIGCONT");
      }
      if (member.process.exitCode !== null || member.process.signalCode !== null) {
        await sleep(this.#random(1000));
        this.#start(member);
      }
      member.isBusy = false;
    })();
    member.busy.catch(() => {}); // whoever awaits all of them is told
  }

  async #produce(producer) {
    const { recordsPerSecond, partitions } = this.#options;
    const perTurn = Math.max(1, Math.round(recordsPerSecond / 20));
    while (this.#isProducing) {
      const records = Array.from({ length: perTurn }, () => {
        const n = this.produced++;
        return { topic: this.#topic, partition: n % partitions, value: String(n) };
      });
      await producer.sendBatch(records);
      await sleep(50);
    }
    await producer.close();
  }

  async #whenNoLag(kafka) {
    const { partitions } = this.#options;
    const admin = kafka.admin();
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic: this.#topic, partition }));
    const ends = await admin.listOffsets(all.map((one) => ({ ...one, at: "latest" })));
    const startedMs = performance.now();
    for (;;) {
      const committed = (await admin.listGroupOffsets([{ groupId: this.#groupId }])).get(this.#groupId);
      const lag = ends.reduce(
        (sum, { partition, offset }) => sum + offset - (committed.get(`${this.#topic}-${partition}`)?.offset ?? 0),
        0,
      );
      if (lag === 0) return Math.round(performance.now() - startedMs);
      if (performance.now() - startedMs > 60_000 * PATIENCE) throw new Error(`a lag of ${lag} records stays`);
      await sleep(200);
    }
  }

  /** @throws when the command says that anything is left, or that a partition was never committed */
  async #expectNoLag() {
    const args = [SAMSA, "group", "lag", this.#groupId, "--json", "--max", "0", "-b", this.#options.bootstrap];
    const { stdout } = await runProgram(process.execPath, args);
    const { lag, uncommitted } = JSON.parse(stdout); // one line for the one topic
    if (lag !== 0 || uncommitted !== 0) throw new Error(`samsa group lag says ${stdout.trim()}`);
  }

  #count() {
    const handled = new Uint32Array(this.produced);
    for (const member of this.#members) {
      const file = this.#fileOf(member);
      if (!existsSync(file)) continue;
      for (const line of readFileSync(file, "utf8").split("\n")) {
        if (line !== "") handled[Number(line.split(" ")[0])]++;
      }
    }
    const missing = handled.indexOf(0);
    if (missing >= 0)
      throw new Error(`${handled.filter((n) => n === 0).length} records were never handled, ${missing} the first`);
    const duplicates = handled.reduce((sum, n) => sum + n - 1, 0);
    if (this.#options.isClean && duplicates > 0) throw new Error(`${duplicates} duplicates without an unclean stop`);
    return { duplicates };
  }
}
