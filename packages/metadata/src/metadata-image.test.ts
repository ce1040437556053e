import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { uuidFromBytes } from "@samsa/base";
import fc from "fast-check";
import { clientQuotaKey } from "./client-quotas-image.ts";
import { isAlive } from "./cluster-image.ts";
import { ConfigResourceType } from "./config/config-resource.ts";
import { imageRecords } from "./image-records.ts";
import { MetadataDelta } from "./metadata-delta.ts";
import type { MetadataImage } from "./metadata-image.ts";
import { EMPTY_IMAGE, EMPTY_PROVENANCE } from "./metadata-image.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { metadataRecord } from "./metadata-record.ts";
import { imageOf } from "./testing/fixtures.ts";

function replay(records: Iterable<MetadataRecord>, image: MetadataImage = EMPTY_IMAGE): MetadataImage {
  const delta = new MetadataDelta(image);
  for (const record of records) delta.replay(record);
  return delta.apply(EMPTY_PROVENANCE);
}

/** An image as plain values, so that maps of different make-up compare. */
function plain(image: MetadataImage): unknown {
  return JSON.parse(
    JSON.stringify({ ...image, provenance: 0, configs: [...image.configs.resources()] }, (_key, value: unknown) => {
      if (value instanceof Uint8Array) return [...value];
      return value !== null && typeof value === "object" && "entries" in value && "size" in value
        ? [...(value as ReadonlyMap<unknown, unknown>)].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
        : value;
    }),
  );
}

const id = (n: number): Uuid => uuidFromBytes(new Uint8Array(16).fill(n));
const topic = (name: string, n: number) => metadataRecord("TopicRecord", { name, topicId: id(n) });
const partition = (n: number, partitionId: number) =>
  metadataRecord("PartitionRecord", {
    partitionId,
    topicId: id(n),
    replicas: [1],
    isr: [1],
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [id(9)],
  });
const removeTopic = (n: number) => metadataRecord("RemoveTopicRecord", { topicId: id(n) });
const topicConfig = (resourceName: string, name: string, value: string | null) =>
  metadataRecord("ConfigRecord", { resourceType: ConfigResourceType.TOPIC, resourceName, name, value });

test("Kafka's log amounts to what Kafka was asked for", () => {
  const image = imageOf("cluster-metadata.log", 45); // before the controlled shutdown
  assert.deepEqual([...image.topics.byName.keys()], ["__proto__", "assigned", "golden"]);
  const golden = image.topics.byName.get("golden");
  assert.equal(golden?.partitions.size, 5);
  assert.equal(golden.partitions.get(4)?.leader, 1);
  assert.equal(image.topics.byId.get(golden.id), golden);
  assert.deepEqual(
    [...image.configs.configFor(ConfigResourceType.TOPIC, "golden")],
    [
      ["cleanup.policy", "compact"],
      ["max.message.bytes", "5000"],
    ],
  );
  assert.deepEqual([...image.configs.configFor(ConfigResourceType.BROKER, "")], [["min.insync.replicas", "1"]]);
  assert.equal(image.features.metadataVersion.level, 33);
  assert.equal(image.features.level("share.version"), 2);
  assert.ok(image.features.isElrEnabled);
  const broker = image.cluster.brokers.get(1);
  assert.ok(isAlive(broker));
  assert.equal(broker.epoch, 13);
  assert.deepEqual(broker.cordonedDirectories, []);
  assert.equal(broker.listeners.get("PLAINTEXT")?.host, "127.0.0.1");
  assert.equal(image.cluster.controllers.size, 1);
  assert.equal(image.producerIds.nextProducerId, 1000);
  assert.deepEqual([...image.scram.keys()], ["1:alice"]);
  assert.equal(image.acls.size, 1);
  const user = [{ entityType: "user", entityName: "kafka" }];
  assert.equal(image.clientQuotas.get(clientQuotaKey(user))?.quotas.get("producer_byte_rate"), 1024);
  assert.equal(image.clientQuotas.size, 1);
});

test("after Kafka's controlled shutdown nobody leads, and the eligible replica is known", () => {
  const image = imageOf("cluster-metadata.log");
  const partition = image.topics.byName.get("golden")?.partitions.get(0);
  assert.deepEqual([partition?.leader, partition?.isr, partition?.elr, partition?.lastKnownElr], [-1, [], [1], [1]]);
  assert.deepEqual([partition?.leaderEpoch, partition?.partitionEpoch], [1, 1]);
  assert.equal(image.cluster.brokers.get(1)?.fenced, true);
});

test("the records of an image replay to the image", () => {
  const image = imageOf("cluster-metadata.log");
  assert.deepEqual(plain(replay(imageRecords(image))), plain(image));
});

test("a change shares everything that it does not touch", () => {
  const records: MetadataRecord[] = [];
  for (let n = 0; n < 200; n++) records.push(topic(`t${n}`, n), partition(n, 0), partition(n, 1));
  const before = replay(records);
  const change = metadataRecord("PartitionChangeRecord", { topicId: id(7), partitionId: 1, leader: 2, isr: [2] });
  const after = replay([change], before);
  assert.equal(after.configs, before.configs);
  assert.equal(after.cluster, before.cluster);
  for (const [topicId, topic] of after.topics.byId) {
    const isShared = topic === before.topics.byId.get(topicId);
    assert.equal(isShared, topicId !== id(7));
    assert.equal(topic.partitions.get(0), before.topics.byId.get(topicId)?.partitions.get(0));
  }
  assert.equal(before.topics.byId.get(id(7))?.partitions.get(1)?.leader, 1);
  assert.equal(after.topics.byId.get(id(7))?.partitions.get(1)?.leader, 2);
});

test("a delta tells what was created, changed and deleted", () => {
  const image = replay([topic("old", 1), partition(1, 0), topic("kept", 2), partition(2, 0)]);
  const delta = new MetadataDelta(image);
  for (const record of [topic("new", 3), partition(3, 0), partition(2, 1), removeTopic(1)]) delta.replay(record);
  assert.deepEqual([...delta.topics.created], [id(3)]);
  assert.deepEqual(
    [...delta.topics.deleted.values()].map(({ name }) => name),
    ["old"],
  );
  assert.deepEqual(
    [...delta.topics.changed.values()].map(({ name, partitionChanges }) => [name, [...partitionChanges.keys()]]),
    [
      ["new", [0]],
      ["kept", [1]],
    ],
  );
});

test("a topic that came and went leaves nothing behind, also not its configuration", () => {
  const delta = new MetadataDelta(EMPTY_IMAGE);
  const records = [topic("t", 1), topicConfig("t", "retention.ms", "1"), partition(1, 0), removeTopic(1)];
  for (const record of records) delta.replay(record);
  assert.ok(delta.topics.isEmpty && delta.configs.isEmpty);
  assert.deepEqual(plain(delta.apply(EMPTY_PROVENANCE)), plain(EMPTY_IMAGE));
});

test("a topic that is deleted and made again in one delta is another topic", () => {
  const image = replay([topic("t", 1), partition(1, 0), partition(1, 1), topicConfig("t", "retention.ms", "1")]);
  const after = replay([removeTopic(1), topic("t", 2), partition(2, 0)], image);
  assert.equal(after.topics.byName.get("t")?.id, id(2));
  assert.equal(after.topics.byName.get("t")?.partitions.size, 1);
  assert.equal(after.topics.byId.has(id(1)), false);
  assert.equal(after.configs.size, 0);
});

test("ClearElrRecord forgets the eligible replicas of one topic, or of all", () => {
  const image = imageOf("cluster-metadata.log");
  const elrOf = (after: MetadataImage, name: string) => after.topics.byName.get(name)?.partitions.get(0)?.elr;
  const one = replay([metadataRecord("ClearElrRecord", { topicName: "golden" })], image);
  assert.deepEqual([elrOf(one, "golden"), elrOf(one, "assigned")], [[], [1]]);
  const all = replay([metadataRecord("ClearElrRecord", { topicName: "" })], image);
  assert.deepEqual([elrOf(all, "golden"), elrOf(all, "assigned")], [[], []]);
});

const contradictions: { why: string; records: MetadataRecord[] }[] = [
  { why: "a partition of no topic", records: [partition(1, 0)] },
  { why: "the removal of no topic", records: [removeTopic(1)] },
  { why: "two topics of one name", records: [topic("t", 1), topic("t", 2)] },
  {
    why: "a change of no partition",
    records: [topic("t", 1), metadataRecord("PartitionChangeRecord", { topicId: id(1), partitionId: 0, leader: 1 })],
  },
  {
    why: "a change of no broker",
    records: [metadataRecord("BrokerRegistrationChangeRecord", { brokerId: 1, brokerEpoch: 1, fenced: 1 }, 0)],
  },
  {
    why: "a change of an earlier registration",
    records: [
      metadataRecord("RegisterBrokerRecord", { brokerId: 1, brokerEpoch: 5, incarnationId: id(1) }),
      metadataRecord("BrokerRegistrationChangeRecord", { brokerId: 1, brokerEpoch: 4, fenced: 1 }, 0),
    ],
  },
];
for (const { why, records } of contradictions) {
  test(`refuses ${why}`, () => assert.throws(() => replay(records), { name: "MetadataReplayError" }));
}

// Without it nothing newer than the first version of a record may be written.
const metadataVersion = metadataRecord("FeatureLevelRecord", { name: "metadata.version", featureLevel: 33 });
const anyRecord = fc.oneof(
  fc.record({ kind: fc.constant("topic"), n: fc.nat(4), other: fc.nat(4) }),
  fc.record({ kind: fc.constant("partition"), n: fc.nat(4), other: fc.nat(4) }),
  fc.record({ kind: fc.constant("change"), n: fc.nat(4), other: fc.nat(4) }),
  fc.record({ kind: fc.constant("remove"), n: fc.nat(4), other: fc.nat(4) }),
  fc.record({ kind: fc.constant("config"), n: fc.nat(4), other: fc.nat(4) }),
);

test("however records are cut into deltas, the image is the same, and its records give it back", () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 6 }), (steps, cuts) => {
      const records: MetadataRecord[] = [metadataVersion];
      let whole = EMPTY_IMAGE;
      for (const { kind, n, other } of steps) {
        const record = makeRecord(kind, n, other);
        try {
          whole = replay([...records, record]);
          records.push(record);
        } catch {
          continue; // contradicts what came before: never written
        }
      }
      whole = replay(records);
      let pieces = EMPTY_IMAGE;
      let from = 0;
      for (const to of [...cuts.sort((a, b) => a - b), records.length]) {
        pieces = replay(records.slice(from, to), pieces);
        from = Math.max(from, to);
      }
      assert.deepEqual(plain(pieces), plain(whole));
      assert.deepEqual(plain(replay(imageRecords(whole))), plain(whole));
    }),
    { numRuns: 100 },
  );
});

function makeRecord(kind: string, n: number, other: number): MetadataRecord {
  switch (kind) {
    case "topic":
      return topic(`name-${other}`, n);
    case "partition":
      return partition(n, other);
    case "change":
      return metadataRecord("PartitionChangeRecord", {
        topicId: id(n),
        partitionId: other,
        leader: other,
        isr: [other],
      });
    case "remove":
      return removeTopic(n);
    default:
      return topicConfig(`name-${n}`, "retention.ms", other === 0 ? null : String(other));
  }
}
