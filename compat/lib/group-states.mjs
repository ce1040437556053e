// All that a broker tells of its groups, as lines that can be compared before and after; and what a member of a streams group says.
import { ErrorCode } from "@samsa/base";
import { TcpTransport } from "@samsa/io";
import { RawClient } from "../../packages/server/dist/testing/raw-client.js";
import { loadCodecs } from "./codecs.mjs";

const APIS = [
  "FindCoordinator",
  "ListGroups",
  "DescribeGroups",
  "ConsumerGroupDescribe",
  "StreamsGroupDescribe",
  "StreamsGroupHeartbeat",
  "OffsetCommit",
  "OffsetFetch",
  "OffsetDelete",
  "DeleteGroups",
];
const DESCRIPTIONS = { classic: "DescribeGroups", consumer: "ConsumerGroupDescribe" };
/** What may go on while nobody changes a group. */
const MOVES_ON = new Set(["throttleTimeMs", "unknownTaggedFields"]);

/** Asks a broker about groups, in the highest version there is. Throws where it answers with an error. */
export class GroupAsker {
  #client;
  #codecs;

  static async connect(port) {
    const asker = new GroupAsker();
    asker.#codecs = await loadCodecs(APIS);
    asker.#client = await RawClient.connect(new TcpTransport(), { host: "127.0.0.1", port });
    return asker;
  }

  close() {
    this.#client.close();
  }

  async ask(api, fields, version = this.#codecs[api].request.highestVersion) {
    const { request, response } = this.#codecs[api];
    const answer = await this.#client.request(request, response, version, request.create(fields));
    expectNoError(answer, api);
    return answer;
  }

  /** @returns by the id of each group lines such as `members.0.memberEpoch: 3`; those of streams groups are only listed, and their offsets */
  async states() {
    const { groups } = await this.ask("ListGroups", {});
    const states = new Map();
    for (const group of groups.toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1))) {
      const { groupId, groupType } = group;
      const api = DESCRIPTIONS[groupType.toLowerCase()];
      const described = api && (await this.ask(api, { groupIds: [groupId], groups: [groupId] })).groups[0];
      states.set(groupId, linesOf({ ...group, described, offsets: await this.offsets(groupId) }));
    }
    return states;
  }

  async streamsState(groupId) {
    return linesOf((await this.ask("StreamsGroupDescribe", { groupIds: [groupId] })).groups[0]);
  }

  async offsets(groupId) {
    const { groups } = await this.ask(
      "OffsetFetch",
      { groups: [{ groupId, memberId: null, memberEpoch: -1, topics: null }], requireStable: true },
      9, // the last that knows topics by name
    );
    return groups[0].topics;
  }

  /** `offsets` are `[topic, partition, offset, metadata, leaderEpoch]`. */
  async commit(groupId, offsets, { memberId = "", epoch = -1 } = {}) {
    const topics = new Map();
    for (const each of offsets) topics.set(each[0], [...(topics.get(each[0]) ?? []), each]);
    const fields = {
      groupId,
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [...topics].map(([name, some]) => ({
        name,
        partitions: some.map(
          ([, partitionIndex, committedOffset, committedMetadata = "", committedLeaderEpoch = -1]) => ({
            partitionIndex,
            committedOffset,
            committedMetadata,
            committedLeaderEpoch,
          }),
        ),
      })),
    };
    await this.ask("OffsetCommit", fields, 9);
  }

  /** A new member of a streams group that takes all tasks of one subtopology and has its epoch acknowledged. @returns its last heartbeat */
  async joinStreams(groupId, memberId, topic) {
    const none = {
      sourceTopicRegex: [],
      stateChangelogTopics: [],
      repartitionSinkTopics: [],
      repartitionSourceTopics: [],
    };
    const subtopology = { subtopologyId: "0", sourceTopics: [topic], ...none, copartitionGroups: [] };
    const topology = { epoch: 1, subtopologies: [subtopology] };
    let beat = await this.ask("StreamsGroupHeartbeat", {
      groupId,
      memberId,
      memberEpoch: 0,
      rebalanceTimeoutMs: 60_000,
      topology,
      activeTasks: [],
      standbyTasks: [],
      warmupTasks: [],
      processId: "process",
      clientTags: [{ key: "zone", value: "a" }],
    });
    const owned = () => ({ activeTasks: beat.activeTasks ?? [], standbyTasks: [], warmupTasks: [] });
    for (let tasks = owned(); tasks.activeTasks.length === 0; tasks = owned()) {
      beat = await this.ask("StreamsGroupHeartbeat", { groupId, memberId, memberEpoch: beat.memberEpoch, ...tasks });
    }
    const last = { groupId, memberId, memberEpoch: beat.memberEpoch, ...owned() };
    await this.ask("StreamsGroupHeartbeat", last);
    return last;
  }
}

function expectNoError(answer, where) {
  for (const [name, value] of Object.entries(answer)) {
    if (name === "errorCode" && value !== ErrorCode.NONE) {
      throw new Error(`${where}: error ${value} ${answer.errorMessage ?? ""}`);
    }
    if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
      expectNoError(value, `${where}.${name}`);
    }
  }
}

/** One line for each value. Lists are in an order of their own: brokers have none. */
function linesOf(value, path = "") {
  if (value === undefined) return [];
  if (value instanceof Uint8Array) return [`${path}: ${Buffer.from(value).toString("hex")}`];
  if (typeof value !== "object" || value === null) return [`${path}: ${JSON.stringify(value)}`];
  const entries = Array.isArray(value)
    ? value
        .map((each) => [linesOf(each).join(), each])
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, each], i) => [i, each])
    : Object.entries(value).filter(([name]) => !MOVES_ON.has(name));
  if (Array.isArray(value) && value.length === 0) return [`${path}: none`];
  return entries.flatMap(([name, each]) => linesOf(each, path === "" ? `${name}` : `${path}.${name}`));
}
