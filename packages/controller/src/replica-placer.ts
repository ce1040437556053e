import type { Random } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";

/** A broker that replicas may be placed on. */
export interface UsableBroker {
  readonly id: number;
  readonly rack: string | null;
  readonly fenced: boolean;
}

/**
 * Spreads replicas: each broker gets as many as the others, the leaders too, and the replicas of a partition lie in different
 * racks while there are enough. Fenced brokers come last, and never first in a partition.
 *
 * The brokers stand in a ring in which racks alternate. Partition after partition takes the next one as its leader, and for its
 * followers those behind it at a distance that grows with each turn of the ring, so that not always the same pairs meet.
 *
 * @returns the replicas of each partition, the preferred leader first
 * @throws KafkaError INVALID_REPLICATION_FACTOR when there are too few brokers
 */
export function placeReplicas(
  brokers: readonly UsableBroker[],
  partitionCount: number,
  replicationFactor: number,
  random: Random,
): number[][] {
  const unfenced = brokers.filter((broker) => !broker.fenced);
  const fenced = brokers.filter((broker) => broker.fenced);
  if (unfenced.length === 0)
    throw invalidReplicationFactor("All brokers are currently fenced, or have all their log directories cordoned.");
  if (replicationFactor > brokers.length) {
    throw invalidReplicationFactor(
      `The target replication factor of ${replicationFactor} cannot be reached because only ${brokers.length} broker(s) are ` +
        "registered or some brokers have all their log directories cordoned.",
    );
  }
  const ring = alternateRacks(unfenced, random);
  const start = random.uint32() % ring.length;
  return Array.from({ length: partitionCount }, (_, partition) => {
    const turn = Math.floor(partition / ring.length);
    const leader = (start + partition) % ring.length;
    return replicasOf(ring, leader, turn, fenced, replicationFactor);
  });
}

function replicasOf(
  ring: readonly UsableBroker[],
  leader: number,
  turn: number,
  fenced: readonly UsableBroker[],
  count: number,
): number[] {
  const size = ring.length;
  const ids = [ring[leader]?.id ?? -1];
  for (let i = 1; i < Math.min(count, size); i++) {
    const distance = 1 + ((turn + i - 1) % (size - 1));
    ids.push(ring[(leader + distance) % size]?.id ?? -1);
  }
  for (let i = 0; ids.length < count; i++) ids.push(fenced[(leader + turn + i) % fenced.length]?.id ?? -1);
  return ids;
}

/** One broker of each rack, then the next one of each, and so on. */
function alternateRacks(brokers: readonly UsableBroker[], random: Random): UsableBroker[] {
  const racks = new Map<string, UsableBroker[]>();
  for (const broker of shuffle(brokers, random)) {
    const rack = broker.rack ?? "";
    const members = racks.get(rack);
    if (members === undefined) racks.set(rack, [broker]);
    else members.push(broker);
  }
  const ring: UsableBroker[] = [];
  for (let i = 0; ring.length < brokers.length; i++) {
    for (const members of racks.values()) {
      const broker = members[i];
      if (broker !== undefined) ring.push(broker);
    }
  }
  return ring;
}

function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.uint32() % (i + 1);
    const [a, b] = [shuffled[i], shuffled[j]];
    if (a !== undefined && b !== undefined) [shuffled[i], shuffled[j]] = [b, a];
  }
  return shuffled;
}

function invalidReplicationFactor(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, message);
}
