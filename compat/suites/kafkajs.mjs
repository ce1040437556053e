// KafkaJS: the widely used client in JavaScript, which speaks older versions than the others.
import { CORPUS_LINES, expectSameLines } from "../lib/corpus.mjs";
import { expect } from "../lib/harness.mjs";
import { CompressionTypes, createKafkaJs, readAll, withAdmin, withProducer } from "../lib/kafkajs.mjs";

const BATCH = 2000;

export const suite = {
  title: "KafkaJS",
  needs: [],

  async run({ check, startBroker, corpus }) {
    const broker = await startBroker();
    const kafka = createKafkaJs(broker.bootstrap);

    await check("creates a topic and finds it in the list", () =>
      withAdmin(kafka, async (admin) => {
        const created = await admin.createTopics({ topics: [{ topic: "kafkajs-admin", numPartitions: 3 }] });
        expect(created === true, "createTopics answered false");
        expect((await admin.listTopics()).includes("kafkajs-admin"), "the topic is not listed");
        const { topics } = await admin.fetchTopicMetadata({ topics: ["kafkajs-admin"] });
        expect(topics[0].partitions.length === 3, `${topics[0].partitions.length} partitions`);
      }),
    );

    await check("is told that a topic exists already", () =>
      withAdmin(kafka, async (admin) => {
        const again = await admin.createTopics({ topics: [{ topic: "kafkajs-admin", numPartitions: 3 }] });
        expect(again === false, "createTopics did not mind");
      }),
    );

    for (const [name, compression] of [
      ["none", CompressionTypes.None],
      ["gzip", CompressionTypes.GZIP],
      ["snappy", CompressionTypes.Snappy],
      ["lz4", CompressionTypes.LZ4],
      ["zstd", CompressionTypes.ZSTD],
    ]) {
      await check(`${CORPUS_LINES} lines written with ${name} come back byte for byte`, async () => {
        const topic = `kafkajs-${name}`;
        await withAdmin(kafka, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }));
        await withProducer(kafka, async (producer) => {
          for (let at = 0; at < corpus.lines.length; at += BATCH) {
            const messages = corpus.lines.slice(at, at + BATCH).map((value) => ({ value, partition: 0 }));
            await producer.send({ topic, messages, compression, acks: -1 });
          }
        });
        const records = await readAll(kafka, topic, 0, CORPUS_LINES);
        expectSameLines(
          corpus.lines,
          records.map((r) => r.value.toString()),
        );
      });
    }

    await check("keys, headers, timestamps and null values survive the way there and back", async () => {
      const topic = "kafkajs-parts";
      await withAdmin(kafka, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }));
      const timestamp = String(Date.now() - 5000);
      const messages = [
        { key: "gregor", value: "samsa", timestamp, headers: { woke: "changed", empty: "" } },
        { key: "grete", value: null },
        { key: null, value: "ungeziefer äöü 🪲" },
      ];
      await withProducer(kafka, (producer) => producer.send({ topic, messages }));
      const [first, second, third] = await readAll(kafka, topic, 0, 3);
      expect(first.key.toString() === "gregor" && first.value.toString() === "samsa", "the first record changed");
      expect(first.timestamp === timestamp, `the timestamp became ${first.timestamp}`);
      expect(
        first.headers.woke.toString() === "changed" && first.headers.empty.toString() === "",
        "the headers changed",
      );
      expect(second.key.toString() === "grete" && second.value === null, "the null value changed");
      expect(third.key === null && third.value.toString() === "ungeziefer äöü 🪲", "the third record changed");
    });

    await check("an idempotent producer is given an id and its records come back in order", async () => {
      const topic = "kafkajs-idempotent";
      await withAdmin(kafka, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }));
      const produce = async (producer) => {
        for (let i = 0; i < 50; i++) await producer.send({ topic, messages: [{ value: String(i) }] });
      };
      await withProducer(kafka, produce, { idempotent: true, maxInFlightRequests: 1 });
      const values = (await readAll(kafka, topic, 0, 50)).map((r) => Number(r.value.toString()));
      expect(values.length === 50 && values.every((v, i) => v === i), `the values were ${values}`);
    });

    await check("finds offsets by time and at both ends", () =>
      withAdmin(kafka, async (admin) => {
        const [ends] = await admin.fetchTopicOffsets("kafkajs-none");
        expect(ends.low === "0" && ends.high === String(CORPUS_LINES), JSON.stringify(ends));
        const [byTime] = await admin.fetchTopicOffsetsByTimestamp("kafkajs-none", 1);
        expect(byTime.offset === "0", JSON.stringify(byTime));
      }),
    );

    await check("reads the configuration of a topic", () =>
      withAdmin(kafka, async (admin) => {
        const resources = [{ type: 2, name: "kafkajs-none", configNames: ["retention.ms", "cleanup.policy"] }];
        const answer = await admin.describeConfigs({ includeSynonyms: false, resources });
        const values = Object.fromEntries(answer.resources[0].configEntries.map((e) => [e.configName, e.configValue]));
        expect(values["cleanup.policy"] === "delete", `cleanup.policy is ${values["cleanup.policy"]}`);
        expect(values["retention.ms"] === "604800000", `retention.ms is ${values["retention.ms"]}`);
      }),
    );

    await check("sees the cluster: one broker, which is the controller", () =>
      withAdmin(kafka, async (admin) => {
        const cluster = await admin.describeCluster();
        expect(cluster.brokers.length === 1 && cluster.brokers[0].port === broker.port, JSON.stringify(cluster));
        expect(cluster.controller === cluster.brokers[0].nodeId, JSON.stringify(cluster));
      }),
    );

    await check("deletes a topic, which then is gone", () =>
      withAdmin(kafka, async (admin) => {
        await admin.deleteTopics({ topics: ["kafkajs-admin"] });
        expect(!(await admin.listTopics()).includes("kafkajs-admin"), "the topic is still listed");
      }),
    );
  },
};
