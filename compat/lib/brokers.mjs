// Starts the broker under test as a process of its own: ours, or Apache Kafka when a suite is to be checked against it.
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  formatStorage,
  OLD_VERSIONS,
  oldSingleNodeProperties,
  serverArguments,
  singleNodeProperties,
  writeProperties,
} from "../apache-kafka/kafka.mjs";
import { BareClient, until } from "./bare-client.mjs";
import { PATIENCE } from "./harness.mjs";

const CLI = join(dirname(fileURLToPath(import.meta.url)), "../../packages/cli/bin/samsa.js");
const BUILT = join(dirname(CLI), "../dist/main.js");
const START_LIMIT_MS = 60_000;

/**
 * Below those that systems give to outgoing connections: a broker that is started again on its port must find it free, and a
 * client that seeks it must not be given it as its own end.
 */
const PORTS = { from: 15_000, count: 17_000 };

/** The first of some free ports side by side: Apache Kafka's controller listens one above the broker. */
export async function freePorts(count) {
  for (;;) {
    const first = PORTS.from + Math.floor(Math.random() * PORTS.count);
    if (await areFree(first, count)) return first;
  }
}

async function areFree(first, count) {
  for (let port = first; port < first + count; port++) {
    const server = createServer();
    try {
      await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
    } catch {
      return false;
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }
  return true;
}

/** How each target is started: `prepare` once for a directory, `command` for each start. */
const TARGETS = {
  samsa: {
    async prepare(_dir, _settings, dataDir, port) {
      if (!existsSync(BUILT)) throw new Error("packages/cli/dist/main.js is not built; run npm run build");
      return { port: port ?? (await freePorts(1)), dataDir };
    },
    command({ port, dataDir, settings }) {
      const overrides = Object.entries(settings).flatMap(([key, value]) => ["-X", `${key}=${value}`]);
      const where = settings["log.dirs"] === undefined ? ["--data-dir", dataDir] : [];
      return [process.execPath, [CLI, "start", "--port", String(port), ...where, ...overrides]];
    },
  },
  apache: {
    async prepare(dir, settings, dataDir, wanted) {
      const port = wanted ?? (await freePorts(2));
      const file = writeProperties(dir, singleNodeProperties(dir, port, { "log.dirs": dataDir, ...settings }));
      formatStorage(file, ["--standalone"]);
      return { port, dataDir, file };
    },
    command({ file }) {
      return ["java", serverArguments(file)];
    },
  },
};

/** An older Apache Kafka, as `apache-3.9.1`. */
function oldTarget(version) {
  return {
    async prepare(dir, settings, dataDir) {
      const port = await freePorts(2);
      const file = writeProperties(dir, oldSingleNodeProperties(dir, port, { "log.dirs": dataDir, ...settings }));
      formatStorage(file, [], version);
      return { port, dataDir, file };
    },
    command({ file }) {
      return ["java", serverArguments(file, ["-Xmx512m"], version)];
    },
  };
}
for (const version of OLD_VERSIONS) TARGETS[`apache-${version}`] = oldTarget(version);

export class Broker {
  /** Makes another command of the one that starts the broker, `[program, arguments]`: for strace and its like. */
  wrap = (command) => command;
  /** Variables for the process, beside those of this one. */
  env = {};
  #target;
  #setup;
  #process;
  #logFile;

  constructor(target, setup, logFile) {
    this.#target = target;
    this.#setup = setup;
    this.#logFile = logFile;
  }

  get port() {
    return this.#setup.port;
  }
  get bootstrap() {
    return `127.0.0.1:${this.#setup.port}`;
  }
  get dataDir() {
    return this.#setup.dataDir;
  }
  get pid() {
    return this.#process.pid;
  }
  get isRunning() {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What the process said last. */
  lastWords(lines = 15) {
    return readFileSync(this.#logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  }

  /** Starts the process without waiting for it. */
  spawn() {
    const [command, args] = this.wrap(this.#target.command(this.#setup));
    const log = openSync(this.#logFile, "a");
    this.#process = spawn(command, args, { stdio: ["ignore", log, log], env: { ...process.env, ...this.env } });
    closeSync(log);
    this.#process.on("error", () => {}); // seen as "not running"
    this.#process.ended = new Promise((resolve) => this.#process.once("exit", resolve));
  }

  /** Starts the process and waits until it answers. */
  async start() {
    this.spawn();
    const stopIf = () => (this.isRunning ? undefined : `the broker ended while it started:\n${this.lastWords()}`);
    await until(
      async () => {
        const client = await BareClient.connect(this.port);
        try {
          return await client.apiVersions();
        } finally {
          client.close();
        }
      },
      { limitMs: START_LIMIT_MS, pauseMs: 50, stopIf },
    );
  }

  /** Ends the process at once, as a power cut would end it (the page cache survives). */
  async kill() {
    if (!this.isRunning) return;
    this.#process.kill("SIGKILL");
    await this.#process.ended;
  }

  /** Asks the process to stop. Throws when it had to be killed. */
  async stop(limitMs = 20_000) {
    if (!this.isRunning) return;
    const child = this.#process;
    child.kill("SIGTERM");
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, limitMs * PATIENCE);
    await child.ended;
    clearTimeout(timer);
    if (late) throw new Error(`the broker did not stop within ${(limitMs * PATIENCE) / 1000} s of SIGTERM`);
  }

  /** A line of /proc/PID/status such as VmRSS or VmHWM in bytes; undefined where there is no /proc. */
  memory(field = "VmRSS") {
    const status = `/proc/${this.pid}/status`;
    if (!existsSync(status)) return undefined;
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(status, "utf8"));
    return found === null ? undefined : Number(found[1]) * 1024;
  }
}

/**
 * @param dir for the properties, the log of the process, and the data
 * @param settings broker configuration by Kafka's names; each wins over the default
 * @param options.dataDir where the data goes instead of `dir`
 * @param options.port where it listens instead of any; Apache Kafka takes the one above too
 */
export async function createBroker(targetName, dir, settings = {}, { dataDir, port } = {}) {
  const target = TARGETS[targetName];
  if (target === undefined) throw new Error(`no target ${targetName}; there are ${Object.keys(TARGETS).join(", ")}`);
  const setup = await target.prepare(dir, settings, dataDir ?? join(dir, "data"), port);
  return new Broker(target, { ...setup, settings }, join(dir, "broker.log"));
}

/**
 * What Apache Kafka makes of it: it is started for this alone, and ended.
 * @param settings of the broker
 */
export async function askApacheKafka(dir, work, settings = {}) {
  mkdirSync(dir, { recursive: true });
  const kafka = await createBroker("apache", dir, settings);
  try {
    await kafka.start();
    return await work(kafka);
  } finally {
    await kafka.kill();
  }
}
