// @platformatic/kafka, as it comes, with acks of all replicas.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { alone, inBatches, inLanes, reading, runJob, thousand, valueOf } from "./harness.mjs";

// It is made for Node 22 and later; this is all that it misses on 20 here.
Promise.withResolvers ??= function withResolvers() {
  const resolvers = {};
  resolvers.promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }));
  return resolvers;
};

const entry = createRequire(new URL("../../compat/package.json", import.meta.url)).resolve("@platformatic/kafka");
const { Consumer, MessagesStreamModes, Producer, ProduceAcks } = await import(pathToFileURL(entry).href);
const job = JSON.parse(process.argv[2]);
const producer = new Producer({ clientId: "bench", bootstrapBrokers: [job.bootstrap] });
const value = valueOf(job.bytes);
const one = { acks: ProduceAcks.ALL, messages: [{ topic: job.topic, value }] };
const batch = { acks: ProduceAcks.ALL, messages: thousand(() => ({ topic: job.topic, value })) };

async function read(count) {
  const consumer = new Consumer({
    groupId: `of-${job.topic}-${process.pid}`,
    clientId: "bench",
    bootstrapBrokers: [job.bootstrap],
  });
  const stream = await consumer.consume({ topics: [job.topic], mode: MessagesStreamModes.EARLIEST });
  for await (const message of stream) if (message.value.length > 0) count(1);
}

await runJob(
  {
    "produce, batches": (work) => inBatches(work, 1000, 10, () => producer.send(batch)),
    "produce, each awaited": (work) => inLanes(work, () => producer.send(one)),
    "produce, a thousand at once": (work) =>
      inBatches(work, 1000, 10, () => Promise.all(thousand(() => producer.send(one)))),
    "produce, alone": (work) => alone(work, () => producer.send(one)),
    "consume, records": reading(read),
  },
  () => producer.close(),
);
