// One conversation of several members with a group coordinator, request by request. What one broker answers the other must answer,
// field by field. Only ids that brokers make up are blotted out, and which of equal partitions a member has.
import { setTimeout as sleep } from "node:timers/promises";
import { TcpTransport } from "@samsa/io";
import { ByteWriter, ErrorCode } from "@samsa/base";
import { ConsumerProtocolSubscription } from "@samsa/protocol/messages/consumer-protocol-subscription";
import { RawClient } from "../../packages/server/dist/testing/raw-client.js";
import { loadCodecs } from "./codecs.mjs";

/** So that nothing waits: assignments are not gathered, and groups begin at once. */
export const CONVERSATION_BROKER = {
  "group.consumer.assignment.interval.ms": 0,
  "group.initial.rebalance.delay.ms": 0,
  "offsets.topic.num.partitions": 1,
  "group.consumer.max.size": 4,
};

const NO_ID = "AAAAAAAAAAAAAAAAAAAAAA";
const APIS = [
  "CreateTopics",
  "FindCoordinator",
  "ConsumerGroupHeartbeat",
  "ConsumerGroupDescribe",
  "DescribeGroups",
  "ListGroups",
  "DeleteGroups",
  "JoinGroup",
  "SyncGroup",
  "Heartbeat",
  "LeaveGroup",
  "OffsetCommit",
  "OffsetFetch",
  "OffsetDelete",
  "DeleteTopics",
  "CreatePartitions",
];

function subscription(topics, ownedPartitions = []) {
  const writer = new ByteWriter();
  writer.int16(1);
  ConsumerProtocolSubscription.write(writer, ConsumerProtocolSubscription.create({ topics, ownedPartitions }), 1);
  return writer.toBytes();
}

/** @returns a list of { what, answer } in the order of the conversation */
export async function converse(port, told = []) {
  const codecs = await loadCodecs(APIS);
  const client = await RawClient.connect(new TcpTransport(), { host: "127.0.0.1", port });
  const ask = (api, fields, version = codecs[api].request.highestVersion, by = client) => {
    const { request, response } = codecs[api];
    return by.request(request, response, version, request.create(fields));
  };
  const ids = new Map();

  const say = async (what, api, fields, version, by = client) => {
    const line = { what, answer: undefined };
    if (what !== "") told.push(line); // in the order of the requests, not of the answers
    const answer = await ask(api, fields, version, by);
    line.answer = comparable(answer, ids);
    return answer;
  };

  // As many of the second that neither two nor three members have to share unevenly: who gets more is nobody's business.
  for (const [name, numPartitions] of [
    ["one", 4],
    ["two", 6],
  ]) {
    const { topics } = await ask("CreateTopics", {
      timeoutMs: 5000,
      topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
    });
    ids.set(topics[0].topicId, `id of ${name}`);
  }
  const idOf = (name) => [...ids].find(([, text]) => text === `id of ${name}`)[0];
  for (let tries = 0; tries < 100; tries++) {
    const { coordinators } = await ask("FindCoordinator", { keyType: 0, coordinatorKeys: ["talk"] });
    const { groups } = await ask("ConsumerGroupDescribe", { groupIds: ["talk"] });
    if (coordinators[0].errorCode === 0 && groups[0].errorCode === ErrorCode.GROUP_ID_NOT_FOUND) break;
    await sleep(100);
  }

  const groupId = "talk";
  // A group begins in epoch 1, and its first member takes it to 2: counted here from the first member.
  const inEpoch = (epoch) => (epoch > 0 ? epoch + 1 : epoch);
  const offset = (partitionIndex) => ({
    partitionIndex,
    committedOffset: 1,
    committedLeaderEpoch: -1,
    committedMetadata: "",
  });
  const beat = (what, memberId, memberEpoch, fields = {}, version = 1) =>
    say(what, "ConsumerGroupHeartbeat", { groupId, memberId, memberEpoch: inEpoch(memberEpoch), ...fields }, version);
  const joining = { rebalanceTimeoutMs: 60_000, subscribedTopicNames: ["one"], topicPartitions: [] };
  const owns = (...partitions) => ({ topicPartitions: [{ topicId: idOf("one"), partitions }] });
  const describe = (what) =>
    say(what, "ConsumerGroupDescribe", { groupIds: [groupId], includeAuthorizedOperations: true });
  const commit = (what, memberId, epoch, fields = {}, version = 9) =>
    say(
      what,
      "OffsetCommit",
      {
        groupId,
        memberId,
        generationIdOrMemberEpoch: epoch,
        topics: [{ name: "one", topicId: idOf("one"), partitions: [offset(0)] }],
        ...fields,
      },
      version,
    );
  const fetch = (what, memberId, memberEpoch) =>
    say(
      what,
      "OffsetFetch",
      {
        groups: [
          {
            groupId,
            memberId,
            memberEpoch: inEpoch(memberEpoch),
            topics: [{ name: "one", topicId: NO_ID, partitionIndexes: [0, 1] }],
          },
        ],
      },
      9,
    );

  // Nobody is there yet.
  await beat("a heartbeat to no group", "a", 1);
  await beat("a leave of no group", "a", -1);
  await say("a description of no group", "ConsumerGroupDescribe", { groupIds: [groupId, ""] });
  await commit("a commit of a member of no group", "a", inEpoch(1));
  await commit("the same in an older version", "a", inEpoch(1), {}, 8);
  await fetch("a fetch by a member of no group", "a", 1);

  // What is no heartbeat.
  await beat("no member id", "", 0, joining);
  await beat("a blank member id", " ", 0, joining);
  await beat("no member id on leaving, version 0", "", -1, {}, 0);
  await say("no group id", "ConsumerGroupHeartbeat", { groupId: "", memberId: "a", memberEpoch: 0, ...joining });
  await beat("an empty instance id", "a", 0, { ...joining, instanceId: "" });
  await beat("an empty rack", "a", 0, { ...joining, rackId: "" });
  await beat("no rebalance timeout", "a", 0, { ...joining, rebalanceTimeoutMs: -1 });
  await beat("partitions on joining", "a", 0, { ...joining, ...owns(1) });
  await beat("partitions unsaid on joining", "a", 0, { ...joining, topicPartitions: null });
  await beat("no subscription", "a", 0, { ...joining, subscribedTopicNames: null });
  await beat("an epoch of -3", "a", -3);
  await beat("an epoch of -2 without an instance", "a", -2);
  await beat("an assignor that there is not", "a", 0, { ...joining, serverAssignor: "fair" });
  await beat("a pattern that is none", "a", 0, { ...joining, subscribedTopicNames: [], subscribedTopicRegex: "(" });

  // Two members.
  await beat("the first member", "a", 0, joining);
  await describe("a group of one");
  await beat("it is still there", "a", 1);
  await beat("it joins again", "a", 0, joining);
  await beat("it says everything", "a", 1, { ...joining, ...owns(0, 1, 2, 3) });
  await beat("the second member", "b", 0, joining);
  await describe("a group of two");
  const { assignment: kept } = await beat("the first is to give up", "a", 1, owns(0, 1, 2, 3));
  const own = kept.topicPartitions.flatMap(({ partitions }) => partitions);
  await beat("the second waits", "b", 2);
  await beat("the first has not yet", "a", 1, owns(0, 1, 2, 3));
  await commit("a commit while it revokes", "a", inEpoch(1));
  await beat("the first has given up", "a", 1, owns(...own));
  await beat("the second gets them", "b", 2);
  await describe("two members with two partitions each");
  await say("the groups there are", "ListGroups", {});
  await say("the consumer groups", "ListGroups", { typesFilter: ["consumer"] });
  await say("the classic groups", "ListGroups", { typesFilter: ["classic"] });
  await say("the stable groups", "ListGroups", { statesFilter: ["STABLE"] });
  await say("the classic description of it", "DescribeGroups", { groups: [groupId] });
  await say("the same before version 6", "DescribeGroups", { groups: [groupId] }, 5);
  await say("a deletion of it", "DeleteGroups", { groupsNames: [groupId] });

  // Fencing and commits.
  await beat("a greater epoch", "a", 9);
  await beat("a smaller epoch", "b", 1, owns(0));
  await beat("the epoch before, with no more than its own", "a", 1, owns(own[0]));
  await beat("the epoch before, with more", "a", 1, owns(0, 1, 2, 3));
  await beat("a stranger", "x", 2);
  await commit("a commit of a member", "a", inEpoch(2));
  await commit("a commit of no member", "", -1);
  await commit("a commit of a stranger", "x", inEpoch(2));
  await commit("a commit of a greater epoch", "a", inEpoch(3));
  await commit("a commit before version 9", "a", inEpoch(2), {}, 8);
  await commit("a commit of a smaller epoch of a partition had since", "a", inEpoch(1), {
    topics: [{ name: "one", topicId: idOf("one"), partitions: [offset(own[0])] }],
  });
  await commit("a commit of a smaller epoch of a partition lost", "a", inEpoch(1), {
    topics: [
      {
        name: "one",
        topicId: idOf("one"),
        partitions: [offset([0, 1, 2, 3].find((each) => !own.includes(each)))],
      },
    ],
  });
  await commit("a commit by topic id", "a", inEpoch(2), {}, 10);
  await fetch("a fetch of a member", "a", 2);
  await fetch("a fetch of a smaller epoch", "a", 1);
  await fetch("a fetch of a stranger", "x", 2);
  await fetch("a fetch of nobody", null, -1);
  const offsets = { groupId, topics: [{ name: "one", partitions: [{ partitionIndex: 0 }] }] };
  await say("a deletion of offsets that are read", "OffsetDelete", offsets);

  // A topic grows; another subscription; a static member.
  await ask("CreatePartitions", { topics: [{ name: "one", count: 6, assignments: null }], timeoutMs: 5000 });
  await sleep(500);
  await beat("after the topic has grown", "a", 2, owns(...own));
  await describe("a group whose topic has grown");
  await beat("the second leaves", "b", -1);
  await beat("it has left already", "b", -1);
  await beat("the first gets everything", "a", 3);
  await beat("it reads another topic", "a", 4, { subscribedTopicNames: ["two"] });
  await describe("a group that gives up everything for another topic");
  await beat("it has given up everything", "a", 4, { topicPartitions: [] });
  const one = { instanceId: "the one", ...joining, subscribedTopicNames: ["two"] };
  await beat("a static member", "s", 0, one);
  await beat("another with its name", "t", 0, one);
  await beat("another that says it is there", "t", 6, { instanceId: "the one" });
  await beat("an unknown name", "t", 6, { instanceId: "nobody" });
  await beat("it goes for a while", "s", -2, { instanceId: "the one" });
  await describe("a group whose static member is away");
  await beat("it is back as another", "t", 0, one);
  await beat("its old self", "s", 6, { instanceId: "the one" });
  await beat("its old self leaves", "s", -1, { instanceId: "the one" });
  await describe("a group whose static member is back");
  for (const memberId of ["m1", "m2", "m3"]) await beat(`member ${memberId} of at most four`, memberId, 0, joining);

  // Members of the classic protocol in it.
  await beat("m1 leaves", "m1", -1);
  const join = (what, memberId, fields = {}, version = 9) =>
    say(
      what,
      "JoinGroup",
      {
        groupId,
        memberId,
        protocolType: "consumer",
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 60_000,
        protocols: [{ name: "range", metadata: subscription(["two"]) }],
        ...fields,
      },
      version,
    );
  const { memberId: classic } = await join("a classic member without an id", "");
  await join("a classic member of another type", classic, { protocolType: "connect" });
  await join("a classic member that cannot be understood", classic, {
    protocols: [{ name: "range", metadata: Uint8Array.of(0) }],
  });
  const { generationId } = await join("a classic member", classic);
  const sync = (what, fields) =>
    say(what, "SyncGroup", {
      groupId,
      memberId: classic,
      generationId,
      protocolType: "consumer",
      protocolName: "range",
      ...fields,
    });
  await sync("a sync of another generation", { generationId: 99 });
  await sync("a sync of another protocol", { protocolName: "other" });
  await sync("a sync of a member of the other protocol", { memberId: "a" });
  await sync("a sync", {});
  await say("a heartbeat of another generation", "Heartbeat", { groupId, memberId: classic, generationId: 99 });
  await say("a classic heartbeat of a stranger", "Heartbeat", { groupId, memberId: "x", generationId });
  await say("a classic heartbeat of a member of the other protocol", "Heartbeat", {
    groupId,
    memberId: "a",
    generationId,
  });
  await commit("a commit of a classic member", classic, generationId, {}, 8);
  await commit("a commit of another generation", classic, 99, {}, 8);
  await describe("a group of both protocols");
  await say("they leave", "LeaveGroup", {
    groupId,
    members: [classic, "a", "x"].map((memberId) => ({ memberId, groupInstanceId: null, reason: null })),
  });
  await beat("t leaves at the end", "t", -1, { instanceId: "the one" });
  for (const memberId of ["a", "m2", "m3"]) await beat(`${memberId} leaves at the end`, memberId, -1);
  await beat("a static one comes", "u", 0, one);
  await say("it is put out by name", "LeaveGroup", {
    groupId,
    members: ["the one", "nobody"].map((groupInstanceId) => ({ memberId: "", groupInstanceId, reason: null })),
  });
  await describe("a group that nobody is in");
  await say("it is deleted", "DeleteGroups", { groupsNames: [groupId] });
  await describe("a group that is gone");

  // The classic protocol, in a group of its own.
  const other = await RawClient.connect(new TcpTransport(), { host: "127.0.0.1", port });
  await converseClassic({ say, sayAlso: (...args) => say(...args, other), offset });
  other.close();
  client.close();
  return told;
}

/** @param sayAlso as `say`, over a connection of its own: a join waits for the others */
async function converseClassic({ say, sayAlso, offset }) {
  const groupId = "old";
  const protocols = ["range", "roundrobin"].map((name) => ({ name, metadata: subscription(["one"]) }));
  const joining = {
    groupId,
    protocolType: "consumer",
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 60_000,
    protocols,
  };
  const join = (what, memberId, fields = {}, version = 9, how = say) =>
    how(what, "JoinGroup", { ...joining, memberId, ...fields }, version);
  const sync = (what, memberId, generationId, fields = {}, version = 5, how = say) =>
    how(
      what,
      "SyncGroup",
      { groupId, memberId, generationId, protocolType: "consumer", protocolName: "range", ...fields },
      version,
    );
  const beat = (what, memberId, generationId, fields = {}) =>
    say(what, "Heartbeat", { groupId, memberId, generationId, ...fields });
  const leave = (what, ...members) =>
    say(what, "LeaveGroup", {
      groupId,
      members: members.map(([memberId, groupInstanceId = null]) => ({ memberId, groupInstanceId, reason: null })),
    });
  const describe = (what) => say(what, "DescribeGroups", { groups: [groupId] });
  const commit = (what, memberId, generationIdOrMemberEpoch, fields = {}) =>
    say(
      what,
      "OffsetCommit",
      {
        groupId,
        memberId,
        generationIdOrMemberEpoch,
        topics: [{ name: "one", topicId: NO_ID, partitions: [offset(0)] }],
        ...fields,
      },
      9,
    );

  await beat("a classic heartbeat to no group", "a", 1);
  await sync("a sync of no group", "a", 1);
  await leave("a leave of no classic group", ["a"]);
  await commit("a commit of a member of no classic group", "a", 1);
  await join("a member id that nobody gave", "a");
  await join("a session too short", "", { sessionTimeoutMs: 1 });
  await join("a session too long", "", { sessionTimeoutMs: 2_000_000_000 });
  await join("no group id to join", "", { groupId: "" });
  await join("no protocols", "", { protocols: [] });
  await join("no type", "", { protocolType: "" });
  const { memberId: a } = await join("a first classic member gets an id", "");
  await describe("a group of nobody but one that is expected");
  const first = await join("it joins", a);
  await describe("a group that waits for its leader");
  await beat("a heartbeat before the sync", a, 1);
  await commit("a commit before the sync", a, 1);
  await sync("a sync of a generation past", a, 0);
  await sync("a sync of a stranger", "x", 1);
  await sync("a sync of another type", a, 1, { protocolType: "connect" });
  await sync("a sync of another of the protocols", a, 1, { protocolName: "roundrobin" });
  const assignment = Uint8Array.of(0, 1, 0, 0, 0, 0, 255, 255, 255, 255);
  await sync("the leader syncs", a, first.generationId, { assignments: [{ memberId: a, assignment }] });
  await sync("it syncs again", a, first.generationId);
  await describe("a stable group");
  await say("the stable group before version 6", "DescribeGroups", { groups: [groupId] }, 5);
  await say("the newer description of a classic group", "ConsumerGroupDescribe", { groupIds: [groupId] });
  await say("the groups there are, one of them classic", "ListGroups", {});
  await say("an older list of groups", "ListGroups", {}, 2);
  await say("the groups of a type that there is not", "ListGroups", { typesFilter: ["nothing"] });
  await say("the groups in a state that there is not", "ListGroups", { statesFilter: ["Nothing"] });
  await join("another of a type of its own", "", { protocolType: "connect" });
  await join("another without a protocol in common", "", { protocols: [{ ...protocols[0], name: "mine" }] });
  await beat("a heartbeat", a, 1);
  await beat("a heartbeat of a generation to come", a, 2);
  await beat("a heartbeat of a stranger", "x", 1);
  await beat("a heartbeat of a stranger by name", a, 1, { groupInstanceId: "nobody" });
  await commit("a commit of a member of the classic protocol", a, 1);
  await commit("a commit of a generation to come", a, 2);
  await commit("a commit of a classic stranger", "x", 1);
  await commit("a commit by nobody while there are members", "", -1);
  await say("the offsets by a classic member's epoch", "OffsetFetch", {
    groups: [{ groupId, memberId: a, memberEpoch: 1, topics: null }],
  });
  await say("the offsets", "OffsetFetch", { groups: [{ groupId, memberId: null, memberEpoch: -1, topics: null }] });
  await say("a deletion of a group at work", "DeleteGroups", { groupsNames: [groupId] });
  await say("a deletion of offsets that a classic group reads", "OffsetDelete", {
    groupId,
    topics: [
      { name: "one", partitions: [{ partitionIndex: 0 }] },
      { name: "two", partitions: [{ partitionIndex: 0 }] },
      { name: "none", partitions: [{ partitionIndex: 0 }] },
    ],
  });

  // A second, a static one; it is fenced when its name comes again.
  const name = { groupInstanceId: "the one" };
  const waiting = join("a static one joins", "", { ...name, protocols: protocols.slice(0, 1) }, 9, sayAlso);
  for (let tries = 0; tries < 100; tries++) {
    const { errorCode } = await say("", "Heartbeat", { groupId, memberId: a, generationId: 1 });
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) break;
    await sleep(20);
  }
  await describe("a group that gathers");
  await commit("a commit while it gathers", a, 1);
  await sync("a sync while it gathers", a, 1);
  const second = await join("the first joins again", a);
  const { memberId: s, generationId } = await waiting;
  await describe("a group that waits for its leader once more");
  await sync("both sync", a, generationId, {
    assignments: [a, s].map((memberId) => ({ memberId, assignment })),
  });
  await sync("the static one syncs", s, second.generationId, name, 5, sayAlso);
  await beat("the static one's heartbeat", s, generationId, name);
  await beat("its heartbeat as another", "x", generationId, name);
  await commit("its commit as another", "x", generationId, name);
  await sync("its sync as another", "x", generationId, name);
  const back = await join("the static one is back", "", { ...name, protocols: protocols.slice(0, 1) });
  await describe("a group whose static member is another");
  await beat("what it was before", s, generationId, name);
  await join("what it was before joins", s, name);
  await leave("what it was before, a stranger and a name unknown leave", [s, "the one"], ["x"], ["", "nobody"]);
  await join("a member id unknown with a name unknown", "x", { groupInstanceId: "other" });
  await sync("it syncs as it is", back.memberId, generationId, name);
  await leave("the static one is put out by name", ["", "the one"]);
  await beat("the other is told", a, generationId);
  await join("it joins alone", a);
  const third = await say("", "JoinGroup", { ...joining, memberId: a }, 9);
  await describe("a group that waits for its leader, who has joined twice");
  await sync("it syncs alone", a, third.generationId, { assignments: [{ memberId: a, assignment }] });
  await describe("a group of one again");
  await leave("it leaves", [a]);
  await describe("an empty classic group");
  await commit("a commit by nobody", "", -1);
  await commit("a commit of who has left", a, generationId);
  await say("offsets are deleted, and some that there are not", "OffsetDelete", {
    groupId,
    topics: [
      { name: "one", partitions: [{ partitionIndex: 0 }, { partitionIndex: 3 }] },
      { name: "none", partitions: [{ partitionIndex: 0 }] },
    ],
  });
  await say("the newer protocol's heartbeat takes an empty group over", "ConsumerGroupHeartbeat", {
    groupId,
    memberId: "new",
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: ["one"],
    topicPartitions: [],
  });
  await describe("the classic description of what was classic");
  await say("it leaves", "ConsumerGroupHeartbeat", { groupId, memberId: "new", memberEpoch: -1 });
  await say("groups are deleted, some twice and some that there are not", "DeleteGroups", {
    groupsNames: [groupId, "none", ""],
  });
  await describe("a classic group that is gone");

  // A group without a name, as very old consumers have it.
  const nameless = { groupId: "" };
  const ofNameless = { groups: [{ ...nameless, memberId: null, memberEpoch: -1, topics: null }] };
  await say("a description of the group without a name", "DescribeGroups", { groups: [""] });
  await beat("a heartbeat to it", "a", 1, nameless);
  await sync("a sync of it", "a", 1, nameless);
  await say("a leave of it", "LeaveGroup", {
    ...nameless,
    members: [{ memberId: "a", groupInstanceId: null, reason: null }],
  });
  await commit("a commit of it", "", -1, nameless);
  await commit("a commit of a member of it", "a", 1, nameless);
  await say("what it has committed", "OffsetFetch", ofNameless);
  await say("the offset of it is deleted", "OffsetDelete", {
    ...nameless,
    topics: [{ name: "one", partitions: [{ partitionIndex: 0 }] }],
  });
  await commit("another commit of it", "", -1, nameless);
  await say("a description of it", "DescribeGroups", { groups: [""] });
  await say("a list with it", "ListGroups", {});
  await say("a deletion of the group without a name", "DeleteGroups", { groupsNames: [""] });
  await say("what is left of it", "OffsetFetch", ofNameless);
}

const MADE_UP = /^(?:[A-Za-z0-9_-]{22}|[^ ]*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** Plain data: partitions by how many there are, lists of members and topics by name, ids that were made up as such. */
function comparable(value, ids, key = "") {
  if (typeof value === "string") {
    if (ids.has(value)) return ids.get(value);
    if (MADE_UP.test(value)) return "made up";
    return value
      .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "made up")
      .replaceAll(/[A-Za-z0-9_-]{22}/g, "made up")
      .replaceAll(/partition one-\d|partition (?:made up)-\d|Partition (?:one|made up)-\d/g, "partition one-N");
  }
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (key === "partitions" && Array.isArray(value) && value.every(Number.isInteger))
    return `${value.length} partitions`;
  if (Array.isArray(value)) {
    const list = value.map((each) => comparable(each, ids));
    return list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => name !== "throttleTimeMs" && name !== "unknownTaggedFields")
        .map(([name, field]) => [name, comparable(field, ids, name)]),
    );
  }
  return value;
}
