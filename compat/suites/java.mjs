// Apache Kafka's own command-line tools: TopicCommand, ConsoleProducer, ConsoleConsumer.
import { join } from "node:path";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { CORPUS_LINES, expectSameFile } from "../lib/corpus.mjs";
import { expect } from "../lib/harness.mjs";
import { runProgram } from "../lib/process.mjs";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const TOOLS = "org.apache.kafka.tools";

export const suite = {
  title: "Java tools",
  needs: ["java"],

  async run({ check, startBroker, corpus, scratch }) {
    const broker = await startBroker();
    const server = ["--bootstrap-server", broker.bootstrap];
    const tool = (name, args, options) =>
      runProgram("java", toolArguments(`${TOOLS}.${name}`, [...server, ...args]), options);
    const topics = async (...args) => (await tool("TopicCommand", args)).stdout;

    await check("TopicCommand creates a topic with partitions and configuration", async () => {
      const create = ["--create", "--topic", "java-topic", "--partitions", "3", "--config", "retention.ms=3600000"];
      const told = await topics(...create);
      expect(told.includes("Created topic java-topic"), told);
    });

    await check("TopicCommand refuses to create it again, with Kafka's words", async () => {
      const again = topics("--create", "--topic", "java-topic", "--partitions", "3");
      const error = await again.then(
        () => new Error("it was created again"),
        (e) => e,
      );
      expect(/TopicExistsException/.test(error.message), error.message);
    });

    await check("TopicCommand refuses a replication factor above the number of brokers", async () => {
      const tooMany = topics("--create", "--topic", "java-too-many", "--replication-factor", "3");
      const error = await tooMany.then(
        () => new Error("it was created"),
        (e) => e,
      );
      expect(/InvalidReplicationFactorException/.test(error.message), error.message);
    });

    await check("TopicCommand lists it", async () => {
      const told = await topics("--list");
      expect(told.split("\n").includes("java-topic"), told);
    });

    await check("TopicCommand describes it: partitions, leader, replicas, configuration", async () => {
      const told = await topics("--describe", "--topic", "java-topic");
      expect(/PartitionCount:\s*3\s+ReplicationFactor:\s*1\s/.test(told), told);
      expect(told.includes("retention.ms=3600000"), told);
      for (const partition of [0, 1, 2]) {
        const line = new RegExp(`Partition: ${partition}\\s+Leader: 1\\s+Replicas: 1\\s+Isr: 1`);
        expect(line.test(told), told);
      }
    });

    await check("TopicCommand deletes it, and it is gone", async () => {
      await topics("--delete", "--topic", "java-topic");
      const told = await topics("--list");
      expect(!told.split("\n").includes("java-topic"), told);
    });

    const consume = (topic, outputFile, ...more) => {
      const from = ["--topic", topic, "--partition", "0", "--offset", "earliest", "--timeout-ms", "60000"];
      return tool("consumer.ConsoleConsumer", [...from, "--max-messages", String(CORPUS_LINES), ...more], {
        outputFile,
      });
    };
    for (const codec of CODECS) {
      await check(
        `${CORPUS_LINES} lines from ConsoleProducer with ${codec} reach ConsoleConsumer byte for byte`,
        async () => {
          const topic = `java-${codec}`;
          await topics("--create", "--topic", topic, "--partitions", "1");
          await tool("ConsoleProducer", ["--topic", topic, "--compression-codec", codec], { inputFile: corpus.file });
          const back = join(scratch, `${topic}.txt`);
          await consume(topic, back);
          await expectSameFile(corpus.file, back);
        },
      );
    }

    await check("ConsoleConsumer starts at an offset in the middle", async () => {
      const from = ["--topic", "java-gzip", "--partition", "0", "--offset", "70001", "--timeout-ms", "20000"];
      const { stdout } = await tool("consumer.ConsoleConsumer", [...from, "--max-messages", "1"]);
      expect(stdout === `${corpus.lines[70_001]}\n`, `it printed ${JSON.stringify(stdout)}`);
    });

    await check("ConsoleProducer without idempotence and with keys and headers reaches ConsoleConsumer", async () => {
      await topics("--create", "--topic", "java-parts", "--partitions", "1");
      const properties = ["parse.key=true", "parse.headers=true"].flatMap((p) => ["--reader-property", p]);
      const plain = ["--command-property", "enable.idempotence=false", "--command-property", "acks=1"];
      await tool("ConsoleProducer", ["--topic", "java-parts", ...properties, ...plain], {
        input: "woke:changed\tgregor\tsamsa\n",
      });
      const from = ["--topic", "java-parts", "--partition", "0", "--offset", "earliest", "--timeout-ms", "20000"];
      const print = ["print.key=true", "print.headers=true", "print.offset=true"].flatMap((p) => [
        "--formatter-property",
        p,
      ]);
      const { stdout } = await tool("consumer.ConsoleConsumer", [...from, "--max-messages", "1", ...print]);
      expect(stdout === "Offset:0\twoke:changed\tgregor\tsamsa\n", `it printed ${JSON.stringify(stdout)}`);
    });

    await check("GetOffsetShell reports both ends and the time of the newest record", async () => {
      const ask = async (time) => {
        const { stdout } = await tool("GetOffsetShell", ["--topic-partitions", "java-none:0", "--time", time]);
        return stdout.trim();
      };
      const ends = [await ask("earliest"), await ask("latest"), await ask("max-timestamp")];
      expect(ends[0] === "java-none:0:0" && ends[1] === `java-none:0:${CORPUS_LINES}`, ends.join(", "));
      expect(/^java-none:0:\d+$/.test(ends[2]), ends.join(", "));
    });

    await check("LogDirsCommand shows what lies in the data directory", async () => {
      const { stdout } = await tool("LogDirsCommand", ["--describe", "--topic-list", "java-none"]);
      const { brokers } = JSON.parse(stdout.slice(stdout.indexOf("{")));
      const [{ error, partitions }] = brokers[0].logDirs;
      expect(error === null && partitions[0].partition === "java-none-0" && partitions[0].size > 0, stdout);
    });

    await check("BrokerApiVersionsCommand finds every advertised API usable", async () => {
      const { stdout } = await tool("BrokerApiVersionsCommand", []);
      expect(/Produce\(0\): .*usable: 13/.test(stdout), stdout);
      expect(/Fetch\(1\): .*usable: 1[78]/.test(stdout), stdout);
    });
  },
};
