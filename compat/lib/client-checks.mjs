// What our own client is asked to do against brokers of every kind.
import { createHash } from "node:crypto";
import { until } from "./bare-client.mjs";
import { exactlyOnceHandlers } from "./exactly-once-handlers.mjs";
import { expect } from "./harness.mjs";
import { Kafka } from "../../packages/client/dist/index.js";

export async function withKafka(options, work) {
  const kafka = new Kafka(options);
  try {
    return await work(kafka);
  } finally {
    await kafka.close();
  }
}

/** @param options of the producers beside the codec */
export async function everyCompression(kafka, options = {}) {
  const topic = "client-compression";
  await kafka.admin().createTopics([{ name: topic, numPartitions: 1 }]);
  const sent = [];
  for (const compressionType of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    const producer = kafka.producer({ ...options, compressionType });
    const values = Array.from({ length: 500 }, (_, i) => `${compressionType} ${i} ${"abc".repeat(i % 50)}`);
    await producer.sendBatch(
      values.map((value) => ({ topic, key: `k${value.length}`, value, headers: [{ key: "h", value }] })),
    );
    sent.push(...values);
  }
  const read = (await readAll(kafka, topic, 1)).get(0);
  expect(JSON.stringify(read) === JSON.stringify(sent), "the values differ");
}

export async function sameAsJava(kafka, options = {}) {
  const topic = "client-keys";
  await kafka.admin().createTopics([{ name: topic, numPartitions: 7 }]);
  const producer = kafka.producer(options);
  const keys = ["user100", "user108", "user110", "user123", "user456", "ключ", ""];
  const sent = await producer.sendBatch(keys.map((key) => ({ topic, key, value: key })));
  for (const [i, key] of keys.entries()) {
    const explained = await producer.explainPartition({ topic, key, value: "" });
    expect(explained.partition === sent[i].partition, `${key}: ${explained.arithmetic}, sent to ${sent[i].partition}`);
  }
}

/** Assigned by a time, reading begins at the first record that is not older. */
export async function seeksByTime(kafka, options = {}) {
  const topic = "client-times";
  await kafka.admin().createTopics([{ name: topic, numPartitions: 1 }]);
  const beganMs = Date.now() - 1_000_000;
  const records = Array.from({ length: 100 }, (_, i) => ({ topic, value: String(i), timestamp: beganMs + i * 1000 }));
  await kafka.producer({ ...options, batchSize: 1000 }).sendBatch(records);
  const consumer = kafka.consumer();
  await consumer.assign([{ topic, partition: 0, offset: { timestampMs: beganMs + 41_500 }, endOffset: "latest" }]);
  const values = [];
  for await (const { value } of consumer) values.push(Number(Buffer.from(value).toString()));
  expect(values.length === 58 && values[0] === 42, `${values.length} records from ${values[0]}`);
}

/** Offsets that a group commits are where it goes on. */
export async function groupGoesOn(kafka, options = {}) {
  const topic = "client-group";
  await kafka.admin().createTopics([{ name: topic, numPartitions: 2 }]);
  await kafka
    .producer(options)
    .sendBatch(Array.from({ length: 40 }, (_, i) => ({ topic, partition: i % 2, value: `${i}` })));
  const seen = new Set();
  for (let round = 0; round < 2; round++) {
    const consumer = kafka.consumer({ groupId: "client-group", autoOffsetReset: "earliest" });
    await consumer.subscribe([topic]);
    let taken = 0;
    for await (const { partition, offset } of consumer) {
      if (round === 0 && taken++ === 20) break; // which leaves this record to the next
      const name = `${partition}@${offset}`;
      expect(!seen.has(name), `${name} came twice`);
      seen.add(name);
      if (seen.size === 40) break;
    }
    await consumer.close(); // commits
  }
  expect(seen.size === 40, `${seen.size} records`);
}

export async function readAll(kafka, topic, partitions, options = {}) {
  const consumer = kafka.consumer(options);
  await consumer.assign([{ topic, offset: "earliest", endOffset: "latest" }]);
  const found = new Map(Array.from({ length: partitions }, (_, partition) => [partition, []]));
  for await (const { partition, value } of consumer) found.get(partition).push(Buffer.from(value).toString());
  return found;
}

/** What is committed is read, with the offsets that belong to it; what is aborted is not. */
export async function transactional(kafka) {
  const topic = "client-transactions";
  const groupId = "client-transactions";
  const admin = kafka.admin();
  await admin.createTopics([{ name: topic, numPartitions: 2 }]);
  const producer = kafka.producer({ transactionalId: "client-transactions" });
  const send = (tx, ...values) => tx.sendBatch(values.map((value, partition) => ({ topic, partition, value })));
  for (let round = 0; round < 3; round++) {
    await producer.transaction(async (tx) => {
      await send(tx, `kept ${round}`, `kept ${round}`);
      await tx.commitOffsets([{ topic, partition: 0, offset: round + 1 }], groupId);
    });
    const thrown = await producer
      .transaction(async (tx) => {
        await send(tx, "dropped", "dropped");
        await tx.commitOffsets([{ topic, partition: 0, offset: 99 }], groupId);
        throw new Error("on purpose");
      })
      .catch(({ message }) => message);
    expect(thrown === "on purpose", thrown);
  }
  const found = await readAll(kafka, topic, 2, { isolationLevel: "read_committed" });
  const wanted = '["kept 0","kept 1","kept 2"]';
  for (const values of found.values()) expect(JSON.stringify(values) === wanted, JSON.stringify(values));
  const { offset } = (await admin.listGroupOffsets([{ groupId }])).get(groupId).get(`${topic}-0`);
  expect(offset === 3, `the group is at ${offset}`);
  const other = kafka.producer({ transactionalId: "client-transactions" });
  await other.initTransactions();
  const fenced = await producer
    .transaction((tx) => send(tx, "fenced"))
    .then(
      () => undefined,
      (error) => error,
    );
  expect(fenced?.name === "ProducerFencedError", `${fenced}`);
}

/** Each record read has its effect once. @param begin one of the two ways */
export async function exactlyOnce(kafka, begin = onePipeline) {
  const name = `client-once-${begin.name}`;
  const [from, to] = [`${name}-from`, `${name}-to`];
  await kafka.admin().createTopics([from, to].map((topic) => ({ name: topic, numPartitions: 2 })));
  const values = Array.from({ length: 200 }, (_, index) => String(index));
  await kafka.producer().sendBatch(values.map((value, index) => ({ topic: from, partition: index % 2, value })));
  let processed = 0;
  const process = ({ partition, value }) => {
    processed++;
    return { partition, value };
  };
  const committed = async () => {
    const offsets = (await kafka.admin().listGroupOffsets([{ groupId: name }])).get(name);
    return [0, 1].reduce((sum, partition) => sum + (offsets.get(`${from}-${partition}`)?.offset ?? 0), 0);
  };
  const patience = { limitMs: 40_000, pauseMs: 50 };
  // Somewhere in the middle it is closed, and another goes on.
  for (const isThere of [() => processed > 0, async () => (await committed()) === values.length]) {
    const pipeline = begin(kafka, { name, from, to, process });
    const wait = until(async () => expect(await isThere(), `${processed} are processed`), patience);
    await Promise.race([wait, pipeline.done]);
    await pipeline.close();
  }
  const found = await readAll(kafka, to, 2, { isolationLevel: "read_committed" });
  const read = [...found.values()]
    .flat()
    .map(Number)
    .sort((a, b) => a - b)
    .map(String);
  expect(JSON.stringify(read) === JSON.stringify(values), `${read.length} records`);
}

function onePipeline(kafka, { name, ...work }) {
  return kafka.exactlyOnce({ groupId: name, transactionalId: name, maxRecordsPerTransaction: 20, ...work });
}

/** Handlers of a consumer. */
export function oneRun(kafka, { name, from, to, process }) {
  const consumer = { maxPollRecords: 20 };
  return exactlyOnceHandlers(kafka, { groupId: name, transactionalId: name, from, to, process, consumer });
}

/** What `digest` of java/Directories.java prints, computed by our consumer: a line for each isolation level and partition. */
export async function ourDigest(kafka, prefix) {
  const admin = kafka.admin();
  const topics = (await admin.listTopics()).filter(({ name }) => name.startsWith(prefix));
  const partitions = topics
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name: topic, partitions: some }) => some.map(({ partition }) => ({ topic, partition })));
  const lines = [];
  for (const isolationLevel of ["read_uncommitted", "read_committed"]) {
    const offsets = async (at) =>
      (
        await admin.listOffsets(
          partitions.map((one) => ({ ...one, at })),
          { isolationLevel },
        )
      ).map(({ offset }) => offset);
    const [begins, ends] = [await offsets("earliest"), await offsets("latest")];
    const found = new Map(
      partitions.map(({ topic, partition }) => [`${topic}-${partition}`, { count: 0, hash: createHash("sha256") }]),
    );
    const consumer = kafka.consumer({ isolationLevel, maxPartitionFetchBytes: 20_000 });
    await consumer.assign(partitions.map((one) => ({ ...one, offset: "earliest", endOffset: "latest" })));
    for await (const record of consumer) {
      const one = found.get(`${record.topic}-${record.partition}`);
      one.count++;
      updateWithRecord(one.hash, record);
    }
    await consumer.close();
    for (const [index, [name, { count, hash }]] of [...found].entries()) {
      lines.push(`${isolationLevel} ${name} ${begins[index]} ${ends[index]} ${count} ${hash.digest("hex")}`);
    }
  }
  return lines;
}

function updateWithRecord(hash, { offset, timestamp, timestampType, key, value, headers }) {
  const head = Buffer.alloc(17);
  head.writeBigInt64BE(BigInt(offset), 0);
  head.writeBigInt64BE(BigInt(timestamp), 8);
  head.writeInt8(timestampType === "log-append-time" || timestampType === 1 ? 1 : 0, 16);
  hash.update(head);
  updateWithBytes(hash, key);
  updateWithBytes(hash, value);
  for (const header of headers) {
    updateWithBytes(hash, Buffer.from(header.key));
    updateWithBytes(hash, header.value);
  }
}

function updateWithBytes(hash, bytes) {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes === null ? -1 : bytes.length);
  hash.update(length);
  if (bytes !== null) hash.update(bytes);
}
