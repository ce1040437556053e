// Transactions by Kafka's second protocol for them (KIP-890): how many a second, and how long a commit takes.
import { generate } from "./lib/generate.mjs";
import { createTopic, withBroker } from "./log.mjs";

const LOAD = "transaction-load.mjs";
const RECORD_BYTES = 100;

export function transactionsFigure(records, what, producers = 1) {
  const by = producers === 1 ? "" : `, ${producers} producers`;
  return `transactions of ${records === 1 ? "1 record" : `${records} records`}${by}, ${what}`;
}

function measureTransactions(context) {
  return withBroker(context, {}, async (broker) => {
    const results = {};
    const run = async (records, producers, ms) => {
      const topic = `of-${records}-${producers}`;
      await createTopic(broker, [{ name: topic, partitions: 1 }]);
      const job = { kind: "transactions", port: broker.port, name: topic, topic, records, producers };
      return await generate({ ...job, recordBytes: RECORD_BYTES, warmMs: ms / 2, ms }, LOAD);
    };
    await run(10, 8, 8000 * context.scale); // a virtual machine compiles what is used often
    for (const [records, producers] of [
      [1, 1],
      [1, 10],
      [100, 1],
      [10_000, 1],
    ]) {
      const done = await run(records, producers, 8000 * context.scale);
      const figure = (what) => transactionsFigure(records, what, producers);
      results[figure("rate (1/s)")] = done.perSecond;
      results[figure("commit p50 (ms)")] = done.p50;
      results[figure("commit p99 (ms)")] = done.p99;
    }
    return results;
  });
}

export const benchmarks = { transactions: { rounds: 3, measure: measureTransactions } };
