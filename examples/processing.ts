/** Handlers side by side, with the order, the retries, the dead letters and the guarantee that one says. */
import type { CompletedPosition } from "@samsa/client";
import { deadLetters, Kafka, serializers } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using orders = await temporaryTopic(kafka, 1);
await using dead = await temporaryTopic(kafka, 1);

const producer = kafka.producer();
for (const value of ['{"id":1}', '{"id":2}', "{", '{"id":4}']) {
  await producer.send({ topic: orders.name, key: "ada", value });
}

const consumer = kafka.consumer({ valueDeserializer: serializers.json((value) => value as { readonly id: number }) });
await consumer.assign([{ topic: orders.name, offset: "earliest", endOffset: "latest" }]);

const calls = new Map<number, number>();
let committed: readonly CompletedPosition[] = [];
await consumer.run({
  eachRecord: ({ value }) => {
    const id = value?.id ?? 0;
    const call = (calls.get(id) ?? 0) + 1;
    calls.set(id, call);
    if (id === 1 && call < 3) throw new Error("the database is away");
    if (id === 2) throw new RangeError("nobody can handle this");
  },
  // Eight at a time, and those of a customer one after another.
  concurrency: 8,
  orderedBy: "key",
  // In place, so nothing of the customer overtakes it …
  retry: { attempts: 3, backoffMs: 10, isRetriable: (error) => !(error instanceof RangeError) },
  // … and what is beyond help, or no JSON at all, goes aside with its bytes, its origin and the error.
  onFailure: deadLetters(producer, { topic: dead.name, stackTraces: false }),
  // Kept where you like, in a group by the group: never beyond a record that is not done.
  deliveryGuarantee: "at-least-once",
  commit: (positions) => {
    committed = positions;
  },
});
console.log(`calls: ${Array.from(calls, ([id, count]) => `${count} for order ${id}`).join(", ")}`);
console.log(`a successor would begin at offset ${committed[0]?.offset}`);

const letters = kafka.consumer({ valueDeserializer: serializers.string });
await letters.assign([{ topic: dead.name, offset: "earliest", endOffset: "latest" }]);
for await (const { value, headers } of letters) {
  const told = new Map(headers.map((header) => [header.key, new TextDecoder().decode(header.value ?? undefined)]));
  const error = told.get("__connect.errors.exception.class.name");
  console.log(`dead: ${value} of offset ${told.get("__connect.errors.offset")}, ${error}`);
}

// calls: 3 for order 1, 1 for order 2, 1 for order 4
// a successor would begin at offset 4
// dead: {"id":2} of offset 1, RangeError
// dead: { of offset 2, DecodeError
