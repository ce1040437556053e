// KafkaJS, as it comes.
import { createRequire } from "node:module";
import { alone, inBatches, inLanes, runJob, valueOf } from "./harness.mjs";

const { Kafka, Partitioners } = createRequire(new URL("../../compat/package.json", import.meta.url))("kafkajs");
const job = JSON.parse(process.argv[2]);
const kafka = new Kafka({ brokers: [job.bootstrap], logLevel: 1 });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
const value = valueOf(job.bytes);
const one = { topic: job.topic, acks: -1, messages: [{ value }] };
const batch = { topic: job.topic, acks: -1, messages: Array.from({ length: 1000 }, () => ({ value })) };

await runJob(
  {
    "produce, batches": (work) => inBatches(work, 1000, 10, () => producer.send(batch)),
    "produce, each awaited": (work) => inLanes(work, () => producer.send(one)),
    "produce, alone": (work) => alone(work, () => producer.send(one)),
  },
  () => producer.disconnect(),
);
