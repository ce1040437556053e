// @platformatic/kafka, as it comes, with acks of all replicas.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { alone, inBatches, inLanes, runJob, valueOf } from "./harness.mjs";

// It is made for Node 22 and later; this is all that it misses on 20 here.
Promise.withResolvers ??= function withResolvers() {
  const resolvers = {};
  resolvers.promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }));
  return resolvers;
};

const entry = createRequire(new URL("../../compat/package.json", import.meta.url)).resolve("@platformatic/kafka");
const { Producer, ProduceAcks } = await import(pathToFileURL(entry).href);
const job = JSON.parse(process.argv[2]);
const producer = new Producer({ clientId: "bench", bootstrapBrokers: [job.bootstrap] });
const value = valueOf(job.bytes);
const one = { acks: ProduceAcks.ALL, messages: [{ topic: job.topic, value }] };
const batch = { acks: ProduceAcks.ALL, messages: Array.from({ length: 1000 }, () => ({ topic: job.topic, value })) };

await runJob(
  {
    "produce, batches": (work) => inBatches(work, 1000, 10, () => producer.send(batch)),
    "produce, each awaited": (work) => inLanes(work, () => producer.send(one)),
    "produce, alone": (work) => alone(work, () => producer.send(one)),
  },
  () => producer.close(),
);
