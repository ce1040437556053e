// Our own administrative calls, one after another. Against Apache Kafka (`--target apache`) all of them must do what they say; a broker
// that does not serve one says so, and the call rejects with UnsupportedVersionError.
import { connect } from "node:net";
import { ByteReader } from "../../packages/base/dist/index.js";
import { BrokerError, Kafka, UnsupportedVersionError } from "../../packages/client/dist/index.js";
import {
  createStreamsGroupHeartbeatRequestSubtopology,
  StreamsGroupHeartbeatRequest,
} from "../../packages/protocol/dist/generated/streams-group-heartbeat-request.js";
import { StreamsGroupHeartbeatResponse } from "../../packages/protocol/dist/generated/streams-group-heartbeat-response.js";
import { ResponseHeader } from "../../packages/protocol/dist/generated/response-header.js";
import { encodeRequest, FrameDecoder, responseHeaderVersion } from "../../packages/protocol/dist/index.js";
import { expect } from "../lib/harness.mjs";

const TOPIC = "admin-topic";
const T0 = { topic: TOPIC, partition: 0 };

export const suite = {
  title: "administration",
  needs: [],

  async run({ check, startBroker, target }) {
    const broker = await startBroker(
      target.startsWith("apache") && !target.startsWith("apache-2.") // its first KRaft has no authorizer
        ? {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
          }
        : {},
    );
    const kafka = new Kafka({ bootstrapServers: broker.bootstrap, defaultApiTimeoutMs: 60_000 });
    try {
      await calls({ check, target, broker }, kafka);
    } finally {
      await kafka.close();
    }
  },
};

async function calls({ check, target, broker }, kafka) {
  const admin = kafka.admin();
  /** Apache Kafka serves them all. */
  const served = (name, call) =>
    check(name, async () => {
      try {
        await call();
      } catch (error) {
        if (target === "apache" || !isUnserved(error)) throw error;
      }
    });

  await served("topics are created, made larger, described and deleted by id", async () => {
    const [{ topicId }] = await admin.createTopics([{ name: "admin-gone" }]);
    await admin.createTopics([{ name: TOPIC, numPartitions: 1, configs: { "retention.ms": "60000" } }]);
    await admin.deleteTopics([{ topicId }]);
    await admin.createPartitions([{ topic: TOPIC, count: 2 }]);
    const [{ partitions }] = await until(
      () => admin.describeTopics([TOPIC]),
      ([one]) => one.partitions.length === 2,
    );
    expect(partitions.length === 2, `${partitions.length} partitions`);
    const names = (await admin.listTopics()).map(({ name }) => name);
    expect(!names.includes("admin-gone"), `there is ${names}`);
  });
  await kafka.producer().sendBatch(["a", "b", "c"].map((value) => ({ ...T0, value })));

  await served("configurations change and are described", async () => {
    const topic = { type: "topic", name: TOPIC };
    await admin.incrementalAlterConfigs([
      { ...topic, set: { "max.message.bytes": "2000000" }, delete: ["retention.ms"] },
    ]);
    const wanted = { names: ["max.message.bytes", "retention.ms"] };
    const read = async () => (await admin.describeConfigs([topic], wanted)).get(`topic ${TOPIC}`);
    const entries = await until(read, (some) => some.some(({ value }) => value === "2000000"));
    const sources = Object.fromEntries(entries.map(({ name, source }) => [name, source]));
    expect(sources["max.message.bytes"] === "dynamic_topic_config", JSON.stringify(sources));
    expect(sources["retention.ms"] === "default_config", JSON.stringify(sources));
  });
  await served("offsets are listed and records deleted", async () => {
    const offset = async (at) => (await admin.listOffsets([{ ...T0, at }]))[0].offset;
    expect((await offset("latest")) === 3 && (await offset("earliest")) === 0, "other offsets");
    expect((await offset("maxTimestamp")) >= 0, "no record has the largest timestamp");
    const deleted = await admin.deleteRecords([{ ...T0, beforeOffset: 2 }]);
    expect(deleted.get(`${TOPIC}-0`).lowWatermark === 2, "another low watermark");
  });
  await served("the earliest local offset", () => admin.listOffsets([{ ...T0, at: "earliestLocal" }]));
  await served("the last tiered offset", () => admin.listOffsets([{ ...T0, at: "latestTiered" }]));
  let brokerId = -1;
  await served("the cluster is described", async () => {
    const { brokers } = await admin.describeCluster();
    brokerId = brokers[0].nodeId;
  });
  await served("the cluster is described with what we may do", async () => {
    const { authorizedOperations } = await admin.describeCluster({ includeAuthorizedOperations: true });
    expect(authorizedOperations.includes("alter"), `${authorizedOperations}`);
  });
  await served("directories are described", async () => {
    const dirs = (await admin.describeLogDirs([brokerId])).get(String(brokerId));
    expect(
      dirs.some(({ replicas }) => replicas.some(({ topic }) => topic === TOPIC)),
      "the topic is in none",
    );
  });
  await served("features are described", async () => {
    const { finalized } = await admin.describeFeatures();
    expect(finalized.has("metadata.version"), "no metadata.version");
  });
  await served("features are validated", async () => {
    await hasFeature(admin, "group.version");
    await admin.updateFeatures([{ feature: "group.version", maxVersionLevel: 1 }], { validateOnly: true });
  });
  await served("the quorum is described", async () => {
    const { voters, leaderId } = await admin.describeMetadataQuorum();
    expect(
      voters.some(({ replicaId }) => replicaId === leaderId),
      "the leader is no voter",
    );
  });
  await served("quotas change and are described", async () => {
    const entity = { user: "ada" };
    await admin.alterClientQuotas([{ entity, quotas: { producer_byte_rate: 1_000_000 } }]);
    const [found] = await until(
      () => admin.describeClientQuotas({ entity }),
      (some) => some.length > 0,
    );
    expect(found.quotas.producer_byte_rate === 1_000_000, JSON.stringify(found));
    await admin.alterClientQuotas([{ entity, quotas: { producer_byte_rate: null } }]);
  });
  await served("users have SCRAM credentials", async () => {
    await admin.alterUserScramCredentials([{ user: "ada", mechanism: "SCRAM-SHA-256", password: "secret" }]);
    const read = async () => (await admin.describeUserScramCredentials()).found.get("ada") ?? [];
    const [credential] = await until(read, (some) => some.length > 0);
    expect(credential.iterations === 4096, JSON.stringify(credential));
    await admin.alterUserScramCredentials([{ user: "ada", mechanism: "SCRAM-SHA-256", delete: true }]);
  });
  await served("ACLs are created, described and deleted", async () => {
    const acl = {
      resourceType: "topic",
      resourceName: TOPIC,
      patternType: "literal",
      principal: "User:ada",
      host: "*",
      operation: "read",
      permissionType: "allow",
    };
    await admin.createAcls([acl]);
    const filter = { principal: "User:ada" };
    const [found] = await until(
      () => admin.describeAcls(filter),
      (some) => some.length > 0,
    );
    expect(JSON.stringify(found) === JSON.stringify(acl), JSON.stringify(found));
    expect((await admin.deleteAcls([filter])).get("0").length === 1, "nothing was deleted");
  });
  await served("producers are described", async () => {
    const states = (await admin.describeProducers([T0])).get(`${TOPIC}-0`);
    expect(states.length === 1 && states[0].lastSequence === 2, JSON.stringify(states));
  });
  await served("transactions are listed", async () => {
    expect((await admin.listTransactions()).all().flat().length === 0, "there are some");
  });
  await served("a transactional id nobody has is not described", async () => {
    const error = (await admin.describeTransactions(["nobody"])).errors.get("nobody");
    expect(isUnserved(error) || error.codeName === "TRANSACTIONAL_ID_NOT_FOUND", `${error}`);
    if (isUnserved(error)) throw error;
  });
  await served("reassignments are listed, and there are none to take back", async () => {
    expect((await admin.listPartitionReassignments()).length === 0, "there are some");
    await rejects(admin.alterPartitionReassignments([{ ...T0, replicas: null }]), "NO_REASSIGNMENT_IN_PROGRESS");
  });
  await served("an election is not needed", async () => {
    const error = (await admin.electLeaders("preferred", [T0])).errors.get(`${TOPIC}-0`);
    expect(error?.codeName === "ELECTION_NOT_NEEDED", `${error}`);
  });
  await served("offsets of a group are set, listed and deleted, and the group with them", async () => {
    const groupId = "admin-group";
    await admin.alterGroupOffsets(groupId, [{ ...T0, offset: 2, metadata: "here" }]);
    const { offset, metadata } = (await admin.listGroupOffsets([{ groupId }])).get(groupId).get(`${TOPIC}-0`);
    expect(offset === 2 && metadata === "here", `${offset} ${metadata}`);
    const [{ groupId: listed }] = (await admin.listGroups()).all().flat();
    expect(listed === groupId, listed);
    const described = (await admin.describeConsumerGroups([groupId])).get(groupId);
    expect(described.state === "Empty", described.state);
    await admin.deleteGroupOffsets(groupId, [T0]);
    await admin.alterGroupOffsets("admin-other", [{ ...T0, offset: 1 }]);
    await admin.deleteGroups(["admin-other"]);
  });
  await served("groups of other types that do not exist are not described", async () => {
    for (const describe of ["describeShareGroups", "describeStreamsGroups"]) {
      const error = (await admin[describe](["nobody"])).errors.get("nobody");
      if (isUnserved(error)) throw error;
      expect(error?.codeName === "GROUP_ID_NOT_FOUND", `${describe}: ${error}`);
    }
  });
  await served("a group of a Streams application is described", async () => {
    const groupId = "admin-streams";
    const joined = await ask(
      broker.port,
      StreamsGroupHeartbeatRequest,
      StreamsGroupHeartbeatResponse,
      streamsMember(groupId),
    );
    if (joined.errorCode !== 0) throw new BrokerError(joined.errorCode, "StreamsGroupHeartbeat", joined.errorMessage);
    const { members, topology } = (await admin.describeStreamsGroups([groupId])).get(groupId);
    expect(members.length === 1 && members[0].memberId === "m", JSON.stringify(members));
    expect(topology !== null, "no topology");
  });
  await served("resources of clients' metrics are listed", async () => {
    const resource = { type: "client_metrics", name: "admin-metrics" };
    await admin.incrementalAlterConfigs([{ ...resource, set: { "interval.ms": "60000" } }]);
    const found = await until(
      () => admin.listClientMetricsResources(),
      (some) => some.length > 0,
    );
    expect(found[0].name === "admin-metrics", JSON.stringify(found));
  });
  await served("what brokers serve is told", async () => {
    const apis = (await admin.describeApiVersions([brokerId])).get(String(brokerId));
    expect(apis.find(({ name }) => name === "Fetch")?.usedVersion >= 16, JSON.stringify(apis));
  });
  await served("everything with a configuration of its own is listed", async () => {
    const resources = await admin.listConfigResources();
    expect(
      resources.some(({ type, name }) => type === "topic" && name === TOPIC),
      JSON.stringify(resources),
    );
  });
  await served("features are lowered and raised again", async () => {
    await hasFeature(admin, "share.version");
    const level = (await admin.describeFeatures()).finalized.get("share.version");
    await admin.updateFeatures([{ feature: "share.version", maxVersionLevel: 0, upgradeType: "safe_downgrade" }]);
    await admin.updateFeatures([{ feature: "share.version", maxVersionLevel: level }]);
  });
  await served("a replica may be told to lie where it lies", async () => {
    const [{ path }] = (await admin.describeLogDirs([brokerId])).get(String(brokerId));
    await admin.alterReplicaLogDirs([{ ...T0, brokerId, path }]);
  });
  await served("a partition may be told to be where it is, and all may elect", async () => {
    await admin.alterPartitionReassignments([{ ...T0, replicas: [brokerId] }]);
    expect((await admin.electLeaders("preferred")).errors.size === 0, "an election failed");
  });
  await served("a transactional id is fenced, listed and described", async () => {
    const transactionalId = "admin-fenced";
    const { producerId } = (await admin.fenceProducers([transactionalId])).get(transactionalId);
    const listed = (await admin.listTransactions({ transactionalIdPattern: "admin-.*" })).all().flat();
    expect(listed.length === 1 && listed[0].producerId === producerId, JSON.stringify(listed));
    const { state, partitions } = (await admin.describeTransactions([transactionalId])).get(transactionalId);
    expect(state === "Empty" && partitions.length === 0, state);
  });
  await served("a transaction that a partition holds open is aborted without its coordinator", async () => {
    const producer = kafka.producer({ transactionalId: "admin-hanging", lingerMs: 0 });
    await producer.initTransactions();
    await producer.beginTransaction();
    await producer.send({ ...T0, value: "open" });
    const open = async () =>
      (await admin.describeProducers([T0]))
        .get(`${TOPIC}-0`)
        .find(({ currentTransactionStartOffset: offset }) => offset !== undefined);
    const { producerId, producerEpoch, coordinatorEpoch = 0 } = await open();
    await admin.abortTransaction({ ...T0, producerId, producerEpoch, coordinatorEpoch });
    expect((await open()) === undefined, "it is still open");
    await producer.close().catch(() => {});
  });
  await served("members of a group are described and removed", async () => {
    const groupId = "admin-members";
    const consumer = kafka.consumer({ groupId, groupProtocol: "classic" });
    await consumer.subscribe([TOPIC]);
    const reading = consumer[Symbol.asyncIterator]()
      .next()
      .catch(() => {}); // joins
    const members = async () => (await admin.describeClassicGroups([groupId])).found.get(groupId)?.members ?? [];
    const [member] = await until(members, (some) => some.length > 0);
    expect(member.memberId !== "", JSON.stringify(member));
    await admin.removeGroupMembers(groupId, [{ memberId: member.memberId }]);
    await consumer.close().catch(() => {});
    await reading;
  });
  await served("offsets of a share group are set, listed and deleted", async () => {
    const groupId = "admin-share";
    await admin.alterShareGroupOffsets(groupId, [{ ...T0, offset: 2 }]);
    const read = async () => (await admin.listShareGroupOffsets([{ groupId }])).get(groupId).get(`${TOPIC}-0`);
    const found = await until(read, (one) => one !== undefined);
    expect(found.startOffset === 2, JSON.stringify(found));
    const described = (await admin.describeShareGroups([groupId])).get(groupId);
    expect(described.state === "Empty" && described.members.length === 0, JSON.stringify(described));
    await admin.deleteShareGroupOffsets(groupId, [TOPIC]);
    await admin.deleteGroups([groupId]);
  });
  await served("brokers and voters that do not exist are not taken out", async () => {
    await rejects(admin.unregisterBroker(99), "BROKER_ID_NOT_REGISTERED");
    const voter = { voterId: 99, voterDirectoryId: "AAAAAAAAAAAAAAAAAAAABA" };
    await rejects(admin.removeRaftVoter(voter), "VOTER_NOT_FOUND", "INVALID_REQUEST");
  });
  await served("a voter that is one already is not added", async () => {
    const { voters } = await admin.describeMetadataQuorum();
    const { replicaId: voterId, replicaDirectoryId: voterDirectoryId } = voters[0];
    const listeners = [{ name: "CONTROLLER", host: "127.0.0.1", port: broker.port + 1 }];
    await rejects(admin.addRaftVoter({ voterId, voterDirectoryId, listeners }), "DUPLICATE_VOTER", "INVALID_REQUEST");
  });
  await served("delegation tokens are refused without SASL", () =>
    rejects(admin.createDelegationToken(), "DELEGATION_TOKEN_AUTH_DISABLED", "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED"),
  );
}

/** The first heartbeat of a member that has one source topic. */
function streamsMember(groupId) {
  const subtopology = createStreamsGroupHeartbeatRequestSubtopology({ subtopologyId: "0", sourceTopics: [TOPIC] });
  return StreamsGroupHeartbeatRequest.create({
    groupId,
    memberId: "m",
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    topology: { epoch: 1, subtopologies: [subtopology] },
    activeTasks: [],
    standbyTasks: [],
    warmupTasks: [],
    processId: "p",
    clientTags: [],
  });
}

/** One request that our client has no call for. */
async function ask(port, request, response, message) {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    const version = request.highestVersion;
    for (const chunk of encodeRequest(request, message, version, 1, "compat")) socket.write(chunk);
    const frames = new FrameDecoder(1_000_000);
    for await (const bytes of socket) {
      for (const frame of frames.push(bytes)) {
        const reader = new ByteReader(frame);
        ResponseHeader.read(reader, responseHeaderVersion(request.apiKey, version));
        return response.read(reader, version);
      }
    }
    throw new UnsupportedVersionError("the broker closed the connection");
  } finally {
    socket.destroy();
  }
}

function isUnserved(error) {
  // Nobody coordinates what is not served.
  if (error?.cause?.codeName === "COORDINATOR_NOT_AVAILABLE") return true;
  return error instanceof UnsupportedVersionError || isUnserved.codes.has(error?.codeName);
}
isUnserved.codes = new Set(["UNSUPPORTED_VERSION", "SECURITY_DISABLED"]);

async function hasFeature(admin, name) {
  if (!(await admin.describeFeatures()).supported.has(name)) throw new UnsupportedVersionError(`there is no ${name}`);
}

async function rejects(call, ...codes) {
  const error = await call.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (isUnserved(error)) throw error;
  expect(codes.includes(error?.codeName), `${error}`);
}

/** What the controller has decided reaches the broker a moment later. */
async function until(read, isThere) {
  for (let attempt = 0; ; attempt++) {
    const found = await read();
    if (isThere(found) || attempt === 50) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
