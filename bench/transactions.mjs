// Transactions by Kafka's second protocol for them (KIP-890): how many a second, and how long a commit takes.
import { generate } from "./lib/generate.mjs";
import { quietMachine } from "./lib/quiet-machine.mjs";
import { withBareServer } from "./lib/with-bare-server.mjs";
import { createTopic, withBroker } from "./log.mjs";

const LOAD = "transaction-load.mjs";
const RECORD_BYTES = 100;

export function transactionsFigure(records, what, producers = 1) {
  const by = producers === 1 ? "" : `, ${producers} producers`;
  return `transactions of ${records === 1 ? "1 record" : `${records} records`}${by}, ${what}`;
}

function measureTransactions(context) {
  return withBroker(context, {}, async (broker) => {
    const makeTopic = (name) => createTopic(broker, [{ name, partitions: 1 }]);
    return await transactions(broker.port, context, makeTopic);
  });
}

/** What of the commits is not the broker's: a transaction of 10,000 records takes a megabyte through the caches of the processor. */
function measureBareAnswers(context) {
  return withBareServer("bare-coordinator.mjs", (port) => transactions(port, context, () => undefined));
}

async function transactions(port, { scale }, makeTopic) {
  const results = {};
  const run = async (records, producers, ms) => {
    const topic = `of-${records}-${producers}`;
    await makeTopic(topic);
    quietMachine({ scale });
    const job = { kind: "transactions", port, name: topic, topic, records, producers };
    return await generate({ ...job, recordBytes: RECORD_BYTES, warmMs: ms / 2, ms }, LOAD);
  };
  await run(10, 8, 8000 * scale); // a virtual machine compiles what is used often
  for (const [records, producers] of [
    [1, 1],
    [1, 10],
    [100, 1],
    [10_000, 1],
  ]) {
    const done = await run(records, producers, 8000 * scale);
    const figure = (what) => transactionsFigure(records, what, producers);
    results[figure("rate (1/s)")] = done.perSecond;
    results[figure("commit p50 (ms)")] = done.p50;
    results[figure("commit p99 (ms)")] = done.p99;
  }
  return results;
}

export const benchmarks = {
  transactions: {
    rounds: 3,
    measure: measureTransactions,
    floor: { name: "bare answers", measure: measureBareAnswers },
  },
};
