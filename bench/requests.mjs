// Small requests: how many a second, and how long each takes at a steady rate.
import { generate } from "./lib/generate.mjs";
import { withBareServer } from "./lib/with-bare-server.mjs";
import { PACINGS } from "./lib/pacing.mjs";
import { createTopic, warmUp, withBroker } from "./log.mjs";

const TOPIC = "bench";
const RATES = [1000, 5000]; // a second
const topicOf = (perSecond) => `${TOPIC}-${perSecond}`;
const SINGLE = { batchBytes: 0, recordBytes: 100 }; // one record of 100 bytes a request

export const requestsFigure = (connections) =>
  `single-record requests, ${connections === 1 ? "1 connection" : `${connections} connections`} (thousand/s)`;

export const latencyFigure = (perSecond, pacing, what) => `${perSecond} requests/s, paced by ${pacing}, ${what} (ms)`;
export const tailFigure = (pacing, what) => latencyFigure(1000, pacing, `produce to fetch, ${what}`);

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

/** Requests of one record at a fixed rate, timed from the write to the answer, and to a reader at the end of the log. */
function measureLatency(context) {
  return withBroker(context, {}, async (broker) => {
    const results = {};
    await warmUp(broker, context);
    for (const perSecond of RATES) {
      await createTopic(broker, [{ name: topicOf(perSecond), partitions: 1 }]);
      Object.assign(results, await latencies(broker.port, perSecond, context));
    }
    for (const pacing of PACINGS) {
      const topic = `${TOPIC}-tail-${pacing}`;
      await createTopic(broker, [{ name: topic, partitions: 1 }]);
      const job = { kind: "tail", port: broker.port, topic, perSecond: 1000, pacing, ...SINGLE };
      const { latency } = await generate({ ...job, warmMs: 6000 * context.scale, ms: 12_000 * context.scale });
      results[tailFigure(pacing, "p50")] = latency.p50;
      results[tailFigure(pacing, "p99")] = latency.p99;
    }
    return results;
  });
}

/** What of the latencies is not the broker's. */
function measureBareAnswers(context) {
  return withBareServer("bare-server.mjs", async (port) => {
    const results = {};
    for (const perSecond of RATES) Object.assign(results, await latencies(port, perSecond, context));
    return results;
  });
}

async function latencies(port, perSecond, { scale }) {
  const results = {};
  for (const pacing of PACINGS) {
    const job = { kind: "produce", port, topic: topicOf(perSecond), partitions: 1, perSecond, pacing, ...SINGLE };
    const { latency, lateness } = await generate({ ...job, warmMs: 6000 * scale, ms: 12_000 * scale });
    results[latencyFigure(perSecond, pacing, "p50")] = latency.p50;
    results[latencyFigure(perSecond, pacing, "p99")] = latency.p99;
    results[latencyFigure(perSecond, pacing, "p99.9")] = latency.p999;
    results[latencyFigure(perSecond, pacing, "written late, p50")] = lateness.p50;
    results[latencyFigure(perSecond, pacing, "written late, p99")] = lateness.p99;
  }
  return results;
}

export const benchmarks = {
  requests: { rounds: 3, measure: measureRequests },
  latency: { rounds: 3, measure: measureLatency, floor: { name: "bare answers", measure: measureBareAnswers } },
};
