import type {
  Admin,
  ClassicGroupDescription,
  ConsumerGroupDescription,
  GroupListing,
  TopicPartition,
} from "@samsa/client";
import { ErrorCode, KafkaError, nearestName } from "@samsa/client";
import { hint } from "../hints.ts";

export interface MemberView {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  /** Of groups of the consumer protocol. */
  readonly memberEpoch: number | null;
  readonly assignment: readonly TopicPartition[];
}

/** Null is what is not known, or not there. */
export interface PartitionView extends TopicPartition {
  readonly committed: number | null;
  readonly end: number | null;
  readonly lag: number | null;
  readonly memberId: string | null;
  readonly host: string | null;
  readonly clientId: string | null;
  readonly metadata: string | null;
}

export interface GroupView {
  readonly groupId: string;
  readonly type: string;
  readonly state: string;
  readonly assignor: string;
  readonly groupEpoch: number | null;
  readonly coordinator: string; // host:port (id)
  readonly members: readonly MemberView[];
  readonly partitions: readonly PartitionView[];
}

/** All groups of the cluster, by name. */
export async function allGroups(admin: Admin): Promise<readonly GroupListing[]> {
  const listed = (await admin.listGroups()).all().flat();
  return listed.toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1));
}

/** Those that are asked for, or all that consumers form. @throws BrokerError GROUP_ID_NOT_FOUND, with a hint at the nearest name */
export async function viewGroups(admin: Admin, names: readonly string[]): Promise<readonly GroupView[]> {
  const listed = await allGroups(admin);
  const wanted = names.length > 0 ? names : listed.filter(isOfConsumers).map(({ groupId }) => groupId);
  if (wanted.length === 0) return [];
  const described = await admin.describeConsumerGroups(wanted);
  for (const [groupId, error] of described.errors) tellNearest(error, groupId, listed);
  const groups = described.all();
  const { brokers } = await admin.describeCluster();
  const coordinators = new Map(listed.map(({ groupId, coordinatorId }) => [groupId, coordinatorId]));
  const views: GroupView[] = [];
  for (const group of groups) {
    if (group.state === "Dead") throw notFound(group.groupId, listed);
    const nodeId = coordinators.get(group.groupId);
    const broker = brokers.find((one) => one.nodeId === nodeId);
    views.push({
      groupId: group.groupId,
      type: group.type,
      state: group.state,
      assignor: group.type === "classic" ? group.protocol : group.assignor,
      groupEpoch: group.type === "classic" ? null : group.groupEpoch,
      coordinator: broker === undefined ? "-" : `${broker.host}:${broker.port} (${broker.nodeId})`,
      members: membersOf(group),
      partitions: await partitionsOf(admin, group),
    });
  }
  return views;
}

function isOfConsumers({ protocolType }: GroupListing): boolean {
  return protocolType === "consumer" || protocolType === "";
}

function tellNearest(error: KafkaError, groupId: string, listed: readonly GroupListing[]): void {
  if (error.code !== ErrorCode.GROUP_ID_NOT_FOUND) return;
  const nearest = nearestName(
    groupId,
    listed.map((one) => one.groupId),
  );
  if (nearest !== undefined && nearest !== groupId) hint(error, `did you mean ${nearest}?`);
}

/** Brokers before 4.0 call a group that is not there dead. */
function notFound(groupId: string, listed: readonly GroupListing[]): KafkaError {
  const error = new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `group ${groupId}: there is no such group`);
  tellNearest(error, groupId, listed);
  return error;
}

function membersOf(group: ClassicGroupDescription | ConsumerGroupDescription): readonly MemberView[] {
  return group.members.map((member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    host: member.clientHost,
    memberEpoch: "memberEpoch" in member ? member.memberEpoch : null,
    assignment: member.assignment,
  }));
}

async function partitionsOf(
  admin: Admin,
  group: ClassicGroupDescription | ConsumerGroupDescription,
): Promise<readonly PartitionView[]> {
  const committed = (await admin.listGroupOffsets([{ groupId: group.groupId }])).get(group.groupId);
  const rows = new Map<string, TopicPartition>();
  for (const [name, one] of committed?.found ?? []) rows.set(name, one);
  const owners = new Map<string, MemberView>();
  for (const member of membersOf(group)) {
    for (const { topic, partition } of member.assignment) {
      rows.set(`${topic}-${partition}`, { topic, partition });
      owners.set(`${topic}-${partition}`, member);
    }
  }
  const partitions = Array.from(rows.values(), ({ topic, partition }) => ({ topic, partition })).toSorted(byName);
  const ends = await endsOf(admin, partitions);
  return partitions.map(({ topic, partition }) => {
    const name = `${topic}-${partition}`;
    const offset = committed?.found.get(name);
    const end = ends.get(name) ?? null;
    const owner = owners.get(name);
    return {
      topic,
      partition,
      committed: offset?.offset ?? null,
      end,
      lag: offset === undefined || end === null ? null : Math.max(0, end - offset.offset),
      memberId: owner?.memberId ?? null,
      host: owner?.host ?? null,
      clientId: owner?.clientId ?? null,
      metadata: offset === undefined || offset.metadata === "" ? null : offset.metadata,
    };
  });
}

/** Where partitions end; those of topics that are gone are left out. */
async function endsOf(admin: Admin, partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
  if (partitions.length === 0) return new Map();
  const known = new Set((await admin.listTopics({ includeInternal: true })).map(({ name }) => name));
  const there = partitions.filter(({ topic }) => known.has(topic));
  if (there.length === 0) return new Map();
  const listed = await admin.listOffsetsOf(there.map(({ topic, partition }) => ({ topic, partition, at: "latest" })));
  return new Map(Array.from(listed.found, ([name, { offset }]) => [name, offset]));
}

export function byName(a: TopicPartition, b: TopicPartition): number {
  return a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1;
}

/** `orders:0-3,7 users:1` */
export function shownPartitions(partitions: readonly TopicPartition[]): string {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions.toSorted(byName)) {
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
  }
  return Array.from(byTopic, ([topic, numbers]) => `${topic}:${ranges(numbers)}`).join(" ");
}

/** @param numbers in order */
function ranges(numbers: readonly number[]): string {
  const runs: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && number === run.last + 1) run.last = number;
    else runs.push({ first: number, last: number });
  }
  return runs.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}
