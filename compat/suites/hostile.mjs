// Mutated real requests against a listening broker: it neither exits, nor hangs, nor grows, and others are served meanwhile.
import { fork } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BareClient } from "../lib/bare-client.mjs";
import { expect, say } from "../lib/harness.mjs";
import { createKafkaJs, withAdmin } from "../lib/kafkajs.mjs";
import { hostileMessage, mulberry32 } from "../lib/mutate.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const GOLDEN = join(HERE, "../../packages/protocol/test-fixtures/golden");
const CONNECTIONS = 16;
const ANSWER_WITHIN_MS = 150;
const GROWTH_LIMIT_BYTES = 64 * 1024 * 1024;
const LATENCY_LIMIT_MS = 5000;
const HEALTH_TOPIC = "healthy";

const SHARE_OF_SERVED = 0.9; // the rest are of APIs this broker does not serve, which is a short way out

/** The golden requests: those of versions the broker advertises, by API, and all of them. */
function goldenRequests(advertised) {
  const served = new Map();
  const all = [];
  for (const name of readdirSync(GOLDEN).filter((file) => file.endsWith(".json"))) {
    for (const { kind, apiKey, version, hex } of JSON.parse(readFileSync(join(GOLDEN, name), "utf8"))) {
      if (kind !== "request") continue;
      const frame = Buffer.from(hex, "hex");
      all.push(frame);
      const range = advertised.get(apiKey);
      if (range === undefined || version < range.min || version > range.max) continue;
      served.set(apiKey, [...(served.get(apiKey) ?? []), frame]);
    }
  }
  return { served: [...served.values()], all };
}

/** The frames to draw the next message from: mostly those of one API, each API as often as another. */
function drawPool({ served, all }, random) {
  return random() < SHARE_OF_SERVED ? served[Math.floor(random() * served.length)] : all;
}

/** Writes a few messages on one connection, waits a moment for answers or the end, and goes. Resolves with how it ended. */
function attack(port, messages, abrupt) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let refused = false;
    const leave = () => (abrupt ? socket.resetAndDestroy() : socket.destroy());
    const timer = setTimeout(leave, ANSWER_WITHIN_MS * 4);
    let answers = 0;
    socket.on("connect", () => socket.write(Buffer.concat(messages)));
    socket.on("data", () => {
      if (++answers >= messages.length) leave();
    });
    socket.setTimeout(ANSWER_WITHIN_MS, leave);
    socket.on("error", (error) => (refused = error.code === "ECONNREFUSED"));
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({ refused, answers });
    });
  });
}

/** Starts the healthy client; `stop` resolves with its latencies, or rejects when it failed. */
function startHealth(bootstrap) {
  const child = fork(join(HERE, "../lib/health.mjs"), [bootstrap, HEALTH_TOPIC], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const latencies = [];
  let talk = "";
  let last = performance.now();
  child.on("message", ({ latencyMs }) => {
    latencies.push(latencyMs);
    last = performance.now();
  });
  child.stderr.on("data", (chunk) => (talk += chunk));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    async stop() {
      const silentMs = performance.now() - last;
      if (child.exitCode === null) child.send("stop");
      const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
      const code = await ended;
      clearTimeout(timer);
      if (code !== 0) throw new Error(`the healthy client ended with ${code}\n${talk}`);
      return { latencies, silentMs };
    },
  };
}

async function send({ broker, frames, random, count }) {
  let sent = 0;
  let answers = 0;
  const worker = async () => {
    while (sent < count && broker.isRunning) {
      const messages = [];
      for (let n = 1 + Math.floor(random() * 4); n > 0; n--) {
        const { bytes, lies } = hostileMessage(drawPool(frames, random), random);
        messages.push(bytes);
        if (lies) break; // what follows would be taken for its rest
      }
      sent += messages.length;
      const result = await attack(broker.port, messages, random() < 0.5);
      answers += result.answers;
      if (result.refused) await sleep(100);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return { sent, answers };
}

export const suite = {
  title: "hostile",
  needs: [],
  alone: true,

  async run({ check, startBroker, full, seed }) {
    expect(existsSync(GOLDEN), "packages/protocol/test-fixtures/golden is missing");
    const count = full ? 200_000 : 20_000;
    const limitMs = full ? 1_800_000 : 300_000;
    const random = mulberry32(seed);
    // Broken names would become topics without end otherwise, which is a different question.
    const broker = await startBroker({ "auto.create.topics.enable": "false" });
    await withAdmin(createKafkaJs(broker.bootstrap), (admin) =>
      admin.createTopics({ topics: [{ topic: HEALTH_TOPIC, numPartitions: 1 }] }),
    );
    const asking = await BareClient.connect(broker.port);
    const frames = goldenRequests(await asking.apiVersions());
    asking.close();
    say(`        ${frames.served.length} APIs are served, ${frames.served.flat().length} real requests are mutated`);
    const health = startHealth(broker.bootstrap);
    let before;

    await check(
      `${count} mutated requests (seed ${seed}) neither end the broker nor silence it`,
      async () => {
        // A tenth first: caches fill and code is compiled before memory is looked at.
        const first = await send({ broker, frames, random, count: count / 10 });
        expect(broker.isRunning, `the broker is gone after ${first.sent} messages:\n${broker.lastWords()}`);
        before = broker.memory();
        const rest = await send({ broker, frames, random, count: count - first.sent });
        expect(broker.isRunning, `the broker is gone after ${first.sent + rest.sent} messages:\n${broker.lastWords()}`);
        say(`        ${first.answers + rest.answers} of ${first.sent + rest.sent} messages were answered`);
      },
      limitMs,
    );

    await check(`a healthy client is served throughout, each turn within ${LATENCY_LIMIT_MS / 1000} s`, async () => {
      const { latencies, silentMs } = await health.stop();
      latencies.sort((a, b) => a - b);
      expect(latencies.length > 10, `it had only ${latencies.length} turns`);
      const [median, slowest] = [latencies[latencies.length >> 1], latencies.at(-1)];
      say(`        ${latencies.length} turns, median ${median.toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms`);
      expect(slowest < LATENCY_LIMIT_MS, `a turn took ${slowest.toFixed(0)} ms`);
      expect(silentMs < LATENCY_LIMIT_MS, `nothing was heard from it for the last ${silentMs.toFixed(0)} ms`);
    });

    await check("the broker's memory grows by less than 64 MiB", async () => {
      if (before === undefined) {
        expect(broker.isRunning, "the broker is gone");
        say("        this machine does not tell the memory of a process");
        return;
      }
      await sleep(2000);
      const after = broker.memory();
      const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
      say(`        ${mib(before)} after a tenth of the messages, ${mib(after)} at the end`);
      expect(after - before < GROWTH_LIMIT_BYTES, `it grew by ${mib(after - before)}`);
    });

    await check("afterwards it stops cleanly and starts again", async () => {
      await broker.stop();
      await broker.start();
    });
  },
};
