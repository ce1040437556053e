// What of administration comes to something only where there are two nodes, two directories or SASL: against Apache Kafka.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { formatStorage, serverArguments, singleNodeProperties, writeProperties } from "../apache-kafka/kafka.mjs";
import { until } from "../lib/bare-client.mjs";
import { freePorts } from "../lib/brokers.mjs";
import { expect } from "../lib/harness.mjs";
import { Kafka } from "../../packages/client/dist/index.js";

const TOPIC = "two-nodes";
const T0 = { topic: TOPIC, partition: 0 };
const PATIENCE = { limitMs: 30_000, pauseMs: 200 };

export const suite = {
  title: "administration of two nodes",
  needs: ["java"],

  async run({ check, startBroker, scratch }) {
    const dirs = ["one", "other"].map((name) => join(scratch, name));
    const first = await startBroker({ "log.dirs": dirs.join(",") }, "apache");
    const second = await startSecondNode(join(scratch, "second"), first.port + 1);
    const kafka = new Kafka({ bootstrapServers: first.bootstrap, defaultApiTimeoutMs: 60_000 });
    try {
      await calls(check, kafka.admin(), { dirs, second });
    } finally {
      await kafka.close();
      await second.kill();
    }
  },
};

async function calls(check, admin, { dirs, second }) {
  const brokers = async (count) => {
    const found = (await admin.describeCluster()).brokers;
    expect(found.length === count, `${found.length} brokers`);
  };
  await check("the second node comes up", () => until(() => brokers(2), PATIENCE));
  const partition = async () => (await admin.describeTopics([TOPIC]))[0].partitions[0];
  const hasReplicas = (wanted) =>
    until(async () => {
      expect((await admin.listPartitionReassignments([T0])).length === 0, "it is under way");
      const { replicas, isr } = await partition();
      expect(`${replicas}` === wanted && isr.length === replicas.length, `replicas ${replicas}, in sync ${isr}`);
    }, PATIENCE);
  await check("a partition moves to two nodes", async () => {
    await admin.createTopics([{ name: TOPIC, assignments: [[1]] }]);
    await admin.alterPartitionReassignments([{ ...T0, replicas: [2, 1] }], { allowReplicationFactorChange: true });
    await hasReplicas("2,1");
  });
  await check("its preferred leader is elected", async () => {
    const results = await admin.electLeaders("preferred", [T0]);
    expect(results.errors.size === 0, String([...results.errors.values()]));
    await until(async () => expect((await partition()).leaderId === 2, "another leads"), PATIENCE);
  });
  await check("it moves back, and to another directory", async () => {
    await admin.alterPartitionReassignments([{ ...T0, replicas: [1] }]);
    await hasReplicas("1");
    const place = async () =>
      (await admin.describeLogDirs([1]))
        .get("1")
        .find(({ replicas }) => replicas.some(({ topic, isFuture }) => topic === TOPIC && !isFuture))?.path;
    const from = await place();
    const to = dirs.find((dir) => dir !== from);
    await admin.alterReplicaLogDirs([{ ...T0, brokerId: 1, path: to }]);
    await until(async () => expect((await place()) === to, "it still lies where it lay"), PATIENCE);
  });
  const voters = async (wanted) => {
    const ids = (await admin.describeMetadataQuorum()).voters.map(({ replicaId }) => replicaId);
    expect(`${ids.sort()}` === wanted, `voters ${ids}`);
  };
  let voter;
  await check("a voter is added and removed", async () => {
    await until(async () => {
      const { observers } = await admin.describeMetadataQuorum();
      const found = observers.find(({ replicaId }) => replicaId === 2);
      expect(found !== undefined, "node 2 does not observe");
      voter = { voterId: 2, voterDirectoryId: found.replicaDirectoryId };
    }, PATIENCE);
    const listeners = [{ name: "CONTROLLER", host: "127.0.0.1", port: second.controllerPort }];
    await admin.addRaftVoter({ ...voter, listeners });
    await until(() => voters("1,2"), PATIENCE);
    await admin.removeRaftVoter(voter);
    await until(() => voters("1"), PATIENCE);
  });
  await check("a broker that is gone is taken out", async () => {
    await second.kill();
    await admin.unregisterBroker(2);
    await until(() => brokers(1), PATIENCE);
  });
}

/** Broker and controller of a cluster that is there, as an observer of its quorum. */
async function startSecondNode(dir, firstControllerPort) {
  mkdirSync(dir, { recursive: true });
  const port = await freePorts(2);
  const overrides = { "node.id": "2", "controller.quorum.bootstrap.servers": `127.0.0.1:${firstControllerPort}` };
  const file = writeProperties(dir, singleNodeProperties(dir, port, overrides));
  formatStorage(file, ["--no-initial-controllers"]);
  const log = openSync(join(dir, "broker.log"), "a");
  const node = spawn("java", serverArguments(file, ["-Xmx512m"]), { stdio: ["ignore", log, log] });
  closeSync(log);
  const ended = new Promise((resolve) => node.once("exit", resolve));
  return {
    controllerPort: port + 1,
    kill: async () => {
      node.kill("SIGKILL");
      await ended;
    },
  };
}
