// @samsa/client. Idempotent, as it is unless told otherwise; batches as large as librdkafka's are by default.
import { Kafka } from "../../packages/client/dist/index.js";
import { setTimeout as sleep } from "node:timers/promises";
import { alone, inBatches, inLanes, reading, runJob, thousand, valueOf } from "./harness.mjs";

const IDLE_MS = 5000;
const job = JSON.parse(process.argv[2]);
const kafka = new Kafka({ bootstrapServers: job.bootstrap });
// Who waits for each record gains nothing by lingering, unless the waiting are very many.
const isWaiting = !job.work.startsWith("produce, batches") && !job.work.startsWith("produce, callback");
const tuning = { batchSize: 1_000_000, lingerMs: isWaiting ? 0 : 5 };
const producer = kafka.producer(job.work.endsWith("as configured by default") ? {} : tuning);
const value = valueOf(job.bytes);
const record = { topic: job.topic, value };
const batch = thousand(() => ({ topic: job.topic, value }));

async function write({ records }) {
  let failure;
  const onDelivery = (error) => {
    failure ??= error;
  };
  for (let i = 0; i < records; i++)
    if (!producer.write({ topic: job.topic, value }, onDelivery)) await producer.ready();
  await producer.flush();
  if (failure !== undefined) throw failure;
}

const fromTheStart = async (options) => {
  const consumer = kafka.consumer(options);
  await consumer.assign([{ topic: job.topic, offset: "earliest" }]);
  return consumer;
};

let bytesRead = 0; // what is read has to be looked at

async function readBatches(count) {
  for await (const batch of (await fromTheStart()).batches()) {
    let records = 0;
    for (const { value } of batch.views()) {
      bytesRead += value.length;
      records++;
    }
    count(records);
  }
}

async function readRecords(count) {
  for await (const record of await fromTheStart()) {
    bytesRead += record.value.length;
    count(1);
  }
}

/** A topic of a tenth of it, from the start each time. */
async function readAgain(count) {
  for (;;) {
    const consumer = kafka.consumer();
    await consumer.assign([{ topic: job.topic, offset: "earliest", endOffset: "latest" }]);
    for await (const batch of consumer.batches()) count(batch.lastOffset - batch.firstOffset + 1);
    await consumer.close();
  }
}

let idling;

async function idle() {
  idling ??= fromTheStart().then((consumer) => consumer.batches().next());
  await sleep(IDLE_MS);
}

await runJob(
  {
    "produce, callback": write,
    "produce, callback, as configured by default": write,
    "produce, batches": (work) => inBatches(work, batch.length, 40, () => producer.sendBatch(batch)),
    "produce, each awaited": (work) => inLanes(work, () => producer.send(record)),
    "produce, a thousand at once": (work) =>
      inBatches(work, 1000, 10, () => Promise.all(thousand(() => producer.send(record)))),
    "produce, alone": (work) => alone(work, () => producer.send(record)),
    "consume, batches": reading(readBatches),
    "consume, records": reading(readRecords),
    "consume, again and again": reading(readAgain),
    "consume, nothing": idle,
  },
  () => kafka.close(),
);
