import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { MetadataRecord, PartitionRegistration } from "@samsa/metadata";
import { LeaderRecoveryState, SUPPORTED_FEATURES } from "@samsa/metadata";
import {
  CreateTopicsRequest,
  createCreateTopicsRequestCreatableReplicaAssignment as assignment,
  createCreateTopicsRequestCreatableTopic as topicOf,
} from "@samsa/protocol/messages/create-topics-request";
import { registerController } from "./activation.ts";
import { beginControlledShutdown, fenceBroker, registerBroker, unfenceBroker } from "./broker-lifecycle.ts";
import { DecidedCluster, registration, uuid } from "./testing/contexts.ts";
import { createTopics } from "./topic-creation.ts";

interface Dumped {
  readonly record: { readonly type: string; readonly version: number; readonly data: Record<string, unknown> };
}

function createTopic(cluster: DecidedCluster, ...partitions: number[][]): void {
  const assignments = partitions.map((brokerIds, partitionIndex) => assignment({ partitionIndex, brokerIds }));
  const topics = [topicOf({ name: "t", numPartitions: -1, replicationFactor: -1, assignments })];
  cluster.apply((context) => createTopics(context, CreateTopicsRequest.create({ topics })));
}

const partition = (cluster: DecidedCluster, id = 0): PartitionRegistration | undefined =>
  cluster.image.topics.byName.get("t")?.partitions.get(id);

test("a node that is killed, started, stopped and started writes what Kafka writes", () => {
  const cluster = new DecidedCluster();
  let incarnation = 0;
  const start = (previousBrokerEpoch: number): number => {
    incarnation++;
    cluster.apply((context) =>
      registerController(context, { controllerId: 1, incarnationId: uuid(incarnation), listeners: [] }),
    );
    // Kafka waits until the session of the incarnation before has run out.
    const before = cluster.image.cluster.brokers.get(1);
    if (before !== undefined) cluster.apply((context) => fenceBroker(context, 1, before.epoch));
    return cluster.addBroker(1, { incarnationId: uuid(incarnation), previousBrokerEpoch });
  };
  start(-1);
  createTopic(cluster, [1], [1]);
  const epoch = start(-1);
  cluster.apply((context) => beginControlledShutdown(context, 1, epoch));
  cluster.apply((context) => fenceBroker(context, 1, epoch));
  start(epoch);

  const lines = readFileSync(new URL("../test-fixtures/restarts.jsonl", import.meta.url), "utf8")
    .trim()
    .split("\n");
  const theirs = lines.map((line) => (JSON.parse(line) as Dumped).record);
  assert.deepEqual(
    cluster.records.map(({ type, version }) => [dumpedName(type), version]),
    theirs.map(({ type, version }) => [type, version]),
  );
  for (const [index, record] of cluster.records.entries()) {
    const message = new Map<string, unknown>(Object.entries(record.message));
    for (const [name, value] of Object.entries(theirs[index]?.data ?? {})) {
      if (!DIFFERS_BY_NATURE.has(name)) assert.deepEqual(message.get(name), value, `${record.type} ${index}: ${name}`);
    }
  }
});

/** Ids, addresses, and offsets: Kafka's log holds the quorum's own records as well. */
const DIFFERS_BY_NATURE = new Set([
  "incarnationId",
  "brokerEpoch",
  "endPoints",
  "features",
  "logDirs",
  "topicId",
  "directories",
  "name",
]);

test("without a session to wait for, a killed node is registered anew in one step", () => {
  const cluster = new DecidedCluster();
  cluster.addBroker(1);
  createTopic(cluster, [1]);
  cluster.apply((context) => registerBroker(context, registration(1, { incarnationId: uuid(50) })));
  assert.deepEqual(state(partition(cluster)), { leader: -1, isr: [], elr: [], lastKnownElr: [1], leaderEpoch: 1 });
  const broker = cluster.image.cluster.brokers.get(1);
  assert.equal(broker?.fenced, true);
  cluster.apply((context) => unfenceBroker(context, 1, broker?.epoch ?? -1));
  assert.deepEqual(state(partition(cluster)), { leader: 1, isr: [1], elr: [], lastKnownElr: [], leaderEpoch: 2 });
  assert.equal(partition(cluster)?.leaderRecoveryState, LeaderRecoveryState.RECOVERING);
});

test("a node that stopped cleanly leads again without recovery", () => {
  const cluster = new DecidedCluster();
  const epoch = cluster.addBroker(1);
  createTopic(cluster, [1]);
  cluster.addBroker(1, { incarnationId: uuid(50), previousBrokerEpoch: epoch });
  assert.deepEqual(state(partition(cluster)), { leader: 1, isr: [1], elr: [], lastKnownElr: [], leaderEpoch: 2 });
  assert.equal(partition(cluster)?.leaderRecoveryState, LeaderRecoveryState.RECOVERED);
});

test("a registration whose answer was lost is the same registration", () => {
  const cluster = new DecidedCluster();
  const epoch = cluster.addBroker(1);
  createTopic(cluster, [1]);
  const again = cluster.apply((context) => registerBroker(context, registration(1)));
  assert.equal(again.brokerEpoch, epoch);
  assert.equal(partition(cluster)?.leader, 1);
});

test("when a leader is fenced, the next in-sync replica leads; unfencing does not take it back", () => {
  const cluster = new DecidedCluster();
  const epochs = [1, 2, 3].map((id) => cluster.addBroker(id));
  createTopic(cluster, [1, 2, 3]);
  cluster.apply((context) => fenceBroker(context, 1, epochs[0] ?? -1));
  assert.deepEqual(state(partition(cluster)), { leader: 2, isr: [2, 3], elr: [], lastKnownElr: [], leaderEpoch: 1 });
  cluster.apply((context) => unfenceBroker(context, 1, epochs[0] ?? -1));
  assert.equal(partition(cluster)?.leader, 2);
});

test("replicas that leave an ISR which is too small stay eligible, and the first to return leads", () => {
  const cluster = new DecidedCluster({ "min.insync.replicas": "2" });
  const epochs = [1, 2, 3].map((id) => cluster.addBroker(id));
  createTopic(cluster, [1, 2, 3]);
  for (const id of [1, 2, 3]) cluster.apply((context) => fenceBroker(context, id, epochs[id - 1] ?? -1));
  assert.deepEqual(state(partition(cluster)), { leader: -1, isr: [], elr: [2, 3], lastKnownElr: [3], leaderEpoch: 3 });
  cluster.apply((context) => unfenceBroker(context, 1, epochs[0] ?? -1));
  assert.equal(partition(cluster)?.leader, -1); // 1 left while 2 and 3 still went on
  cluster.apply((context) => unfenceBroker(context, 2, epochs[1] ?? -1));
  assert.deepEqual(state(partition(cluster)), { leader: 2, isr: [2], elr: [3], lastKnownElr: [], leaderEpoch: 4 });
});

test("a broker that cannot read what the cluster has finalized is refused", () => {
  const cluster = new DecidedCluster();
  const supportedFeatures = new Map([...SUPPORTED_FEATURES, ["metadata.version", { min: 7, max: 25 }] as const]);
  assert.throws(() => registerBroker(cluster.context, registration(1, { supportedFeatures })), {
    codeName: "UNSUPPORTED_VERSION",
    message: /does not support finalized version 33 of metadata\.version/,
  });
});

test("who speaks with the epoch of an earlier registration is refused", () => {
  const cluster = new DecidedCluster();
  const epoch = cluster.addBroker(1);
  cluster.addBroker(1, { incarnationId: uuid(50) });
  for (const decide of [unfenceBroker, fenceBroker, beginControlledShutdown]) {
    assert.throws(() => decide(cluster.context, 1, epoch), { codeName: "STALE_BROKER_EPOCH" });
    assert.throws(() => decide(cluster.context, 9, epoch), { codeName: "STALE_BROKER_EPOCH" });
  }
});

test("the second call of each step writes nothing", () => {
  const cluster = new DecidedCluster();
  const epoch = cluster.addBroker(1);
  assert.equal(unfenceBroker(cluster.context, 1, epoch).records.length, 0);
  cluster.apply((context) => beginControlledShutdown(context, 1, epoch));
  assert.equal(beginControlledShutdown(cluster.context, 1, epoch).records.length, 0);
  cluster.apply((context) => fenceBroker(context, 1, epoch));
  assert.equal(fenceBroker(cluster.context, 1, epoch).records.length, 0);
});

function state(partition: PartitionRegistration | undefined) {
  assert.ok(partition !== undefined);
  const { leader, isr, elr, lastKnownElr, leaderEpoch } = partition;
  return { leader, isr: isr.toSorted(byId), elr: elr.toSorted(byId), lastKnownElr, leaderEpoch };
}

function byId(a: number, b: number): number {
  return a - b;
}

function dumpedName(type: MetadataRecord["type"]): string {
  return type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
