/**
 * Consumers of one group share the partitions of a topic. What is committed was completed: a loop completes a record by asking for the
 * next, a run when its handler ends.
 */
import type { Consumer } from "@samsa/client";
import { Kafka, serializers } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 4);

const producer = kafka.producer();
const write = (from: number, count: number): Promise<unknown> =>
  producer.sendBatch(
    Array.from({ length: count }, (_, i) => ({ topic: topic.name, partition: i % 4, value: `order ${from + i}` })),
  );
const member = (): Consumer<Uint8Array, string> =>
  kafka.consumer({
    groupId: topic.name,
    autoOffsetReset: "earliest",
    valueDeserializer: serializers.string,
    partitionAssignmentStrategy: ["cooperative-sticky"], // only the difference changes hands
    heartbeatIntervalMs: 100,
  });
await write(0, 20);

// A loop. A signal ends it between two records, so that the last one counts as completed when the consumer is closed.
const first = member();
const enough = new AbortController();
first.subscribe(topic.name, {
  onAssigned: (partitions) => console.log(`assigned: ${partitions.length} partitions`),
  onRevoked: (partitions) => console.log(`given up: ${partitions.length} partitions`),
});
const orders = new Set<string | null>();
try {
  for await (const { value } of first.records({ signal: enough.signal })) {
    orders.add(value);
    if (orders.size === 20) enough.abort();
  }
} catch (error) {
  if (!enough.signal.aborted) throw error;
}
console.log(`a loop: ${orders.size} orders`);

// Two members side by side, with handlers. Partitions go to the second when what the first has in hand of them is finished.
const second = member();
const both = new AbortController();
const handled = new Set<string | null>();
second.subscribe(topic.name);
await until(() => first.assignment.length === 2 && second.assignment.length === 2);
await write(20, 40);
const share = (consumer: Consumer<Uint8Array, string>): Promise<void> =>
  consumer.run({
    concurrency: 4,
    orderedBy: "key",
    signal: both.signal,
    eachRecord: ({ value }) => {
      handled.add(value);
      if (handled.size === 40) both.abort();
    },
  });
await Promise.all([share(first), share(second)]);
console.log(
  `two members: ${handled.size} more orders, ${[...handled].filter((one) => orders.has(one)).length} of them twice`,
);

await second.close();
await first.close();
const committed = await kafka.admin().listGroupOffsets([{ groupId: topic.name }]);
const sum = Array.from({ length: 4 }, (_, partition) => committed.get(topic.name)?.get(`${topic.name}-${partition}`));
console.log(`committed: ${sum.map((one) => one?.offset).join(" ")}`);

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => void setTimeout(resolve, 20));
}

// assigned: 4 partitions
// a loop: 20 orders
// given up: 2 partitions
// two members: 40 more orders, 0 of them twice
// given up: 2 partitions
// committed: 15 15 15 15
