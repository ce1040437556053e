import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ClosedError } from "../errors.ts";
import { serializers } from "../serialisers/serialisers.ts";
import { appendValues, bedOfValues } from "../testing/appended.ts";
import type { TestBed } from "../testing/client-test.ts";
import { text } from "../testing/client-test.ts";
import type { Consumer } from "./consumer.ts";
import type { ConsumerBatch } from "./consumer-record.ts";

const T0 = { topic: "t", partition: 0 };
const RECORDS = 48;
const VALUES = Array.from({ length: RECORDS }, (_, i) => `${i} `.repeat(8000));
/** Three batches an answer, which is large enough to be used again. */
const OPTIONS = { autoOffsetReset: "earliest", maxPartitionFetchBytes: 150_000, maxBufferedBytes: 300_000 } as const;

async function bedOfLargeValues(): Promise<TestBed> {
  const bed = await bedOfValues([]);
  for (let i = 0; i < RECORDS; i += 2) appendValues(bed, VALUES.slice(i, i + 2));
  return bed;
}

/** Something of a record that a user has kept. */
interface Kept {
  readonly offset: number;
  readonly text: () => string | null;
}

type Value = string | Uint8Array | null;
type AnyConsumer = Consumer<Uint8Array, Value>;
const asText = (value: Value): string | null => (typeof value === "string" ? value : text(value));
const recordsOf = (batch: ConsumerBatch<Uint8Array, Value>): Kept[] =>
  Array.from(batch.records(), ({ offset, value }) => ({ offset, text: () => asText(value) }));

/** The ways to read on by some records, and what a user may keep of each. */
const WAYS = {
  async records(consumer: AnyConsumer, count: number): Promise<Kept[]> {
    const kept: Kept[] = [];
    for await (const { offset, value } of consumer) {
      kept.push({ offset, text: () => asText(value) });
      if (kept.length >= count) break;
    }
    return kept;
  },
  async "records of batches"(consumer: AnyConsumer, count: number): Promise<Kept[]> {
    const kept: Kept[] = [];
    for await (const batch of consumer.batches()) {
      kept.push(...recordsOf(batch));
      if (kept.length >= count) break;
    }
    return kept;
  },
  async "batches that are read later"(consumer: AnyConsumer, count: number): Promise<Kept[]> {
    const kept: Kept[] = [];
    for await (const batch of consumer.batches()) {
      for (let offset = batch.firstOffset; offset <= batch.lastOffset; offset++) {
        kept.push({
          offset,
          text: () =>
            recordsOf(batch)
              .find((one) => one.offset === offset)
              ?.text() ?? null,
        });
      }
      if (kept.length >= count) break;
    }
    return kept;
  },
  async "views that are copied"(consumer: AnyConsumer, count: number): Promise<Kept[]> {
    const kept: Kept[] = [];
    for await (const batch of consumer.batches()) {
      for (const { offset, value } of batch.views()) {
        const copy = value === null ? null : value.slice();
        kept.push({ offset, text: () => text(copy) });
      }
      if (kept.length >= count) break;
    }
    return kept;
  },
  async "batches of which views were seen in part"(consumer: AnyConsumer, count: number): Promise<Kept[]> {
    const kept: Kept[] = [];
    for await (const batch of consumer.batches()) {
      for (const _ of batch.views()) break;
      const { firstOffset } = batch;
      kept.push({ offset: firstOffset, text: () => recordsOf(batch)[0]?.text() ?? null });
      if (2 * kept.length >= count) break;
    }
    return kept;
  },
};
const ways = Object.keys(WAYS) as (keyof typeof WAYS)[];

test("what a user keeps never changes, in whatever ways he reads", async () => {
  const step = fc.record({
    way: fc.constantFrom(...ways),
    count: fc.integer({ min: 1, max: 12 }),
    seeks: fc.option(fc.nat(RECORDS - 1), { freq: 4, nil: undefined }),
  });
  const bed = await bedOfLargeValues();
  await using kafka = bed.kafka();
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(step, { minLength: 3, maxLength: 12 }), async (isText, steps) => {
      const deserializer = isText ? serializers.string : serializers.bytes;
      const consumer: AnyConsumer = kafka.consumer<Uint8Array, Value>({ ...OPTIONS, valueDeserializer: deserializer });
      await bed.run(consumer.assign([T0]));
      const kept: Kept[] = [];
      for (const { way, count, seeks } of steps) {
        const left = RECORDS - (consumer.position(T0) ?? 0);
        if (seeks !== undefined || left <= count) consumer.seek(T0, seeks === undefined ? 0 : Math.min(seeks, 30));
        kept.push(...(await bed.run(WAYS[way](consumer, count))));
      }
      await bed.run(consumer.close());
      for (const { offset, text: read } of kept) assert.equal(read(), VALUES[offset]);
    }),
    { numRuns: 25 },
  );
});

/** In how many pieces of memory all answers lie, eight of them, that come while they are read. */
async function piecesOf(read: (consumer: AnyConsumer) => Promise<void>, seen: Set<ArrayBufferLike>): Promise<number> {
  const bed = await bedOfLargeValues();
  await using kafka = bed.kafka();
  const deserialize = (bytes: Uint8Array): string => {
    seen.add(bytes.buffer);
    return text(bytes) ?? "";
  };
  const valueDeserializer = { copiesBytes: true, deserialize };
  const consumer = kafka.consumer<Uint8Array, Value>({ ...OPTIONS, valueDeserializer });
  await bed.run(consumer.assign([{ ...T0, endOffset: "latest" }]));
  await bed.run(read(consumer));
  return seen.size;
}

test("answers whose batches are walked through with views lie in the memory of those before them", async () => {
  const seen = new Set<ArrayBufferLike>();
  const pieces = await piecesOf(async (consumer) => {
    for await (const batch of consumer.batches()) for (const { source } of batch.views()) seen.add(source.buffer);
  }, seen);
  assert.ok(pieces <= 4, `${pieces}`);
});

test("and so do those whose records are decoded to what has none of their bytes", async () => {
  const pieces = await piecesOf(async (consumer) => {
    for await (const { value } of consumer) assert.equal(typeof value, "string");
  }, new Set());
  assert.ok(pieces <= 4, `${pieces}`);
});

test("a batch that was walked through and left says so when it is read again, and what it says of itself stays", async () => {
  const bed = await bedOfLargeValues();
  await using kafka = bed.kafka();
  const consumer = kafka.consumer(OPTIONS);
  await bed.run(consumer.assign([{ ...T0, endOffset: "latest" }]));
  const read = async (): Promise<ConsumerBatch[]> => {
    const batches: ConsumerBatch[] = [];
    for await (const batch of consumer.batches()) {
      for (const _ of batch.views()) assert.equal(batch.topic, "t");
      for (const _ of batch.views()) assert.equal(batch.topic, "t");
      batches.push(batch);
    }
    return batches;
  };
  const [first = assert.fail()] = await bed.run(read());
  assert.deepEqual([first.firstOffset, first.lastOffset, first.timestampType], [0, 1, "create-time"]);
  assert.throws(() => [...first.views()], ClosedError);
  assert.throws(() => [...first.records()], ClosedError);
});
