// Kafka's ConsumerGroupCommand, the same commands to Apache Kafka and to us, about groups of both protocols with members at work and
// without: they end alike, say the same, and leave the same behind.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { internalTopicsOfOneReplica } from "../apache-kafka/kafka.mjs";
import { until } from "../lib/bare-client.mjs";
import { askApacheKafka } from "../lib/brokers.mjs";
import { OurMember } from "../lib/group-members.mjs";
import { expect } from "../lib/harness.mjs";
import { KafkaTools } from "../lib/kafka-tools.mjs";
import { Kafka } from "../../packages/client/dist/index.js";

const COMMAND = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const SETTINGS = {
  ...internalTopicsOfOneReplica(),
  "offsets.topic.num.partitions": 4,
  "group.initial.rebalance.delay.ms": 0,
  "group.consumer.assignment.interval.ms": 0,
  "group.consumer.min.heartbeat.interval.ms": 300,
  "group.consumer.heartbeat.interval.ms": 300,
};
const GROUPS = { classic: "by-classic", consumer: "by-consumer" };
const TOPICS = { read: 6, other: 2 };
const RECORDS = 10; // of each partition
const LIMIT_MS = 120_000;
const FIRST_MS = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
const at = (ms) => new Date(ms).toISOString().slice(0, -1);

const group = (name) => ["--group", name];
const both = Object.values(GROUPS).flatMap(group);

/** What is asked while each group has two members. */
const AT_WORK = [
  ["--list"],
  ["--list", "--state"],
  ["--list", "--state", "stable"],
  ["--list", "--state", "Empty,Dead"],
  ["--list", "--state", "asleep"],
  ["--list", "--type"],
  ["--list", "--type", "consumer"],
  ["--list", "--type", "Classic"],
  ["--list", "--type", "streams"],
  ["--list", "--type", "unheard"],
  ["--list", "--state", "--type"],
  ["--describe", "--all-groups"],
  ["--describe", "--all-groups", "--state"],
  ["--describe", "--all-groups", "--members"],
  ["--describe", ...both],
  ["--delete", "--all-groups"],
  ["--validate-regex", "rea.*"],
  ["--validate-regex", "(rea"],
  ...Object.values(GROUPS).flatMap((name) =>
    [
      ["--describe"],
      ["--describe", "--offsets"],
      ["--describe", "--offsets", "--verbose"],
      ["--describe", "--members"],
      ["--describe", "--members", "--verbose"],
      ["--describe", "--state"],
      ["--describe", "--state", "--verbose"],
      ["--reset-offsets", "--all-topics", "--to-earliest", "--dry-run"],
      ["--reset-offsets", "--topic", "read", "--to-latest", "--execute"],
      ["--delete-offsets", "--topic", "read"],
      ["--delete-offsets", "--topic", "read:0", "--topic", "other"],
      ["--delete"],
    ].map((args) => [...args, ...group(name)]),
  ),
];

/** What is asked when they have left, one after the other. `file(name, content)` writes one. */
function afterwards(file) {
  const dry = [
    ["--topic", "read", "--to-earliest"],
    ["--topic", "read", "--to-latest"],
    ["--topic", "read:0,3", "--to-latest"],
    ["--topic", "read:0", "--topic", "other", "--to-earliest"],
    ["--topic", "read:17", "--to-earliest"],
    ["--topic", "nowhere", "--to-earliest"],
    ["--all-topics", "--to-current"],
    ["--topic", "other", "--to-current"],
    ["--all-topics", "--to-offset", "7"],
    ["--all-topics", "--to-offset", "700"],
    ["--all-topics", "--to-offset", "-1"],
    ["--all-topics", "--shift-by", "3"],
    ["--all-topics", "--shift-by", "-3"],
    ["--all-topics", "--shift-by", "-300"],
    ["--all-topics", "--to-datetime", at(FIRST_MS + 4500)],
    ["--all-topics", "--to-datetime", at(FIRST_MS + 86_400_000)],
    ["--all-topics", "--to-datetime", "yesterday"],
    ["--all-topics", "--by-duration", "PT0S"],
    ["--all-topics", "--by-duration", "P3D"],
    ["--all-topics", "--by-duration", "soon"],
    ["--all-topics", "--from-file", file("plan.csv", "read,1,2\nread,2,5\nother,0,900\n")],
    ["--all-topics", "--from-file", file("wrong.csv", "read;1\n")],
    ["--from-file", file("both.csv", `${GROUPS.classic},read,1,2\n${GROUPS.consumer},read,2,5\n`)],
  ];
  const ofGroup = (name) =>
    [
      ["--describe"],
      ["--describe", "--members", "--verbose"],
      ["--describe", "--state"],
      ["--describe", "--state", "--verbose"],
      ...dry.map((args) => ["--reset-offsets", ...args, "--dry-run"]),
      ["--reset-offsets", "--all-topics", "--to-offset", "4"],
      ["--reset-offsets", "--all-topics", "--to-offset", "4", "--dry-run", "--export"],
      ["--reset-offsets", "--all-topics", "--to-offset", "4", "--execute"],
      ["--describe"],
      ["--reset-offsets", "--topic", "other", "--to-latest", "--execute"],
      ["--reset-offsets", "--topic", "read:0", "--shift-by", "2", "--execute"],
      ["--reset-offsets", "--all-topics", "--from-file", file("plan.csv", "read,1,2\nread,2,5\n"), "--execute"],
      ["--describe", "--offsets"],
      ["--delete-offsets", "--topic", "read:0,1"],
      ["--delete-offsets", "--topic", "read:0", "--topic", "nowhere"],
      ["--delete-offsets", "--topic", "other"],
      ["--describe"],
    ].map((args) => [...args, ...group(name)]);
  return [
    ["--list", "--state", "--type"],
    ...Object.values(GROUPS).flatMap(ofGroup),
    ["--reset-offsets", ...both, "--all-topics", "--to-earliest", "--dry-run", "--export"],
    ["--reset-offsets", "--all-groups", "--all-topics", "--to-latest", "--execute"],
    ["--describe", "--all-groups"],
    ["--reset-offsets", ...group("made"), "--topic", "other", "--to-earliest", "--execute"],
    ["--describe", ...group("made")],
    ["--describe", ...group("made"), "--state"],
    ...["--offsets", "--members", "--state"].map((what) => ["--describe", ...group("none"), what]),
    ["--delete-offsets", ...group("none"), "--topic", "read"],
    ["--reset-offsets", ...group("none"), "--all-topics", "--to-latest", "--dry-run"],
    ["--delete", ...group(GROUPS.consumer), ...group("none")],
    ["--delete", ...group("none")],
    ["--list", "--state"],
    ["--delete", "--all-groups"],
    ["--list"],
    ["--describe", "--all-groups"],
  ];
}

export const suite = {
  title: "ConsumerGroupCommand",
  needs: ["java"],

  async run({ check, startBroker, scratch }) {
    const tools = new KafkaTools();
    try {
      const dir = join(scratch, "group-tools-apache-kafka");
      let theirs;
      await check(
        "Apache Kafka is asked",
        async () => {
          theirs = await askApacheKafka(dir, (kafka) => converse(kafka, tools, join(scratch, "theirs")), SETTINGS);
        },
        LIMIT_MS,
      );
      const broker = await startBroker(SETTINGS);
      let ours;
      await check(
        "we are asked the same",
        async () => void (ours = await converse(broker, tools, join(scratch, "ours"))),
        LIMIT_MS,
      );
      for (const [i, { sentence, status, text }] of theirs.entries()) {
        await check(sentence, () => {
          const mine = ours[i];
          expect(mine.status === status, `Kafka ends with ${status}, we with ${mine.status}:\n${mine.text.join("\n")}`);
          const missing = text.filter((line) => !mine.text.includes(line));
          const extra = mine.text.filter((line) => !text.includes(line));
          const told = [...missing.map((line) => `- ${line}`), ...extra.map((line) => `+ ${line}`)];
          expect(told.length === 0 && mine.text.length === text.length, told.join("\n"));
        });
      }
    } finally {
      await tools.close();
    }
  },
};

async function converse(broker, tools, folder) {
  mkdirSync(folder, { recursive: true });
  const file = (name, content) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const told = [];
  const blot = (text) => comparable(text, broker.port, folder);
  const say = async (when, args) => {
    const { status, text } = await tools.run(COMMAND, ["--bootstrap-server", broker.bootstrap, ...args]);
    const sentence = `${told.length + 1}, ${when}: ${args.join(" ")}`.replaceAll(`${folder}/`, "");
    told.push({ sentence, status, text: blot(text) });
  };
  const kafka = new Kafka({ bootstrapServers: broker.bootstrap });
  const members = [];
  try {
    const admin = kafka.admin();
    await admin.createTopics(Object.entries(TOPICS).map(([name, numPartitions]) => ({ name, numPartitions })));
    for (const [topic, partitions] of Object.entries(TOPICS)) {
      const records = Array.from({ length: partitions * RECORDS }, (_, n) => ({
        topic,
        partition: n % partitions,
        value: `${n}`,
        timestamp: FIRST_MS + Math.floor(n / partitions) * 1000,
      }));
      await kafka.producer().sendBatch(records);
    }
    for (const [groupProtocol, groupId] of Object.entries(GROUPS)) {
      // One after the other, so that the epochs are the same everywhere; and the second is a static member.
      for (const instance of [{}, { groupInstanceId: "second" }]) {
        const options = { groupId, groupProtocol, enableAutoCommit: false, ...instance };
        if (groupProtocol === "classic") options.partitionAssignmentStrategy = ["range"];
        members.push(new OurMember(broker.bootstrap, ["read"], options));
        const some = members.slice(-1 - Object.keys(instance).length);
        const share = TOPICS.read / some.length;
        await until(() => expectShares(some, share), { limitMs: 30_000, pauseMs: 50 });
      }
      for (const { consumer } of members.slice(-2)) {
        await consumer.commit(consumer.assignment.map((one) => ({ ...one, offset: 6 })));
      }
    }
    for (const args of AT_WORK) await say("at work", args);
    for (const member of members.splice(0)) await member.close({ groupMembershipOperation: "leave-group" });
    for (const args of afterwards(file)) await say("afterwards", args);
    return told;
  } finally {
    for (const member of members) await member.close();
    await kafka.close();
  }
}

async function expectShares(members, share) {
  for (const { assignment } of members) expect(assignment.length === share, `${assignment.length} of ${share}`);
}

/** Ids and addresses are blotted out, and which of equal partitions a member has. Lines are sorted: maps have no order. */
function comparable(text, port, folder) {
  return text
    .replaceAll(`${folder}/`, "")
    .replaceAll(String(port), "PORT")
    .replaceAll(/adminclient-\d+/g, "adminclient-N")
    .replaceAll(/[\w-]*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID")
    .replaceAll(/(?<=\s)[\w-]{22}(?=\s)/g, "ID")
    .replaceAll(/(?<=read:?\(?)\d(?:,\d)+/g, (numbers) => `${numbers.split(",").length} partitions`)
    .replaceAll(/^\s+at .*\n/gm, "")
    .split("\n")
    .map((line) => line.trim().replaceAll(/\s+/g, " "))
    .filter((line) => line !== "")
    .sort();
}
