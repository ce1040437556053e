// KafkaJS, quiet, and a way to read one partition with it. Its consumer works in a group only, so what reads here is
// the layer beneath it: the same decoding, without the group.
import zstd from "@bokuweb/zstd-wasm";
import kafkajs from "kafkajs";
import snappy from "kafkajs-snappy";
import lz4 from "lz4-napi";

export const { CompressionTypes, Partitioners } = kafkajs;

// KafkaJS brings gzip and takes the others from plug-ins.
await zstd.init();
const codec = (compress, decompress) => () => ({
  compress: async (encoder) => Buffer.from(compress(encoder.buffer)),
  decompress: async (bytes) => Buffer.from(decompress(bytes)),
});
kafkajs.CompressionCodecs[CompressionTypes.Snappy] = snappy;
kafkajs.CompressionCodecs[CompressionTypes.LZ4] = codec(lz4.compressFrameSync, lz4.decompressFrameSync);
kafkajs.CompressionCodecs[CompressionTypes.ZSTD] = codec(zstd.compress, zstd.decompress);

export function createKafkaJs(bootstrap, clientId = "compat-kafkajs") {
  return new kafkajs.Kafka({
    clientId,
    brokers: [bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 5, initialRetryTime: 50 },
    requestTimeout: 15_000,
  });
}

export async function withProducer(kafka, use, options = {}) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...options });
  await producer.connect();
  try {
    return await use(producer);
  } finally {
    await producer.disconnect();
  }
}

export async function withAdmin(kafka, use) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** One connection to a cluster that fetches from the leader of a partition. */
export class PartitionReader {
  #cluster;

  static async open(kafka) {
    const symbol = Object.getOwnPropertySymbols(kafka).find((s) => s.description === "private:Kafka:createCluster");
    const reader = new PartitionReader();
    reader.#cluster = kafka[symbol]({ metadataMaxAge: 300_000, isolationLevel: 0, maxInFlightRequests: null });
    await reader.#cluster.connect();
    return reader;
  }

  /** Records from an offset on, at most what one answer holds; empty when there are none within the wait. */
  async fetch(topic, partition, offset, { maxWaitTime = 500, maxBytes = 4_194_304 } = {}) {
    await this.#cluster.addTargetTopic(topic);
    const [leader] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]));
    const broker = await this.#cluster.findBroker({ nodeId: leader });
    const partitions = [{ partition, fetchOffset: String(offset), maxBytes }];
    const answer = await broker.fetch({
      maxWaitTime,
      minBytes: 1,
      maxBytes,
      isolationLevel: 0,
      topics: [{ topic, partitions }],
    });
    const { messages } = answer.responses[0].partitions[0];
    return messages.filter((m) => !m.isControlRecord && Number(m.offset) >= offset);
  }

  /** Everything from offset 0 until `count` records were read or nothing more comes. Offsets must be consecutive. */
  async readAll(topic, partition, count = Number.POSITIVE_INFINITY) {
    const records = [];
    for (;;) {
      const some = await this.fetch(topic, partition, records.length);
      for (const record of some) {
        if (Number(record.offset) !== records.length) {
          throw new Error(`offset ${record.offset} came where ${records.length} was due`);
        }
        records.push(record);
      }
      if (some.length === 0 || records.length >= count) return records;
    }
  }

  async close() {
    await this.#cluster.disconnect();
  }
}

export async function readAll(kafka, topic, partition, count) {
  const reader = await PartitionReader.open(kafka);
  try {
    return await reader.readAll(topic, partition, count);
  } finally {
    await reader.close();
  }
}
