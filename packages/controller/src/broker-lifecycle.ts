import type { Uuid } from "@samsa/base";
import { assert, ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import type {
  BrokerRegistration,
  Endpoint,
  MetadataRecord,
  PartitionRegistration,
  SupportedVersionRange,
} from "@samsa/metadata";
import {
  brokerFields,
  hasOnlineDirectory,
  isActive,
  metadataRecord,
  NO_LEADER,
  NO_LEADER_CHANGE,
  TopicConfig,
} from "@samsa/metadata";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";
import { partitionChangeRecord } from "./partition-change-builder.ts";

/** What a broker says of itself when it starts. */
export interface BrokerRegistrationRequest {
  readonly brokerId: number;
  /** Another one each time the process starts. */
  readonly incarnationId: Uuid;
  readonly listeners: readonly Endpoint[];
  readonly supportedFeatures: ReadonlyMap<string, SupportedVersionRange>;
  readonly rack: string | null;
  readonly directories: readonly Uuid[];
  /** Directories that get no new replicas (KIP-1066). */
  readonly cordonedDirectories?: readonly Uuid[];
  /** The epoch at which it stopped cleanly; -1 when it does not know. */
  readonly previousBrokerEpoch: number;
}

const FENCE = 1;
const UNFENCE = -1;
const ENTER_CONTROLLED_SHUTDOWN = 1;

/**
 * Registers a broker, fenced. What its incarnation before led or held is taken from it first: unless it stopped cleanly, its
 * log may end before what it had acknowledged.
 */
export function registerBroker(
  context: ControllerContext,
  request: BrokerRegistrationRequest,
): ControllerResult<{ readonly brokerEpoch: number }> {
  const { image, nextOffset } = context;
  checkFeatures(context, request);
  const existing = image.cluster.brokers.get(request.brokerId);
  const records: MetadataRecord[] = [];
  const isSameIncarnation = existing?.incarnationId === request.incarnationId;
  if (existing !== undefined && !isSameIncarnation) {
    const isClean = !image.features.isElrEnabled || existing.epoch === request.previousBrokerEpoch;
    records.push(...removeFromIsr(context, existing.id, isClean));
  }
  // A repeated registration, whose answer was lost, is the same registration.
  const brokerEpoch = isSameIncarnation ? existing.epoch : nextOffset;
  const registration: BrokerRegistration = {
    id: request.brokerId,
    epoch: brokerEpoch,
    incarnationId: request.incarnationId,
    listeners: new Map(request.listeners.map((listener) => [listener.name, listener])),
    supportedFeatures: request.supportedFeatures,
    rack: request.rack,
    fenced: true,
    inControlledShutdown: false,
    directories: request.directories,
    cordonedDirectories: null,
  };
  const version = image.features.metadataVersion.registerBrokerRecordVersion;
  records.push(metadataRecord("RegisterBrokerRecord", brokerFields(registration), version));
  return { records, response: { brokerEpoch }, maySplit: true };
}

/** Lets a broker take part, and gives leaders to partitions that waited for it. */
export function unfenceBroker(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
  cordonedDirectories: readonly Uuid[] = [],
): ControllerResult<undefined> {
  const broker = checkBrokerEpoch(context, brokerId, brokerEpoch);
  const { topics } = context.image;
  const records: MetadataRecord[] = [...cordon(context, broker, cordonedDirectories)];
  if (broker.fenced) {
    records.push(metadataRecord("BrokerRegistrationChangeRecord", { brokerId, brokerEpoch, fenced: UNFENCE }, 0));
    for (const topic of topics.byName.values()) {
      for (const [partitionId, partition] of topic.partitions) {
        if (partition.leader !== NO_LEADER || !partition.replicas.includes(brokerId)) continue;
        if (!hasOnlineDirectory(broker, directoryOn(brokerId, partition))) continue;
        records.push(...partitionChange(context, topic, partitionId, { joining: brokerId }));
      }
    }
  }
  return { records, response: undefined, maySplit: true };
}

/** Which directories of a broker get no new replicas (KIP-1066). */
export function cordonDirectories(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
  cordonedDirectories: readonly Uuid[],
): ControllerResult<undefined> {
  const broker = checkBrokerEpoch(context, brokerId, brokerEpoch);
  return { records: cordon(context, broker, cordonedDirectories), response: undefined };
}

/** Directories of a broker have failed: it leads nothing in them any more, and they are no longer its own (KIP-858). */
export function handleDirectoriesOffline(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
  offlineDirectories: readonly Uuid[],
): ControllerResult<undefined> {
  const broker = checkBrokerEpoch(context, brokerId, brokerEpoch);
  const failed = new Set(offlineDirectories.filter((directory) => broker.directories.includes(directory)));
  if (failed.size === 0) return { records: [], response: undefined };
  const records: MetadataRecord[] = [];
  for (const topic of context.image.topics.byName.values()) {
    for (const [partitionId, partition] of topic.partitions) {
      const directory = directoryOn(brokerId, partition);
      if (directory === undefined || !failed.has(directory)) continue;
      records.push(...partitionChange(context, topic, partitionId, { leaving: brokerId, isClean: true }));
    }
  }
  const logDirs = broker.directories.filter((directory) => !failed.has(directory));
  records.push(metadataRecord("BrokerRegistrationChangeRecord", { brokerId, brokerEpoch, logDirs }, 2));
  return { records, response: undefined, maySplit: true };
}

/** In which of its directories a broker has a replica. */
export interface DirectoryAssignment {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly directoryId: Uuid;
}

/** The broker tells in which of its directories replicas are (KIP-858). What is not there any more is passed over. */
export function assignReplicasToDirs(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
  assignments: readonly DirectoryAssignment[],
): ControllerResult<undefined> {
  checkBrokerEpoch(context, brokerId, brokerEpoch);
  const { topics, features } = context.image;
  if (!features.metadataVersion.isDirectoryAssignmentSupported) return { records: [], response: undefined };
  const records: MetadataRecord[] = [];
  for (const { topicId, partition: partitionId, directoryId } of assignments) {
    const partition = topics.byId.get(topicId)?.partitions.get(partitionId);
    if (partition === undefined || !partition.replicas.includes(brokerId)) continue;
    if (directoryOn(brokerId, partition) === directoryId) continue;
    const directories = partition.replicas.map((id, at) =>
      id === brokerId ? directoryId : (partition.directories[at] ?? ZERO_UUID),
    );
    const change = { topicId, partitionId, directories, leader: NO_LEADER_CHANGE };
    records.push(metadataRecord("PartitionChangeRecord", change, features.metadataVersion.partitionRecordVersion));
  }
  return { records, response: undefined, maySplit: true };
}

/** Takes the leaderships of a broker that is about to stop. It is fenced when it has stopped. */
export function beginControlledShutdown(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
): ControllerResult<undefined> {
  const broker = checkBrokerEpoch(context, brokerId, brokerEpoch);
  if (broker.inControlledShutdown || broker.fenced) return { records: [], response: undefined };
  const change = { brokerId, brokerEpoch, inControlledShutdown: ENTER_CONTROLLED_SHUTDOWN };
  const records = [
    metadataRecord("BrokerRegistrationChangeRecord", change, 1),
    ...removeFromIsr(context, brokerId, true),
  ];
  return { records, response: undefined, maySplit: true };
}

/** Takes a broker out of everything: it stopped, or is not heard of any more. */
export function fenceBroker(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
): ControllerResult<undefined> {
  const broker = checkBrokerEpoch(context, brokerId, brokerEpoch);
  if (broker.fenced) return { records: [], response: undefined };
  const fence = metadataRecord("BrokerRegistrationChangeRecord", { brokerId, brokerEpoch, fenced: FENCE }, 0);
  return { records: [...removeFromIsr(context, brokerId, true), fence], response: undefined, maySplit: true };
}

/** Forgets a broker that does not come back. @throws KafkaError BROKER_ID_NOT_REGISTERED */
export function unregisterBroker(context: ControllerContext, brokerId: number): ControllerResult<undefined> {
  const broker = context.image.cluster.brokers.get(brokerId);
  if (broker === undefined) {
    throw new KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, `Broker ID ${brokerId} is not currently registered`);
  }
  const record = metadataRecord("UnregisterBrokerRecord", { brokerId, brokerEpoch: broker.epoch });
  return { records: [...removeFromIsr(context, brokerId, true), record], response: undefined, maySplit: true };
}

/** @throws KafkaError STALE_BROKER_EPOCH when another registration has come since, or there is none */
export function checkBrokerEpoch(
  { image }: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
): BrokerRegistration {
  const broker = image.cluster.brokers.get(brokerId);
  if (broker === undefined) {
    throw new KafkaError(ErrorCode.STALE_BROKER_EPOCH, `No broker registration found for broker id ${brokerId}`);
  }
  if (broker.epoch !== brokerEpoch) {
    throw new KafkaError(
      ErrorCode.STALE_BROKER_EPOCH,
      `Expected broker epoch ${brokerEpoch}, but found broker epoch ${broker.epoch}`,
    );
  }
  return broker;
}

function cordon(
  { image }: ControllerContext,
  { id: brokerId, epoch: brokerEpoch, cordonedDirectories: known }: BrokerRegistration,
  cordonedLogDirs: readonly Uuid[],
): MetadataRecord[] {
  if (!image.features.metadataVersion.isCordonedLogDirsSupported) return [];
  const isSame = known?.length === cordonedLogDirs.length && known.every((id) => cordonedLogDirs.includes(id));
  if (isSame) return [];
  return [metadataRecord("BrokerRegistrationChangeRecord", { brokerId, brokerEpoch, cordonedLogDirs }, 3)];
}

/** The directory of the broker's replica; undefined when it has none. */
function directoryOn(brokerId: number, { replicas, directories }: PartitionRegistration): Uuid | undefined {
  return directories[replicas.indexOf(brokerId)];
}

function* removeFromIsr(context: ControllerContext, brokerId: number, isClean: boolean): Generator<MetadataRecord> {
  for (const topic of context.image.topics.byName.values()) {
    for (const [partitionId, partition] of topic.partitions) {
      const isMember = partition.isr.includes(brokerId) || (!isClean && partition.elr.includes(brokerId));
      if (isMember) yield* partitionChange(context, topic, partitionId, { leaving: brokerId, isClean });
    }
  }
}

type Movement = { readonly joining: number } | { readonly leaving: number; readonly isClean: boolean };

function partitionChange(
  { image, config }: ControllerContext,
  topic: { readonly name: string; readonly id: Uuid },
  partitionId: number,
  movement: Movement,
): MetadataRecord[] {
  const partition = image.topics.byId.get(topic.id)?.partitions.get(partitionId);
  assert(partition !== undefined, "partitions are changed that are there");
  const joining = "joining" in movement ? movement.joining : undefined;
  const leaving = "leaving" in movement ? movement.leaving : undefined;
  const topicConfig = TopicConfig.resolve(image.configs, topic.name, config);
  const record = partitionChangeRecord({
    topicId: topic.id,
    partitionId,
    partition,
    targetIsr: partition.isr.filter((id) => id !== leaving),
    uncleanShutdownBroker: "isClean" in movement && !movement.isClean ? leaving : undefined,
    isElrEnabled: image.features.isElrEnabled,
    minIsr: topicConfig.number("min.insync.replicas"),
    mayElectUnclean: topicConfig.boolean("unclean.leader.election.enable"),
    isAcceptableLeader: (id) => id !== leaving && (id === joining || isActive(image.cluster.brokers.get(id))),
    recordVersion: image.features.metadataVersion.partitionRecordVersion,
  });
  return record === undefined ? [] : [record];
}

/** @throws KafkaError UNSUPPORTED_VERSION when the broker cannot read what the cluster has finalized */
function checkFeatures({ image }: ControllerContext, request: BrokerRegistrationRequest): void {
  for (const [name, level] of image.features.finalizedLevels) {
    const { min, max } = request.supportedFeatures.get(name) ?? { min: 0, max: 0 };
    if (level >= min && level <= max) continue;
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_VERSION,
      `Unable to register because the broker does not support finalized version ${level} of ${name}. ` +
        `The broker wants a version between ${min} and ${max}, inclusive.`,
    );
  }
}
