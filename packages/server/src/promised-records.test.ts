import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { createFetchRequestFetchPartition, FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { fetchRequest, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

const PARTITIONS = 3;
const BATCHES = 10;
const value = (partition: number, index: number): string => `${partition}/${index}`.padEnd(40_000, ".");
const record = (partition: number, index: number): string => `${index}:${value(partition, index)}`;
const SIZE = batchOf([value(0, 0)]).length;

/** A broker that has to read from the disk all that its predecessor was given: ten batches of 40 KB in each of three partitions. */
async function startOnDisk(): Promise<TestBroker & { readonly disk: MemoryDisk }> {
  const disk = new MemoryDisk();
  {
    await using before = await startTestBroker({ disk });
    await before.createTopic("orders", { partitions: PARTITIONS });
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (let index = 0; index < BATCHES; index++) {
        await produce(before.client, batchOf([value(partition, index)]), { topic: "orders", partition });
      }
    }
  }
  return { ...(await startTestBroker({ disk })), disk };
}

/** Two batches of each partition. */
async function fetchAll(
  client: RawClient,
  offsets: readonly number[],
  isolationLevel = 0,
): Promise<readonly FetchResponsePartitionData[]> {
  const request = fetchRequest({ topic: "orders", isolationLevel });
  const partitions = offsets.map((fetchOffset, partition) =>
    createFetchRequestFetchPartition({ partition, fetchOffset, partitionMaxBytes: 2 * SIZE + 100 }),
  );
  const [topic] = request.topics;
  assert.ok(topic !== undefined);
  const asked = { ...request, topics: [{ ...topic, partitions }] };
  const response = await client.request(FetchRequest, FetchResponse, 12, asked);
  return response.responses[0]?.partitions ?? [];
}

for (const isolationLevel of [0, 1]) {
  test(`who reads partitions from first to last gets every record once, at isolation level ${isolationLevel}`, async () => {
    await using broker = await startOnDisk();
    const found: string[][] = Array.from({ length: PARTITIONS }, () => []);
    for (let round = 0; round < BATCHES / 2; round++) {
      const offsets = found.map((records) => records.length);
      for (const [partition, data] of (await fetchAll(broker.client, offsets, isolationLevel)).entries()) {
        assert.equal(data.errorCode, ErrorCode.NONE);
        found[partition]?.push(...recordsOf(data));
      }
    }
    const all = (partition: number) => Array.from({ length: BATCHES }, (_, index) => record(partition, index));
    assert.deepEqual(found, [all(0), all(1), all(2)]);
  });
}

test("a batch that turns out to be damaged while the answer leaves ends the connection; the next one hears why", async () => {
  await using broker = await startOnDisk();
  const file = await broker.disk.open("/data/orders-2/00000000000000000000.log");
  await file.write(6 * SIZE - 1, [new Uint8Array([0x55])]); // in the batch with offset 5
  await file.close();
  for (const offset of [0, 2]) await fetchAll(broker.client, [offset, offset, offset]);
  await assert.rejects(fetchAll(broker.client, [4, 4, 4]));
  const again = await fetchAll(await broker.connect(), [4, 4, 4]);
  assert.deepEqual(
    again.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.KAFKA_STORAGE_ERROR],
  );
  assert.deepEqual(again.map(recordsOf), [[record(0, 4), record(0, 5)], [record(1, 4), record(1, 5)], []]);
});
