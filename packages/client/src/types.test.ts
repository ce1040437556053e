import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { Consumer } from "./consumer/consumer.ts";
import type { ConsumerRecord } from "./consumer/consumer-record.ts";
import { ConfigurationError } from "./errors.ts";
import { Kafka } from "./kafka.ts";
import type { Producer } from "./producer/producer.ts";
import type { Data, ProducerRecord } from "./producer/record.ts";
import type { Serializer } from "./serialisers/serialiser.ts";
import { serializers } from "./serialisers/serialisers.ts";

/*
 * What the compiler says is tested by compiling this file: `same` takes nothing that is not of exactly the type, and an expected
 * error that does not come is an error. Running it shows that those without a compiler are told as well.
 */

// Two generic functions are assignable only if what they compare with is identical: methods do not make it lax, as they do elsewhere.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** @param _proof only `true` is taken, and only where the two types are the same */
function same<A, B>(_proof: Same<A, B>): void {}

interface Order {
  readonly item: string;
}

const isOrder = (value: unknown): value is Order => typeof value === "object" && value !== null && "item" in value;
function asOrder(value: unknown): Order {
  assert.ok(isOrder(value));
  return value;
}

const kafka = new Kafka({ bootstrapServers: "127.0.0.1:1" });
after(() => kafka.close());

describe("types of a producer", () => {
  test("without serialisers keys and values are bytes or text", () => {
    const producer = kafka.producer();
    same<typeof producer, Producer>(true);
    same<Parameters<typeof producer.send>[0], ProducerRecord>(true);
  });

  test("follow from the serialisers", () => {
    const producer = kafka.producer({ keySerializer: serializers.int32, valueSerializer: serializers.json(asOrder) });
    same<typeof producer, Producer<number, Order>>(true);
  });

  test("follow from one serialiser, and the other stays as it was", () => {
    const byKey = kafka.producer({ keySerializer: serializers.int64, lingerMs: 0 });
    same<typeof byKey, Producer<bigint>>(true);
    const byValue = kafka.producer({ valueSerializer: serializers.uuid });
    same<typeof byValue, Producer<Data, string>>(true);
  });

  test("follow from an asynchronous serialiser of one's own, written in place", () => {
    const producer = kafka.producer({
      valueSerializer: { serialize: async (order: Order) => await Promise.resolve(order.item) },
    });
    same<typeof producer, Producer<Data, Order>>(true);
  });

  test("reach the partitioner, the stream and the batch", () => {
    const producer = kafka.producer({
      keySerializer: serializers.int32,
      partitioner: ({ key, value, partitionCount }) => {
        same<typeof key, number | null>(true);
        same<typeof value, Data | null>(true);
        return (key ?? 0) % partitionCount;
      },
    });
    same<ReturnType<typeof producer.writable>, WritableStream<ProducerRecord<number>>>(true);
    same<Parameters<typeof producer.sendBatch>[0], readonly ProducerRecord<number>[]>(true);
  });

  test("refuse keys and values of other types, and a record without topic or value", () => {
    const producer = kafka.producer({ keySerializer: serializers.int32, valueSerializer: serializers.string });
    type Record = Parameters<typeof producer.send>[0];
    const fine: Record[] = [
      { topic: "t", value: "text" },
      { topic: "t", key: 1, value: null },
      { topic: "t", key: null, value: "text", headers: [{ key: "h", value: null }], partition: 0, timestamp: 0 },
    ];
    const wrong: Record[] = [
      // @ts-expect-error a key of another type
      { topic: "t", key: "1", value: "text" },
      // @ts-expect-error a value of another type
      { topic: "t", value: 1 },
      // @ts-expect-error a tombstone has to be meant
      { topic: "t" },
      // @ts-expect-error it has to go somewhere
      { value: "text" },
      // @ts-expect-error headers are a list, for a name may stand there twice
      { topic: "t", value: "text", headers: { h: "x" } },
      // @ts-expect-error the name is wrong
      { topic: "t", value: "text", partiton: 1 },
    ];
    assert.equal(fine.length + wrong.length, 9);
  });

  test("of delivery: an error or where the record is", () => {
    type Callback = NonNullable<Parameters<Producer["write"]>[1]>;
    const callback: Callback = (error, metadata) => {
      if (error === undefined) same<NonNullable<typeof metadata>["offset"], number>(true);
      // @ts-expect-error there is no offset where there was an error
      return metadata.offset;
    };
    assert.equal(typeof callback, "function");
  });
});

describe("types of a consumer", () => {
  test("without deserialisers keys and values are bytes", () => {
    const consumer = kafka.consumer();
    same<typeof consumer, Consumer>(true);
  });

  test("follow from the deserialisers, and a value may always be a tombstone", () => {
    const consumer = kafka.consumer({
      keyDeserializer: serializers.string,
      valueDeserializer: serializers.json(asOrder),
    });
    same<typeof consumer, Consumer<string, Order>>(true);
    same<ConsumerRecord<string, Order>["value"], Order | null>(true);
  });

  test("JSON that nobody has checked is unknown", () => {
    const consumer = kafka.consumer({ valueDeserializer: serializers.json() });
    same<typeof consumer, Consumer<Uint8Array, unknown>>(true);
  });
});

describe("options that cannot be", () => {
  const cases: readonly { readonly why: string; readonly make: () => unknown }[] = [
    // @ts-expect-error it is lingerMs
    { why: "a name that is not quite right", make: () => kafka.producer({ lingerMS: 5 }) },
    // @ts-expect-error it is all
    { why: "acks of another word", make: () => kafka.producer({ acks: "everyone" }) },
    // @ts-expect-error brotli is none of Kafka's
    { why: "a compression that Kafka does not have", make: () => kafka.producer({ compressionType: "brotli" }) },
    // @ts-expect-error a number
    { why: "text for a number", make: () => kafka.producer({ batchSize: "16384" }) },
    // @ts-expect-error no such partitioner
    { why: "a partitioner that does not exist", make: () => kafka.producer({ partitioner: "murmur3" }) },
    // @ts-expect-error a deserialiser of the wrong form
    { why: "a function as a serialiser", make: () => kafka.producer({ keySerializer: (key: string) => key }) },
    // @ts-expect-error earliest
    { why: "a place that has no name", make: () => kafka.consumer({ autoOffsetReset: "oldest" }) },
    // @ts-expect-error read_committed
    { why: "another isolation", make: () => kafka.consumer({ isolationLevel: "serializable" }) },
    // @ts-expect-error it is bootstrapServers
    { why: "KafkaJS's name of the brokers", make: () => new Kafka({ brokers: ["127.0.0.1:1"] }) },
    {
      why: "a password without a name",
      // @ts-expect-error username is missing
      make: () => saslClient({ mechanism: "PLAIN", password: "x" }),
    },
    {
      why: "a mechanism that Kafka does not have",
      // @ts-expect-error no such mechanism
      make: () => saslClient({ mechanism: "SCRAM-SHA-1", username: "ada", password: "x" }),
    },
  ];
  for (const { why, make } of cases) {
    test(`are refused by the compiler, and at construction: ${why}`, () => assert.throws(make, ConfigurationError));
  }

  test("a serialiser of keys is none of values: each is taken by its own type", () => {
    const ofNumbers: Serializer<number> = serializers.int32;
    // @ts-expect-error text is no number
    const ofText: Serializer<string> = ofNumbers;
    assert.ok(ofText);
  });
});

function saslClient(sasl: NonNullable<ConstructorParameters<typeof Kafka>[0]["sasl"]>): Kafka {
  return new Kafka({ bootstrapServers: "127.0.0.1:1", securityProtocol: "SASL_PLAINTEXT", sasl });
}
