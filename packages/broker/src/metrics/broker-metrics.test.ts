import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@samsa/simulation";
import { BrokerMetrics } from "./broker-metrics.ts";
import { LATENCY_BOUNDS_MS, LatencyHistogram } from "./latency-histogram.ts";

test("topics beyond the bound share their counters, and the whole counts all", () => {
  const metrics = new BrokerMetrics({ clock: new VirtualClock(), maxTopics: 2 });
  for (const topic of ["a", "b", "c", "d", "a"]) metrics.produced(topic, 2, 100);
  assert.deepEqual([...metrics.topics.keys()], ["a", "b"]);
  assert.equal(metrics.topics.get("a")?.messagesIn, 4);
  assert.deepEqual([metrics.otherTopics.messagesIn, metrics.otherTopics.bytesIn], [4, 200]);
  assert.deepEqual([metrics.allTopics.messagesIn, metrics.allTopics.bytesIn], [10, 500]);
});

test("a topic that is gone leaves its place to another, and stays in the whole", () => {
  const metrics = new BrokerMetrics({ clock: new VirtualClock(), maxTopics: 1 });
  metrics.fetched("old", 10);
  metrics.retainTopics((topic) => topic !== "old");
  metrics.fetched("new", 5);
  assert.deepEqual([...metrics.topics.keys()], ["new"]);
  assert.equal(metrics.allTopics.bytesOut, 15);
});

test("a request counts under its version, with the time to decide, the time it waited and what the client was told to wait", () => {
  const clock = new VirtualClock();
  const metrics = new BrokerMetrics({ clock });
  const startedMs = metrics.nowMs();
  clock.advance(5);
  metrics.requestAnswered(1, 12, startedMs, startedMs + 2, 40);
  metrics.requestAnswered(1, 17, startedMs, undefined, 0);
  const [[apiKey, api] = [], ...others] = [...metrics.apis()];
  assert.deepEqual([apiKey, others], [1, []]);
  assert.deepEqual([api?.byVersion[12], api?.byVersion[17]], [1, 1]);
  assert.deepEqual([api?.localTime.sumMs, api?.remoteTime.sumMs, api?.throttleTime.sumMs], [2 + 5, 3, 40]);
});

test("a duration falls into the first bucket that is not below it, or beyond them all", () => {
  const histogram = new LatencyHistogram();
  for (const bound of LATENCY_BOUNDS_MS) histogram.observe(bound);
  assert.deepEqual([...histogram.counts], [...LATENCY_BOUNDS_MS.map(() => 1), 0]);
  histogram.observe(1e9);
  histogram.observe(0);
  assert.deepEqual([histogram.counts[0], histogram.counts.at(-1)], [2, 1]);
});
