// One instance of an exactly-once pipeline, as a process of its own that is there to be killed.
//
//   node exactly-once-pipeline.mjs BOOTSTRAP GROUP TRANSACTIONAL-ID GROUP-PROTOCOL
import process from "node:process";
import { Kafka } from "../../packages/client/dist/index.js";

const [bootstrapServers, groupId, transactionalId, groupProtocol] = process.argv.slice(2);
const kafka = new Kafka({ bootstrapServers, reconnectBackoffMaxMs: 200, retryBackoffMaxMs: 200 });
const decoder = new TextDecoder();
const pipeline = kafka.exactlyOnce({
  from: `${groupId}-in`,
  to: `${groupId}-out`,
  groupId,
  transactionalId,
  commitIntervalMs: 50,
  process: ({ key, value }) => ({ key, value: `${decoder.decode(value)} done` }),
  consumer: {
    groupProtocol,
    fetchMaxWaitMs: 50,
    ...(groupProtocol === "classic" && { sessionTimeoutMs: 2000, heartbeatIntervalMs: 300 }),
  },
  producer: { lingerMs: 1 },
});
process.once("SIGTERM", () => void pipeline.close());
try {
  await pipeline.done;
  await kafka.close();
} catch (error) {
  process.stderr.write(`${transactionalId}: ${error.stack}\n`);
  process.exit(1);
}
