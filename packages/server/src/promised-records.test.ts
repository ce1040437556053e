import assert from "node:assert/strict";
import { test } from "node:test";
import type { DiskFile } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { RecordBatchBuilder } from "@samsa/protocol";
import { createFetchRequestFetchPartition, FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { fetch, fetchRequest, produce, recordsOf } from "./testing/produce-and-fetch.ts";
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

/** A memory disk of which one read can be held up. */
class HoldingDisk extends MemoryDisk {
  #held: { readonly path: string; readonly onArrived: () => void; readonly released: Promise<void> } | undefined;

  /** Holds up the next read of a file. */
  holdRead(path: string): { readonly arrived: Promise<void>; readonly release: () => void } {
    let onArrived!: () => void;
    let release!: () => void;
    const arrived = new Promise<void>((resolve) => (onArrived = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    this.#held = { path, onArrived, released };
    return { arrived, release };
  }

  override async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options);
    const read = file.read.bind(file);
    file.read = async (position, into) => {
      const held = this.#held;
      if (held?.path === path) {
        this.#held = undefined;
        held.onArrived();
        await held.released;
      }
      return read(position, into);
    };
    return file;
  }
}

const LAST = 3; // the partition of which more is promised than is being read
const LOG = `/data/orders-${LAST}/00000000000000000000.log`;
const KEYS = 5;
const LONG = 40; // batches: a segment of 26 and another
const keyed = (index: number): Uint8Array => {
  const builder = new RecordBatchBuilder();
  const [key, bytes] = [`key ${index % KEYS}`, value(LAST, index)].map((text) => new TextEncoder().encode(text));
  builder.append({ timestamp: 1_700_000_000_000, key: key ?? null, value: bytes ?? null });
  return builder.build();
};

const losses = [
  {
    what: "was deleted by its size",
    configs: { "retention.bytes": "500000" },
    hasHappened: async (disk: MemoryDisk) => (await disk.fileSize(LOG)) === undefined,
    errorCode: ErrorCode.OFFSET_OUT_OF_RANGE,
    records: [],
  },
  {
    what: "was compacted",
    configs: { "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01" },
    hasHappened: async (disk: MemoryDisk) => ((await disk.fileSize(LOG)) ?? Infinity) < (KEYS + 1) * SIZE,
    errorCode: ErrorCode.NONE,
    records: [21, 22].map((index) => record(LAST, index)), // the latest of each key, as far as two batches go
  },
];
for (const { what, configs, hasHappened, errorCode, records } of losses) {
  test(`what ${what} before it was its turn to leave ends the connection, and the next one gets what there is`, async () => {
    const disk = new HoldingDisk();
    {
      await using before = await startTestBroker({ disk });
      const always = { "segment.bytes": "1048576", "retention.ms": "-1" };
      await before.createTopic("orders", { partitions: LAST + 1, configs: { ...always, ...configs } });
      for (let partition = 0; partition <= LAST; partition++) {
        for (let index = 0; index < (partition === LAST ? LONG : BATCHES); index++) {
          await produce(before.client, keyed(index), { topic: "orders", partition });
        }
      }
    }
    await using broker = await startTestBroker({ disk });
    const all = (offset: number): number[] => Array.from({ length: LAST + 1 }, () => offset);
    for (const offset of [0, 2]) await fetchAll(broker.client, all(offset));

    const { arrived, release } = disk.holdRead("/data/orders-1/00000000000000000000.log");
    const ended = assert.rejects(fetchAll(broker.client, all(4)));
    await arrived; // of the last partition nothing is being read yet
    const isRefused = (): boolean =>
      broker.logged.some(({ facts }) => "err" in facts && (facts.err as Error).name === "BrokenPromiseError");
    const other = await broker.connect();
    try {
      broker.clock.advance(31_000); // retention is looked after for the first time, compaction was before
      for (let turn = 0; !(await hasHappened(disk)); turn++) {
        assert.ok(turn < 10_000, "it happens");
        await fetch(other, { topic: "orders", partition: LAST, offset: LONG });
      }
      assert.equal(isRefused(), false);
    } finally {
      release();
    }
    await ended;
    assert.equal(isRefused(), true);

    const again = await fetchAll(other, all(4));
    const there = [4, 5].map((index) => record(LAST, index));
    assert.deepEqual(again.map(recordsOf), [there, there, there, records]);
    assert.equal(again[LAST]?.errorCode, errorCode);
  });
}
