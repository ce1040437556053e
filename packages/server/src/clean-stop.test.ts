import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import { dumpFile } from "@samsa/log";
import { fetch, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

interface WrittenRecord {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The metadata records of a directory, in the JSON of Kafka's tools. */
async function metadataRecords(disk: MemoryDisk): Promise<readonly WrittenRecord[]> {
  const records: WrittenRecord[] = [];
  const put = (item: { readonly kind: string; readonly payload?: string | undefined }): void => {
    if (item.kind === "record" && item.payload !== undefined) records.push(JSON.parse(item.payload) as WrittenRecord);
  };
  const options = {
    isDeep: true,
    printDataLog: true,
    decoder: "cluster-metadata",
    skipRecordMetadata: false,
    maxBytes: Infinity,
    verifyIndexOnly: false,
    indexSanityCheck: false,
  } as const;
  const file = "/data/__cluster_metadata-0/00000000000000000000.log";
  assert.deepEqual(await dumpFile(disk, file, options, { put, drain: async () => {} }), []);
  return records;
}

test("a broker that stops gives up what it leads and is fenced, in the records of Apache Kafka", async () => {
  const disk = new MemoryDisk();
  const broker = await startTestBroker({ disk });
  await broker.createTopic("orders", { partitions: 2 });
  const before = (await metadataRecords(disk)).length;
  await broker[Symbol.asyncDispose]();
  const left = (await metadataRecords(disk)).slice(before);
  const { brokerEpoch } = left[0]?.data ?? {};
  const change = { isr: [], leader: -1, eligibleLeaderReplicas: [1], lastKnownElr: [1] };
  const topicId = left[1]?.data["topicId"];
  assert.deepEqual(
    left.map(({ type, data }) => [type, data]),
    [
      ["BROKER_REGISTRATION_CHANGE_RECORD", { brokerId: 1, brokerEpoch, inControlledShutdown: 1 }],
      ["PARTITION_CHANGE_RECORD", { partitionId: 0, topicId, ...change }],
      ["PARTITION_CHANGE_RECORD", { partitionId: 1, topicId, ...change }],
      ["BROKER_REGISTRATION_CHANGE_RECORD", { brokerId: 1, brokerEpoch, fenced: 1 }],
    ],
  );
});

test("the next start registers, and gives each partition its leader by one record", async () => {
  const disk = new MemoryDisk();
  const first = await startTestBroker({ disk });
  await first.createTopic("orders", { partitions: 2 });
  await produce(first.client, batchOf(["a"]), { topic: "orders" });
  await first[Symbol.asyncDispose]();
  const before = (await metadataRecords(disk)).length;
  await using second = await startTestBroker({ disk });
  const changes = (await metadataRecords(disk)).slice(before).filter(({ type }) => type === "PARTITION_CHANGE_RECORD");
  assert.deepEqual(
    changes.map(({ data }) => [data["partitionId"], data["leader"], data["isr"], data["leaderRecoveryState"]]),
    [
      [0, 1, [1], undefined],
      [1, 1, [1], undefined],
    ],
  );
  assert.deepEqual(recordsOf(await fetch(second.client, { topic: "orders" })), ["0:a"]);
});

test("a broker without partitions writes two records", async () => {
  const disk = new MemoryDisk();
  const broker = await startTestBroker({ disk });
  const before = (await metadataRecords(disk)).length;
  await broker[Symbol.asyncDispose]();
  assert.equal((await metadataRecords(disk)).length, before + 2);
});
