// One instance of an exactly-once pipeline, as a process of its own that is there to be killed.
//
//   node exactly-once-pipeline.mjs pipeline|handlers BOOTSTRAP GROUP TRANSACTIONAL-ID GROUP-PROTOCOL
import process from "node:process";
import { Kafka } from "../../packages/client/dist/index.js";

const [kind, bootstrapServers, groupId, transactionalId, groupProtocol] = process.argv.slice(2);
const kafka = new Kafka({ bootstrapServers, reconnectBackoffMaxMs: 200, retryBackoffMaxMs: 200 });
const decoder = new TextDecoder();
const [from, to] = [`${groupId}-in`, `${groupId}-out`];
const made = ({ key, value }) => ({ key, value: `${decoder.decode(value)} done` });
const consumerOptions = {
  groupProtocol,
  fetchMaxWaitMs: 50,
  ...(groupProtocol === "classic" && { sessionTimeoutMs: 2000, heartbeatIntervalMs: 300 }),
};
const producerOptions = { lingerMs: 1 };

/** The loop that the client has for it. */
function onePipeline() {
  return kafka.exactlyOnce({
    from,
    to,
    groupId,
    transactionalId,
    commitIntervalMs: 50,
    process: made,
    consumer: consumerOptions,
    producer: producerOptions,
  });
}

/** Handlers of a consumer, in a transaction a batch. */
function handlers() {
  const producer = kafka.producer({ ...producerOptions, transactionalId });
  const consumer = kafka.consumer({
    ...consumerOptions,
    groupId,
    autoOffsetReset: "earliest",
    isolationLevel: "read_committed",
    enableAutoCommit: false,
  });
  consumer.subscribe(from);
  const stop = new AbortController();
  const done = consumer.run({
    deliveryGuarantee: "exactly-once",
    producer,
    signal: stop.signal,
    async eachRecord(record, transaction) {
      if (!transaction.write({ topic: to, ...made(record) })) await transaction.ready();
    },
  });
  return { done, close: () => stop.abort() };
}

const pipeline = kind === "handlers" ? handlers() : onePipeline();
process.once("SIGTERM", () => void pipeline.close());
try {
  await pipeline.done;
  await kafka.close();
} catch (error) {
  process.stderr.write(`${transactionalId}: ${error.stack}\n`);
  process.exit(1);
}
