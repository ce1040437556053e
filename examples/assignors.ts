/** Who reads what in a group: Kafka's assignors beside one of one's own. An assignor is a function, so it can be asked without a group. */
import type { GroupMember, PartitionAssignor } from "@samsa/client";
import { cooperativeStickyAssignor, rangeAssignor, roundRobinAssignor, stickyAssignor } from "@samsa/client";

const topics = new Map([
  ["orders", { partitionCount: 4, racks: [["a"], ["b"], ["a"], ["b"]] }],
  ["payments", { partitionCount: 3 }],
]);

function member(memberId: string, rackId: string | null = null): GroupMember {
  const subscribed = { topics: ["orders", "payments"], ownedPartitions: [], userData: null };
  return { memberId, groupInstanceId: null, generationId: -1, rackId, ...subscribed };
}

/** The first member by name reads everything; the others stand by. */
const standby: PartitionAssignor = {
  name: "standby",
  rebalanceProtocols: ["eager"],
  assign: (all, members) => {
    const [leader] = members.map(({ memberId }) => memberId).toSorted();
    const partitions = Array.from(all, ([topic, { partitionCount }]) =>
      Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })),
    ).flat();
    return new Map(leader === undefined ? [] : [[leader, { partitions }]]);
  },
};

function show(assignor: PartitionAssignor, members: readonly GroupMember[]): void {
  const assigned = assignor.assign(topics, members);
  const lines = members.map(({ memberId }) => {
    const names = assigned.get(memberId)?.partitions.map(({ topic, partition }) => `${topic[0]}${partition}`) ?? [];
    return `${memberId}=${names.toSorted().join("+") || "-"}`;
  });
  console.log(`${assignor.name}: ${lines.join(" ")}`);
}

const people = [member("ada"), member("bob"), member("cy")];
for (const assignor of [rangeAssignor, roundRobinAssignor, stickyAssignor, standby]) show(assignor, people);

// With racks known, partitions go to members near one of their replicas, as far as the counts stay even.
show(rangeAssignor, [member("bob", "b"), member("cy", "a")]);

// A fourth member joins: cooperative sticky gives a partition that moves to nobody until its owner has let go of it.
const before = stickyAssignor.assign(topics, people);
const rejoined = people.map((one) => ({
  ...one,
  generationId: 1,
  ownedPartitions: before.get(one.memberId)?.partitions ?? [],
}));
show(cooperativeStickyAssignor, [...rejoined, member("dee")]);

// range: ada=o0+o1+p0 bob=o2+p1 cy=o3+p2
// roundrobin: ada=o0+o3+p2 bob=o1+p0 cy=o2+p1
// sticky: ada=o0+o3+p2 bob=o1+p0 cy=o2+p1
// standby: ada=o0+o1+o2+o3+p0+p1+p2 bob=- cy=-
// range: bob=o1+o3+p0+p1 cy=o0+o2+p2
// cooperative-sticky: ada=o0+p2 bob=o1+p0 cy=o2+p1 dee=-
