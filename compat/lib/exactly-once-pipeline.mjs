// One instance of an exactly-once pipeline, as a process of its own that is there to be killed.
//
//   node exactly-once-pipeline.mjs pipeline|handlers BOOTSTRAP GROUP TRANSACTIONAL-ID GROUP-PROTOCOL
import process from "node:process";
import { Kafka } from "../../packages/client/dist/index.js";
import { exactlyOnceHandlers } from "./exactly-once-handlers.mjs";

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

const step = {
  from,
  to,
  groupId,
  transactionalId,
  process: made,
  consumer: consumerOptions,
  producer: { lingerMs: 1 },
};
const pipeline =
  kind === "handlers" ? exactlyOnceHandlers(kafka, step) : kafka.exactlyOnce({ ...step, commitIntervalMs: 50 });
process.once("SIGTERM", () => void pipeline.close());
try {
  await pipeline.done;
  await kafka.close();
} catch (error) {
  process.stderr.write(`${transactionalId}: ${error.stack}\n`);
  process.exit(1);
}
