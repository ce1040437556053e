// `samsa group` and Kafka's ConsumerGroupCommand asked the same about the same groups of the same broker; the members are our own consumers.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Kafka } from "../../packages/client/dist/index.js";
import { until } from "../lib/bare-client.mjs";
import { expect } from "../lib/harness.mjs";
import { KafkaTools } from "../lib/kafka-tools.mjs";
import { runProgram } from "../lib/process.mjs";

const SAMSA = join(dirname(fileURLToPath(import.meta.url)), "../../packages/cli/bin/samsa.js");
const COMMAND = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const TOPIC = "command-topic";
const PROTOCOLS = ["classic", "consumer"];
const PARTITIONS = 3;
const RECORDS = 10; // of each partition
const FIRST_MS = Math.floor(Date.now() / 1000) * 1000 - 3_600_000; // young enough to be kept
const FAST = {
  "group.initial.rebalance.delay.ms": 300,
  "group.consumer.assignment.interval.ms": 0,
  "group.consumer.min.heartbeat.interval.ms": 300,
  "group.consumer.heartbeat.interval.ms": 300,
  "offsets.topic.num.partitions": 5,
};

const RESETS = [
  ["--to-earliest"],
  ["--to-latest"],
  ["--to-current"],
  ["--to-offset", "7"],
  ["--to-offset", "700"],
  ["--shift-by", "-3"],
  ["--to-datetime", new Date(FIRST_MS + 4500).toISOString().slice(0, -1)],
  ["--by-duration", "PT0S"],
];

export const suite = {
  title: "group command",
  needs: ["java"],

  async run({ check, startBroker, scratch }) {
    const broker = await startBroker(FAST);
    const tools = new KafkaTools();
    const kafka = new Kafka({ bootstrapServers: broker.bootstrap, clientId: "compat" });
    try {
      await kafka.admin().createTopics([{ name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1 }]);
      await fill(kafka);
      for (const protocol of PROTOCOLS) {
        const inProtocol = (sentence, run) => check(`${protocol}: ${sentence}`, run);
        await compare(protocol, { check: inProtocol, broker, tools, kafka, scratch });
      }
    } finally {
      await kafka.close();
      await tools.close();
    }
  },
};

/** A group of one protocol, from its members to its end. */
async function compare(protocol, { check, broker, tools, kafka, scratch }) {
  const group = `command-${protocol}`;
  const theirs = async (...args) =>
    (await tools.run(COMMAND, ["--bootstrap-server", broker.bootstrap, "--group", group, ...args])).text;
  const ours = async (verb, ...args) =>
    (await runProgram(process.execPath, [SAMSA, "group", verb, group, "-b", broker.bootstrap, ...args])).stdout;
  const rowsOf = (text) => rowsAbout(group, text);
  const readers = await readersOf(kafka, group, protocol);
  await check("both tell the offsets, the lag and the members of a group at work", async () => {
    const told = objects(await ours("describe", "--json"))[0].partitions.map((one) =>
      [one.topic, one.partition, one.committed, one.end, one.lag, one.memberId, `${one.host} ${one.clientId}`].join(
        " ",
      ),
    );
    same(
      told,
      rowsOf(await theirs("--describe")).map((row) => row.slice(1).join(" ")),
    );
  });
  await check("both tell who the members are and what each is assigned", async () => {
    const told = objects(await ours("members", "--json")).map((one) => {
      const partitions = one.assignment.map(({ partition }) => partition).toSorted((a, b) => a - b);
      return [one.memberId, one.host, one.clientId, partitions.length, `(${partitions.join(",")})`].join(" ");
    });
    // #PARTITIONS, and then epochs and assignments, of which the first is the one that holds.
    const rows = rowsOf(await theirs("--describe", "--members", "--verbose"));
    same(
      told,
      rows.map((row) =>
        [row[1], row[2], row[3], row[4], `(${row.find((word) => word.includes(":"))?.split(":")[1]})`].join(" "),
      ),
    );
  });
  await check("both tell the state and the coordinator", async () => {
    const [{ state, coordinator, assignor, members }] = objects(await ours("describe", "--json"));
    const [row] = rowsOf(await theirs("--describe", "--state"));
    const words = [group, ...coordinator.split(/\s+/), assignor, state, String(members.length)];
    expect(
      words.every((word) => row.includes(word)),
      `${row.join(" ")}, and not ${words.join(" ")}`,
    );
  });
  await check("neither resets a group at work", async () => {
    expect((await theirs("--reset-offsets", "--all-topics", "--to-earliest")).includes("is inactive"), "the tool did");
    const refused = await ours("reset-offsets", "--to-earliest").then(
      () => "done",
      (error) => String(error),
    );
    expect(refused.includes("while it has no members"), refused);
  });
  for (const reader of readers) await reader.close();
  for (const how of RESETS) {
    await check(
      `both plan the same reset ${how[0]} ${how[0] === "--to-datetime" ? "in the middle" : (how[1] ?? "")}`.trim(),
      async () => {
        const told = (await ours("reset-offsets", ...how, "--export")).trim().split("\n");
        const rows = rowsOf(await theirs("--reset-offsets", "--all-topics", ...how, "--dry-run"));
        same(
          told,
          rows.map((row) => row.join(",")),
        );
      },
    );
  }
  await check("what Kafka's tool exports, ours puts back", async () => {
    const file = join(scratch, "offsets.csv");
    writeFileSync(file, await theirs("--reset-offsets", "--all-topics", "--to-offset", "2", "--dry-run", "--export"));
    await ours("reset-offsets", "--from-file", file, "--execute");
    const rows = rowsOf(await theirs("--describe"));
    same(
      rows.map((row) => row.slice(1, 6).join(" ")),
      [0, 1, 2].map((partition) => `${TOPIC} ${partition} 2 ${RECORDS} ${RECORDS - 2}`),
    );
  });
  await check("what ours deletes is gone for Kafka's tool", async () => {
    await ours("delete", "--yes");
    const { text } = await tools.run(COMMAND, ["--bootstrap-server", broker.bootstrap, "--list"]);
    expect(!text.includes(group), text);
  });
}

async function fill(kafka) {
  const producer = kafka.producer();
  const records = Array.from({ length: PARTITIONS * RECORDS }, (_, i) => ({
    topic: TOPIC,
    partition: i % PARTITIONS,
    value: `${i}`,
    timestamp: FIRST_MS + Math.floor(i / PARTITIONS) * 1000,
  }));
  await producer.sendBatch(records);
}

/** Two members that have read six records of each partition, and stay. */
async function readersOf(kafka, groupId, groupProtocol) {
  const options = { groupId, groupProtocol, autoOffsetReset: "earliest", enableAutoCommit: false };
  const readers = [kafka.consumer(options), kafka.consumer(options)];
  const stop = new AbortController();
  for (const reader of readers) {
    reader.subscribe([TOPIC]);
    // Somebody has to read: it is by reading that a member takes part.
    void (async () => {
      for await (const record of reader.records({ signal: stop.signal })) void record;
    })().catch(() => {});
  }
  await until(
    async () => {
      const shares = readers.map(({ assignment }) => assignment.length);
      expect(Math.min(...shares) > 0 && shares[0] + shares[1] === PARTITIONS, `shares of ${shares.join(" and ")}`);
    },
    { limitMs: 30_000, pauseMs: 50 },
  );
  for (const reader of readers) await reader.commit(reader.assignment.map((one) => ({ ...one, offset: 6 })));
  const close = async (reader) => {
    stop.abort();
    await reader.close();
  };
  return readers.map((reader) => ({ close: () => close(reader) }));
}

function objects(text) {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** The words of the lines about the group. */
function rowsAbout(group, text) {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first === group);
}

function same(ours, theirs) {
  const [a, b] = [ours.toSorted().join("\n"), theirs.toSorted().join("\n")];
  expect(a === b && ours.length > 0, `ours:\n${a}\ntheirs:\n${b}`);
}
