import type { Clock, Timer, Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import type { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import type { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { createJoinGroupResponseMember, JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import type { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import type { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { FakeTopic } from "./fake-cluster.ts";

interface ClassicMember {
  request: JoinGroupRequest;
  joining: ((response: JoinGroupResponse) => void) | undefined;
  syncing: ((response: SyncGroupResponse) => void) | undefined;
  session: Timer | undefined;
}

interface ConsumerMember {
  epoch: number;
  topics: readonly string[];
  pattern: string | null;
  /** What it says it has. */
  owned: Set<string>;
  /** What it was told to have. */
  assigned: Set<string>;
  session: Timer | undefined;
}

const INITIAL_DELAY_MS = 100;
const CONSUMER_SESSION_MS = 45_000;
const CONSUMER_INTERVAL_MS = 1000;

/** A group as a coordinator keeps it, with both protocols, as short as may be. */
class FakeGroup {
  readonly #clock: Clock;
  readonly #topics: ReadonlyMap<string, FakeTopic>;
  readonly classic = new Map<string, ClassicMember>();
  readonly consumers = new Map<string, ConsumerMember>();
  readonly offsets = new Map<string, { offset: number; leaderEpoch: number; metadata: string | null }>();
  /** Every commit that was taken, in order: `t-0=5`. */
  readonly commits: string[] = [];
  readonly #known = new Set<string>(); // ids that were given out
  state: "empty" | "preparing" | "completing" | "stable" = "empty";
  generationId = 0;
  #protocolName = "";
  #leader = "";
  #lastId = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, topics: ReadonlyMap<string, FakeTopic>) {
    this.#clock = clock;
    this.#topics = topics;
  }

  join(request: JoinGroupRequest, version: number): Promise<JoinGroupResponse> | JoinGroupResponse {
    let { memberId } = request;
    const { groupInstanceId } = request;
    if (memberId === "") {
      memberId = `member-${++this.#lastId}`;
      if (groupInstanceId === null && version >= 4) {
        this.#known.add(memberId);
        return JoinGroupResponse.create({ errorCode: ErrorCode.MEMBER_ID_REQUIRED, memberId });
      }
      for (const [id, member] of this.classic) {
        if (groupInstanceId !== null && member.request.groupInstanceId === groupInstanceId) this.#drop(id);
      }
    } else if (!this.#known.has(memberId) && !this.classic.has(memberId)) {
      return JoinGroupResponse.create({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID, memberId });
    }
    this.#known.delete(memberId);
    const member = this.classic.get(memberId) ?? {
      request,
      joining: undefined,
      syncing: undefined,
      session: undefined,
    };
    member.request = request;
    member.session?.cancel();
    this.classic.set(memberId, member);
    return new Promise((resolve) => {
      member.joining = resolve;
      this.#prepare();
    });
  }

  #prepare(): void {
    const isFirst = this.state === "empty";
    if (this.state !== "preparing") {
      this.state = "preparing";
      for (const member of this.classic.values()) {
        member.syncing?.(SyncGroupResponse.create({ errorCode: ErrorCode.REBALANCE_IN_PROGRESS }));
        member.syncing = undefined;
      }
      const longestMs = Math.max(0, ...Array.from(this.classic.values(), ({ request }) => request.rebalanceTimeoutMs));
      this.#timer?.cancel();
      this.#timer = this.#clock.setTimer(isFirst ? INITIAL_DELAY_MS : longestMs, () => {
        for (const [id, { joining }] of this.classic) if (joining === undefined) this.#drop(id);
        this.#complete();
      });
    }
    if (isFirst || this.#isDelayed) return;
    if ([...this.classic.values()].every(({ joining }) => joining !== undefined)) this.#complete();
  }

  get #isDelayed(): boolean {
    return this.generationId === 0;
  }

  #complete(): void {
    this.#timer?.cancel();
    const [first] = this.classic;
    if (first === undefined) {
      this.state = "empty";
      return;
    }
    this.generationId++;
    this.state = "completing";
    if (!this.classic.has(this.#leader)) this.#leader = first[0];
    const all = [...this.classic.values()];
    const chosen = first[1].request.protocols.find(({ name }) =>
      all.every(({ request }) => request.protocols.some((other) => other.name === name)),
    );
    this.#protocolName = chosen?.name ?? "";
    const members = Array.from(this.classic, ([memberId, { request }]) =>
      createJoinGroupResponseMember({
        memberId,
        groupInstanceId: request.groupInstanceId,
        metadata: request.protocols.find(({ name }) => name === this.#protocolName)?.metadata ?? new Uint8Array(),
      }),
    );
    for (const [memberId, member] of this.classic) {
      member.joining?.(
        JoinGroupResponse.create({
          generationId: this.generationId,
          protocolType: "consumer",
          protocolName: this.#protocolName,
          leader: this.#leader,
          memberId,
          members: memberId === this.#leader ? members : [],
        }),
      );
      member.joining = undefined;
      this.#renew(memberId, member);
    }
  }

  sync(request: SyncGroupRequest): Promise<SyncGroupResponse> | SyncGroupResponse {
    const member = this.classic.get(request.memberId);
    const errorCode = this.#check(request.memberId, request.generationId, request.groupInstanceId);
    if (errorCode !== ErrorCode.NONE || member === undefined) return SyncGroupResponse.create({ errorCode });
    if (this.state === "preparing") return SyncGroupResponse.create({ errorCode: ErrorCode.REBALANCE_IN_PROGRESS });
    this.#renew(request.memberId, member);
    return new Promise((resolve) => {
      member.syncing = resolve;
      if (request.memberId !== this.#leader) return;
      this.state = "stable";
      for (const { memberId, assignment } of request.assignments) this.#assignments.set(memberId, assignment);
      this.#answerSyncs();
    });
  }

  readonly #assignments = new Map<string, Uint8Array>();

  #answerSyncs(): void {
    for (const [memberId, member] of this.classic) {
      member.syncing?.(
        SyncGroupResponse.create({
          protocolType: "consumer",
          protocolName: this.#protocolName,
          assignment: this.#assignments.get(memberId) ?? new Uint8Array(),
        }),
      );
      member.syncing = undefined;
    }
  }

  heartbeat({ memberId, generationId, groupInstanceId }: HeartbeatRequest): HeartbeatResponse {
    const errorCode = this.#check(memberId, generationId, groupInstanceId);
    const member = this.classic.get(memberId);
    if (errorCode === ErrorCode.NONE && member !== undefined) this.#renew(memberId, member);
    if (errorCode !== ErrorCode.NONE || this.state !== "preparing") return HeartbeatResponse.create({ errorCode });
    return HeartbeatResponse.create({ errorCode: ErrorCode.REBALANCE_IN_PROGRESS });
  }

  leave({ memberId, members }: LeaveGroupRequest): LeaveGroupResponse {
    const ids = members.length > 0 ? members.map((member) => member.memberId) : [memberId];
    for (const id of ids) this.expel(id);
    return LeaveGroupResponse.create();
  }

  /** As when a session ends. */
  expel(memberId: string): void {
    this.#drop(memberId);
    if (this.classic.size > 0) this.#prepare();
    else if (this.consumers.size === 0) this.state = "empty";
  }

  #drop(memberId: string): void {
    this.classic.get(memberId)?.session?.cancel();
    this.classic.delete(memberId);
  }

  #renew(memberId: string, member: ClassicMember): void {
    member.session?.cancel();
    member.session = this.#clock.setTimer(member.request.sessionTimeoutMs, () => this.expel(memberId));
  }

  #check(memberId: string, generationId: number, groupInstanceId: string | null): ErrorCode {
    const member = this.classic.get(memberId);
    if (member === undefined) {
      const isFenced =
        groupInstanceId !== null &&
        [...this.classic.values()].some(({ request }) => request.groupInstanceId === groupInstanceId);
      return isFenced ? ErrorCode.FENCED_INSTANCE_ID : ErrorCode.UNKNOWN_MEMBER_ID;
    }
    return generationId === this.generationId ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION;
  }

  commit(request: OffsetCommitRequest, nameOf: (id: Uuid) => string): OffsetCommitResponse {
    const { memberId, generationIdOrMemberEpoch: epoch, groupInstanceId, topics } = request;
    const errorCode = this.checkCommit(memberId, epoch, groupInstanceId);
    return OffsetCommitResponse.create({
      topics: topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map((one) => {
          const {
            partitionIndex,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: metadata,
          } = one;
          const topic = name === "" ? nameOf(topicId) : name;
          if (errorCode === ErrorCode.NONE) {
            if (this.#topics.get(topic)?.partitions[partitionIndex] === undefined) {
              return { partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
            }
            const partition = `${topic}-${partitionIndex}`;
            this.offsets.set(partition, { offset, leaderEpoch, metadata });
            this.commits.push(`${partition}=${offset}`);
          }
          return { partitionIndex, errorCode };
        }),
      })),
    });
  }

  checkCommit(memberId: string, epoch: number, groupInstanceId: string | null): ErrorCode {
    if (epoch < 0 && this.classic.size === 0 && this.consumers.size === 0) return ErrorCode.NONE;
    const consumer = this.consumers.get(memberId);
    if (consumer !== undefined) return consumer.epoch === epoch ? ErrorCode.NONE : ErrorCode.STALE_MEMBER_EPOCH;
    const errorCode = this.#check(memberId, epoch, groupInstanceId);
    if (errorCode !== ErrorCode.NONE || this.state !== "completing") return errorCode;
    return ErrorCode.REBALANCE_IN_PROGRESS;
  }

  consumerHeartbeat(request: ConsumerGroupHeartbeatRequest): ConsumerGroupHeartbeatResponse {
    const { memberId, memberEpoch, topicPartitions, subscribedTopicNames, subscribedTopicRegex } = request;
    if (memberEpoch < 0) {
      this.expelConsumer(memberId);
      return ConsumerGroupHeartbeatResponse.create({ memberId, memberEpoch });
    }
    const known = this.consumers.get(memberId);
    if (known === undefined && memberEpoch > 0) {
      return ConsumerGroupHeartbeatResponse.create({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID, errorMessage: "who?" });
    }
    if (known !== undefined && memberEpoch > 0 && memberEpoch !== known.epoch) {
      return ConsumerGroupHeartbeatResponse.create({ errorCode: ErrorCode.FENCED_MEMBER_EPOCH });
    }
    const member = known ?? {
      epoch: 0,
      topics: [],
      pattern: null,
      owned: new Set<string>(),
      assigned: new Set<string>(),
      session: undefined,
    };
    const before = `${member.topics.join()}/${member.pattern}`;
    if (subscribedTopicNames !== null) member.topics = subscribedTopicNames;
    if (subscribedTopicRegex !== null) member.pattern = subscribedTopicRegex === "" ? null : subscribedTopicRegex;
    if (known === undefined || before !== `${member.topics.join()}/${member.pattern}`) this.generationId++;
    if (memberEpoch === 0) member.assigned = new Set();
    this.consumers.set(memberId, member);
    member.session?.cancel();
    member.session = this.#clock.setTimer(CONSUMER_SESSION_MS, () => this.expelConsumer(memberId));
    if (topicPartitions !== null) member.owned = new Set(topicPartitions.flatMap(keysOf));
    const hasChanged = this.#advance(memberId, member) || memberEpoch === 0;
    return ConsumerGroupHeartbeatResponse.create({
      memberId,
      memberEpoch: member.epoch,
      heartbeatIntervalMs: CONSUMER_INTERVAL_MS,
      assignment: hasChanged ? { topicPartitions: fromKeys(member.assigned) } : null,
    });
  }

  /** Gives partitions up before it gets others, as KIP-848 has it. @returns whether its assignment is another now */
  #advance(memberId: string, member: ConsumerMember): boolean {
    const target = this.#target(memberId);
    const kept = new Set([...member.assigned].filter((key) => target.has(key)));
    if (kept.size < member.assigned.size) {
      member.assigned = kept;
      return true;
    }
    const hasLeftovers = [...member.owned].some((key) => !kept.has(key));
    if (hasLeftovers) return false; // still to be revoked
    const isFree = (key: string): boolean =>
      [...this.consumers].every(([id, other]) => id === memberId || !(other.owned.has(key) || other.assigned.has(key)));
    const added = [...target].filter((key) => !kept.has(key) && isFree(key));
    member.epoch = this.generationId;
    member.assigned = new Set([...kept, ...added]);
    return added.length > 0;
  }

  #target(memberId: string): ReadonlySet<string> {
    const target = new Set<string>();
    for (const [name, { topicId, partitions }] of this.#topics) {
      const readers = Array.from(this.consumers)
        .filter(
          ([, { topics, pattern }]) =>
            topics.includes(name) || (pattern !== null && new RegExp(`^(?:${pattern})$`, "u").test(name)),
        )
        .map(([id]) => id)
        .toSorted();
      for (const index of partitions.keys()) {
        if (readers[index % readers.length] === memberId) target.add(`${topicId}/${index}`);
      }
    }
    return target;
  }

  expelConsumer(memberId: string): void {
    const member = this.consumers.get(memberId);
    if (member === undefined) return;
    member.session?.cancel();
    this.consumers.delete(memberId);
    this.generationId++;
  }

  fetch(request: OffsetFetchRequest, nameOf: (id: Uuid) => string): OffsetFetchResponse {
    const [asked] = request.groups;
    const topics = (asked?.topics ?? request.topics ?? []).map((topic) => {
      const topicId: Uuid = "topicId" in topic ? (topic.topicId as Uuid) : ZERO_UUID;
      return {
        name: topic.name,
        topicId,
        partitions: topic.partitionIndexes.map((partitionIndex) => {
          const found = this.offsets.get(`${topic.name === "" ? nameOf(topicId) : topic.name}-${partitionIndex}`);
          return {
            partitionIndex,
            committedOffset: found?.offset ?? -1,
            committedLeaderEpoch: found?.leaderEpoch ?? -1,
            metadata: found?.metadata ?? "",
            errorCode: ErrorCode.NONE,
          };
        }),
      };
    });
    return asked !== undefined
      ? OffsetFetchResponse.create({ groups: [{ groupId: asked.groupId, topics, errorCode: ErrorCode.NONE }] })
      : OffsetFetchResponse.create({ topics: topics.map(({ name, partitions }) => ({ name, partitions })) });
  }
}

/** The groups of a fake cluster, by id. */
export class FakeGroups {
  readonly #clock: Clock;
  readonly #topics: ReadonlyMap<string, FakeTopic>;
  readonly #groups = new Map<string, FakeGroup>();

  constructor(clock: Clock, topics: ReadonlyMap<string, FakeTopic>) {
    this.#clock = clock;
    this.#topics = topics;
  }

  get(groupId: string): FakeGroup {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = new FakeGroup(this.#clock, this.#topics);
      this.#groups.set(groupId, group);
    }
    return group;
  }

  /** What was committed of a topic goes with it. */
  forgetTopic(topic: string): void {
    for (const { offsets } of this.#groups.values()) {
      for (const name of offsets.keys()) if (name.slice(0, name.lastIndexOf("-")) === topic) offsets.delete(name);
    }
  }
}

function keysOf({ topicId, partitions }: { readonly topicId: Uuid; readonly partitions: readonly number[] }): string[] {
  return partitions.map((partition) => `${topicId}/${partition}`);
}

function fromKeys(keys: Iterable<string>): { topicId: Uuid; partitions: number[] }[] {
  const topics = new Map<Uuid, number[]>();
  for (const key of keys) {
    const [topicId = "", partition = ""] = key.split("/");
    const same = topics.get(topicId as Uuid);
    if (same === undefined) topics.set(topicId as Uuid, [Number(partition)]);
    else same.push(Number(partition));
  }
  return Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }));
}
