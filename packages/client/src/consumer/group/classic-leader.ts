import { createSyncGroupRequestAssignment } from "@samsa/protocol/messages/sync-group-request";
import type { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { decodeSubscription, encodeAssignment } from "../assignors/consumer-protocol.ts";
import type { AssignorTopic, GroupMember, PartitionAssignor } from "../assignors/partition-assignor.ts";

/**
 * What the leader of a group of the classic protocol does beside the other members: it assigns, and watches whether what it has assigned
 * are still all the partitions there are.
 */
export class ClassicLeader {
  #members: readonly GroupMember[] = []; // until it has assigned
  #watched: readonly string[] = [];
  /** By which it assigned; undefined when it is leader again and did not. */
  #counts: ReadonlyMap<string, number> | undefined;

  /** Topics that any of the members subscribes to. */
  get watchedTopics(): readonly string[] {
    return this.#watched;
  }

  /** A generation begins. @throws ProtocolError for a subscription that cannot be read */
  begin(members: JoinGroupResponse["members"]): void {
    this.#members = members.map(({ memberId, groupInstanceId, metadata }) => {
      return { memberId, groupInstanceId, ...decodeSubscription(metadata) };
    });
    this.#watched = [...new Set(this.#members.flatMap(({ topics }) => topics))];
  }

  /** A static leader that came back: all goes on as it was (KIP-814). */
  goOn(): void {
    this.#members = [];
    this.#counts = undefined;
  }

  /** @throws what the assignor throws */
  assign(assignor: PartitionAssignor, topics: ReadonlyMap<string, AssignorTopic>): SyncGroupRequest["assignments"] {
    this.#counts = new Map(Array.from(topics, ([name, { partitionCount }]) => [name, partitionCount]));
    const members = this.#members;
    this.#members = [];
    const assignments = assignor.assign(topics, members);
    return members.map(({ memberId }) =>
      createSyncGroupRequestAssignment({
        memberId,
        assignment: encodeAssignment(assignments.get(memberId) ?? { partitions: [] }),
      }),
    );
  }

  /** A topic that has other partitions than when they were assigned. */
  changedTopic(counts: ReadonlyMap<string, number>): string | undefined {
    const before = this.#counts;
    this.#counts = before ?? counts;
    return before && this.#watched.find((topic) => counts.get(topic) !== before.get(topic));
  }
}
