import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KafkaError } from "@samsa/base";
import { deadLetters, retryTopics } from "./consumer/processing/dead-letters.ts";
import { WorkerPool } from "./consumer/processing/worker-pool.ts";
import { ConfigurationError } from "./errors.ts";
import { Kafka } from "./kafka.ts";
import { testBed } from "./testing/client-test.ts";

/** What a compiler refuses, as a program without one says it. */
type Said = never;

const bootstrapServers = "127.0.0.1:1";
const kafka = new Kafka({ bootstrapServers });
const process = (): void => {};
const eachRecord = process;

describe("refused at construction, with what is wanted", () => {
  const made = (options: object): unknown => new Kafka({ bootstrapServers, ...options });
  const producer = (options: unknown): unknown => kafka.producer(options as Said);
  const consumer = (options: unknown): unknown => kafka.consumer(options as Said);
  const pipeline = (options: object): unknown => kafka.exactlyOnce(options as Said);
  const whole = { groupId: "g", from: "a", to: "b", process };
  const cases: readonly { readonly what: string; readonly make: () => unknown; readonly says: RegExp }[] = [
    {
      what: "a client of nothing",
      make: () => new Kafka(undefined as Said),
      says: /undefined is no object with options/,
    },
    {
      what: "KafkaJS's brokers",
      make: () => new Kafka({ brokers: [] } as Said),
      says: /did you mean bootstrapServers\?/,
    },
    { what: "KafkaJS's logger", make: () => made({ logLevel: 1 }), says: /did you mean onRetry\?/ },
    {
      what: "a pause longer than its maximum",
      make: () => made({ retryBackoffMs: 9, retryBackoffMaxMs: 8 }),
      says: /retryBackoffMs \(9\) is more than retryBackoffMaxMs \(8\)/,
    },
    {
      what: "half of OpenTelemetry",
      make: () => made({ openTelemetry: { context: {} } }),
      says: /the module @opentelemetry\/api/,
    },
    {
      what: "a clock that does not tick",
      make: () => made({ clock: {} }),
      says: /an object with wallMs and monotonicMs and setTimer/,
    },
    { what: "no options of a producer", make: () => producer(null), says: /null is no object with options/ },
    {
      what: "KafkaJS's idempotent",
      make: () => producer({ idempotent: true }),
      says: /did you mean enableIdempotence\?/,
    },
    {
      what: "a short compression",
      make: () => producer({ compression: "gzip" }),
      says: /did you mean compressionType\?/,
    },
    {
      what: "KafkaJS's fromBeginning",
      make: () => consumer({ fromBeginning: true }),
      says: /did you mean autoOffsetReset\?/,
    },
    {
      what: "a static member of no group",
      make: () => consumer({ groupInstanceId: "x" }),
      says: /groupInstanceId has no meaning without groupId/,
    },
    {
      what: "commits for no group",
      make: () => consumer({ enableAutoCommit: true }),
      says: /enableAutoCommit has no meaning without groupId/,
    },
    {
      what: "an assignor that assigns nothing",
      make: () => consumer({ groupId: "g", partitionAssignmentStrategy: [{}] }),
      says: /an assignor is a name or an object with assign/,
    },
    {
      what: "a pipeline of no group",
      make: () => pipeline({ ...whole, groupId: undefined }),
      says: /groupId is missing/,
    },
    { what: "a pipeline from nowhere", make: () => pipeline({ ...whole, from: undefined }), says: /from is missing/ },
    {
      what: "a pipeline that does nothing",
      make: () => pipeline({ ...whole, process: undefined }),
      says: /process is missing/,
    },
    {
      what: "a pipeline with a slip",
      make: () => pipeline({ ...whole, groupID: "g" }),
      says: /no option groupID; did you mean groupId\?/,
    },
    {
      what: "a pipeline that commits every while",
      make: () => pipeline({ ...whole, commitIntervalMs: "often" }),
      says: /commitIntervalMs is "often"/,
    },
    {
      what: "a pipeline whose consumer has another group",
      make: () => pipeline({ ...whole, consumer: { groupId: "h" } }),
      says: /say groupId beside consumer/,
    },
    {
      what: "a pipeline whose consumer commits",
      make: () => pipeline({ ...whole, consumer: { enableAutoCommit: true } }),
      says: /it is what makes it exactly once/,
    },
    {
      what: "a pipeline whose producer has another name",
      make: () => pipeline({ ...whole, producer: { transactionalId: "h" } }),
      says: /say transactionalId beside producer/,
    },
    {
      what: "a pipeline whose producer has a slip",
      make: () => pipeline({ ...whole, producer: { linger: 5 } }),
      says: /did you mean lingerMs\?/,
    },
    {
      what: "dead letters for nobody",
      make: () => deadLetters(kafka.producer(), { topik: "x" } as Said),
      says: /did you mean topic\?/,
    },
    {
      what: "retries without a grave",
      make: () => retryTopics(kafka.producer(), { retryTopics: [] } as Said),
      says: /deadLetterTopic is missing/,
    },
    {
      what: "retries at no time",
      make: () =>
        retryTopics(kafka.producer(), { retryTopics: [{ topic: "r", delay: 5 }], deadLetterTopic: "d" } as Said),
      says: /did you mean delayMs\?/,
    },
    { what: "a pool of a path", make: () => new WorkerPool("./handler.js" as Said), says: /the script is a URL/ },
    {
      what: "a pool of a size",
      make: () => new WorkerPool(new URL("file:///x.js"), { size: 2 } as Said),
      says: /no option size/,
    },
  ];
  for (const { what, make, says } of cases) {
    test(what, () => assert.throws(make, (error) => error instanceof ConfigurationError && says.test(error.message)));
  }
});

describe("refused when it is called, with what is wanted", () => {
  const grouped = (): ReturnType<typeof kafka.consumer> => kafka.consumer({ groupId: "g" });
  const alone = (): ReturnType<typeof kafka.consumer> => kafka.consumer();
  const at = { topic: "t", partition: 0 };
  const cases: readonly { readonly what: string; readonly call: () => unknown; readonly says: RegExp }[] = [
    {
      what: "KafkaJS's subscription",
      call: () => grouped().subscribe({ topics: ["a"] } as Said),
      says: /a topic, a list of topics, a RegExp or \{ pattern \}/,
    },
    {
      what: "a listener to nothing",
      call: () => grouped().subscribe("a", { onAssign: process } as Said),
      says: /did you mean onAssigned\?/,
    },
    {
      what: "a run before anything is read",
      call: () => grouped().run({ eachRecord }),
      says: /there is nothing to read; call subscribe or assign before/,
    },
    { what: "a loop before anything is read", call: () => alone().records(), says: /there is nothing to read/ },
    {
      what: "KafkaJS's eachMessage",
      call: () => grouped().run({ eachMessage: eachRecord } as Said),
      says: /did you mean eachRecord\?/,
    },
    { what: "an assignment of a name", call: () => alone().assign("t" as Said), says: /"t" is no list/ },
    {
      what: "an assignment of partitions",
      call: () => alone().assign([{ topic: "t", partitions: 0 }] as Said),
      says: /did you mean partition\?/,
    },
    {
      what: "an assignment from a place that there is not",
      call: () => alone().assign([{ ...at, offset: "begining" }] as Said),
      says: /offset is "begining"; wanted is an offset, earliest, latest/,
    },
    { what: "a seek to text", call: () => alone().seek(at, "42" as Said), says: /offset is "42"/ },
    {
      what: "a commit of text",
      call: () => grouped().commit([{ ...at, offset: "5" }] as Said),
      says: /offset is "5"; wanted is a whole number/,
    },
    {
      what: "an end in another unit",
      call: () => alone().close({ timeout: 5 } as Said),
      says: /did you mean timeoutMs\?/,
    },
    {
      what: "a batch of one record",
      call: () => kafka.producer().sendBatch({ topic: "t", messages: [] } as Said),
      says: /an object is no list/,
    },
    {
      what: "an end of a producer in another unit",
      call: () => kafka.producer().close({ timeout: 5 } as Said),
      says: /did you mean timeoutMs\?/,
    },
    {
      what: "a topic by another name",
      call: () => kafka.admin().createTopics([{ topic: "t" }] as Said),
      says: /did you mean name\?/,
    },
    {
      what: "a topic with another count",
      call: () => kafka.admin().createTopics([{ name: "t", partitions: 3 }] as Said),
      says: /did you mean numPartitions\?/,
    },
    { what: "a topic that is a name", call: () => kafka.admin().createTopics(["t"] as Said), says: /"t" is no object/ },
    { what: "topics that are a name", call: () => kafka.admin().describeTopics("t" as Said), says: /"t" is no list/ },
    { what: "groups that are a name", call: () => kafka.admin().deleteGroups("t" as Said), says: /"t" is no list/ },
  ];
  for (const { what, call, says } of cases) {
    test(what, async () => {
      await assert.rejects(
        async () => await call(),
        (error) => error instanceof ConfigurationError && says.test(error.message),
      );
    });
  }
});

test("more than an assignment needs may stand beside it", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using connected = bed.kafka();
  const consumer = connected.consumer();
  const kept = { topic: "t", partition: 0, offset: 0, metadata: "of the application" };
  await bed.run(consumer.assign([kept]));
  assert.deepEqual(consumer.assignment, [{ topic: "t", partition: 0 }]);
});

test("a record that is none is refused, and never becomes a tombstone", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using connected = bed.kafka();
  const producer = connected.producer();
  const cases: readonly [unknown, RegExp][] = [
    [undefined, /an object with topic and value/],
    [{ topik: "t", value: "x" }, /names its topic/],
    [{ topic: "", value: "x" }, /names its topic/],
    [{ topic: "t", messages: [{ value: "x" }] }, /hand a list over, as in sendBatch/],
    [{ topic: "t", val: "x" }, /has no value; null makes a tombstone .* none is called val/],
    [{ topic: "t", value: "x", partition: "0" }, /the topic has partitions 0 to 0/],
    [{ topic: "t", value: "x", headers: { trace: "7" } }, /headers in a list/],
  ];
  for (const [record, says] of cases) {
    const sent = producer.send(record as Said);
    await assert.rejects(bed.run(sent), (error) => error instanceof KafkaError && says.test(error.message));
  }
  await bed.run(producer.send({ topic: "t", value: null }));
  assert.equal(producer.counters.recordsDelivered, 1);
});
