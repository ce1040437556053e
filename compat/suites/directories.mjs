// Data directories that move: Apache Kafka starts on a copy of ours, we start on a copy of one of its, and Kafka's consumer reads
// the same records before and after. The whole directory moves, metadata log included.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "../lib/bare-client.mjs";
import { createBroker } from "../lib/brokers.mjs";
import {
  appendTransactions,
  digest,
  dumpEverything,
  expectSameDigest,
  fill,
  writeWithJava,
} from "../lib/directories.mjs";
import { expect } from "../lib/harness.mjs";
import { RawClient } from "../lib/raw-client.mjs";
import { encodeBatch } from "../lib/record-batches.mjs";

const LIMIT_MS = 240_000;
const FAST_CLEANER = { "log.cleaner.backoff.ms": 500, "log.initial.task.delay.ms": 500 };
const CLEANING = { limitMs: 60_000, pauseMs: 100 };
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
/** Kafka's own topics: a consumer may look, but what is in them goes on changing. */
const OURS = "dir-";

export const suite = {
  title: "directories",
  needs: ["java"],

  async run({ check, startBroker, scratch }) {
    /** A broker of a kind on a copy of a directory, for as long as `use` takes; stopped, not killed. */
    const onCopy = async (kind, from, use) => {
      const dir = join(scratch, `${kind}-${copies++}`);
      mkdirSync(dir);
      const broker = await createBroker(kind, dir, FAST_CLEANER);
      rmSync(broker.dataDir, { recursive: true, force: true });
      cpSync(from, broker.dataDir, { recursive: true });
      try {
        await broker.start();
        const result = await use(broker);
        await broker.stop(60_000);
        return { dataDir: broker.dataDir, result };
      } catch (error) {
        throw new Error(`${error.message}\n${kind} said last:\n${broker.lastWords()}`, { cause: error });
      } finally {
        await broker.kill();
      }
    };
    let copies = 0;

    const samsa = await startBroker(FAST_CLEANER);
    const sequences = await withClient(samsa, async (client) => {
      await fill(client, OURS);
      return await beginSequence(client, `${OURS}plain-zstd`, 0);
    });
    await untilCompacted(samsa);
    await samsa.stop();
    for (const partition of [0, 1]) await appendTransactions(samsa.dataDir, `${OURS}txn`, partition);
    let ours;

    await check(
      "every file we wrote passes DumpLogSegments",
      async () => {
        const files = await dumpEverything(samsa.dataDir);
        expect(files > 90, `only ${files} files`);
      },
      LIMIT_MS,
    );

    await check(
      "Kafka's consumer reads our directory from our broker, transactions included",
      async () => {
        await samsa.start();
        ours = await digest(samsa, OURS);
        const line = (isolation, name) =>
          ours.find((each) => each.startsWith(`${isolation} ${OURS}${name} `)).split(" ");
        expect(ours.length === 2 * 19, `${ours.length} lines: ${ours.join("\n")}`);
        const [all, committed] = ["read_uncommitted", "read_committed"].map((level) => line(level, "txn-0"));
        expect(Number(committed[4]) < Number(all[4]) && committed[3] === all[3], `${all} and ${committed}`);
        const [open, stable] = ["read_uncommitted", "read_committed"].map((level) => line(level, "txn-1"));
        expect(Number(stable[3]) < Number(open[3]), `an open transaction: ${open} and ${stable}`);
        expect(line("read_committed", "deleted-0")[2] === "777", "the log start offset of deleted-0");
      },
      LIMIT_MS,
    );

    await check(
      "after a SIGKILL of ours Kafka recovers the directory and reads the same",
      async () => {
        await samsa.kill();
        const { result } = await onCopy("apache", samsa.dataDir, (kafka) => digest(kafka, OURS));
        expectSameDigest(ours, result);
        await samsa.start();
        await samsa.stop();
      },
      LIMIT_MS,
    );

    let there;
    await check(
      "Apache Kafka starts on a copy of our directory and reads the same",
      async () => {
        there = await onCopy("apache", samsa.dataDir, async (kafka) => {
          expectSameDigest(ours, await digest(kafka, OURS));
          await withClient(kafka, (client) => continueSequence(client, sequences));
          await withClient(kafka, (client) => fillMore(client));
          await untilCompacted(kafka);
          return await digest(kafka, OURS);
        });
      },
      LIMIT_MS,
    );

    await check(
      "and back: we read what Kafka made of it, know its producers, and every file passes DumpLogSegments",
      async () => {
        const back = await onCopy("samsa", there.dataDir, async (broker) => {
          expectSameDigest(there.result, await digest(broker, OURS));
          await withClient(broker, (client) => continueSequence(client, sequences));
        });
        await dumpEverything(back.dataDir);
      },
      LIMIT_MS,
    );

    const kafkaDir = join(scratch, "kafka-first");
    mkdirSync(kafkaDir);
    const kafka = await createBroker("apache", kafkaDir, FAST_CLEANER);
    let theirs;
    let carried;
    try {
      await kafka.start();
      await check(
        "Kafka's producer fills a directory of Kafka's, with real transactions",
        async () => {
          await writeWithJava(kafka, OURS);
          carried = await withClient(kafka, (client) => beginSequence(client, `${OURS}plain-none`, 0));
          await untilCompacted(kafka);
          await kafka.stop(60_000); // compaction and retention stand still from here on
          await kafka.start();
          theirs = await digest(kafka, OURS);
          await kafka.stop(60_000);
        },
        LIMIT_MS,
      );
    } finally {
      await kafka.kill();
    }

    let moved;
    await check(
      "we start on a copy of it, Kafka's consumer reads the same, and we know its producers",
      async () => {
        moved = await onCopy("samsa", kafka.dataDir, async (broker) => {
          expectSameDigest(theirs, await digest(broker, OURS));
          await withClient(broker, (client) => continueSequence(client, carried));
          await withClient(broker, (client) => fillMore(client));
          await untilCompacted(broker);
          return await digest(broker, OURS);
        });
      },
      LIMIT_MS,
    );

    await check("every file of it passes DumpLogSegments after that", () => dumpEverything(moved.dataDir), LIMIT_MS);

    await check(
      "and back: Kafka reads what we made of it",
      async () => {
        const { result } = await onCopy("apache", moved.dataDir, (broker) => digest(broker, OURS));
        expectSameDigest(moved.result, result);
      },
      LIMIT_MS,
    );

    await samsa.start();
  },
};

/** Until the cleaner has nothing left to do: whoever starts on the directory next would do it, and have fewer records. */
async function untilCompacted({ dataDir }) {
  const topic = `${OURS}compacted`;
  const checkpoint = join(dataDir, "cleaner-offset-checkpoint");
  await until(() => {
    const logs = readdirSync(join(dataDir, `${topic}-0`)).filter((name) => name.endsWith(".log"));
    const active = Number.parseInt(logs.toSorted().at(-1), 10);
    const told = existsSync(checkpoint) ? readFileSync(checkpoint, "utf8").split("\n") : [];
    expect(told.includes(`${topic} 0 ${active}`), `${topic} is not clean up to ${active}: ${told.join(", ")}`);
  }, CLEANING);
}

async function withClient(broker, use) {
  const client = await RawClient.connect(broker.port);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** An idempotent producer that writes two batches and remembers the second. */
async function beginSequence(client, topic, partition) {
  const producer = await client.initProducerId();
  const state = { topic, partition, producer, next: 0 };
  await send(client, state);
  await send(client, state);
  return state;
}

async function send(client, state) {
  const bytes = encodeBatch([{ key: "sequence", value: `${state.next}` }], {
    ...state.producer,
    baseSequence: state.next,
  });
  const { error, baseOffset } = await client.produce(state.topic, state.partition, bytes);
  expect(error === 0, `sequence ${state.next} was answered ${error}`);
  state.last = { bytes, baseOffset };
  state.next++;
}

/** The last batch again is a duplicate with its old offset, a gap is refused, the next goes in: the producer is known. */
async function continueSequence(client, state) {
  const again = await client.produce(state.topic, state.partition, state.last.bytes);
  const told = `the last batch again: error ${again.error}, offset ${again.baseOffset} of ${state.last.baseOffset}`;
  expect(again.error === 0 && again.baseOffset === state.last.baseOffset, told);
  const gap = encodeBatch([{ value: "gap" }], { ...state.producer, baseSequence: state.next + 5 });
  const { error } = await client.produce(state.topic, state.partition, gap);
  expect(error === OUT_OF_ORDER_SEQUENCE_NUMBER, `a gap in the sequence was answered ${error}`);
  await send(client, state);
}

/** New records on top of what came from elsewhere. */
async function fillMore(client) {
  for (const [topic, codec] of [
    ["plain-none", "gzip"],
    ["plain-zstd", "zstd"],
    ["deleted", "lz4"],
    ["compacted", "snappy"],
  ]) {
    for (let i = 0; i < 20; i++) {
      const records = Array.from({ length: 10 }, (_, n) => ({ key: `more ${n}`, value: `${i} more` }));
      const { error } = await client.produce(`${OURS}${topic}`, 0, encodeBatch(records, { codec }));
      expect(error === 0, `Produce to ${topic} answered ${error}`);
    }
  }
}
