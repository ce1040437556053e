// @samsa/client in consumer groups of both protocols: alone, beside Java's consumer in one group, and as Kafka's command for groups sees them.
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { until } from "../lib/bare-client.mjs";
import { CHAOS_BROKER, GroupChaos } from "../lib/group-chaos.mjs";
import { JavaMember, OurMember } from "../lib/group-members.mjs";
import { expect } from "../lib/harness.mjs";
import { runProgram } from "../lib/process.mjs";
import { Kafka } from "../../packages/client/dist/index.js";

const PARTITIONS = 6;
const RECORDS = 60;
const LIMIT = { limitMs: 45_000, pauseMs: 50 };
const CLASSIC = { heartbeatIntervalMs: 500, sessionTimeoutMs: 10_000 };
const JAVA_CLASSIC = { "heartbeat.interval.ms": 500, "session.timeout.ms": 10_000 };

const KINDS = [
  {
    name: "classic, range",
    ours: { ...CLASSIC, partitionAssignmentStrategy: ["range"] },
    java: {
      groupProtocol: "classic",
      ...JAVA_CLASSIC,
      "partition.assignment.strategy": "org.apache.kafka.clients.consumer.RangeAssignor",
    },
  },
  {
    name: "classic, sticky",
    ours: { ...CLASSIC, partitionAssignmentStrategy: ["sticky"] },
    java: {
      groupProtocol: "classic",
      ...JAVA_CLASSIC,
      "partition.assignment.strategy": "org.apache.kafka.clients.consumer.StickyAssignor",
    },
  },
  {
    name: "classic, cooperative-sticky",
    isIncremental: true,
    ours: { ...CLASSIC, partitionAssignmentStrategy: ["cooperative-sticky"] },
    java: {
      groupProtocol: "classic",
      ...JAVA_CLASSIC,
      "partition.assignment.strategy": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    },
  },
  { name: "consumer", isIncremental: true, ours: { groupProtocol: "consumer" }, java: { groupProtocol: "consumer" } },
];

export const suite = {
  title: "@samsa/client in groups",
  needs: ["java"],

  async run({ check, startBroker, full, scratch, seed }) {
    const broker = await startBroker(CHAOS_BROKER);
    const { bootstrap } = broker;
    const kafka = new Kafka({ bootstrapServers: bootstrap });
    try {
      const { finalized } = await kafka.admin().describeFeatures();
      const hasConsumerProtocol = (finalized.get("group.version") ?? 0) > 0;
      for (const kind of KINDS) {
        if (kind.name === "consumer" && !hasConsumerProtocol) continue;
        await withKind(kind, { check, bootstrap, kafka });
      }
      const chaotic = hasConsumerProtocol ? ["cooperative", "consumer"] : ["cooperative"];
      for (const protocol of chaotic) {
        await check(
          `members of a group (${protocol}) are killed, paused and restarted, and every record is handled`,
          async () => {
            const sizes = full
              ? { members: 10, partitions: 20, seconds: 90 }
              : { members: 4, partitions: 8, seconds: 12 };
            await new GroupChaos({
              bootstrap,
              dir: scratch,
              protocol,
              ...sizes,
              recordsPerSecond: 300,
              seed,
              name: protocol,
            }).run();
          },
        );
      }
      await check("members that are only asked to stop handle nothing twice", async () => {
        const sizes = full ? { members: 10, partitions: 20, seconds: 90 } : { members: 3, partitions: 6, seconds: 8 };
        const options = { bootstrap, dir: scratch, protocol: chaotic.at(-1), ...sizes, recordsPerSecond: 300, seed };
        await new GroupChaos({ ...options, isClean: true, name: "clean" }).run();
      });
    } finally {
      await kafka.close();
    }
  },
};

async function withKind({ name, ours, java, isIncremental }, { check, bootstrap, kafka }) {
  const topic = `client-groups-${name.replaceAll(/\W+/g, "-")}`;
  const groupId = `${topic}-group`;
  const producer = kafka.producer();
  const written = new Set();
  const members = new Set();
  let next = 0;
  await kafka.admin().createTopics([{ name: topic, numPartitions: PARTITIONS }]);

  const write = async () => {
    const batch = Array.from({ length: RECORDS }, () => ({
      topic,
      partition: next % PARTITIONS,
      value: String(next++),
    }));
    await producer.sendBatch(batch);
    for (const { partition, value } of batch) written.add(`${topic}-${partition} ${value}`);
  };
  const join = (Member, options) => {
    const member = new Member(bootstrap, Member === OurMember ? [topic] : topic, { groupId, ...options });
    members.add(member);
    return member;
  };
  const leave = async (member, options) => {
    await member.close(options);
    members.delete(member);
  };
  const shared = (...sharing) =>
    until(async () => {
      const all = sharing.flatMap(({ assignment }) => assignment);
      const isShared = all.length === PARTITIONS && new Set(all).size === PARTITIONS;
      const isEven = sharing.every(({ assignment }) => assignment.length >= Math.floor(PARTITIONS / sharing.length));
      expect(isShared && isEven, sharing.map(({ assignment }) => assignment.join() || "nothing").join(" | "));
    }, LIMIT);
  const everything = [];
  /** What was written has been read by somebody, and nothing more often than once. */
  const readOnce = (...readers) =>
    until(async () => {
      const read = [...everything, ...readers.flatMap(({ records }) => records)];
      expect(read.length >= written.size, `${read.length} records of ${written.size}`);
      expect(new Set(read).size === read.length, `${read.length - new Set(read).size} records were read twice`);
      expect(
        read.every((one) => written.has(one)),
        "a record that was not written",
      );
    }, LIMIT);
  const groups = async (...args) => {
    const all = ["--bootstrap-server", bootstrap, ...args];
    return (await runProgram("java", toolArguments("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", all)))
      .stdout;
  };
  const noLag = async () => {
    const rows = (await groups("--describe", "--group", groupId))
      .split("\n")
      .filter((line) => line.startsWith(groupId));
    expect(rows.length === PARTITIONS, rows.join("\n"));
    for (const row of rows) expect(row.trim().split(/\s+/)[5] === "0", row);
  };

  try {
    const first = join(OurMember, ours);
    await check(`${name}: one of ours alone reads everything`, async () => {
      await write();
      await shared(first);
      await readOnce(first);
    });

    const java1 = join(JavaMember, java);
    await check(`${name}: Java's joins, both share the partitions, and nothing is read twice`, async () => {
      await shared(first, java1);
      await write();
      await readOnce(first, java1);
      const isDifference = first.log.at(-1)?.split(" ").length === 1 + PARTITIONS / 2;
      expect(!isIncremental || isDifference, `not the difference alone: ${first.log.join("; ")}`);
    });

    const second = join(OurMember, ours);
    await check(`${name}: a second of ours makes three, each with its share`, async () => {
      await shared(first, java1, second);
      await write();
      await readOnce(first, java1, second);
    });

    await check(`${name}: ConsumerGroupCommand sees three members, and their offsets without lag`, async () => {
      const told = await groups("--describe", "--group", groupId, "--members");
      expect(told.split("\n").filter((line) => line.startsWith(groupId)).length === 3, told);
      await until(noLag, { limitMs: 30_000, pauseMs: 500 });
    });

    await check(`${name}: who leaves has committed: the others go on behind it`, async () => {
      await leave(first);
      everything.push(...first.records);
      await shared(java1, second);
      await write();
      await readOnce(java1, second);
      await leave(java1);
      everything.push(...java1.records);
      await shared(second);
      await write();
      await readOnce(second);
      await leave(second);
      await noLag();
    });

    await check(`${name}: a static member that is restarted costs the others no rebalance`, async () => {
      const staticGroup = { ...ours, groupId: `${groupId}-static` };
      const stay = join(OurMember, { ...staticGroup, groupInstanceId: "one" });
      let other = join(OurMember, { ...staticGroup, groupInstanceId: "two" });
      await shared(stay, other);
      const before = { log: stay.log.length, generation: stay.consumer.groupMetadata().generationId };
      const had = other.assignment.join();
      await leave(other);
      other = join(OurMember, { ...staticGroup, groupInstanceId: "two" });
      await shared(stay, other);
      expect(other.assignment.join() === had, `it had ${had}, and has ${other.assignment.join()}`);
      expect(stay.log.length === before.log, stay.log.join("; "));
      const { generationId } = stay.consumer.groupMetadata();
      expect(generationId === before.generation, `generation ${before.generation}, then ${generationId}`);
      await leave(other, { groupMembershipOperation: "leave-group" });
      await shared(stay);
      await leave(stay, { groupMembershipOperation: "leave-group" });
    });
  } finally {
    for (const member of members) await member.close({ timeoutMs: 2000 }).catch(() => {});
    await producer.close();
  }
}
