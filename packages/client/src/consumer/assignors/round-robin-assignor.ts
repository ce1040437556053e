import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { compareMembers, GroupTopics } from "./group-topics.ts";
import type { AssignorTopic, GroupMember, MemberAssignment, PartitionAssignor } from "./partition-assignor.ts";

/** All partitions of all topics, dealt out in turn like cards; who is not subscribed to a topic is passed over. */
export const roundRobinAssignor: PartitionAssignor = {
  name: "roundrobin",
  rebalanceProtocols: ["eager"],

  assign(topics: ReadonlyMap<string, AssignorTopic>, members: readonly GroupMember[]): Map<string, MemberAssignment> {
    const group = new GroupTopics(topics, members);
    const turns = group.members.toSorted(compareMembers);
    const subscriptions = turns.map((member) => new Set(member.topics));
    const assigned = turns.map((): TopicPartition[] => []);
    let turn = 0;
    for (const topic of group.names.toSorted()) {
      for (const partition of group.partitionsOf(topic)) {
        while (subscriptions[turn]?.has(topic) === false) turn = (turn + 1) % turns.length;
        assigned[turn]?.push(partition);
        turn = (turn + 1) % turns.length;
      }
    }
    return new Map(turns.map(({ memberId }, i) => [memberId, { partitions: assigned[i] ?? [] }]));
  },
};
