import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordBatch, RecordBatchBuilder, RecordRetention } from "@samsa/protocol";
import type { Serde } from "../serialisers/serialiser.ts";
import { serializers } from "../serialisers/serialisers.ts";
import { bedOfValues, takeValues } from "../testing/appended.ts";
import type { Consumer } from "./consumer.ts";
import { BatchReader } from "./consumer-record.ts";

const T0 = { topic: "t", partition: 0 };

type Reader = Consumer<Uint8Array, string>;

const ways: readonly (readonly [string, (consumer: Reader) => Promise<unknown>])[] = [
  ["a loop over records", (consumer) => takeValues(consumer, 9)],
  ["batches", (consumer) => walk(consumer.batches())],
  ["handlers of records", (consumer) => consumer.run({ eachRecord: () => {} })],
  ["handlers of batches", (consumer) => consumer.run({ eachBatch: () => {} })],
];
async function walk(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

for (const [way, read] of ways) {
  test(`records count once they are handed out: to ${way}`, async () => {
    const bed = await bedOfValues(["a", "b", "c", "d", "e"]);
    await using kafka = bed.kafka();
    const consumer = kafka.consumer({ valueDeserializer: serializers.string, maxPollRecords: 2 });
    await bed.run(consumer.assign([{ ...T0, offset: 1, endOffset: 4 }]));
    assert.equal(consumer.counters.recordsConsumed, 0);
    await bed.run(read(consumer));
    assert.equal(consumer.counters.recordsConsumed, 3);
    consumer.seek(T0, 3);
    await bed.run(read(consumer));
    assert.equal(consumer.counters.recordsConsumed, 4); // again is another time
  });
}

test("a record that cannot be decoded counts when it is skipped, not while it stands in the way", async () => {
  const bed = await bedOfValues(["1", "{", "3"]);
  await using kafka = bed.kafka();
  const json: Serde<unknown> = serializers.json();
  for (const [onDecodeError, count] of [
    ["stop", 1],
    ["skip", 3],
  ] as const) {
    const consumer = kafka.consumer({ valueDeserializer: json, onDecodeError });
    await bed.run(consumer.assign([{ ...T0, offset: 0, endOffset: "latest" }]));
    const reading = bed.run(takeValues(consumer, 9));
    await (onDecodeError === "stop" ? assert.rejects(reading) : reading);
    assert.equal(consumer.counters.recordsConsumed, count);
  }
});

test("of what compaction has left, what is there counts", () => {
  const builder = new RecordBatchBuilder({ compressionType: "gzip" });
  for (let i = 0; i < 10; i++) builder.append({ timestamp: 1000, key: null, value: new Uint8Array([i]) });
  const batch = new RecordBatch(builder.build());
  const retention = new RecordRetention();
  retention.select(batch, ({ offsetDelta }) => [1, 4, 5, 9].includes(offsetDelta));
  const reader = new BatchReader(new RecordBatch(retention.build(batch, undefined)));
  const parts = [
    [0, 10],
    [0, 5],
    [5, 10],
    [2, 4],
    [9, 99],
  ] as const;
  assert.deepEqual(
    parts.map(([from, until]) => reader.count(from, until)),
    [4, 2, 2, 0, 1],
  );
});
