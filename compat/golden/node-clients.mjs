// One round of traffic from the clients that are not Java: kcat, KafkaJS, @platformatic/kafka, and a bare socket for what
// no client says any more. Steps may fail where an old version is forced; the refusal is traffic too.
import { spawn } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs from "kafkajs";
import { frameSplitter } from "./proxy.mjs";

// @platformatic/kafka asks for a newer Node than the oldest we run on; this is the one thing it misses there.
Promise.withResolvers ??= function withResolvers() {
  const parts = {};
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
const platformatic = await import("@platformatic/kafka");

async function step(name, run, limitMs = 15_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("took too long")), limitMs);
  });
  try {
    await Promise.race([run(), late]);
  } catch (error) {
    process.stderr.write(`${name}: ${error.message}\n`);
  } finally {
    clearTimeout(timer);
  }
}

const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];

function kcat(bootstrap, args, input = "") {
  return new Promise((resolve, reject) => {
    const common = ["-b", bootstrap, "-X", "client.id=golden-kcat", "-X", "socket.timeout.ms=5000", "-m", "8"];
    const child = spawn("kcat", [...args, ...common], { stdio: ["pipe", "ignore", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGTERM"), 10_000);
    let talk = "";
    child.stderr.on("data", (chunk) => (talk += chunk));
    child.on("error", reject);
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`exit code ${code}: ${talk.trim()}`));
    });
    child.stdin.end(input);
  });
}

async function kcatRound(bootstrap, topic, round) {
  const lines = Array.from({ length: 6 }, (_, i) => `key-${i}:value ${i} from kcat\n`).join("");
  await step("kcat list", () => kcat(bootstrap, ["-L"]));
  for (const codec of codecs) {
    await step(`kcat ${codec}`, () =>
      kcat(bootstrap, ["-P", "-t", topic, "-K:", "-H", "origin=kcat", "-z", codec], lines),
    );
  }
  await step("kcat idempotent", () => kcat(bootstrap, ["-P", "-t", topic, "-X", "enable.idempotence=true"], lines));
  const transaction = ["-X", `transactional.id=golden-kcat-${round}`];
  await step("kcat transaction", () => kcat(bootstrap, ["-P", "-t", topic, ...transaction], lines));
  await step("kcat acks=0", () => kcat(bootstrap, ["-P", "-t", topic, "-X", "acks=0"], lines));
  await step("kcat consume", () => kcat(bootstrap, ["-C", "-t", topic, "-o", "beginning", "-e"]));
  await step("kcat query", () => kcat(bootstrap, ["-Q", "-t", `${topic}:0:1`]));
  const group = ["-X", "auto.offset.reset=earliest", "-X", "heartbeat.interval.ms=300", "-c", "4"];
  await step("kcat group", () => kcat(bootstrap, ["-G", `golden-kcat-group-${round}`, topic, ...group]));
  const sticky = ["-X", "partition.assignment.strategy=cooperative-sticky", "-X", "group.instance.id=static-kcat"];
  await step("kcat static group", () =>
    kcat(bootstrap, ["-G", `golden-kcat-static-${round}`, topic, ...group, ...sticky]),
  );
}

async function kafkajsRound(bootstrap, topic, round) {
  const kafka = new kafkajs.Kafka({
    clientId: "golden-kafkajs",
    brokers: bootstrap.split(","),
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 2, initialRetryTime: 100 },
    requestTimeout: 5000,
  });
  const admin = kafka.admin();
  const groupId = `golden-kafkajs-group-${round}`;
  await step("kafkajs connect", () => admin.connect());
  const both = [
    { topic, numPartitions: 2, replicationFactor: 2, configEntries: [{ name: "retention.ms", value: "99999999" }] },
  ];
  await step("kafkajs createTopics", () => admin.createTopics({ topics: both, waitForLeaders: true }));
  await step("kafkajs createPartitions", () => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }));
  await step("kafkajs metadata", () => admin.fetchTopicMetadata({ topics: [topic] }));
  await step("kafkajs describeCluster", () => admin.describeCluster());
  await step("kafkajs produce", async () => {
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    const messages = [{ key: "gregor", value: "samsa", headers: { woke: "changed" } }, { value: "second" }];
    for (const compression of [kafkajs.CompressionTypes.None, kafkajs.CompressionTypes.GZIP]) {
      await producer.send({ topic, messages, compression });
    }
    await producer.send({ topic, messages, acks: 0 });
    await producer.disconnect();
  });
  await step("kafkajs consume", async () => {
    const consumer = kafka.consumer({ groupId, heartbeatInterval: 200, maxWaitTimeInMs: 200, sessionTimeout: 6000 });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const some = new Promise((resolve) => {
      let seen = 0;
      void consumer.run({ autoCommitInterval: 100, eachMessage: async () => (++seen === 3 ? resolve() : undefined) });
    });
    await some;
    await step("kafkajs describeGroup", () => consumer.describeGroup());
    await sleep(500);
    await consumer.disconnect();
  });
  await step("kafkajs transaction", async () => {
    const producer = kafka.producer({
      transactionalId: `golden-kafkajs-${round}`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const end of ["commit", "abort"]) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: `to ${end}` }] });
      const offsets = { topics: [{ topic, partitions: [{ partition: 0, offset: "1" }] }] };
      if (end === "commit") await transaction.sendOffsets({ consumerGroupId: groupId, ...offsets });
      await transaction[end]();
    }
    await producer.disconnect();
  });
  await step("kafkajs offsets", async () => {
    await admin.fetchOffsets({ groupId, topics: [topic] });
    await admin.fetchTopicOffsets(topic);
    await admin.fetchTopicOffsetsByTimestamp(topic, 1);
  });
  await step("kafkajs groups", async () => {
    await admin.listGroups();
    await admin.describeGroups([groupId]);
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: "0" }] });
    await admin.deleteGroups([groupId]);
  });
  await step("kafkajs deleteTopicRecords", () =>
    admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "1" }] }),
  );
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic };
  await step("kafkajs describeConfigs", () => admin.describeConfigs({ includeSynonyms: true, resources: [resource] }));
  const configEntries = [{ name: "cleanup.policy", value: "compact" }];
  await step("kafkajs alterConfigs", () =>
    admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] }),
  );
  const acl = {
    resourceType: kafkajs.AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
    principal: "User:gregor",
    host: "*",
    operation: kafkajs.AclOperationTypes.READ,
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
  };
  await step("kafkajs createAcls", () => admin.createAcls({ acl: [acl] }));
  await step("kafkajs describeAcls", () => admin.describeAcls(acl));
  await step("kafkajs deleteAcls", () => admin.deleteAcls({ filters: [acl] }));
  await step("kafkajs reassignments", () => admin.listPartitionReassignments({ topics: [{ topic, partitions: [0] }] }));
  await step("kafkajs deleteTopics", () => admin.deleteTopics({ topics: [topic] }));
  await step("kafkajs disconnect", () => admin.disconnect());
}

async function platformaticRound(bootstrap, topic, round) {
  const common = { clientId: "golden-platformatic", bootstrapBrokers: bootstrap.split(","), retries: 1, timeout: 5000 };
  const admin = new platformatic.Admin(common);
  const groupId = `golden-platformatic-group-${round}`;
  await step("platformatic createTopics", () => admin.createTopics({ topics: [topic], partitions: 2, replicas: 2 }));
  await sleep(300);
  await step("platformatic produce", async () => {
    const producer = new platformatic.Producer({
      ...common,
      serializers: platformatic.stringSerializers,
      idempotent: true,
    });
    for (const compression of ["none", "gzip", "snappy", "lz4"]) {
      const message = { topic, key: "gregor", value: `packed with ${compression}`, headers: { woke: "changed" } };
      await producer.send({ messages: [message, message], compression, acks: -1 });
    }
    await producer.close();
  });
  for (const groupProtocol of ["classic", "consumer"]) {
    await step(`platformatic consume, ${groupProtocol}`, async () => {
      const consumer = new platformatic.Consumer({
        ...common,
        groupId: `${groupId}-${groupProtocol}`,
        groupProtocol,
        ...(groupProtocol === "classic" ? { sessionTimeout: 10_000, heartbeatInterval: 300 } : {}),
        maxWaitTime: 200,
        deserializers: platformatic.stringDeserializers,
      });
      const stream = await consumer.consume({ autocommit: true, topics: [topic], mode: "earliest" });
      let seen = 0;
      for await (const message of stream) {
        if (message.value !== undefined && ++seen === 4) break;
      }
      await sleep(600);
      await consumer.close(true);
    });
  }
  await step("platformatic admin", async () => {
    await admin.metadata({ topics: [topic] });
    await admin.listTopics();
    await admin.listGroups();
    await admin.describeGroups({ groups: [`${groupId}-classic`] });
    await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] });
    await admin.deleteTopics({ topics: [topic] });
  });
  await step("platformatic close", () => admin.close());
}

/** Requests no client here sends any more: the oldest ApiVersions, one nobody knows, and SASL on a listener without it. */
const bareRequests = [
  { apiKey: 18, version: 0, rest: "" },
  { apiKey: 18, version: 1, rest: "" },
  { apiKey: 18, version: 2, rest: "" },
  { apiKey: 18, version: 99, rest: "\0" },
  { apiKey: 17, version: 0, rest: "\0\rSCRAM-SHA-256" },
  { apiKey: 17, version: 1, rest: "\0\rSCRAM-SHA-256" },
];

async function bareRound(port) {
  for (const [i, { apiKey, version, rest }] of bareRequests.entries()) {
    await step(`bare ${apiKey} version ${version}`, async () => {
      const header = Buffer.alloc(10);
      header.writeInt16BE(apiKey, 0);
      header.writeInt16BE(version, 2);
      header.writeInt32BE(i, 4);
      header.writeInt16BE("golden-bare".length, 8);
      const frame = Buffer.concat([header, Buffer.from(`golden-bare${rest}`)]);
      const length = Buffer.alloc(4);
      length.writeInt32BE(frame.length);
      const socket = connect(port, "127.0.0.1");
      await new Promise((resolve, reject) => {
        socket.on("error", reject);
        socket.on("close", () => reject(new Error("closed")));
        socket.on("data", frameSplitter(resolve));
        socket.write(Buffer.concat([length, frame]));
      });
      socket.destroy();
    });
  }
}

/** @param topic an existing topic, for kcat; the others make their own */
export async function driveNodeClients(bootstrap, topic, round) {
  if (round === 0) await bareRound(Number(bootstrap.split(",")[0].split(":")[1]));
  if (round < 3) await kcatRound(bootstrap, topic, round);
  if (round < 8) await kafkajsRound(bootstrap, `golden-kafkajs-${round}`, round);
  if (round < 4) await platformaticRound(bootstrap, `golden-platformatic-${round}`, round);
}
