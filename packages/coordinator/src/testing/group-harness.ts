import type { ErrorCode, Uuid } from "@samsa/base";
import { ByteReader, ByteWriter, uuidFromBytes, ZERO_UUID } from "@samsa/base";
import { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import type { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import { ConsumerProtocolAssignment } from "@samsa/protocol/messages/consumer-protocol-assignment";
import { ConsumerProtocolSubscription } from "@samsa/protocol/messages/consumer-protocol-subscription";
import { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import type { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import type { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import { SeededRandom, VirtualClock } from "@samsa/simulation";
import type { GroupConfig } from "../group/group-config.ts";
import { GroupCoordinator } from "../group/group-coordinator.ts";
import type { GroupTopic, GroupTopics } from "../group/group-topics.ts";
import { MemoryCoordinatorLog } from "./memory-coordinator-log.ts";

export const TEST_CONFIG: GroupConfig = {
  minSessionTimeoutMs: 6_000,
  maxSessionTimeoutMs: 1_800_000,
  initialRebalanceDelayMs: 3_000,
  maxSize: 10,
  offsetMetadataMaxBytes: 32,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  consumerMaxSize: 10,
  consumerAssignors: ["uniform", "range"],
  consumerMigrationPolicy: "bidirectional",
  consumerRegexRefreshIntervalMs: 600_000,
  consumerGroup: () => ({ sessionTimeoutMs: 45_000, heartbeatIntervalMs: 5_000, assignmentIntervalMs: 0 }),
};

export interface JoinOptions {
  readonly memberId?: string;
  readonly groupInstanceId?: string | null;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly protocols?: readonly string[];
  readonly protocolType?: string;
  readonly topics?: readonly string[];
  readonly apiVersion?: number;
  readonly groupId?: string;
}

export type ConsumerHeartbeatOptions = Partial<ConsumerGroupHeartbeatRequest> & {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly apiVersion?: number;
};

/** An id for each name, the same in every run. */
export function topicIdOf(name: string): Uuid {
  const bytes = new Uint8Array(16).fill(7);
  for (let index = 0; index < Math.min(15, name.length); index++) bytes[index] = name.charCodeAt(index);
  return uuidFromBytes(bytes);
}

function testTopics(counts: Readonly<Record<string, number>>): GroupTopics {
  const topics = new Map(
    Object.entries(counts).map(([name, partitionCount]): [string, GroupTopic] => [
      name,
      { id: topicIdOf(name), name, partitionCount, racks: () => [] },
    ]),
  );
  const byId = new Map(Array.from(topics.values(), (topic) => [topic.id, topic]));
  return { version: 1, names: [...topics.keys()], topic: (name) => topics.get(name), topicById: (id) => byId.get(id) };
}

/** What a consumer says it reads, as its protocol writes it. */
export function subscription(topics: readonly string[]): Uint8Array {
  const writer = new ByteWriter();
  writer.int16(0);
  ConsumerProtocolSubscription.write(writer, ConsumerProtocolSubscription.create({ topics }), 0);
  return writer.toBytes();
}

/** What a consumer is to read, as its protocol writes it; a text, as the harness takes assignments. */
export function assignment(topics: Readonly<Record<string, readonly number[]>>): string {
  const assignedPartitions = Object.entries(topics).map(([topic, partitions]) => ({ topic, partitions }));
  const writer = new ByteWriter();
  writer.int16(0);
  ConsumerProtocolAssignment.write(writer, ConsumerProtocolAssignment.create({ assignedPartitions }), 0);
  return text(writer.toBytes());
}

/** The partitions of a topic in an assignment. */
export function partitionsIn(assigned: Uint8Array, topic = "orders"): readonly number[] {
  if (assigned.length === 0) return [];
  const reader = new ByteReader(assigned);
  const { assignedPartitions } = ConsumerProtocolAssignment.read(reader, reader.int16());
  return assignedPartitions.find((each) => each.topic === topic)?.partitions ?? [];
}

/** Turns of the event loop, until promises that are settled have been heard. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await Promise.resolve();
}

/** A group coordinator with one partition, whose clock and disk the test moves. */
export class GroupHarness {
  readonly clock: VirtualClock;
  readonly problems: unknown[] = [];
  readonly config: GroupConfig;
  coordinator: GroupCoordinator;
  log = new MemoryCoordinatorLog();
  topics: GroupTopics = testTopics({ orders: 6 });
  #epoch = 0;
  readonly #random: SeededRandom;

  private constructor(config: GroupConfig, seed: number) {
    this.config = config;
    this.clock = new VirtualClock();
    this.#random = new SeededRandom(seed);
    this.coordinator = this.#newCoordinator();
  }

  static async start(config: Partial<GroupConfig> = {}, seed = 1): Promise<GroupHarness> {
    const harness = new GroupHarness({ ...TEST_CONFIG, ...config }, seed);
    await harness.lead();
    return harness;
  }

  async lead(): Promise<void> {
    this.coordinator.load(0, this.#epoch++, this.log);
    await settle();
  }

  /** The coordinator is gone without a word, and another one leads what it left. */
  async crash(keptPending = 0): Promise<void> {
    const { coordinator } = this;
    this.log = this.log.crashed(keptPending);
    coordinator.close();
    this.coordinator = this.#newCoordinator();
    await this.lead();
  }

  join(options: JoinOptions = {}): Promise<JoinGroupResponse> {
    const { protocols = ["range"], topics = ["orders"], apiVersion = 9 } = options;
    const request = JoinGroupRequest.create({
      groupId: options.groupId ?? "g",
      memberId: options.memberId ?? "",
      groupInstanceId: options.groupInstanceId ?? null,
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 30_000,
      protocolType: options.protocolType ?? "consumer",
      protocols: protocols.map((name) => ({ name, metadata: subscription(topics) })),
    });
    return this.coordinator.joinGroup(request, { apiVersion, clientId: "client", clientHost: "/127.0.0.1" });
  }

  /** A dynamic member's id, as it gets it before it joins. */
  async newMemberId(options: JoinOptions = {}): Promise<string> {
    return (await this.join(options)).memberId;
  }

  sync(
    memberId: string,
    generationId: number,
    assignments: Readonly<Record<string, string>> = {},
    groupInstanceId: string | null = null,
  ): Promise<SyncGroupResponse> {
    return this.coordinator.syncGroup(
      SyncGroupRequest.create({
        groupId: "g",
        memberId,
        generationId,
        groupInstanceId,
        protocolType: "consumer",
        assignments: Object.entries(assignments).map(([id, text]) => ({ memberId: id, assignment: bytes(text) })),
      }),
    );
  }

  heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): Promise<void> {
    return this.coordinator.heartbeat(
      HeartbeatRequest.create({ groupId: "g", memberId, generationId, groupInstanceId }),
    );
  }

  commit(memberId: string, generationId: number, offset: number, metadata: string | null = null, apiVersion = 8) {
    return this.coordinator.commitOffsets({
      groupId: "g",
      memberId,
      generationId,
      groupInstanceId: null,
      retentionTimeMs: -1,
      apiVersion,
      offsets: [{ topic: "orders", partition: 0, offset, leaderEpoch: -1, topicId: ZERO_UUID, metadata }],
    });
  }

  /** A heartbeat of the consumer protocol; the first one says everything. */
  consumerHeartbeat(options: ConsumerHeartbeatOptions): Promise<ConsumerGroupHeartbeatResponse> {
    const { memberEpoch, apiVersion = 1, ...fields } = options;
    const joining = { rebalanceTimeoutMs: 30_000, subscribedTopicNames: ["orders"], topicPartitions: [] };
    const request = ConsumerGroupHeartbeatRequest.create({
      groupId: "g",
      memberEpoch,
      ...(memberEpoch === 0 ? joining : {}),
      ...fields,
    });
    return this.coordinator.consumerGroupHeartbeat(request, {
      apiVersion,
      clientId: "client",
      clientHost: "/127.0.0.1",
    });
  }

  /** Topics by name, with so many partitions each; the coordinator is told what is new. */
  setTopics(topics: Readonly<Record<string, number>>): void {
    const before = this.topics;
    this.topics = testTopics(topics);
    const names = new Set([...before.names, ...this.topics.names]);
    const isOther = (name: string): boolean =>
      before.topic(name)?.partitionCount !== this.topics.topic(name)?.partitionCount;
    const haveOtherNames = [...names].some(
      (name) => (before.topic(name) === undefined) !== (this.topics.topic(name) === undefined),
    );
    this.coordinator.onTopicsChanged({ names: new Set([...names].filter(isOther)), haveOtherNames });
  }

  async committed(topic = "orders", partition = 0): Promise<number | undefined> {
    const { offsets } = await this.coordinator.fetchOffsets("g");
    return offsets.get(topic)?.get(partition)?.offset;
  }

  async state(): Promise<string | undefined> {
    return (await this.coordinator.listGroups()).find(({ groupId }) => groupId === "g")?.state;
  }

  /** Members in a stable group, the leader first. */
  async stable(count: number, options: JoinOptions = {}): Promise<{ ids: readonly string[]; generation: number }> {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) ids.push(await this.newMemberId(options));
    const joins = ids.map((memberId) => this.join({ ...options, memberId }));
    await settle();
    this.clock.advance(this.config.initialRebalanceDelayMs);
    this.clock.advance(this.config.initialRebalanceDelayMs);
    const joined = await Promise.all(joins);
    const generation = joined[0]?.generationId ?? -1;
    const leader = joined[0]?.leader ?? "";
    const rest = ids.filter((id) => id !== leader);
    const assignments = Object.fromEntries([leader, ...rest].map((id, index) => [id, `partition ${index}`]));
    const syncs = [this.sync(leader, generation, assignments), ...rest.map((id) => this.sync(id, generation))];
    await Promise.all(syncs);
    return { ids: [leader, ...rest], generation };
  }

  #newCoordinator(): GroupCoordinator {
    const { clock, config } = this;
    const random = this.#random;
    const onProblem = (_partition: number, error: unknown): void => void this.problems.push(error);
    const coordinator = new GroupCoordinator({
      config,
      topics: () => this.topics,
      clock,
      random,
      onProblem,
      compressionType: "none",
    });
    coordinator.setPartitionCount(1);
    return coordinator;
  }
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export function text(from: Uint8Array): string {
  return String.fromCharCode(...from);
}

/** The code that something is refused with; 0 when it is not. */
export async function codeOf(attempt: Promise<unknown>): Promise<ErrorCode> {
  try {
    const answer = await attempt;
    const hasCode = typeof answer === "object" && answer !== null && "errorCode" in answer;
    return (hasCode ? answer.errorCode : 0) as ErrorCode;
  } catch (error) {
    if (typeof error === "object" && error !== null && "code" in error) return error.code as ErrorCode;
    throw error;
  }
}
