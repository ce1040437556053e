import type { Uuid } from "@samsa/base";
import { assert, ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import type { MetadataImage, PartitionRegistration } from "@samsa/metadata";
import { isActive, LeaderRecoveryState } from "@samsa/metadata";
import type { ControllerContext } from "./controller-result.ts";
import { placeReplicas } from "./replica-placer.ts";

/**
 * Whether these brokers may be the replicas of a partition, as a request names them.
 * @param replicationFactor of the partitions before, if any
 * @throws KafkaError INVALID_REPLICA_ASSIGNMENT
 */
export function validateManualAssignment(
  brokerIds: readonly number[],
  replicationFactor: number | undefined,
  image: MetadataImage,
): void {
  if (brokerIds.length === 0) throw invalidAssignment("includes an empty replica list.");
  const seen = new Set<number>();
  for (const id of brokerIds.toSorted((a, b) => a - b)) {
    if (!image.cluster.brokers.has(id)) {
      throw invalidAssignment(`includes broker ${id}, but no such broker is registered.`);
    }
    if (seen.has(id)) throw invalidAssignment(`includes the broker ${id} more than once.`);
    seen.add(id);
  }
  if (replicationFactor !== undefined && brokerIds.length !== replicationFactor) {
    throw invalidAssignment(
      `includes a partition with ${brokerIds.length} replica(s), but this is not consistent with previous partitions, ` +
        `which have ${replicationFactor} replica(s).`,
    );
  }
}

/** A new partition with these replicas; undefined when none of them may lead. */
export function newPartition(replicas: readonly number[], image: MetadataImage): PartitionRegistration | undefined {
  const isr = replicas.filter((id) => isActive(image.cluster.brokers.get(id)));
  const [leader] = isr;
  if (leader === undefined) return undefined;
  return {
    replicas,
    directories: replicas.map((id) => defaultDirectory(image, id)),
    isr,
    removingReplicas: [],
    addingReplicas: [],
    elr: [],
    lastKnownElr: [],
    leader,
    leaderRecoveryState: LeaderRecoveryState.RECOVERED,
    leaderEpoch: 0,
    partitionEpoch: 0,
  };
}

/** @throws KafkaError INVALID_REPLICATION_FACTOR */
export function placePartitions(
  context: ControllerContext,
  partitionCount: number,
  replicationFactor: number,
): PartitionRegistration[] {
  const prefix = `Unable to replicate the partition ${replicationFactor} time(s): `;
  const { image, random } = context;
  const usable = [...image.cluster.brokers.values()].filter((broker) => !isWhollyCordoned(broker));
  let placed: number[][];
  try {
    placed = placeReplicas(usable, partitionCount, replicationFactor, random);
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    throw new KafkaError(error.code, prefix + error.message);
  }
  return placed.map((replicas) => {
    const partition = newPartition(replicas, image);
    if (partition !== undefined) return partition;
    const problem = "All brokers are currently fenced or in controlled shutdown.";
    throw new KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, prefix + problem);
  });
}

/** The directory of a new replica: the broker's own while it has one, otherwise the broker's choice (KIP-858). */
export function defaultDirectory(image: MetadataImage, brokerId: number): Uuid {
  const broker = image.cluster.brokers.get(brokerId);
  assert(broker !== undefined, "replicas are on registered brokers");
  const [first, second] = broker.directories;
  return first !== undefined && second === undefined ? first : ZERO_UUID;
}

function isWhollyCordoned(broker: {
  readonly directories: readonly Uuid[];
  readonly cordonedDirectories: readonly Uuid[] | null;
}): boolean {
  const cordoned = new Set(broker.cordonedDirectories ?? []);
  return broker.directories.length > 0 && broker.directories.every((directory) => cordoned.has(directory));
}

function invalidAssignment(problem: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, `The manual partition assignment ${problem}`);
}
