/** Every error is a KafkaError with Kafka's code, and says whether a retry helps. The client has retried what it could by then. */
import {
  adviceFor,
  ConfigurationError,
  ErrorCode,
  Kafka,
  KafkaError,
  RecordTooLargeError,
  serializers,
} from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({
  bootstrapServers: cluster.bootstrapServers,
  onRetry: (error) => console.error(`tried again by itself: ${error.message}`),
});
await using topic = await temporaryTopic(kafka, 1);

// What the class says.
const producer = kafka.producer({ valueSerializer: serializers.string });
try {
  await producer.send({ topic: topic.name, value: "x".repeat(2_000_000) });
} catch (error) {
  if (!(error instanceof RecordTooLargeError)) throw error;
  console.log(`too large: ${error.codeName}, ${error.sizeInBytes > 2_000_000}`);
}

// What the code says: where the broker is who refuses.
try {
  await kafka.admin().createTopics([{ name: topic.name }]);
} catch (error) {
  if (!(error instanceof KafkaError) || error.code !== ErrorCode.TOPIC_ALREADY_EXISTS) throw error;
  console.log(`refused: ${error.codeName}, a retry helps: ${error.isRetriable}`);
  console.log(`advice: ${adviceFor(error)}`);
}

// One record of many: the others arrive.
const outcomes = await Promise.allSettled([
  producer.send({ topic: topic.name, value: "a" }),
  producer.send({ topic: topic.name, value: "b", partition: 7 }),
  producer.send({ topic: topic.name, value: "c" }),
]);
console.log(outcomes.map(({ status }) => status).join(", "));

// Whoever waits may stop waiting.
try {
  await producer.send({ topic: topic.name, value: "late" }, { signal: AbortSignal.abort() });
} catch (error) {
  console.log(`aborted: ${error instanceof Error && error.name}`);
}

// What the compiler would have refused, had it been asked.
try {
  kafka.producer(JSON.parse('{ "linger": 5 }') as object);
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  console.log(error.message);
}

// too large: MESSAGE_TOO_LARGE, true
// refused: TOPIC_ALREADY_EXISTS, a retry helps: false
// advice: Use it as it is, choose another name, or delete it first.
// fulfilled, rejected, fulfilled
// aborted: AbortError
// kafka.producer(): there is no option linger; did you mean lingerMs?
