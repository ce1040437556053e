// @platformatic/kafka: a newer client in JavaScript, which speaks newer versions and addresses topics by id.
// Its consumer works in a group only, so what reads here is its Fetch, with the same decoding.
import zlib from "node:zlib";
import { CORPUS_LINES, expectSameLines } from "../lib/corpus.mjs";
import { expect } from "../lib/harness.mjs";
import { platformatic } from "../lib/platformatic.mjs";

const CODECS = ["none", "gzip", "snappy", "lz4", ...(zlib.zstdCompressSync === undefined ? [] : ["zstd"])];
const BATCH = 2000;
const ONE_MIB = 1_048_576;

async function topicId(admin, topic) {
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
  return metadata.topics.get(topic).id;
}

/** Every record of partition 0, as { offset, key, value, headers } of buffers. Offsets must be consecutive. */
async function readAll(broker, id, count) {
  const connection = new platformatic.Connection("compat-platformatic");
  await connection.connect("127.0.0.1", broker.port);
  const records = [];
  try {
    while (records.length < count) {
      const partition = {
        partition: 0,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(records.length),
        lastFetchedEpoch: -1,
      };
      const topics = [{ topicId: id, partitions: [{ ...partition, partitionMaxBytes: ONE_MIB }] }];
      const answer = await platformatic.fetchV17.api.async(connection, 500, 1, 4 * ONE_MIB, 0, 0, -1, topics, [], "");
      const before = records.length;
      for (const batch of answer.responses[0].partitions[0].records ?? []) {
        for (const record of batch.records) {
          const offset = Number(batch.firstOffset) + record.offsetDelta;
          if (offset < records.length) continue; // a fetch begins with the whole batch its offset lies in
          if (offset > records.length) throw new Error(`offset ${offset} came where ${records.length} was due`);
          records.push({ offset, key: record.key, value: record.value, headers: record.headers });
        }
      }
      if (records.length === before) throw new Error(`nothing came after offset ${before}, ${count} records were sent`);
    }
  } finally {
    await connection.close();
  }
  return records;
}

export const suite = {
  title: "@platformatic/kafka",
  needs: [],

  async run({ check, startBroker, corpus }) {
    const broker = await startBroker();
    const common = {
      clientId: "compat-platformatic",
      bootstrapBrokers: [broker.bootstrap],
      retries: 5,
      retryDelay: 100,
    };
    const admin = new platformatic.Admin(common);
    const producer = (options) =>
      new platformatic.Producer({ ...common, serializers: platformatic.stringSerializers, ...options });

    await check("creates a topic, lists it, sees its partitions", async () => {
      const [created] = await admin.createTopics({ topics: ["platformatic-admin"], partitions: 3, replicas: 1 });
      expect(created.name === "platformatic-admin" && created.partitions === 3, JSON.stringify(created));
      expect((await admin.listTopics()).includes("platformatic-admin"), "the topic is not listed");
      const metadata = await admin.metadata({ topics: ["platformatic-admin"], forceUpdate: true });
      expect(metadata.topics.get("platformatic-admin").partitions.length === 3, "the partitions are not three");
    });

    for (const compression of CODECS) {
      await check(`${CORPUS_LINES} lines written with ${compression} come back byte for byte`, async () => {
        const topic = `platformatic-${compression}`;
        await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 });
        const writer = producer();
        for (let at = 0; at < corpus.lines.length; at += BATCH) {
          const messages = corpus.lines.slice(at, at + BATCH).map((value) => ({ topic, value, partition: 0 }));
          await writer.send({ messages, compression, acks: -1 });
        }
        await writer.close();
        const records = await readAll(broker, await topicId(admin, topic), CORPUS_LINES);
        expectSameLines(
          corpus.lines,
          records.map((r) => r.value.toString()),
        );
      });
    }

    await check("an idempotent producer with keys and headers is read back as it wrote", async () => {
      const topic = "platformatic-parts";
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 });
      const writer = producer({ idempotent: true });
      for (let i = 0; i < 20; i++) {
        const message = { topic, key: `key-${i}`, value: `value-${i}`, headers: { woke: "changed" }, partition: 0 };
        await writer.send({ messages: [message], acks: -1 });
      }
      await writer.close();
      const records = await readAll(broker, await topicId(admin, topic), 20);
      for (const { offset, key, value, headers } of records) {
        const [[name, header]] = headers;
        const read = `${key} ${value} ${name}=${header}`;
        expect(read === `key-${offset} value-${offset} woke=changed`, `offset ${offset} reads ${read}`);
      }
    });

    await check("finds the offsets at both ends", async () => {
      const ask = async (timestamp) => {
        const partitions = [{ partitionIndex: 0, timestamp }];
        const [answer] = await admin.listOffsets({ topics: [{ name: "platformatic-none", partitions }] });
        return Number(answer.partitions[0].offset);
      };
      const ends = [await ask(-2n), await ask(-1n)];
      expect(ends[0] === 0 && ends[1] === CORPUS_LINES, `the ends are ${ends}`);
    });

    await check("deletes a topic, which then is gone", async () => {
      await admin.deleteTopics({ topics: ["platformatic-admin"] });
      expect(!(await admin.listTopics()).includes("platformatic-admin"), "the topic is still listed");
    });

    await admin.close();
  },
};
