import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ERRORS, KafkaError } from "@samsa/base";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import { AlterClientQuotasRequest } from "@samsa/protocol/messages/alter-client-quotas-request";
import { AlterPartitionReassignmentsRequest } from "@samsa/protocol/messages/alter-partition-reassignments-request";
import { ElectLeadersRequest } from "@samsa/protocol/messages/elect-leaders-request";
import { ListPartitionReassignmentsRequest } from "@samsa/protocol/messages/list-partition-reassignments-request";
import { UpdateFeaturesRequest } from "@samsa/protocol/messages/update-features-request";
import { fenceBroker, unfenceBroker, unregisterBroker } from "./broker-lifecycle.ts";
import { alterClientQuotas } from "./client-quota-alteration.ts";
import { updateFeatures } from "./feature-update.ts";
import { electLeaders } from "./leader-election.ts";
import { alterPartitionReassignments, listPartitionReassignments } from "./partition-reassignment.ts";
import { DecidedCluster } from "./testing/contexts.ts";
import { createTopics } from "./topic-creation.ts";

const [PREFERRED, UNCLEAN] = [0, 1];
const [UPGRADE, SAFE_DOWNGRADE] = [1, 2];

/** Three brokers and the topic "orders" with one partition on the named ones. */
function clusterWith(replicas: readonly number[]): { readonly decided: DecidedCluster; readonly epochs: number[] } {
  const decided = new DecidedCluster();
  const epochs = [0, 1, 2, 3].map((id) => (id === 0 ? -1 : decided.addBroker(id)));
  const assignments = [{ partitionIndex: 0, brokerIds: replicas }];
  const topic = createCreateTopicsRequestCreatableTopic({
    name: "orders",
    numPartitions: -1,
    replicationFactor: -1,
    assignments,
  });
  decided.apply((context) => createTopics(context, CreateTopicsRequest.create({ topics: [topic] })));
  return { decided, epochs };
}

function partition(decided: DecidedCluster) {
  const found = decided.image.topics.byName.get("orders")?.partitions.get(0);
  assert.ok(found !== undefined);
  return found;
}

function elect(decided: DecidedCluster, electionType: number): string {
  const request = ElectLeadersRequest.create({ electionType, topicPartitions: [{ topic: "orders", partitions: [0] }] });
  const { replicaElectionResults } = decided.apply((context) => electLeaders(context, request));
  return nameOf(replicaElectionResults[0]?.partitionResult[0]?.errorCode);
}

function move(decided: DecidedCluster, replicas: number[] | null, mayChangeCount = true): string {
  const request = AlterPartitionReassignmentsRequest.create({
    allowReplicationFactorChange: mayChangeCount,
    topics: [{ name: "orders", partitions: [{ partitionIndex: 0, replicas }] }],
  });
  const { responses } = decided.apply((context) => alterPartitionReassignments(context, request));
  return nameOf(responses[0]?.partitions[0]?.errorCode);
}

function nameOf(code = -1): string {
  return ERRORS.get(code)?.name ?? String(code);
}

test("a partition goes back to its first replica when that is asked for", () => {
  const { decided, epochs } = clusterWith([1, 2]);
  decided.apply((context) => fenceBroker(context, 1, epochs[1] ?? -1));
  assert.equal(partition(decided).leader, 2);
  assert.equal(elect(decided, PREFERRED), "PREFERRED_LEADER_NOT_AVAILABLE");
  decided.apply((context) => unfenceBroker(context, 1, epochs[1] ?? -1));
  assert.equal(elect(decided, PREFERRED), "PREFERRED_LEADER_NOT_AVAILABLE"); // alive, and not in sync
  assert.equal(partition(decided).leader, 2);
  assert.equal(elect(decided, UNCLEAN), "ELECTION_NOT_NEEDED");
});

test("a partition that its first replica leads needs no election", () => {
  const { decided } = clusterWith([2, 3]);
  assert.equal(elect(decided, PREFERRED), "ELECTION_NOT_NEEDED");
  const all = ElectLeadersRequest.create({ electionType: PREFERRED, topicPartitions: null });
  const { replicaElectionResults } = decided.apply((context) => electLeaders(context, all));
  assert.deepEqual(replicaElectionResults, [{ topic: "orders", partitionResult: [] }]);
});

test("an unclean election takes a replica that is not in sync", () => {
  const { decided, epochs } = clusterWith([1, 2]);
  decided.apply((context) => fenceBroker(context, 2, epochs[2] ?? -1));
  decided.apply((context) => fenceBroker(context, 1, epochs[1] ?? -1));
  assert.equal(partition(decided).leader, -1);
  assert.equal(elect(decided, UNCLEAN), "ELIGIBLE_LEADERS_NOT_AVAILABLE");
  decided.apply((context) => unfenceBroker(context, 2, epochs[2] ?? -1));
  elect(decided, UNCLEAN);
  assert.equal(partition(decided).leader, 2);
});

test("a kind of election that is none is refused", () => {
  const { decided } = clusterWith([1]);
  assert.throws(
    () => electLeaders(decided.context, ElectLeadersRequest.create({ electionType: 5 })),
    (error) => error instanceof KafkaError && error.code === ErrorCode.INVALID_REQUEST,
  );
});

test("a move names what comes and what goes, and can be taken back", () => {
  const { decided } = clusterWith([1, 2]);
  assert.equal(move(decided, [1, 3]), "NONE");
  const { replicas, addingReplicas, removingReplicas } = partition(decided);
  assert.deepEqual([replicas, addingReplicas, removingReplicas], [[1, 3, 2], [3], [2]]);
  const all = ListPartitionReassignmentsRequest.create({ topics: null });
  assert.deepEqual(listPartitionReassignments(decided.image, all).topics, [
    {
      name: "orders",
      partitions: [{ partitionIndex: 0, replicas: [1, 3, 2], addingReplicas: [3], removingReplicas: [2] }],
    },
  ]);
  assert.equal(move(decided, null), "NONE");
  assert.deepEqual([partition(decided).replicas, partition(decided).addingReplicas], [[1, 2], []]);
  assert.deepEqual(listPartitionReassignments(decided.image, all).topics, []);
});

test("a move to fewer replicas is done at once, and its leader stays among them", () => {
  const { decided } = clusterWith([1, 2, 3]);
  assert.equal(move(decided, [2]), "NONE");
  const { replicas, isr, leader, removingReplicas, directories } = partition(decided);
  assert.deepEqual([replicas, isr, leader, removingReplicas, directories.length], [[2], [2], 2, [], 1]);
});

const refusedMoves = [
  { to: [1, 1], says: "INVALID_REPLICA_ASSIGNMENT" },
  { to: [], says: "INVALID_REPLICA_ASSIGNMENT" },
  { to: [9], says: "INVALID_REPLICA_ASSIGNMENT" },
  { to: [1, 2, 3], mayChangeCount: false, says: "INVALID_REPLICATION_FACTOR" },
  { to: null, says: "NO_REASSIGNMENT_IN_PROGRESS" },
];
for (const { to, mayChangeCount, says } of refusedMoves) {
  test(`a move to ${to === null ? "where it came from" : `[${to.join()}]`} is refused with ${says}`, () => {
    const { decided } = clusterWith([1, 2]);
    const before = partition(decided);
    assert.equal(move(decided, to, mayChangeCount), says);
    assert.equal(partition(decided), before);
  });
}

function update(decided: DecidedCluster, feature: string, maxVersionLevel: number, upgradeType: number): string {
  const request = UpdateFeaturesRequest.create({
    featureUpdates: [{ feature, maxVersionLevel, upgradeType, allowDowngrade: false }],
  });
  return nameOf(decided.apply((context) => updateFeatures(context, request, 1)).errorCode);
}

test("a feature goes down when that is asked for, and up again", () => {
  const { decided } = clusterWith([1]);
  assert.equal(update(decided, "transaction.version", 1, UPGRADE), "INVALID_UPDATE_VERSION");
  assert.equal(update(decided, "transaction.version", 1, SAFE_DOWNGRADE), "NONE");
  assert.equal(decided.image.features.level("transaction.version"), 1);
  assert.equal(update(decided, "transaction.version", 2, SAFE_DOWNGRADE), "INVALID_UPDATE_VERSION");
  assert.equal(update(decided, "transaction.version", 2, UPGRADE), "NONE");
  assert.equal(decided.image.features.level("transaction.version"), 2);
});

test("one feature that cannot change keeps all others as they are", () => {
  const { decided } = clusterWith([1]);
  const request = UpdateFeaturesRequest.create({
    featureUpdates: [
      { feature: "group.version", maxVersionLevel: 0, upgradeType: SAFE_DOWNGRADE, allowDowngrade: false },
      { feature: "share.version", maxVersionLevel: 77, upgradeType: UPGRADE, allowDowngrade: false },
    ],
  });
  decided.apply((context) => updateFeatures(context, request, 1));
  assert.equal(decided.image.features.level("group.version"), 1);
});

test("a broker that does not come back is forgotten, and leads nothing", () => {
  const { decided } = clusterWith([1, 2]);
  decided.apply((context) => unregisterBroker(context, 1));
  assert.equal(decided.image.cluster.brokers.has(1), false);
  assert.equal(partition(decided).leader, 2);
  assert.throws(
    () => unregisterBroker(decided.context, 1),
    (error) => error instanceof KafkaError && error.code === ErrorCode.BROKER_ID_NOT_REGISTERED,
  );
});

function quota(
  decided: DecidedCluster,
  entity: readonly (readonly [string, string | null])[],
  key: string,
  value: number,
) {
  const remove = value === 0;
  const request = AlterClientQuotasRequest.create({
    entries: [
      {
        entity: entity.map(([entityType, entityName]) => ({ entityType, entityName })),
        ops: [{ key, value, remove }],
      },
    ],
  });
  const { entries } = decided.apply((context) => alterClientQuotas(context, request));
  return nameOf(entries[0]?.errorCode);
}

test("a quota is set, changed and removed", () => {
  const { decided } = clusterWith([1]);
  const limits = () => [...decided.image.clientQuotas.values()].map(({ quotas }) => Object.fromEntries(quotas));
  assert.equal(quota(decided, [["client-id", "one"]], "producer_byte_rate", 1000), "NONE");
  assert.equal(quota(decided, [["client-id", "one"]], "consumer_byte_rate", 500), "NONE");
  assert.equal(quota(decided, [["client-id", null]], "producer_byte_rate", 7), "NONE");
  assert.deepEqual(limits(), [{ producer_byte_rate: 1000, consumer_byte_rate: 500 }, { producer_byte_rate: 7 }]);
  quota(decided, [["client-id", "one"]], "producer_byte_rate", 0);
  quota(decided, [["client-id", null]], "producer_byte_rate", 0);
  assert.deepEqual(limits(), [{ consumer_byte_rate: 500 }]);
});

const refusedQuotas = [
  { what: "of nobody", entity: [], key: "producer_byte_rate", value: 5 },
  { what: "of a group", entity: [["group", "a"]], key: "producer_byte_rate", value: 5 },
  {
    what: "of an address and a user",
    entity: [
      ["ip", "1.2.3.4"],
      ["user", "a"],
    ],
    key: "producer_byte_rate",
    value: 5,
  },
  { what: "that is negative", entity: [["user", "a"]], key: "producer_byte_rate", value: -1 },
  { what: "of half a byte", entity: [["user", "a"]], key: "producer_byte_rate", value: 0.5 },
  { what: "without end", entity: [["user", "a"]], key: "request_percentage", value: Infinity },
  { what: "of another kind", entity: [["user", "a"]], key: "connection_creation_rate", value: 5 },
] as const;
for (const { what, entity, key, value } of refusedQuotas) {
  test(`a quota ${what} is refused`, () => {
    const { decided } = clusterWith([1]);
    assert.equal(quota(decided, entity, key, value), "INVALID_REQUEST");
    assert.equal([...decided.image.clientQuotas.values()].length, 0);
  });
}
