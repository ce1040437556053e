/**
 * Transactions: records of many topics, and how far was read, count together or not at all. Readers see it with
 * `isolationLevel: "read_committed"`.
 */
import { Kafka, ProducerFencedError } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using orders = await temporaryTopic(kafka, 1);
await using invoices = await temporaryTopic(kafka, 1);
const text = (bytes: Uint8Array | null): string => new TextDecoder().decode(bytes ?? new Uint8Array());

async function committed(topic: string): Promise<string> {
  const reader = kafka.consumer({ isolationLevel: "read_committed" });
  await reader.assign([{ topic, offset: "earliest", endOffset: "latest" }]);
  const values: string[] = [];
  for await (const { value } of reader) values.push(text(value));
  return values.join(" ") || "nothing";
}

// The name that finds again what an earlier start of the program has left open, and that nobody else may use.
const transactionalId = `${orders.name}-clerk`;
const producer = kafka.producer({ transactionalId });

// Committed when the function returns. What is sent need not be awaited: the commit waits for it, and fails if it has failed.
await producer.transaction((tx) => {
  void tx.send({ topic: orders.name, value: "order-1" });
  void tx.send({ topic: invoices.name, value: "invoice-1" });
});
console.log(`both: ${await committed(orders.name)} and ${await committed(invoices.name)}`);

// Aborted when it throws.
try {
  await producer.transaction(async (tx) => {
    await tx.send({ topic: orders.name, value: "order-2" });
    throw new Error("no stock");
  });
} catch (error) {
  console.log(`aborted: ${(error as Error).message}, and readers see ${await committed(orders.name)}`);
}

// The same by hand; leaving the block without a commit would abort it.
{
  await using tx = await producer.beginTransaction();
  await tx.send({ topic: orders.name, value: "order-3" });
  await tx.commit();
}
console.log(`by hand: ${await committed(orders.name)}`);

// Read, process, write: each order has its effect on the invoices once, whatever crashes on the way.
const pipeline = kafka.exactlyOnce({
  groupId: `${orders.name}-billing`,
  transactionalId: `${orders.name}-billing-0`,
  from: orders.name,
  to: invoices.name,
  process: ({ value }) => ({ value: text(value).replace("order", "bill") }),
});
while (pipeline.counters.recordsRead < 2) await new Promise((resolve) => setTimeout(resolve, 20));
await pipeline.close();
console.log(`exactly once: ${await committed(invoices.name)}`);

// Another start with the same name takes over, and the producer from before is told by whom.
const successor = kafka.producer({ transactionalId });
await successor.initTransactions();
try {
  await producer.transaction((tx) => tx.send({ topic: orders.name, value: "order-4" }));
} catch (error) {
  if (!(error instanceof ProducerFencedError)) throw error;
  console.log(
    `fenced: by an epoch that is higher: ${error.by !== undefined && error.by.producerEpoch > error.fenced.producerEpoch}`,
  );
}

// both: order-1 and invoice-1
// aborted: no stock, and readers see order-1
// by hand: order-1 order-3
// exactly once: invoice-1 bill-1 bill-3
// fenced: by an epoch that is higher: true
