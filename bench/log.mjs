// What the log does: appends, reads from the disk, recovery, start-up with many partitions.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../compat/lib/bare-client.mjs";
import { createBroker } from "../compat/lib/brokers.mjs";
import { RawClient } from "../compat/lib/raw-client.mjs";
import { encodeBatch } from "../compat/lib/record-batches.mjs";
import { generate } from "./lib/generate.mjs";
import { quietDisk, quietMachine } from "./lib/quiet-machine.mjs";

const MB = 1_000_000;
const KIB = 1024;
const TOPIC = "bench";
const RECORD_BYTES = 1024;

export async function withBroker({ target, dir, running }, settings, use) {
  const broker = await createBroker(target, dir, settings);
  running.add(broker);
  try {
    await broker.start();
    return await use(broker);
  } catch (error) {
    throw new Error(`${error.message}\n${target} said last:\n${broker.lastWords()}`, { cause: error });
  } finally {
    await broker.kill();
    running.delete(broker);
  }
}

export async function createTopic(broker, topics) {
  const client = await RawClient.connect(broker.port);
  await client.createTopics(topics);
  client.close();
}

/** Load of all sizes before anything is measured: a virtual machine compiles what is used often, and takes its time to. */
export async function warmUp(broker, { scale }) {
  const topic = `${TOPIC}-warm`;
  await createTopic(broker, [{ name: topic, partitions: 8 }]);
  const job = { kind: "produce", port: broker.port, topic, partitions: 8, warmMs: 0 };
  await generate({ ...job, batchBytes: 0, recordBytes: 100, connections: 8, ms: 12_000 * scale });
  await generate({ ...job, batchBytes: 16 * KIB, recordBytes: RECORD_BYTES, ms: 8000 * scale });
}

const APPENDS = [
  [16, RECORD_BYTES, 1000],
  [16, 100, 1000],
  [256, RECORD_BYTES, 2000],
];

export const partitionsText = (count) => (count === 1 ? "1 partition" : `${count} partitions`);
export const appendFigure = (batchKib, recordBytes, partitions) =>
  `append, ${batchKib} KiB batches of ${recordBytes === KIB ? "1 KiB" : `${recordBytes} B`} records, ${partitionsText(partitions)} (MB/s)`;

/** Batches of one size, one connection, five requests in flight, acks=all. */
function measureAppend(context) {
  return withBroker(context, {}, async (broker) => {
    const results = {};
    await warmUp(broker, context);
    for (const partitions of [1, 10]) {
      for (const [batchKib, recordBytes, megabytes] of APPENDS) {
        const topic = `${TOPIC}-${batchKib}-${recordBytes}-${partitions}`;
        await createTopic(broker, [{ name: topic, partitions }]);
        const bytes = megabytes * MB * context.scale;
        const job = { kind: "produce", port: broker.port, topic, partitions, recordBytes };
        quietMachine(context);
        const done = await generate({ ...job, batchBytes: batchKib * KIB, warmBytes: bytes / 2, bytes });
        results[appendFigure(batchKib, recordBytes, partitions)] = done.bytes / MB / done.seconds;
      }
    }
    return results;
  });
}

/** 5 GB are written, and read from the first to the last: far more than a tail cache holds. Once of one partition, once of ten. */
function measureCatchUp(context) {
  return withBroker(context, {}, async (broker) => {
    const results = {};
    for (const partitions of [1, 10]) {
      const topic = `${TOPIC}-${partitions}`;
      await createTopic(broker, [{ name: topic, partitions }]);
      const size = { batchBytes: 64 * KIB, recordBytes: RECORD_BYTES };
      const job = { port: broker.port, topic, ...size };
      const bytes = 5000 * MB * context.scale;
      await generate({ ...job, kind: "produce", partitions, warmBytes: 0, bytes });
      const client = await RawClient.connect(broker.port);
      const endOffsets = [];
      for (let i = 0; i < partitions; i++) endOffsets.push((await client.listOffset(topic, i, -1)).offset);
      client.close();
      quietDisk();
      const reading = { ...job, kind: "fetch", endOffsets, maxBytes: KIB * KIB };
      await generate({ ...reading, endOffsets: endOffsets.map((end) => Math.floor(end / 5)) }); // warms up
      const done = await generate(reading);
      results[`catch-up read, ${partitionsText(partitions)} (MB/s)`] = done.bytes / MB / done.seconds;
    }
    return results;
  });
}

/** From the start of the process until a record is acknowledged in each of the partitions. */
async function startAndProduce(broker, partitions) {
  const begun = performance.now();
  broker.spawn();
  const stopIf = () => (broker.isRunning ? undefined : `the broker ended:\n${broker.lastWords()}`);
  const client = await until(
    async () => {
      const connected = await RawClient.connect(broker.port);
      try {
        for (const [topic, partition] of partitions) await produceOne(connected, topic, partition);
        return connected;
      } catch (error) {
        connected.close();
        throw error;
      }
    },
    { limitMs: 300_000, pauseMs: 5, stopIf },
  );
  client.close();
  return performance.now() - begun;
}

async function produceOne(client, topic, partition) {
  const { error } = await client.produce(topic, partition, encodeBatch([{ value: "one record" }]));
  if (error !== 0) throw new Error(`Produce was answered ${error}`);
}

/** SIGKILL with a gigabyte that was never synced; the next start has to look at all of it before it serves. */
async function measureRecovery(context) {
  const bytes = 1024 * KIB * KIB * context.scale;
  return await withBroker(context, { "log.segment.bytes": 2_000_000_000 }, async (broker) => {
    await createTopic(broker, [{ name: TOPIC, partitions: 1 }]);
    const size = { batchBytes: 16 * KIB, recordBytes: RECORD_BYTES };
    await generate({ kind: "produce", port: broker.port, topic: TOPIC, partitions: 1, ...size, warmBytes: 0, bytes });
    await broker.kill();
    const file = join(broker.dataDir, "recovery-point-offset-checkpoint");
    const [, point = "0"] = new RegExp(`^${TOPIC} 0 (\\d+)$`, "m").exec(safeRead(file)) ?? [];
    if (point !== "0") throw new Error(`the recovery point stands at ${point}, so that less is left to recover`);
    const afterKill = await startAndProduce(broker, [[TOPIC, 0]]);
    await broker.stop(60_000);
    const afterStop = await startAndProduce(broker, [[TOPIC, 0]]);
    return {
      "first record after SIGKILL, 1 GiB to recover (ms)": afterKill,
      "first record after a clean stop, the same log (ms)": afterStop,
    };
  });
}

function safeRead(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Starts on many partitions with a record in each, after a clean stop and after SIGKILL. */
async function measureStartup(context) {
  return await withBroker(context, {}, async (broker) => {
    const results = {};
    const sizes = context.isQuick ? [200, 1000] : [1000, 10_000];
    let made = 0;
    for (const size of sizes) {
      const topics = [];
      for (; made < size; made += 100) topics.push({ name: `${TOPIC}-${made}`, partitions: 100 });
      for (const topic of topics) await createTopic(broker, [topic]);
      const client = await RawClient.connect(broker.port);
      for (const { name } of topics) {
        const all = Array.from({ length: 100 }, (_, partition) =>
          until(() => produceOne(client, name, partition), { limitMs: 60_000 }),
        );
        await Promise.all(all);
      }
      client.close();
      const last = topics.map(({ name }) => [name, 99]);
      await sleep(2000);
      await broker.stop(120_000);
      const count = size.toLocaleString("en");
      results[`start, ${count} partitions, after a clean stop (ms)`] = await startAndProduce(broker, last);
      await broker.kill();
      results[`start, ${count} partitions, after SIGKILL (ms)`] = await startAndProduce(broker, last);
      results[`memory with ${count} partitions (MiB)`] = broker.memory() / KIB / KIB;
    }
    return results;
  });
}

/** A thousand topics are asked for at once; over when each has taken a record. */
async function measureTopics(context) {
  return await withBroker(context, {}, async (broker) => {
    const makeAndProduce = async (prefix, count) => {
      const topics = Array.from({ length: count }, (_, index) => ({ name: `${prefix}-${index}`, partitions: 1 }));
      const client = await RawClient.connect(broker.port);
      const begun = performance.now();
      await client.createTopics(topics, 120_000);
      await Promise.all(topics.map(({ name }) => until(() => produceOne(client, name, 0), { limitMs: 120_000 })));
      const ms = performance.now() - begun;
      client.close();
      return ms;
    };
    await makeAndProduce("warm", 200);
    const count = Math.max(100, 1000 * context.scale);
    return { "1,000 topics created and writable (ms)": (await makeAndProduce(TOPIC, count)) * (1000 / count) };
  });
}

export const benchmarks = {
  topics: { rounds: 3, measure: measureTopics },
  "log-append": { rounds: 3, measure: measureAppend },
  "log-catch-up": { rounds: 3, measure: measureCatchUp },
  "log-recovery": { rounds: 3, measure: measureRecovery },
  "log-startup": { rounds: 3, measure: measureStartup },
};
