// Consumer groups of the classic protocol: four families of clients, one after the other in the same group, and Kafka's own command for groups.
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { expect } from "../lib/harness.mjs";
import { createKafkaJs, withAdmin } from "../lib/kafkajs.mjs";
import { platformatic } from "../lib/platformatic.mjs";
import { runProgram } from "../lib/process.mjs";

const TOPIC = "groups-topic";
const PARTITIONS = 3;
const LINES = 30;
const FAST = { "group.initial.rebalance.delay.ms": 300, "offsets.topic.num.partitions": 5 };

export const suite = {
  title: "groups",
  needs: ["kcat", "java"],

  async run({ check, startBroker }) {
    const broker = await startBroker(FAST);
    const kafka = createKafkaJs(broker.bootstrap);
    const kcat = (args, options) => runProgram("kcat", ["-b", broker.bootstrap, ...args], options);
    const tool = (name, ...args) =>
      runProgram(
        "java",
        toolArguments(`org.apache.kafka.tools.${name}`, ["--bootstrap-server", broker.bootstrap, ...args]),
      );
    const groups = async (...args) => (await tool("consumer.group.ConsumerGroupCommand", ...args)).stdout;
    let written = 0;
    const write = async () => {
      const lines = Array.from({ length: LINES }, () => `line ${written++}`);
      // Spread: a partition of which nothing was read has no offset, and who comes next would begin at its end.
      await kcat(["-P", "-t", TOPIC, "-X", "sticky.partitioning.linger.ms=0"], { input: `${lines.join("\n")}\n` });
      return lines.toSorted();
    };
    const expectLines = (expected, got) => {
      expect(got.toSorted().join() === expected.join(), `${got.length} lines: ${got.toSorted().join()}`);
    };

    await withAdmin(kafka, (admin) => admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] }));

    await check("kcat -G reads everything, commits and leaves", async () => {
      const lines = await write();
      const { stdout } = await kcat(["-G", "mixed", "-q", "-e", "-X", "auto.offset.reset=earliest", TOPIC]);
      expectLines(lines, stdout.trim().split("\n"));
    });

    await check(
      "KafkaJS goes on in the same group where kcat has stopped, two members sharing the partitions",
      async () => {
        const lines = await write();
        const got = [];
        const consumers = [kafka.consumer({ groupId: "mixed" }), kafka.consumer({ groupId: "mixed" })];
        try {
          const all = Promise.withResolvers();
          for (const consumer of consumers) {
            await consumer.connect();
            await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
            await consumer.run({
              eachMessage: async ({ message }) => {
                got.push(message.value.toString());
                if (got.length >= lines.length) all.resolve();
              },
            });
          }
          await all.promise;
        } finally {
          for (const consumer of consumers) await consumer.disconnect();
        }
        expectLines(lines, got);
      },
    );

    await check("@platformatic/kafka goes on in the same group", async () => {
      const lines = await write();
      const consumer = new platformatic.Consumer({
        clientId: "compat-groups",
        bootstrapBrokers: [broker.bootstrap],
        groupId: "mixed",
        deserializers: platformatic.stringDeserializers,
      });
      const got = [];
      try {
        const stream = await consumer.consume({ topics: [TOPIC], mode: "committed", autocommit: false });
        for await (const message of stream) {
          got.push(message.value);
          await message.commit();
          if (got.length >= lines.length) break;
        }
      } finally {
        await consumer.close(true);
      }
      expectLines(lines, got);
    });

    await check("Java's consumer goes on in the same group", async () => {
      const lines = await write();
      const from = ["--topic", TOPIC, "--group", "mixed", "--timeout-ms", "30000"];
      const { stdout } = await tool("consumer.ConsoleConsumer", ...from, "--max-messages", String(LINES));
      expectLines(lines, stdout.trim().split("\n"));
    });

    await check("ConsumerGroupCommand lists the group, empty", async () => {
      const told = await groups("--list", "--state");
      expect(/^mixed\s+Empty/m.test(told), told);
    });

    await check("ConsumerGroupCommand describes the offsets, with no lag", async () => {
      const told = await groups("--describe", "--group", "mixed");
      const rows = told.split("\n").filter((line) => line.startsWith("mixed "));
      expect(rows.length === PARTITIONS, told);
      for (const row of rows) expect(row.trim().split(/\s+/)[5] === "0", told);
    });

    await check("the group is there after a restart, and ConsumerGroupCommand resets it to the beginning", async () => {
      await broker.stop();
      await broker.start();
      const reset = ["--reset-offsets", "--group", "mixed", "--topic", TOPIC, "--to-earliest", "--execute"];
      const told = await groups(...reset);
      expect(
        told.split("\n").filter((line) => /^mixed\s+groups-topic\s+\d\s+0\s*$/.test(line)).length === PARTITIONS,
        told,
      );
      const { stdout } = await kcat(["-G", "mixed", "-q", "-e", TOPIC]);
      const count = stdout.trim().split("\n").length;
      expect(count === written, `${count} lines of ${written}`);
    });

    await check("ConsumerGroupCommand deletes the group, and it is gone", async () => {
      const told = await groups("--delete", "--group", "mixed");
      expect(told.includes("was successful"), told);
      expect(!(await groups("--list")).includes("mixed"), "it is still listed");
    });
  },
};
