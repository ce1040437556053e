// KafkaJS, as it comes.
import { createRequire } from "node:module";
import { alone, inBatches, inLanes, reading, runJob, thousand, valueOf } from "./harness.mjs";

const { Kafka, Partitioners } = createRequire(new URL("../../compat/package.json", import.meta.url))("kafkajs");
const job = JSON.parse(process.argv[2]);
const kafka = new Kafka({ brokers: [job.bootstrap], logLevel: 1 });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
const value = valueOf(job.bytes);
const one = { topic: job.topic, acks: -1, messages: [{ value }] };
const batch = { topic: job.topic, acks: -1, messages: thousand(() => ({ value })) };

async function read(count) {
  const consumer = kafka.consumer({ groupId: `of-${job.topic}-${process.pid}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [job.topic], fromBeginning: true });
  await consumer.run({ eachBatch: async ({ batch }) => count(batch.messages.length) });
}

await runJob(
  {
    "produce, batches": (work) => inBatches(work, 1000, 10, () => producer.send(batch)),
    "produce, each awaited": (work) => inLanes(work, () => producer.send(one)),
    "produce, a thousand at once": (work) =>
      inBatches(work, 1000, 10, () => Promise.all(thousand(() => producer.send(one)))),
    "produce, alone": (work) => alone(work, () => producer.send(one)),
    "consume, batches": reading(read),
  },
  () => producer.disconnect(),
);
