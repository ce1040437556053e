// A well-behaved client in a process of its own: writes a record, reads it back, again and again, and tells its parent how
// long each turn took. Arguments: bootstrap server, topic.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { PartitionReader, createKafkaJs, withProducer } from "./kafkajs.mjs";

const [bootstrap, topic] = process.argv.slice(2);
const kafka = createKafkaJs(bootstrap, "compat-health");
const stop = new AbortController();
process.on("message", () => stop.abort());

const reader = await PartitionReader.open(kafka);
await withProducer(kafka, async (producer) => {
  for (let turn = 0; !stop.signal.aborted; turn++) {
    const started = performance.now();
    const value = `turn ${turn}`;
    const [sent] = await producer.send({ topic, messages: [{ value, partition: 0 }], acks: -1 });
    const [record] = await reader.fetch(topic, 0, Number(sent.baseOffset));
    if (record?.value.toString() !== value) throw new Error(`wrote ${value}, read ${record?.value}`);
    process.send({ latencyMs: performance.now() - started });
    await sleep(50);
  }
});
await reader.close();
process.disconnect();
