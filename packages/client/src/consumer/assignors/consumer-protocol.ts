import { ByteReader, ByteWriter, ProtocolError } from "@samsa/base";
import { ConsumerProtocolAssignment } from "@samsa/protocol/messages/consumer-protocol-assignment";
import { ConsumerProtocolSubscription } from "@samsa/protocol/messages/consumer-protocol-subscription";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import type { GroupMember, MemberAssignment } from "./partition-assignor.ts";

export const CONSUMER_PROTOCOL_TYPE = "consumer";

/** What a member says of itself in JoinGroup. */
export type Subscription = Omit<GroupMember, "memberId" | "groupInstanceId">;

const LATEST = ConsumerProtocolSubscription.highestVersion;

/** With its version before it, and everything sorted, as Java writes it: the same subscription gives the same bytes. */
export function encodeSubscription(subscription: Subscription, version = LATEST): Uint8Array {
  const { topics, userData, ownedPartitions, generationId, rackId } = subscription;
  const owned = ownedPartitions.toSorted(byTopicAndPartition);
  const message = ConsumerProtocolSubscription.create({
    topics: topics.toSorted(),
    userData,
    ownedPartitions: groupedByTopic(owned),
    generationId,
    rackId,
  });
  const writer = new ByteWriter();
  writer.int16(version);
  ConsumerProtocolSubscription.write(writer, message, version);
  return writer.toBytes();
}

/**
 * A version that is newer than ours is read as ours: fields are only ever added behind.
 * @throws ProtocolError
 */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const reader = new ByteReader(bytes);
  const version = knownVersion(reader.int16(), "subscription");
  const { topics, userData, ownedPartitions, generationId, rackId } = ConsumerProtocolSubscription.read(
    reader,
    version,
  );
  return {
    topics,
    userData,
    ownedPartitions: flattened(ownedPartitions),
    generationId,
    rackId: rackId === "" ? null : rackId,
  };
}

/** In the order of the partitions, those of a topic together. */
export function encodeAssignment({ partitions, userData = null }: MemberAssignment, version = LATEST): Uint8Array {
  const message = ConsumerProtocolAssignment.create({ assignedPartitions: groupedByTopic(partitions), userData });
  const writer = new ByteWriter();
  writer.int16(version);
  ConsumerProtocolAssignment.write(writer, message, version);
  return writer.toBytes();
}

/** What nobody was assigned has no bytes at all. @throws ProtocolError */
export function decodeAssignment(bytes: Uint8Array): Required<MemberAssignment> {
  if (bytes.length === 0) return { partitions: [], userData: null };
  const reader = new ByteReader(bytes);
  const version = knownVersion(reader.int16(), "assignment");
  const { assignedPartitions, userData } = ConsumerProtocolAssignment.read(reader, version);
  return { partitions: flattened(assignedPartitions), userData };
}

function knownVersion(version: number, what: string): number {
  if (version < 0) throw new ProtocolError(`a ${what} of version ${version}`);
  return Math.min(version, LATEST);
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** Topics in the order in which they come first. */
export function groupedByTopic(partitions: readonly TopicPartition[]): readonly TopicPartitions[] {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const held = byTopic.get(topic);
    if (held === undefined) byTopic.set(topic, [partition]);
    else held.push(partition);
  }
  return Array.from(byTopic, ([topic, numbers]) => ({ topic, partitions: numbers }));
}

export function flattened(groups: readonly TopicPartitions[]): readonly TopicPartition[] {
  return groups.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
}

/** Of strings as Java compares them, by UTF-16 code units. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function byTopicAndPartition(a: TopicPartition, b: TopicPartition): number {
  return compareText(a.topic, b.topic) || a.partition - b.partition;
}
