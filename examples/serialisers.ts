/**
 * Types of keys and values follow from the serialisers; nothing has to be written between angle brackets. What does not fit is
 * refused by the compiler, and what arrives is checked before it is called an Order.
 */
import type { Serializer } from "@samsa/client";
import { Kafka, serializers } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

interface Order {
  readonly item: string;
  readonly amount: number;
}

function asOrder(value: unknown): Order {
  const isOrder = typeof value === "object" && value !== null && "item" in value && "amount" in value;
  if (!isOrder || typeof value.item !== "string" || typeof value.amount !== "number") throw new Error("no order");
  return { item: value.item, amount: value.amount };
}

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 1);

const producer = kafka.producer({
  keySerializer: serializers.int32,
  valueSerializer: serializers.json(asOrder),
});
await producer.send({ topic: topic.name, key: 1, value: { item: "apple", amount: 3 } });
// @ts-expect-error amount is missing, and the compiler says so
const unfinished: Parameters<typeof producer.send>[0] = { topic: topic.name, key: 2, value: { item: "pear" } };
console.log(`without the compiler it would have gone: ${JSON.stringify(unfinished.value)}`);

// A serialiser of one's own is an object with one method. It may take its time, to ask a schema registry for instance.
const shouting: Serializer<string> = {
  async serialize(text, { isKey }) {
    await Promise.resolve();
    return isKey ? text : `${text.toUpperCase()}!`;
  },
};
const shouter = kafka.producer({ valueSerializer: shouting });
await shouter.send({ topic: topic.name, value: "no json" });

const consumer = kafka.consumer({
  keyDeserializer: serializers.int32,
  valueDeserializer: serializers.json(asOrder),
  onDecodeError: ({ offset, valueBytes }) => console.log(`offset ${offset} is no order: ${valueBytes?.length} bytes`),
});
await consumer.assign([{ topic: topic.name, offset: "earliest", endOffset: "latest" }]);
for await (const { key, value } of consumer) console.log(`order ${key}: ${value?.amount} of ${value?.item}`);

// without the compiler it would have gone: {"item":"pear"}
// order 1: 3 of apple
// offset 1 is no order: 8 bytes
