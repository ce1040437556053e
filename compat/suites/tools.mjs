// Apache Kafka's administrative tools, the same commands to it and to us: they end alike, and say the same.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { internalTopicsOfOneReplica, toolArguments } from "../apache-kafka/kafka.mjs";
import { askApacheKafka } from "../lib/brokers.mjs";
import { expect } from "../lib/harness.mjs";
import { runProgram } from "../lib/process.mjs";

const TOOLS = "org.apache.kafka.tools";
const TOPIC = `${TOOLS}.TopicCommand`;
const CONFIG = "kafka.admin.ConfigCommand";
const CLUSTER = `${TOOLS}.ClusterTool`;
const REASSIGN = `${TOOLS}.reassign.ReassignPartitionsCommand`;

/** `file(name, content)` writes a file for a tool; `server` names the broker. @returns [sentence, class, arguments, options] */
function steps(file, server) {
  const two = {
    partitions: [
      { topic: "tools", partition: 0 },
      { topic: "tools", partition: 1 },
    ],
  };
  const plan = { version: 1, partitions: [{ topic: "tools", partition: 0, replicas: [1] }] };
  const elsewhere = { version: 1, partitions: [{ topic: "tools", partition: 0, replicas: [2] }] };
  const records = { version: 1, partitions: [{ topic: "tools", partition: 0, offset: 0 }] };
  const tooFar = { version: 1, partitions: [{ topic: "tools", partition: 0, offset: 5 }] };
  const topic = (...args) => [TOPIC, [...server, ...args]];
  const config = (...args) => [CONFIG, [...server, ...args]];
  const broker = ["--entity-type", "brokers", "--entity-name", "1"];
  const brokers = ["--entity-type", "brokers", "--entity-default"];
  const tools = ["--entity-type", "topics", "--entity-name", "tools"];
  return [
    [
      "TopicCommand creates a topic",
      ...topic("--create", "--topic", "tools", "--partitions", "2", "--config", "retention.ms=3600000"),
    ],
    ["TopicCommand creates it once", ...topic("--create", "--topic", "tools")],
    ["TopicCommand passes over one that is there", ...topic("--create", "--topic", "tools", "--if-not-exists")],
    [
      "TopicCommand refuses a configuration that is none",
      ...topic("--create", "--topic", "wrong", "--config", "retention.ms=soon"),
    ],
    ["TopicCommand refuses a name that is none", ...topic("--create", "--topic", "no/name")],
    ["TopicCommand lists topics", ...topic("--list")],
    ["TopicCommand describes a topic", ...topic("--describe", "--topic", "tools")],
    [
      "TopicCommand describes topics with configurations of their own",
      ...topic("--describe", "--topics-with-overrides"),
    ],
    [
      "TopicCommand describes none where none is short of replicas",
      ...topic("--describe", "--under-replicated-partitions"),
    ],
    ["TopicCommand describes none where all are available", ...topic("--describe", "--unavailable-partitions")],
    ["TopicCommand describes none that there is not", ...topic("--describe", "--topic", "nowhere")],
    ["TopicCommand adds partitions", ...topic("--alter", "--topic", "tools", "--partitions", "3")],
    ["TopicCommand takes none away", ...topic("--alter", "--topic", "tools", "--partitions", "1")],
    ["ConfigCommand describes a topic", ...config("--describe", ...tools)],
    [
      "ConfigCommand alters a topic",
      ...config("--alter", ...tools, "--add-config", "segment.bytes=2097152,cleanup.policy=[compact,delete]"),
    ],
    ["ConfigCommand shows what it altered", ...config("--describe", ...tools)],
    ["ConfigCommand shows all of a topic", ...config("--describe", ...tools, "--all")],
    ["ConfigCommand takes a value back", ...config("--alter", ...tools, "--delete-config", "segment.bytes")],
    ["ConfigCommand refuses a value that is none", ...config("--alter", ...tools, "--add-config", "segment.bytes=3")],
    ["ConfigCommand refuses a key that is none", ...config("--alter", ...tools, "--add-config", "no.such.key=3")],
    ["ConfigCommand alters a broker", ...config("--alter", ...broker, "--add-config", "log.cleaner.threads=2")],
    ["ConfigCommand alters all brokers", ...config("--alter", ...brokers, "--add-config", "log.retention.ms=7200000")],
    ["ConfigCommand describes a broker", ...config("--describe", ...broker)],
    ["ConfigCommand describes all brokers", ...config("--describe", ...brokers)],
    [
      "ConfigCommand refuses what cannot change while a broker runs",
      ...config("--alter", ...broker, "--add-config", "broker.rack=a"),
    ],
    ["ConfigCommand takes back what it set", ...config("--alter", ...broker, "--delete-config", "log.cleaner.threads")],
    [
      "ConfigCommand sets a quota",
      ...config(
        "--alter",
        "--entity-type",
        "users",
        "--entity-name",
        "ann",
        "--add-config",
        "producer_byte_rate=1000000",
      ),
    ],
    ["ConfigCommand describes quotas", ...config("--describe", "--entity-type", "users", "--entity-name", "ann")],
    [
      "ConfigCommand sets a subscription of client metrics",
      ...config(
        "--alter",
        "--entity-type",
        "client-metrics",
        "--entity-name",
        "basic",
        "--add-config",
        "metrics=org.apache.kafka.,interval.ms=60000",
      ),
    ],
    [
      "ConfigCommand describes it",
      ...config("--describe", "--entity-type", "client-metrics", "--entity-name", "basic"),
    ],
    [
      "ConfigCommand sets what a group has of its own",
      ...config(
        "--alter",
        "--entity-type",
        "groups",
        "--entity-name",
        "mine",
        "--add-config",
        "consumer.heartbeat.interval.ms=6000",
      ),
    ],
    ["ConfigCommand describes a group", ...config("--describe", "--entity-type", "groups", "--entity-name", "mine")],
    ["GetOffsetShell shows the ends of a topic", `${TOOLS}.GetOffsetShell`, [...server, "--topic", "tools"]],
    [
      "GetOffsetShell shows the beginnings",
      `${TOOLS}.GetOffsetShell`,
      [...server, "--topic-partitions", "tools:0-1", "--time", "earliest"],
    ],
    [
      "LogDirsCommand describes the directories",
      `${TOOLS}.LogDirsCommand`,
      [...server, "--describe", "--topic-list", "tools"],
    ],
    [
      "MetadataQuorumCommand shows the status of the quorum",
      `${TOOLS}.MetadataQuorumCommand`,
      [...server, "describe", "--status"],
    ],
    [
      "MetadataQuorumCommand shows the replicas",
      `${TOOLS}.MetadataQuorumCommand`,
      [...server, "describe", "--replication"],
    ],
    [
      "MetadataQuorumCommand removes no voter that there is not",
      `${TOOLS}.MetadataQuorumCommand`,
      [...server, "remove-controller", "--controller-id", "7", "--controller-directory-id", "bm8tc3VjaC10b3BpYy1pZA"],
    ],
    ["FeatureCommand describes features", `${TOOLS}.FeatureCommand`, [...server, "describe"]],
    [
      "FeatureCommand refuses a level that there is not",
      `${TOOLS}.FeatureCommand`,
      [...server, "upgrade", "--feature", "transaction.version=99"],
    ],
    [
      "BrokerApiVersionsCommand is answered",
      `${TOOLS}.BrokerApiVersionsCommand`,
      server,
      { differs: "we serve fewer APIs so far" },
    ],
    ["ClusterTool tells the id of the cluster", CLUSTER, ["cluster-id", ...server]],
    ["ClusterTool lists the endpoints", CLUSTER, ["list-endpoints", ...server]],
    ["ClusterTool unregisters no broker that there is not", CLUSTER, ["unregister", ...server, "--id", "99"]],
    [
      "LeaderElectionCommand elects where it is needed",
      `${TOOLS}.LeaderElectionCommand`,
      [...server, "--election-type", "preferred", "--path-to-json-file", file("elect.json", two)],
    ],
    [
      "LeaderElectionCommand elects one leader",
      `${TOOLS}.LeaderElectionCommand`,
      [...server, "--election-type", "unclean", "--topic", "tools", "--partition", "0"],
    ],
    [
      "ReassignPartitionsCommand makes a plan",
      REASSIGN,
      [
        ...server,
        "--generate",
        "--broker-list",
        "1",
        "--topics-to-move-json-file",
        file("topics.json", { version: 1, topics: [{ topic: "tools" }] }),
      ],
    ],
    [
      "ReassignPartitionsCommand carries one out",
      REASSIGN,
      [...server, "--execute", "--reassignment-json-file", file("plan.json", plan)],
    ],
    [
      "ReassignPartitionsCommand sees that it is done",
      REASSIGN,
      [...server, "--verify", "--reassignment-json-file", file("plan.json", plan)],
    ],
    [
      "ReassignPartitionsCommand refuses a broker that there is not",
      REASSIGN,
      [...server, "--execute", "--reassignment-json-file", file("elsewhere.json", elsewhere)],
    ],
    ["ReassignPartitionsCommand lists none", REASSIGN, [...server, "--list"]],
    [
      "DeleteRecordsCommand deletes up to an offset",
      `${TOOLS}.DeleteRecordsCommand`,
      [...server, "--offset-json-file", file("records.json", records)],
    ],
    [
      "DeleteRecordsCommand refuses an offset beyond the end",
      `${TOOLS}.DeleteRecordsCommand`,
      [...server, "--offset-json-file", file("too-far.json", tooFar)],
    ],
    ["ClientMetricsCommand lists the subscriptions", `${TOOLS}.ClientMetricsCommand`, [...server, "--list"]],
    ["ClientMetricsCommand deletes one", `${TOOLS}.ClientMetricsCommand`, [...server, "--delete", "--name", "basic"]],
    ["TopicCommand deletes a topic", ...topic("--delete", "--topic", "tools")],
    ["TopicCommand deletes it once", ...topic("--delete", "--topic", "tools")],
  ];
}

async function runTools(name, port, scratch) {
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  const file = (title, content) => {
    const path = join(folder, title);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
  const base64 = (text) => Buffer.from(text).toString("base64");
  const server = ["--bootstrap-server", `127.0.0.1:${port}`];
  const all = steps(file, server);
  const list = file(
    "steps.txt",
    all.map(([, className, args]) => [className, ...args].map(base64).join(" ")).join("\n"),
  );
  const { stdout } = await runProgram("java", toolArguments("Tools", [list]), { limitMs: 180_000 });
  const lines = stdout.trim().split("\n");
  return new Map(
    all.map(([sentence, , , options], index) => {
      const [status, text = ""] = (lines[index] ?? "none").split(" ");
      return [sentence, { status, text: comparable(Buffer.from(text, "base64").toString(), port, folder), options }];
    }),
  );
}

/** What differs from one run to the next is blotted out. Lines are sorted: maps have no order. */
function comparable(text, port, folder) {
  return text
    .replaceAll(folder, "FOLDER")
    .replaceAll(/(?<="log_dirs":\[)"[^\]]*/g, "…")
    .replaceAll(/CONTROLLER:\/\/[^"]*/g, "CONTROLLER://ADDRESS")
    .replaceAll(/^(\d+\s+)[\w-]{22}(\s+)\d+(\s+\d+\s+)\d+(\s+)\d+(?=\s+(?:Leader|Observer))/gm, "$1ID$2N$3N$4N")
    .replaceAll(String(port + 1), "CONTROLLER-PORT")
    .replaceAll(String(port), "PORT")
    .replaceAll(/(?<=TopicId: |ClusterId:\s+|Cluster ID: |"directoryId": ")[\w-]{22}/g, "ID")
    .replaceAll(/(?<="logDir":"|"cluster":"|directoryId=)[^"\],]*/g, "…")
    .replaceAll(/(?<=(?:HighWatermark|LeaderEpoch|MaxFollowerLag|MaxFollowerLagTimeMs|Epoch):?\s+)\d+/g, "N")
    .replaceAll(/\[\d{4}-\d\d-\d\d [^\]]*\]/g, "[TIME]")
    .replaceAll(/\t\d{2,}(?=\t)/g, "\tN")
    .replaceAll(/^\s+at .*\n/gm, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .sort();
}

export const suite = {
  title: "Java's administrative tools",
  needs: ["java"],

  async run({ check, startBroker, scratch, target }) {
    const dir = join(scratch, "tools-apache-kafka");
    const theirs = await askApacheKafka(dir, ({ port }) => runTools("theirs", port, scratch));
    const broker = await startBroker(target === "apache" ? {} : internalTopicsOfOneReplica());
    const ours = await runTools("ours", broker.port, scratch);
    for (const [sentence, { status, text, options }] of theirs) {
      await check(sentence, () => {
        const mine = ours.get(sentence);
        expect(mine.status === status, `Kafka ends with ${status}, we with ${mine.status}:\n${mine.text.join("\n")}`);
        if (options?.differs !== undefined) return;
        const missing = text.filter((line) => !mine.text.includes(line));
        const extra = mine.text.filter((line) => !text.includes(line));
        const told = [...missing.map((line) => `- ${line}`), ...extra.map((line) => `+ ${line}`)];
        expect(told.length === 0, told.join("\n"));
      });
    }
  },
};
