import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { RecordBatch } from "@samsa/protocol";
import { BrokerError, SerialisationError } from "../errors.ts";
import type { Producer } from "./producer.ts";
import { serializers } from "../serialisers/serialisers.ts";
import type { TestBed } from "../testing/client-test.ts";
import { testBed, text } from "../testing/client-test.ts";
import { refusal, valuesOf } from "../testing/produced.ts";

async function bedWithTopic(): Promise<TestBed> {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  return bed;
}

test("a batch that is too large for the broker goes in halves, and in order", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const limit = 400;
  bed.cluster.intercept((received) => {
    if (received.name !== "ProduceRequest") return undefined;
    const { topicData } = received.request as { topicData: { partitionData: { records: Uint8Array }[] }[] };
    const isTooLarge = (topicData[0]?.partitionData[0]?.records.length ?? 0) > limit;
    return isTooLarge ? refusal(ErrorCode.MESSAGE_TOO_LARGE)(received) : undefined;
  });
  for (const compressionType of ["none", "gzip"] as const) {
    const producer = kafka.producer({ compressionType });
    const values = Array.from({ length: 100 }, (_, index) => `${compressionType} ${(index * 7919) % 1000} ${index}`);
    const before = valuesOf(bed, "t", 0).length;
    const sent = await bed.run(producer.sendBatch(values.map((value) => ({ topic: "t", value }))));
    assert.deepEqual(valuesOf(bed, "t", 0).slice(before), values);
    assert.deepEqual(
      sent.map(({ offset }) => offset),
      values.map((_, index) => before + index),
    );
    assert.ok(producer.counters.splits > 0);
    assert.equal(producer.counters.bufferedBytes, 0);
    await bed.run(producer.flush());
  }
});

test("a record that is too large for the broker fails alone", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.MESSAGE_TOO_LARGE), 1);
  await assert.rejects(bed.run(kafka.producer().send({ topic: "t", value: "x" })), BrokerError);
});

test("serialisers give keys and values their types and their bytes, tombstones pass them by", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({
    keySerializer: serializers.int32,
    valueSerializer: serializers.json<{ a: number }>(),
  });
  const typed: Producer<number, { a: number }> = producer; // inferred, without a type argument
  await bed.run(typed.send({ topic: "t", key: 258, value: { a: 1 } }));
  await bed.run(typed.send({ topic: "t", key: 258, value: null }));
  // @ts-expect-error a key of text where numbers are wanted
  await assert.rejects(typed.send({ topic: "t", key: "k", value: null }), SerialisationError);
  const [first] = bed.cluster.partition("t", 0).batches;
  const cursor = new RecordBatch(first ?? assert.fail()).records();
  cursor.advance();
  assert.deepEqual(cursor.key, Uint8Array.of(0, 0, 1, 2));
  assert.equal(text(cursor.value), '{"a":1}');
  assert.equal(valuesOf(bed, "t", 0).at(-1), null);
});

test("without a serialiser what is neither bytes nor text is refused", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  await assert.rejects(
    kafka.producer().send({ topic: "t", value: 7 as never }),
    /a value of type number needs a valueSerializer/,
  );
});

test("serialisers may take their time, and nothing of the topic overtakes", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const slow = {
    serialize: (data: number): string | Promise<string> =>
      data === 0
        ? new Promise((resolve) => {
            bed.clock.setTimer(500, () => resolve("slow"));
          })
        : `fast ${data}`,
  };
  const producer = kafka.producer({ valueSerializer: slow });
  await bed.run(producer.sendBatch([0, 1, 2].map((value) => ({ topic: "t", value }))));
  assert.deepEqual(valuesOf(bed, "t", 0), ["slow", "fast 1", "fast 2"]);
});

test("a serialiser that fails, at once or later, fails its record and no other", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const serialize = (data: string): string | Promise<string> => {
    if (data === "throws") throw new TypeError("no schema");
    return data === "rejects" ? Promise.reject(new TypeError("no schema")) : data;
  };
  const producer = kafka.producer({ valueSerializer: { serialize } });
  const values = ["1", "throws", "2", "rejects", "3"];
  const results = await bed.run(Promise.allSettled(values.map((value) => producer.send({ topic: "t", value }))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
  );
  for (const result of results)
    if (result.status === "rejected") assert.ok(result.reason instanceof SerialisationError);
  assert.deepEqual(valuesOf(bed, "t", 0), ["1", "2", "3"]);
});

test("who stops waiting is told so; what had not got into a batch is not sent", async () => {
  const bed = await testBed();
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  const abort = new AbortController();
  const given = producer.send({ topic: "later", value: "given up" }, { signal: abort.signal });
  const kept = producer.send({ topic: "later", value: "kept" });
  await bed.clock.advance(200);
  abort.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  await assert.rejects(producer.send({ topic: "later", value: "x" }, { signal: abort.signal }), /enough/);
  bed.cluster.createTopic("later", [1]);
  await bed.run(kept);
  assert.deepEqual(valuesOf(bed, "later", 0), ["kept"]);
});

test("a web stream of records flushes when it is closed", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ lingerMs: 60_000, deliveryTimeoutMs: 100_000, bufferMemory: 500, batchSize: 100 });
  const values = Array.from({ length: 50 }, (_, index) => `value ${index}`);
  const source = new ReadableStream({
    start(controller) {
      for (const value of values) controller.enqueue({ topic: "t", value });
      controller.close();
    },
  });
  await bed.run(source.pipeTo(producer.writable()));
  assert.deepEqual(valuesOf(bed, "t", 0), values);
});

test("a web stream fails with the first record that does", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED));
  const writer = kafka.producer().writable().getWriter();
  const closed = assert.rejects(writer.closed, { code: ErrorCode.TOPIC_AUTHORIZATION_FAILED });
  await writer.write({ topic: "t", value: "x" });
  await bed.run(closed);
});

test("batches and requests are told on channels, and counted", async () => {
  const bed = await bedWithTopic();
  const heard: string[] = [];
  const names = ["samsa:producer:batch:send", "samsa:producer:batch:delivered", "samsa:client:request:response"];
  const listeners = names.map((name) => {
    const listen = (message: unknown): void => {
      const { topic, api } = message as { topic?: string; api?: string };
      heard.push(`${name.split(":").at(-1) ?? ""} ${topic ?? api ?? ""}`);
    };
    channel(name).subscribe(listen);
    return () => channel(name).unsubscribe(listen);
  });
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", value: "x" }));
  for (const stop of listeners) stop();
  assert.deepEqual(heard.slice(-3), ["send t", "response Produce", "delivered t"]);
  const { records, recordsDelivered, batchesDelivered, requests } = producer.counters;
  assert.deepEqual([records, recordsDelivered, batchesDelivered, requests], [1, 1, 1, 1]);
  assert.ok(kafka.counters.requests >= 4);
});
