import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, ConfigurationError } from "../errors.ts";
import { serializers } from "../serialisers/serialisers.ts";
import { appendValues, bedOfValues, takeValues } from "../testing/appended.ts";
import type { ConsumerRecord } from "./consumer-record.ts";
import { DecodeError } from "./decode-error.ts";

const T0 = { topic: "t", partition: 0 };
const text = { valueDeserializer: serializers.string, autoOffsetReset: "earliest" } as const;

test("keys and values have the types of their deserialisers, and bytes without", async () => {
  const bed = await bedOfValues([["k", "1"]]);
  await using kafka = bed.kafka();
  const json = serializers.json((value) => Number(value));
  const consumer = kafka.consumer({
    keyDeserializer: serializers.string,
    valueDeserializer: json,
    autoOffsetReset: "earliest",
  });
  await bed.run(consumer.assign([T0]));
  const [record = assert.fail()] = await bed.run(firstOf(consumer, 1));
  // These compile only with the types that were inferred.
  const key: string | null = record.key;
  const value: number | null = record.value;
  assert.deepEqual([key?.length, value?.toFixed(1)], [1, "1.0"]);
  const plain = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(plain.assign([T0]));
  const [{ value: bytes } = assert.fail()] = await bed.run(firstOf(plain, 1));
  assert.equal(bytes?.byteLength, 1);
});

async function firstOf<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
    if (items.length === count) break;
  }
  return items;
}

const json = { valueDeserializer: serializers.json(), autoOffsetReset: "earliest" } as const;

test("a record that cannot be decoded stops the iteration, and the position stays at it", async () => {
  const bed = await bedOfValues(["1", "{", "3"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(json);
  await bed.run(consumer.assign([T0]));
  await assert.rejects(bed.run(takeValues(consumer, 3)), (error) => {
    assert.ok(error instanceof DecodeError);
    assert.deepEqual([error.topic, error.partition, error.offset, error.part], ["t", 0, 1, "value"]);
    assert.deepEqual(error.valueBytes, new TextEncoder().encode("{"));
    return true;
  });
  assert.equal(consumer.position(T0), 1);
  consumer.seek(T0, 2);
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), [3]);
});

test("a record that cannot be decoded is skipped, or sent elsewhere first", async () => {
  const bed = await bedOfValues(["1", "{", "3", "}"]);
  await using kafka = bed.kafka();
  const skipping = kafka.consumer({ ...json, onDecodeError: "skip" });
  await bed.run(skipping.assign([{ ...T0, endOffset: "latest" }]));
  assert.deepEqual(await bed.run(takeValues(skipping, 9)), [1, 3]);
  const letters: number[] = [];
  const consumer = kafka.consumer({
    ...json,
    onDecodeError: async ({ offset }) => {
      await Promise.resolve();
      letters.push(offset);
    },
  });
  await bed.run(consumer.assign([{ ...T0, endOffset: "latest" }]));
  assert.deepEqual(await bed.run(takeValues(consumer, 9)), [1, 3]);
  assert.deepEqual(letters, [1, 3]);
});

test("a batch has decode errors as values among its records", async () => {
  const bed = await bedOfValues(["1", "{"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(json);
  await bed.run(consumer.assign([T0]));
  const [batch = assert.fail()] = await bed.run(firstOf(consumer.batches(), 1));
  const [first, second] = batch.results();
  assert.ok(!(first instanceof DecodeError) && first?.value === 1);
  assert.ok(second instanceof DecodeError && second.offset === 1);
  assert.throws(() => [...batch.records()], DecodeError);
});

test("a batch larger than maxPollRecords comes in parts, which may be read in any order and twice", async () => {
  const values = ["a", "b", "c", "d", "e"];
  const bed = await bedOfValues(values);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, maxPollRecords: 2 });
  await bed.run(consumer.assign([{ ...T0, endOffset: "latest" }]));
  const parts = await bed.run(firstOf(consumer.batches(), 9));
  const read = (): (string | null)[][] => parts.map((part) => Array.from(part.records(), ({ value }) => value));
  assert.deepEqual(read(), [["a", "b"], ["c", "d"], ["e"]]);
  assert.deepEqual(read(), [["a", "b"], ["c", "d"], ["e"]]);
  parts.reverse();
  assert.deepEqual(read(), [["e"], ["c", "d"], ["a", "b"]]);
});

test("a signal ends an iteration that waits with its reason, and the next goes on", async () => {
  const bed = await bedOfValues(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(text);
  await bed.run(consumer.assign([T0]));
  const abort = new AbortController();
  const reason = new Error("enough");
  const seen: unknown[] = [];
  const read = async (): Promise<void> => {
    for await (const { value } of consumer.records({ signal: abort.signal })) seen.push(value);
  };
  const ended = assert.rejects(read(), reason);
  await bed.clock.advance(1000);
  abort.abort(reason);
  await bed.run(ended);
  assert.deepEqual(seen, ["a"]);
  await assert.rejects(bed.run(firstOf(consumer.batches({ signal: abort.signal }), 1)), reason);
  appendValues(bed, ["b"]);
  assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["b"]);
});

test("run works on several partitions side by side, and on each in order", async () => {
  const bed = await bedOfValues(["a", "b"], ["c", "d"], ["e"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(text);
  await bed.run(consumer.assign([{ topic: "t", endOffset: "latest" }]));
  const log: string[] = [];
  let underWay = 0;
  let most = 0;
  const eachRecord = async ({ value }: ConsumerRecord<unknown, string>): Promise<void> => {
    most = Math.max(most, ++underWay);
    await new Promise<void>((resolve) => void bed.clock.setTimer(10, resolve));
    log.push(value ?? "");
    underWay--;
  };
  await bed.run(consumer.run({ eachRecord, concurrency: 2 }));
  assert.equal(most, 2);
  assert.deepEqual(new Set(log), new Set(["a", "b", "c", "d", "e"]));
  assert.ok(log.indexOf("a") < log.indexOf("b") && log.indexOf("c") < log.indexOf("d"));
});

test("run by key keeps the records of a key in order, and a slow key holds up no other", async () => {
  const bed = await bedOfValues([
    ["slow", "1"],
    ["fast", "2"],
    ["slow", "3"],
    ["fast", "4"],
  ]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...text, keyDeserializer: serializers.string });
  await bed.run(consumer.assign([{ topic: "t", endOffset: "latest" }]));
  const log: (string | null)[] = [];
  const eachRecord = async ({ key, value }: ConsumerRecord<string, string>): Promise<void> => {
    await new Promise<void>((resolve) => void bed.clock.setTimer(key === "slow" ? 100 : 1, resolve));
    log.push(value);
  };
  await bed.run(consumer.run({ eachRecord, concurrency: 8, orderedBy: "key" }));
  assert.deepEqual(log, ["2", "4", "1", "3"]);
});

test("what a handler did not finish is handed out again by the next run", async () => {
  const bed = await bedOfValues(["a", "b", "c", "d"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(text);
  await bed.run(consumer.assign([{ ...T0, endOffset: "latest" }]));
  const failing = consumer.run({
    eachRecord: ({ value }) => {
      if (value === "c") throw new Error("not today");
    },
  });
  await assert.rejects(bed.run(failing), /not today/);
  assert.equal(consumer.position(T0), 2);
  const log: unknown[] = [];
  await bed.run(consumer.run({ eachRecord: ({ value }) => void log.push(value) }));
  assert.deepEqual(log, ["c", "d"]);
});

test("a signal ends a run once what is under way has ended", async () => {
  const bed = await bedOfValues(["a", "b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(text);
  await bed.run(consumer.assign([T0]));
  const abort = new AbortController();
  const log: unknown[] = [];
  const eachBatch = async (batch: { readonly firstOffset: number }): Promise<void> => {
    abort.abort();
    await new Promise<void>((resolve) => void bed.clock.setTimer(10, resolve));
    log.push(batch.firstOffset);
  };
  await bed.run(consumer.run({ eachBatch, signal: abort.signal }));
  assert.deepEqual([log, consumer.position(T0)], [[0], 2]);
});

test("run goes by the policy for what cannot be decoded, and refuses what cannot be", async () => {
  const bed = await bedOfValues(["1", "{", "3"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ ...json, onDecodeError: "skip" });
  await bed.run(consumer.assign([{ ...T0, endOffset: "latest" }]));
  const log: unknown[] = [];
  const eachRecord = ({ value }: { readonly value: unknown }): void => void log.push(value);
  await bed.run(consumer.run({ eachRecord }));
  assert.deepEqual(log, [1, 3]);
  for (const options of [{}, { eachRecord, eachBatch: () => {} }, { eachRecord, concurrency: 0 }]) {
    await assert.rejects(consumer.run(options), ConfigurationError);
  }
  await consumer.close();
  await assert.rejects(bed.run(consumer.run({ eachRecord })), ClosedError);
});
