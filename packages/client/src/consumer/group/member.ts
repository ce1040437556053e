import type { KafkaError, Uuid } from "@samsa/base";
import type { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import type { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import type { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import type { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import type { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import type { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import type { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import type { AssignorTopic } from "../assignors/partition-assignor.ts";

/*
 * A member of a group decides in steps: it is told what happened, and says what is to be done. It knows no clock, no
 * socket and no promise, so that every order of events can be played. `ClassicMember` and `ConsumerMember` (KIP-848) are
 * two of a kind; `GroupMembership` performs for either.
 */

/** Who we are in the group, for commits and transactions (KIP-447). */
export interface ConsumerGroupMetadata {
  readonly groupId: string;
  /** The generation in the classic protocol, the member epoch in the consumer protocol; NO_GENERATION outside of the group. */
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export const NO_GENERATION = -1;
export const NO_MEMBER_ID = "";

/** A request to the coordinator; the object itself is what answers are known by. */
export type MemberRequest =
  | { readonly api: "join-group"; readonly body: JoinGroupRequest; readonly timeoutMs: number }
  | { readonly api: "sync-group"; readonly body: SyncGroupRequest; readonly timeoutMs: number }
  | { readonly api: "heartbeat"; readonly body: HeartbeatRequest; readonly timeoutMs: number }
  | { readonly api: "leave-group"; readonly body: LeaveGroupRequest; readonly timeoutMs: number }
  | {
      readonly api: "consumer-group-heartbeat";
      readonly body: ConsumerGroupHeartbeatRequest;
      readonly timeoutMs: number;
    };

export type MemberResponse =
  | JoinGroupResponse
  | SyncGroupResponse
  | HeartbeatResponse
  | LeaveGroupResponse
  | ConsumerGroupHeartbeatResponse;

/** What a member is to read: topics by name, or what matches on the broker (RE2 syntax, whole names; KIP-848). */
export interface Subscription {
  readonly topics: readonly string[];
  readonly pattern: string | undefined;
}

/** What becomes of the membership when the consumer is closed (KIP-1092). By default static members stay, the others leave. */
export type GroupMembershipOperation = "default" | "leave-group" | "remain-in-group";

export type MemberInput =
  /** What is wanted, at first or another time. */
  | { readonly kind: "subscribed"; readonly subscription: Subscription }
  /** `wakeAtMs` has come. */
  | { readonly kind: "tick" }
  | { readonly kind: "answered"; readonly request: MemberRequest; readonly response: MemberResponse }
  /** No answer came: the coordinator could not be found or reached. */
  | { readonly kind: "unanswered"; readonly request: MemberRequest; readonly error: KafkaError }
  /** The effect of this name is done. */
  | { readonly kind: "released" }
  | { readonly kind: "assigned" }
  | { readonly kind: "described"; readonly topics: ReadonlyMap<string, AssignorTopic> }
  /** These topics have names now. */
  | { readonly kind: "resolved"; readonly names: ReadonlyMap<Uuid, string> }
  /** What the metadata say now of the topics of the group; none for a topic that does not exist. */
  | { readonly kind: "partition-counts"; readonly counts: ReadonlyMap<string, number> }
  /** Nobody has asked for records for `maxPollIntervalMs`. */
  | { readonly kind: "poll-expired" }
  /** Somebody asks again. */
  | { readonly kind: "polled" }
  /** Somebody wants a rebalance. */
  | { readonly kind: "rejoin"; readonly reason: string }
  /** A commit was refused because we are not who we think we are. */
  | { readonly kind: "disowned"; readonly error: KafkaError; readonly generationId: number }
  | { readonly kind: "leave"; readonly operation: GroupMembershipOperation };

export type MemberEffect =
  | { readonly kind: "send"; readonly request: MemberRequest }
  /** Look for the coordinator anew. */
  | { readonly kind: "forget-coordinator" }
  /**
   * Hand out no more of these; unless they are lost, wait for what is in hand and commit; tell the listener; give them up; say
   * "released". Lost partitions are somebody else's already.
   */
  | { readonly kind: "release"; readonly partitions: readonly TopicPartition[]; readonly isLost: boolean }
  /** Take these in, beside what is owned already; tell the listener; find their positions; say "assigned". */
  | { readonly kind: "assign"; readonly added: readonly TopicPartition[] }
  /** Ask for the metadata of these, and say "described". */
  | { readonly kind: "describe"; readonly topics: readonly string[] }
  /** Ask for the names of these, and say "resolved". */
  | { readonly kind: "resolve"; readonly topicIds: readonly Uuid[] }
  /** Something to be told of, and tried again. */
  | { readonly kind: "retry"; readonly error: KafkaError }
  /** The end of the membership: whoever reads is told. */
  | { readonly kind: "fail"; readonly error: KafkaError }
  /** The broker does not have this protocol, or not for this group. */
  | { readonly kind: "unsupported"; readonly error: KafkaError }
  /** We are out of the group, and the coordinator knows or need not. */
  | { readonly kind: "left" };

export interface Member {
  /** When "tick" is due, monotonic; infinite when never. */
  readonly wakeAtMs: number;
  readonly generationId: number;
  readonly memberId: string;
  /** What it reads by the assignment that was taken in last. */
  readonly owned: readonly TopicPartition[];
  /** Topics whose partitions it wants to be told of. */
  readonly watchedTopics: readonly string[];
  /** Whether nothing is under way: what is owned is what was assigned. */
  readonly isStable: boolean;
  readonly state: string;
  step(input: MemberInput, nowMs: number): readonly MemberEffect[];
}
