// @samsa/client. Idempotent, as it is unless told otherwise; batches as large as librdkafka's are by default.
import { Kafka } from "../../packages/client/dist/index.js";
import { alone, inBatches, inLanes, runJob, valueOf } from "./harness.mjs";

const job = JSON.parse(process.argv[2]);
const kafka = new Kafka({ bootstrapServers: job.bootstrap });
// Who waits for each record gains nothing by lingering, unless the waiting are very many.
const isWaiting = job.work === "produce, alone" || (job.work === "produce, each awaited" && job.lanes <= 1000);
const tuning = { batchSize: 1_000_000, lingerMs: isWaiting ? 0 : 5 };
const producer = kafka.producer(job.work.endsWith("as configured by default") ? {} : tuning);
const value = valueOf(job.bytes);
const record = { topic: job.topic, value };
const batch = Array.from({ length: 1000 }, () => ({ topic: job.topic, value }));

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

await runJob(
  {
    "produce, callback": write,
    "produce, callback, as configured by default": write,
    "produce, batches": (work) => inBatches(work, batch.length, 40, () => producer.sendBatch(batch)),
    "produce, each awaited": (work) => inLanes(work, () => producer.send(record)),
    "produce, alone": (work) => alone(work, () => producer.send(record)),
  },
  () => kafka.close(),
);
