import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { RecordBatch } from "@samsa/protocol";
import type { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type { TestBed } from "../testing/client-test.ts";
import { testBed } from "../testing/client-test.ts";
import { refusal, valuesOf } from "../testing/produced.ts";
import type { Producer } from "./producer.ts";

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

async function bedWithProducer(options = {}): Promise<{ bed: TestBed; producer: Producer }> {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  const producer = bed.kafka().producer({ lingerMs: 0, batchSize: 1_000_000, ...options });
  await bed.run(producer.send({ topic: "t", value: "first" }));
  return { bed, producer };
}

function batchSizes(bed: TestBed): number[] {
  return bed.cluster.partition("t", 0).batches.map((bytes) => new RecordBatch(bytes).recordCount);
}

test("what half of many callers send next leaves before the others go on", async () => {
  const { bed, producer } = await bedWithProducer();
  const caller = async (): Promise<void> => {
    await producer.send({ topic: "t", value: "once" });
    await producer.send({ topic: "t", value: "again" });
  };
  await bed.run(Promise.all(Array.from({ length: 1000 }, caller)));
  assert.deepEqual(batchSizes(bed), [1, 1000, 500, 500]);
});

test("callers are many by all of an answer, whichever partitions their records are in", async () => {
  const { bed, producer } = await bedWithProducer();
  bed.cluster.createTopic("many", [1, 1, 1, 1]);
  await bed.run(producer.send({ topic: "many", value: "first" }));
  const caller = async (_: unknown, index: number): Promise<void> => {
    await producer.send({ topic: "many", partition: index % 4, value: "once" });
    await producer.send({ topic: "many", partition: index % 4, value: "again" });
  };
  const before = bed.cluster.requests("ProduceRequest").length;
  await bed.run(Promise.all(Array.from({ length: 800 }, caller)));
  const sizes = bed.cluster.requests("ProduceRequest").map(({ request }) => {
    const { topicData } = request as ProduceRequest;
    const partitions = topicData.flatMap(({ partitionData }) => partitionData);
    return partitions.reduce((sum, { records }) => sum + new RecordBatch(records as Uint8Array).recordCount, 0);
  });
  assert.deepEqual(sizes.slice(before), [800, 400, 400]);
});

test("what few callers send next leaves together", async () => {
  const { bed, producer } = await bedWithProducer();
  const caller = async (): Promise<void> => {
    await producer.send({ topic: "t", value: "once" });
    await producer.send({ topic: "t", value: "again" });
  };
  await bed.run(Promise.all(Array.from({ length: 100 }, caller)));
  assert.deepEqual(batchSizes(bed), [1, 100, 100]);
});

test("callbacks of a partition come in the order of its records, of batches that are answered at once, too", async () => {
  const { bed, producer } = await bedWithProducer({ batchSize: 20_000 });
  const told: number[] = [];
  for (const value of numbers(5000))
    producer.write({ topic: "t", value }, (_, place) => told.push(place?.offset ?? -1));
  await bed.run(producer.flush());
  assert.deepEqual(
    told,
    numbers(5000).map((value) => Number(value) + 1),
  );
  assert.deepEqual(valuesOf(bed, "t", 0), ["first", ...numbers(5000)]);
});

test("a batch that fails is told of after the one before it, which did not", async () => {
  const { bed, producer } = await bedWithProducer({ batchSize: 20_000 });
  let requests = 0;
  bed.cluster.intercept((received) => {
    if (received.name !== "ProduceRequest" || ++requests !== 2) return undefined;
    return refusal(ErrorCode.INVALID_RECORD)(received);
  });
  const told: string[] = [];
  for (const value of numbers(3000)) {
    producer.write({ topic: "t", value }, (error) => told.push(`${value}${error === undefined ? "" : " failed"}`));
  }
  await bed.run(producer.flush());
  const failed = told.filter((word) => word.endsWith("failed"));
  assert.ok(failed.length > 0 && failed.length < 3000);
  assert.deepEqual(
    told.map((word) => word.split(" ")[0]),
    numbers(3000),
  );
});

test("a flush is over when all callers have been told", async () => {
  const { bed, producer } = await bedWithProducer();
  let told = 0;
  for (const value of numbers(1000)) producer.write({ topic: "t", value }, () => void told++);
  const toldAtFlush = producer.flush().then(() => told);
  assert.equal(await bed.run(toldAtFlush), 1000);
});
