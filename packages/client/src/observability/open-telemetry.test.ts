import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { RecordBatch } from "@samsa/protocol";
import { testBed, text } from "../testing/client-test.ts";
import type { OpenTelemetryApi } from "./open-telemetry.ts";
import { traceContextOf } from "./open-telemetry.ts";

/** As much of `@opentelemetry/api` with a W3C propagator as matters here; a context is the trace's id. */
const active = new AsyncLocalStorage<string>();
const openTelemetry: OpenTelemetryApi = {
  context: {
    active: () => active.getStore() ?? "none",
    with: (context, work) => active.run(context, work),
  },
  propagation: {
    inject(context, carrier) {
      if (context !== "none") carrier["traceparent"] = context as string;
    },
    extract: (context, carrier) => carrier["traceparent"] ?? context,
  },
};

test("the trace in which a record is sent goes along in headers behind its own", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka({ openTelemetry });
  const producer = kafka.producer();
  const headers = [{ key: "own", value: "1" }];
  await bed.run(active.run("00-abc", () => producer.send({ topic: "t", value: "x", headers })));
  await bed.run(producer.send({ topic: "t", value: "of no trace" }));
  const read = bed.cluster.partition("t", 0).batches.flatMap((batch) => {
    const cursor = new RecordBatch(batch).records();
    cursor.advance();
    return cursor.headers().map(({ key, value }) => [key, text(value)]);
  });
  assert.deepEqual(read, [
    ["own", "1"],
    ["traceparent", "00-abc"],
  ]);
});

test("a handler runs in the trace that its record came with, and what it sends goes along", async () => {
  const bed = await testBed();
  for (const topic of ["in", "out"]) bed.cluster.createTopic(topic, [1]);
  await using kafka = bed.kafka({ openTelemetry });
  const producer = kafka.producer();
  const traces = ["00-a", "00-b", "00-c"];
  await bed.run(
    Promise.all(traces.map((trace) => active.run(trace, () => producer.send({ topic: "in", value: trace })))),
  );
  const consumer = kafka.consumer();
  await bed.run(consumer.assign([{ topic: "in", offset: "earliest", endOffset: "latest" }]));
  const handled: (readonly [string | null, unknown])[] = [];
  const run = consumer.run({
    concurrency: 3,
    eachRecord: async ({ value }) => {
      await producer.send({ topic: "out", value });
      handled.push([text(value), openTelemetry.context.active()]); // after an await, too
    },
  });
  await bed.run(run);
  assert.deepEqual(
    handled,
    traces.map((trace) => [trace, trace]),
  );
  await bed.run(consumer.assign([{ topic: "out", offset: "earliest", endOffset: "latest" }]));
  const found: unknown[] = [];
  const reading = (async () => {
    for await (const { value, headers } of consumer) found.push([text(value), traceContextOf(openTelemetry, headers)]);
  })();
  await bed.run(reading);
  assert.deepEqual(
    found,
    traces.map((trace) => [trace, trace]),
  );
});

test("of several headers of a name the last counts, in whatever case, and one without a value does not", () => {
  const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
  const headers = [
    { key: "traceparent", value: bytes("00-first") },
    { key: "TraceParent", value: bytes("00-last") },
    { key: "traceparent", value: null },
  ];
  assert.equal(traceContextOf(openTelemetry, headers), "00-last");
  assert.equal(traceContextOf(openTelemetry, []), "none");
});
