import type { StreamsGroupTopologyValue } from "@samsa/protocol/messages/streams-group-topology-value";
import type { Groups } from "./group.ts";
import type { GroupRecord, StreamsGroupRecord } from "./group-records.ts";

/** As Kafka lists them. */
export type StreamsGroupState = "Empty" | "NotReady" | "Assigning" | "Reconciling" | "Stable";

type Kind = StreamsGroupRecord["kind"];
type ValueOf<K extends Kind> = NonNullable<Extract<StreamsGroupRecord, { kind: K }>["value"]>;
type TaskState = ValueOf<"streams-group-current-member-assignment">;

const STABLE = 1; // of a member, and not 0 as in groups of consumers; anything else is on its way there

/**
 * A group of Kafka Streams (KIP-1071) as its records tell. Its heartbeats are not served: members stay as they were written, so that
 * a broker which serves them goes on from there. Offsets, listing, expiry and deletion are those of any group.
 */
export class StreamsGroup {
  readonly type = "streams";
  readonly groupId: string;
  groupEpoch = 0;
  assignmentEpoch = 0;
  topology: StreamsGroupTopologyValue | undefined;
  /** The epoch of the topology whose topics have been found to be there. */
  validatedTopologyEpoch = -1;
  readonly members = new Set<string>();
  readonly targets = new Set<string>();
  readonly tasks = new Map<string, TaskState>();

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  get state(): StreamsGroupState {
    if (this.members.size === 0) return "Empty";
    if (this.topology?.epoch !== this.validatedTopologyEpoch) return "NotReady";
    if (this.groupEpoch > this.assignmentEpoch) return "Assigning";
    const isReconciled = (memberId: string): boolean => {
      const tasks = this.tasks.get(memberId);
      return tasks?.state === STABLE && tasks.memberEpoch === this.assignmentEpoch;
    };
    return [...this.members].every(isReconciled) ? "Stable" : "Reconciling";
  }

  /** What its application reads, whoever is in it; whatever a pattern may match counts as read. */
  isSubscribedTo(topic: string): boolean {
    return (this.topology?.subtopologies ?? []).some(
      ({ sourceTopics, sourceTopicRegex, repartitionSourceTopics }) =>
        sourceTopics.includes(topic) ||
        sourceTopicRegex.length > 0 ||
        repartitionSourceTopics.some(({ name }) => name === topic),
    );
  }
}

/** One record of a streams group. Compaction leaves them in any order: whichever comes first makes the group. */
export function replayStreamsGroupRecord(groups: Groups, record: StreamsGroupRecord): void {
  const { groupId } = record.key;
  const known = groups.get(groupId);
  if (record.value === null) {
    if (known?.type === "streams") remove(groups, known, record);
    return;
  }
  const group = known?.type === "streams" ? known : new StreamsGroup(groupId);
  groups.set(groupId, group);
  switch (record.kind) {
    case "streams-group-metadata":
      group.groupEpoch = record.value.epoch;
      group.validatedTopologyEpoch = record.value.validatedTopologyEpoch;
      return;
    case "streams-group-topology":
      group.topology = record.value;
      return;
    case "streams-group-target-assignment-metadata":
      group.assignmentEpoch = record.value.assignmentEpoch;
      return;
    case "streams-group-member-metadata":
      group.members.add(record.key.memberId);
      return;
    case "streams-group-target-assignment-member":
      group.targets.add(record.key.memberId);
      return;
    case "streams-group-current-member-assignment":
      group.tasks.set(record.key.memberId, record.value);
  }
}

function remove(groups: Groups, group: StreamsGroup, record: StreamsGroupRecord): void {
  switch (record.kind) {
    case "streams-group-metadata":
      groups.delete(group.groupId);
      return;
    case "streams-group-topology":
      group.topology = undefined;
      return;
    case "streams-group-target-assignment-metadata":
      group.assignmentEpoch = 0;
      return;
    case "streams-group-member-metadata":
      group.members.delete(record.key.memberId);
      return;
    case "streams-group-target-assignment-member":
      group.targets.delete(record.key.memberId);
      return;
    case "streams-group-current-member-assignment":
      group.tasks.delete(record.key.memberId);
  }
}

/** Nothing of the group is left after these, in Kafka's order: what it consists of before what it is. */
export function streamsGroupTombstones({ groupId, members, targets, tasks }: StreamsGroup): readonly GroupRecord[] {
  const key = { groupId };
  return [
    ...Array.from(tasks.keys(), (memberId): GroupRecord =>
      tombstone("streams-group-current-member-assignment", memberId),
    ),
    ...Array.from(targets, (memberId): GroupRecord => tombstone("streams-group-target-assignment-member", memberId)),
    { kind: "streams-group-target-assignment-metadata", key, value: null },
    ...Array.from(members, (memberId): GroupRecord => tombstone("streams-group-member-metadata", memberId)),
    { kind: "streams-group-topology", key, value: null },
    { kind: "streams-group-metadata", key, value: null },
  ];

  function tombstone<
    K extends
      | "streams-group-current-member-assignment"
      | "streams-group-target-assignment-member"
      | "streams-group-member-metadata",
  >(kind: K, memberId: string) {
    return { kind, key: { groupId, memberId }, value: null };
  }
}
