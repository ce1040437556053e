// Small requests: how many a second, and how long each takes at a steady rate.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { generate } from "./lib/generate.mjs";
import { createTopic, warmUp, withBroker } from "./log.mjs";

const TOPIC = "bench";
const RATES = [1000, 5000]; // a second
const topicOf = (perSecond) => `${TOPIC}-${perSecond}`;
const SINGLE = { batchBytes: 0, recordBytes: 100 }; // one record of 100 bytes a request

export const requestsFigure = (connections) =>
  `single-record requests, ${connections === 1 ? "1 connection" : `${connections} connections`} (thousand/s)`;

/** Requests of one record, five in flight on each connection. */
function measureRequests(context) {
  return withBroker(context, {}, async (broker) => {
    const results = {};
    await warmUp(broker, context);
    for (const connections of [1, 8]) {
      const topic = `${TOPIC}-${connections}`;
      const partitions = connections;
      await createTopic(broker, [{ name: topic, partitions }]);
      const job = { kind: "produce", port: broker.port, topic, partitions, connections, ...SINGLE };
      const done = await generate({ ...job, warmMs: 6000 * context.scale, ms: 8000 * context.scale });
      results[requestsFigure(connections)] = done.requests / done.seconds / 1000;
    }
    return results;
  });
}

/** Requests of one record at a fixed rate, timed from when they were due to the answer, and to a reader at the end of the log. */
function measureLatency(context) {
  return withBroker(context, {}, async (broker) => {
    const results = {};
    await warmUp(broker, context);
    for (const perSecond of RATES) {
      await createTopic(broker, [{ name: topicOf(perSecond), partitions: 1 }]);
      Object.assign(results, await latencies(broker.port, perSecond, context));
    }
    const topic = `${TOPIC}-tail`;
    await createTopic(broker, [{ name: topic, partitions: 1 }]);
    const job = { kind: "tail", port: broker.port, topic, perSecond: 1000, ...SINGLE };
    const tail = await generate({ ...job, warmMs: 8000 * context.scale, ms: 12_000 * context.scale });
    results["1000 requests/s, produce to fetch, p50 (ms)"] = tail.p50;
    results["1000 requests/s, produce to fetch, p99 (ms)"] = tail.p99;
    return results;
  });
}

/** What of the latencies is not the broker's. */
async function measureBareAnswers(context) {
  const server = fork(fileURLToPath(new URL("lib/bare-server.mjs", import.meta.url)));
  try {
    const { port } = await new Promise((resolve, reject) => {
      server.once("message", resolve);
      server.once("exit", (code) => reject(new Error(`the bare server ended with ${code}`)));
    });
    const results = {};
    for (const perSecond of RATES) Object.assign(results, await latencies(port, perSecond, context));
    return results;
  } finally {
    server.kill();
  }
}

async function latencies(port, perSecond, { scale }) {
  const job = { kind: "produce", port, topic: topicOf(perSecond), partitions: 1, perSecond, ...SINGLE };
  const { p50, p99, p999 } = await generate({ ...job, warmMs: 8000 * scale, ms: 12_000 * scale });
  const figures = Object.entries({ p50, p99, "p99.9": p999 });
  return Object.fromEntries(figures.map(([name, value]) => [`${perSecond} requests/s, ${name} (ms)`, value]));
}

export const benchmarks = {
  requests: { rounds: 3, measure: measureRequests },
  latency: { rounds: 3, measure: measureLatency, floor: { name: "bare answers", measure: measureBareAnswers } },
};
