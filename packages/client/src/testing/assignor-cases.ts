import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { SeededRandom } from "@samsa/simulation";
import { cooperativeStickyAssignor, stickyAssignor } from "../consumer/assignors/sticky-assignor.ts";
import { rangeAssignor } from "../consumer/assignors/range-assignor.ts";
import { roundRobinAssignor } from "../consumer/assignors/round-robin-assignor.ts";
import { encodeSubscription } from "../consumer/assignors/consumer-protocol.ts";
import type { AssignorTopic, PartitionAssignor } from "../consumer/assignors/partition-assignor.ts";
import { encodeGeneration, encodeStickyUserData } from "../consumer/assignors/sticky-user-data.ts";

/** In the order of the digests that compat/golden/Assignments.java prints. */
export const ASSIGNORS: readonly PartitionAssignor[] = [
  rangeAssignor,
  roundRobinAssignor,
  stickyAssignor,
  cooperativeStickyAssignor,
];

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** What it says of itself, by the name of the assignor. */
  readonly subscriptions: ReadonlyMap<string, Uint8Array>;
}

export interface AssignorCase {
  readonly topics: ReadonlyMap<string, AssignorTopic>;
  readonly members: readonly JoinedMember[];
}

interface Past {
  readonly partitions: readonly TopicPartition[];
  readonly generationId: number;
}

const RACKS = ["a", "b", "c", "d"];
const NOTHING: Past = { partitions: [], generationId: -1 };

/**
 * A group as it might join, the same for the same number: of few and of many members, static or not, with racks or without, that read
 * the same or different topics, some of which do not exist; new, or with a past, or with claims that contradict each other.
 */
export function assignorCase(number: number): AssignorCase {
  const random = new Dice(number);
  const topics = topicsFor(random);
  const names = [...topics.keys(), ...(random.chance(0.2) ? ["not-there"] : [])];
  const readTheSame = random.chance(0.5);
  const hasRacks = random.chance(0.6);
  const isStatic = random.chance(0.25);
  const isMixedVersions = random.chance(0.15);
  const common = random.someOf(names);
  const count = number % 40 === 0 ? 60 : 1 + random.below(number % 7 === 0 ? 24 : 9);
  const people = Array.from({ length: count }, (_, i) => ({
    memberId: `consumer-${1 + random.below(3)}-${random.hex()}-${random.hex()}`,
    groupInstanceId: isStatic && random.chance(0.8) ? `instance-${i}` : null,
    topics: readTheSame ? common : random.someOf(names),
    rackId: hasRacks && random.chance(0.9) ? random.oneOf(RACKS) : null,
    version: isMixedVersions ? random.below(4) : 3,
  }));
  const pasts = pastsOf(random, topics, people);
  const members = people.map(({ memberId, groupInstanceId, topics: reads, rackId, version }, i): JoinedMember => {
    const past = pasts[i] ?? NOTHING;
    const { partitions, generationId } = past;
    const eager = { topics: reads, userData: null, ownedPartitions: [], generationId, rackId };
    const hasBeen = generationId >= 0 || partitions.length > 0;
    const sticky = hasBeen ? encodeStickyUserData(past) : null;
    const isOldSticky = sticky !== null && random.chance(0.05);
    return {
      memberId,
      groupInstanceId,
      subscriptions: new Map([
        ["range", encodeSubscription(eager, version)],
        ["roundrobin", encodeSubscription(eager, version)],
        ["sticky", encodeSubscription({ ...eager, userData: isOldSticky ? sticky.subarray(0, -4) : sticky }, version)],
        [
          "cooperative-sticky",
          encodeSubscription(
            { ...eager, userData: encodeGeneration(generationId), ownedPartitions: partitions },
            version,
          ),
        ],
      ]),
    };
  });
  return { topics, members };
}

function topicsFor(random: Dice): ReadonlyMap<string, AssignorTopic> {
  const count = 1 + random.below(6);
  const sameCount = random.chance(0.5) ? 1 + random.below(12) : undefined;
  const replicas = random.below(4); // without any, nothing is known of racks
  const racks = RACKS.slice(0, 1 + random.below(RACKS.length));
  const topics = new Map<string, AssignorTopic>();
  for (let i = 0; i < count; i++) {
    const name = `${random.oneOf(["orders", "payments", "t", "clicks.eu", "x_y"])}-${i}`;
    const partitionCount = sameCount ?? 1 + random.below(15);
    const racksOf = Array.from({ length: partitionCount }, () => [
      ...new Set(Array.from({ length: replicas }, () => random.oneOf(racks))),
    ]);
    topics.set(name, { partitionCount, racks: racksOf });
  }
  return topics;
}

/** What members held before: nothing, what a former assignment gave them, or whatever they like. */
function pastsOf(
  random: Dice,
  topics: ReadonlyMap<string, AssignorTopic>,
  people: readonly { readonly topics: readonly string[] }[],
): readonly Past[] {
  const kind = random.below(10);
  if (kind < 2) return people.map(() => NOTHING);
  const partitions = Array.from(topics, ([topic, { partitionCount }]) =>
    Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })),
  ).flat();
  if (kind < 7) {
    const generationId = 1 + random.below(20);
    const stayed = people.map(() => random.chance(0.8));
    const held = people.map((): TopicPartition[] => []);
    const gone = random.below(3); // members that have left
    const isEven = random.chance(0.7);
    partitions.forEach((partition, turn) => {
      const owner = isEven ? turn % (people.length + gone) : random.below(people.length + gone);
      const reads = people[owner]?.topics.includes(partition.topic) === true || random.chance(0.1);
      if (reads && stayed[owner] === true) held[owner]?.push(partition);
    });
    return held.map((own, i) => (stayed[i] === true ? { partitions: own, generationId } : NOTHING));
  }
  const newest = 1 + random.below(20);
  return people.map(() => ({
    partitions: partitions.filter(() => random.chance(0.3)),
    generationId: random.chance(0.2) ? -1 : newest - random.below(3),
  }));
}

class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  below(limit: number): number {
    return this.#random.uint32() % limit;
  }

  chance(probability: number): boolean {
    return this.#random.uint32() < probability * 2 ** 32;
  }

  hex(): string {
    return this.#random.uint32().toString(16).padStart(8, "0");
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** At least one, in their order. */
  someOf<T>(items: readonly T[]): readonly T[] {
    const some = items.filter(() => this.chance(0.6));
    return some.length > 0 ? some : [this.oneOf(items)];
  }
}

/** As Assignments.java reads it. */
export function caseAsText({ topics, members }: AssignorCase): string {
  const lines = Array.from(
    topics,
    ([name, { racks = [] }]) => `topic ${name} ${racks.map((some) => some.join(",")).join(";")};`,
  );
  for (const { memberId, groupInstanceId, subscriptions } of members) {
    const bytes = ASSIGNORS.map(({ name }) => Buffer.from(subscriptions.get(name) ?? []).toString("hex"));
    lines.push(`member ${memberId} ${groupInstanceId ?? "-"} ${bytes.join(" ")}`);
  }
  return [...lines, "end"].join("\n");
}
