// Small requests: how many a second, and how long each takes at a steady rate.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { generate } from "./lib/generate.mjs";
import { withBareServer } from "./lib/with-bare-server.mjs";
import { PACINGS } from "./lib/pacing.mjs";
import { createTopic, warmUp, withBroker } from "./log.mjs";

const TOPIC = "bench";
const RATES = [1000, 5000]; // a second
const topicOf = (perSecond) => `${TOPIC}-${perSecond}`;
const QUANTILES = ["p50", "p99", "p99.9"];
/** Twice as long as between two requests at the lower rate. */
const POLLS = { "samsa.busy.poll.ms": "2" };
const SINGLE = { batchBytes: 0, recordBytes: 100 }; // one record of 100 bytes a request

export const requestsFigure = (connections) =>
  `single-record requests, ${connections === 1 ? "1 connection" : `${connections} connections`} (thousand/s)`;

const pacedText = (pacing, isPolling) => `paced by ${pacing}${isPolling ? ", busy polling" : ""}`;
export const latencyFigure = (perSecond, pacing, what, isPolling = false) =>
  `${perSecond} requests/s, ${pacedText(pacing, isPolling)}, ${what} (ms)`;
export const tailFigure = (pacing, what, isPolling = false) =>
  `1000 requests/s, ${pacedText(pacing, isPolling)}, produce to fetch, ${what} (ms)`;

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

/**
 * Requests of one record at a fixed rate, timed from the write to the answer, and to a reader at the end of the log. Then once more by a
 * Samsa that does not sleep between requests; Apache Kafka has nothing like it, and what it took stands beside that, too.
 */
async function measureLatency(context) {
  const results = await withBroker(context, {}, (broker) => measureBroker(broker, context, { pacings: PACINGS }));
  if (context.target === "samsa") {
    const dir = join(context.dir, "polling");
    mkdirSync(dir);
    const how = { pacings: ["sleeping"], isPolling: true };
    const polling = await withBroker({ ...context, dir }, POLLS, (broker) => measureBroker(broker, context, how));
    return { ...results, ...polling };
  }
  for (const what of QUANTILES) {
    for (const perSecond of RATES) {
      results[latencyFigure(perSecond, "sleeping", what, true)] = results[latencyFigure(perSecond, "sleeping", what)];
    }
    results[tailFigure("sleeping", what, true)] = results[tailFigure("sleeping", what)];
  }
  return results;
}

async function measureBroker(broker, context, how) {
  const results = {};
  await warmUp(broker, context);
  for (const perSecond of RATES) {
    await createTopic(broker, [{ name: topicOf(perSecond), partitions: 1 }]);
    Object.assign(results, await latencies(broker.port, perSecond, context, how));
  }
  for (const pacing of how.pacings) {
    const topic = `${TOPIC}-tail-${pacing}`;
    await createTopic(broker, [{ name: topic, partitions: 1 }]);
    const job = { kind: "tail", port: broker.port, topic, perSecond: 1000, pacing, ...SINGLE };
    const { latency } = await generate({ ...job, ...timesOf(context) });
    addQuantiles(results, latency, (what) => tailFigure(pacing, what, how.isPolling));
  }
  return results;
}

/** What of the latencies is not the broker's. */
function measureBareAnswers(context) {
  return withBareServer("bare-server.mjs", async (port) => {
    const results = {};
    for (const perSecond of RATES) {
      Object.assign(results, await latencies(port, perSecond, context, { pacings: PACINGS }));
    }
    return results;
  });
}

async function latencies(port, perSecond, context, { pacings, isPolling }) {
  const results = {};
  for (const pacing of pacings) {
    const job = { kind: "produce", port, topic: topicOf(perSecond), partitions: 1, perSecond, pacing, ...SINGLE };
    const { latency, lateness } = await generate({ ...job, ...timesOf(context) });
    addQuantiles(results, latency, (what) => latencyFigure(perSecond, pacing, what, isPolling));
    addQuantiles(results, lateness, (what) => latencyFigure(perSecond, pacing, `written late, ${what}`, isPolling));
  }
  return results;
}

const timesOf = ({ scale }) => ({ warmMs: 6000 * scale, ms: 12_000 * scale });

function addQuantiles(results, { p50, p99, p999 }, figureOf) {
  for (const [what, value] of Object.entries({ p50, p99, "p99.9": p999 })) results[figureOf(what)] = value;
}

export const benchmarks = {
  requests: { rounds: 3, measure: measureRequests },
  latency: { rounds: 3, measure: measureLatency, floor: { name: "bare answers", measure: measureBareAnswers } },
};
