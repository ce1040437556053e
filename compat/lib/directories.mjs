// What the suite `directories` is made of: filling a broker, dumping every file, transactions written by hand.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { expect } from "./harness.mjs";
import { runProgram } from "./process.mjs";
import { CODECS, encodeBatch, endMarker } from "./record-batches.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = join(HERE, "../../packages");
const SMALL = { "segment.index.bytes": 192, "index.interval.bytes": 1024 }; // rolls every few batches
/** Young enough for retention to leave it alone. */
const BEGINNING = Date.now() - 3_600_000;
const TEXT = "He lay on his armour-like back, and if he lifted his head a little he could see his brown belly. ";

async function java(...args) {
  const { stdout } = await runProgram("java", toolArguments("Directories", args), { limitMs: 180_000 });
  return stdout.trim().split("\n");
}

/** What Apache Kafka's consumer reads, in both isolation levels: a line a partition. */
export const digest = (broker, prefix = "") => java("digest", broker.bootstrap, prefix);
/** Has Apache Kafka's producer write topics with real transactions. */
export const writeWithJava = (broker, prefix) => java("write", broker.bootstrap, prefix);

/** Throws with the lines that differ. */
export function expectSameDigest(expected, actual) {
  const missing = expected.filter((line) => !actual.includes(line));
  const other = actual.filter((line) => !expected.includes(line));
  expect(
    missing.length + other.length === 0,
    [...missing.map((l) => `- ${l}`), ...other.map((l) => `+ ${l}`)].join("\n"),
  );
}

/** Topics of every codec, compacted, with deleted records, of several producers. Returns them by name. */
export async function fill(client, prefix) {
  const name = (rest) => `${prefix}${rest}`;
  await client.createTopics([
    ...CODECS.map((codec) => ({ name: name(`plain-${codec}`), partitions: 2, configs: SMALL })),
    { name: name("txn"), partitions: 2, configs: SMALL },
    {
      name: name("compacted"),
      configs: {
        ...SMALL,
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": 0.01,
        "file.delete.delay.ms": 100,
      },
    },
    { name: name("deleted"), configs: SMALL },
    { name: name("append-time"), configs: { "message.timestamp.type": "LogAppendTime" } },
    { name: name("recompressed"), configs: { ...SMALL, "compression.type": "zstd" } },
    { name: name("empty"), partitions: 3 },
  ]);
  for (const codec of CODECS) {
    for (const partition of [0, 1])
      await fillPartition(client, name(`plain-${codec}`), partition, { codec, batches: 60 });
  }
  await fillPartition(client, name("compacted"), 0, { codec: "lz4", batches: 120, keys: 50 });
  await fillPartition(client, name("deleted"), 0, { codec: "gzip", batches: 60 });
  const { error } = await client.deleteRecords(name("deleted"), 0, 777);
  expect(error === 0, `DeleteRecords answered ${error}`);
  await fillPartition(client, name("append-time"), 0, { codec: "snappy", batches: 10 });
  await fillPartition(client, name("recompressed"), 0, { codec: "gzip", batches: 20 });
}

async function fillPartition(client, topic, partition, { codec, batches, keys = 1000 }) {
  const producer = await client.initProducerId();
  let sequence = 0;
  for (let batch = 0; batch < batches; batch++) {
    const records = Array.from({ length: 1 + (batch % 40) }, (_, i) => recordOf(batch * 41 + i, keys));
    const isIdempotent = partition === 0;
    const options = { codec, timestamp: BEGINNING + batch * 1000 };
    const bytes = encodeBatch(records, isIdempotent ? { ...options, ...producer, baseSequence: sequence } : options);
    const { error } = await client.produce(topic, partition, bytes);
    expect(error === 0, `Produce to ${topic}-${partition} answered ${error}`);
    sequence += records.length;
  }
}

function recordOf(number, keys) {
  const headers =
    number % 4 === 0
      ? [
          ["number", String(number)],
          ["nothing", null],
        ]
      : [];
  const value = number % 17 === 0 ? null : `${number} ${TEXT.repeat(1 + (number % 5))}`;
  return { key: `key ${number % keys}`, value, headers };
}

/**
 * Transactions written straight into a log of a stopped broker, as a coordinator would have them: committed, aborted, one within the
 * other, and one that stays open.
 */
export async function appendTransactions(dataDir, topic, partition) {
  const { loadLog, defaultLogConfig } = await import(join(PACKAGES, "log/dist/index.js"));
  const { NodeDisk, SystemClock, SystemRandom } = await import(join(PACKAGES, "io/dist/index.js"));
  const config = defaultLogConfig({ segmentIndexBytes: SMALL["segment.index.bytes"], indexIntervalBytes: 256 });
  const log = await loadLog({
    disk: new NodeDisk(dataDir),
    clock: new SystemClock(),
    random: new SystemRandom(),
    directory: join(dataDir, `${topic}-${partition}`),
    topicPartition: { topic, partition },
    config,
    hadCleanShutdown: true,
  });
  const epoch = log.latestEpoch ?? 0;
  const producers = [801, 802, 803].map((producerId) => ({ producerId, producerEpoch: 0, baseSequence: 0 }));
  let number = 0;
  const send = async (producer, count, codec) => {
    const records = Array.from({ length: count }, () => recordOf(number++, 1000));
    const bytes = encodeBatch(records, {
      ...producer,
      codec,
      isTransactional: true,
      timestamp: BEGINNING + number,
    });
    await log.appendAsLeader(bytes, epoch).written;
    producer.baseSequence += count;
  };
  const end = async ({ producerId, producerEpoch }, isCommit) => {
    const bytes = endMarker({ isCommit, producerId, producerEpoch, timestamp: BEGINNING + number });
    await log.appendAsLeader(bytes, epoch, "coordinator").written;
  };
  const [one, other, open] = producers;
  for (let round = 0; round < 25; round++) {
    const codec = CODECS[round % CODECS.length];
    await send(one, 3, codec);
    await send(other, 5, codec);
    await send(one, 20, codec);
    await end(one, round % 3 !== 0);
    await send(other, 1, codec);
    await end(other, round % 4 !== 0);
    if (round === 20 && partition === 1) await send(open, 7, codec);
  }
  await log.flush();
  await log.close();
}

const COMPLAINTS = [
  /isvalid: false/,
  /Found timestamp mismatch/,
  /Found out of order timestamp/,
  /Mismatches in/,
  /Found \d+ invalid bytes/,
  /CorruptIndexException|CorruptRecordException|InvalidRecordException|CorruptSnapshotException/,
  /Exception/,
];
const DUMPED = [".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint"];

/** DumpLogSegments over every file of a data directory. Throws with its first complaint; returns how many files it read. */
export async function dumpEverything(dataDir) {
  const files = readdirSync(dataDir, { recursive: true }).filter((file) =>
    DUMPED.some((ending) => file.endsWith(ending)),
  );
  const of = (isMetadata) =>
    files.filter((file) => file.startsWith("__cluster_metadata") === isMetadata).map((file) => join(dataDir, file));
  const runs = [
    [of(true), "--cluster-metadata-decoder"],
    [of(false), "--deep-iteration"],
    [of(false).filter((file) => /\.(index|timeindex)$/.test(file)), "--index-sanity-check"],
  ];
  for (const [some, how] of runs) {
    const args = ["--files", some.join(","), how];
    const { stdout, stderr } = await runProgram("java", toolArguments("org.apache.kafka.tools.DumpLogSegments", args), {
      limitMs: 180_000,
    });
    const complaint = `${stdout}\n${stderr}`
      .split("\n")
      .find((line) => COMPLAINTS.some((pattern) => pattern.test(line)));
    expect(complaint === undefined, `DumpLogSegments ${how} says: ${complaint}`);
  }
  return files.length;
}
