import { assert, ByteReader, ErrorCode, KafkaError, refusal } from "@samsa/base";
import { ConsumerProtocolSubscription } from "@samsa/protocol/messages/consumer-protocol-subscription";
import type { GroupMetadataValue } from "@samsa/protocol/messages/group-metadata-value";
import { ClassicGroupMember } from "./classic-group-member.ts";
import type { MemberProtocol } from "./classic-group-member.ts";
import type { GroupRecord } from "./group-records.ts";

export type ClassicGroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead";

/**
 * Where a group may go. How each state answers stands in `classic-group-manager.ts`:
 * - Empty: no members, perhaps offsets. Left when one joins, or when the last offset expires.
 * - PreparingRebalance: members are expected to join again. Left when all have, or at the rebalance timeout.
 * - CompletingRebalance: the leader is expected to send the assignment. Left when it does, or at the sync deadline.
 * - Stable: everyone has an assignment. Left when a member comes, goes, stalls or changes.
 * - Dead: removed; whoever holds it looks again.
 */
const NEXT_STATES = {
  Empty: ["PreparingRebalance", "Dead"],
  PreparingRebalance: ["CompletingRebalance", "Empty", "Dead"],
  CompletingRebalance: ["Stable", "PreparingRebalance", "Dead"],
  Stable: ["PreparingRebalance", "Dead"],
  Dead: ["Dead"],
} as const satisfies Record<ClassicGroupState, readonly ClassicGroupState[]>;

/** The protocol type of consumers: their subscriptions can be read. */
const CONSUMER_PROTOCOL_TYPE = "consumer";

/**
 * When a group changed its state, if nobody knows: it is on disk as the members of a consumer group left it, and they have yet to be
 * called together under the classic protocol. (Groups that Kafka wrote before 2.1 have no time either; one more rebalance does no harm.)
 */
export const NOT_YET_REBALANCED_MS = -1;

/** The members of one group, its generation and state. It decides nothing and sends nothing. */
export class ClassicGroup {
  readonly type = "classic";
  readonly groupId: string;
  readonly #members = new Map<string, ClassicGroupMember>();
  readonly #staticMembers = new Map<string, string>(); // member id by instance id
  /** Member ids given out, whose owners have yet to join with them (KIP-394). */
  readonly pendingJoinMembers = new Set<string>();
  readonly pendingSyncMembers = new Set<string>();
  #state: ClassicGroupState = "Empty";
  #previousState: ClassicGroupState = "Dead";
  stateTimestampMs: number; // or NOT_YET_REBALANCED_MS
  generationId = 0;
  protocolType: string | undefined;
  protocolName: string | undefined;
  leaderId: string | undefined;
  /** Someone came during the initial rebalance delay. */
  newMemberAdded = false;
  #subscribedTopics: ReadonlySet<string> | undefined;

  constructor(groupId: string, stateTimestampMs: number) {
    this.groupId = groupId;
    this.stateTimestampMs = stateTimestampMs;
  }

  /** The group that a record tells of: nobody waits, and everyone has the assignment of the record. */
  static fromRecord(groupId: string, value: GroupMetadataValue): ClassicGroup {
    const group = new ClassicGroup(groupId, value.currentStateTimestamp);
    group.generationId = value.generation;
    group.protocolType = value.protocolType === "" ? undefined : value.protocolType;
    group.protocolName = value.protocol ?? undefined;
    for (const member of value.members) {
      group.add(
        new ClassicGroupMember({
          ...member,
          rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
          sessionTimeoutMs: member.sessionTimeout,
          protocols: [{ name: value.protocol ?? "", metadata: member.subscription.slice() }],
          assignment: member.assignment.slice(),
        }),
      );
    }
    group.leaderId = value.leader ?? undefined;
    if (value.members.length > 0) group.#state = "Stable";
    group.#subscribedTopics = group.#computeSubscribedTopics();
    return group;
  }

  toRecord(assignments?: ReadonlyMap<string, Uint8Array>): Extract<GroupRecord, { readonly kind: "group-metadata" }> {
    const members = [...this.#members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: this.protocolName === undefined ? new Uint8Array(0) : member.metadata(this.protocolName),
      assignment:
        assignments?.get(member.memberId) ?? (assignments === undefined ? member.assignment : new Uint8Array(0)),
    }));
    return {
      kind: "group-metadata",
      key: { group: this.groupId },
      value: {
        protocolType: this.protocolType ?? "",
        generation: this.generationId,
        protocol: this.protocolName ?? null,
        leader: this.leaderId ?? null,
        currentStateTimestamp: this.stateTimestampMs,
        members,
      },
    };
  }

  /** The same group as a record would tell of it, all protocols of its members kept. */
  asLoaded(): ClassicGroup {
    const { value } = this.toRecord();
    assert(value !== null, "a group that is there has a value");
    const group = ClassicGroup.fromRecord(this.groupId, value);
    for (const { memberId, protocols } of this.members) {
      const member = group.member(memberId);
      if (member !== undefined) member.protocols = protocols;
    }
    return group;
  }

  /** Whether its members are consumers, so that it may become a consumer group. */
  get usesConsumerProtocol(): boolean {
    return this.protocolType === CONSUMER_PROTOCOL_TYPE;
  }

  get state(): ClassicGroupState {
    return this.#state;
  }

  get previousState(): ClassicGroupState {
    return this.#previousState;
  }

  get members(): readonly ClassicGroupMember[] {
    return [...this.#members.values()];
  }

  get size(): number {
    return this.#members.size;
  }

  /** The longest that any member asks for. */
  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { rebalanceTimeoutMs } of this.#members.values()) longest = Math.max(longest, rebalanceTimeoutMs);
    return longest;
  }

  get awaitingJoinCount(): number {
    return this.members.filter(({ awaitingJoin }) => awaitingJoin !== undefined).length;
  }

  get hasAllMembersJoined(): boolean {
    return this.pendingJoinMembers.size === 0 && this.awaitingJoinCount === this.size;
  }

  member(memberId: string): ClassicGroupMember | undefined {
    return this.#members.get(memberId);
  }

  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId);
  }

  /** Whether a member reads the topic; for consumers whose subscriptions cannot be read it must be feared. */
  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics?.has(topic) ?? this.protocolType === CONSUMER_PROTOCOL_TYPE;
  }

  /** Whether it can be told what the members read. */
  get hasKnownSubscriptions(): boolean {
    return this.#subscribedTopics !== undefined;
  }

  transitionTo(state: ClassicGroupState, nowMs: number): void {
    const allowed: readonly ClassicGroupState[] = NEXT_STATES[this.#state];
    assert(allowed.includes(state), `a group never goes from ${this.#state} to ${state}`);
    this.#previousState = this.#state;
    this.#state = state;
    this.stateTimestampMs = nowMs;
  }

  /** The first member gives the group its protocol type, and leads. */
  add(member: ClassicGroupMember): void {
    assert(!this.#members.has(member.memberId), "a member joins once");
    this.leaderId ??= member.memberId;
    this.#members.set(member.memberId, member);
    if (member.groupInstanceId !== null) this.#staticMembers.set(member.groupInstanceId, member.memberId);
    this.pendingJoinMembers.delete(member.memberId);
  }

  remove(memberId: string): void {
    const member = this.#members.get(memberId);
    this.#members.delete(memberId);
    this.pendingJoinMembers.delete(memberId);
    this.pendingSyncMembers.delete(memberId);
    if (member?.groupInstanceId != null && this.#staticMembers.get(member.groupInstanceId) === memberId) {
      this.#staticMembers.delete(member.groupInstanceId);
    }
    if (this.leaderId === memberId) this.leaderId = this.#members.keys().next().value;
  }

  /** A static member is back under a new id: it takes the place of its old self, at the same position. */
  replaceStatic(old: ClassicGroupMember, newMemberId: string): ClassicGroupMember {
    const { clientId, clientHost, groupInstanceId, rebalanceTimeoutMs, sessionTimeoutMs, protocols, assignment } = old;
    const replacement = new ClassicGroupMember({
      memberId: newMemberId,
      groupInstanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      protocols,
      assignment,
    });
    const wasLeader = this.leaderId === old.memberId;
    const members = this.members.map((member) => (member === old ? replacement : member));
    this.#members.clear();
    for (const member of members) this.#members.set(member.memberId, member);
    if (groupInstanceId !== null) this.#staticMembers.set(groupInstanceId, newMemberId);
    if (this.pendingSyncMembers.delete(old.memberId)) this.pendingSyncMembers.add(newMemberId);
    if (wasLeader) this.leaderId = newMemberId;
    return replacement;
  }

  /** @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
  validateMember(memberId: string, groupInstanceId: string | null): ClassicGroupMember {
    if (groupInstanceId !== null) {
      const existing = this.#staticMembers.get(groupInstanceId);
      if (existing === undefined) throw refusal(ErrorCode.UNKNOWN_MEMBER_ID);
      if (existing !== memberId) throw refusal(ErrorCode.FENCED_INSTANCE_ID);
    }
    const member = this.#members.get(memberId);
    if (member === undefined) throw refusal(ErrorCode.UNKNOWN_MEMBER_ID);
    return member;
  }

  /** Whether one that joins has a protocol that every member has. */
  supportsProtocols(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.#members.size === 0) return protocolType !== "" && protocols.length > 0;
    if (this.protocolType !== protocolType) return false;
    return protocols.some(({ name }) => this.members.every((member) => member.supports(name)));
  }

  /** Each member votes for the first of its protocols that all can follow; the leader's wish breaks a tie. */
  selectProtocol(): string {
    const { members } = this;
    const isCandidate = (name: string): boolean => members.every((member) => member.supports(name));
    const votes = new Map<string, number>();
    const leader = this.leaderId === undefined ? undefined : this.#members.get(this.leaderId);
    for (const member of leader === undefined ? members : [leader, ...members.filter((other) => other !== leader)]) {
      const choice = member.protocols.find(({ name }) => isCandidate(name));
      assert(choice !== undefined, "no member joins without a protocol that all can follow");
      votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
    }
    const [winner] = [...votes].toSorted(([, a], [, b]) => b - a)[0] ?? [];
    assert(winner !== undefined, "a group without members selects no protocol");
    return winner;
  }

  /** The leader stays if it is back, else one of those who are takes its place; false when nobody is back. */
  maybeElectNewJoinedLeader(): boolean {
    if (this.leaderId === undefined) return false;
    if (this.#members.get(this.leaderId)?.awaitingJoin !== undefined) return true;
    const joined = this.members.find(({ awaitingJoin }) => awaitingJoin !== undefined);
    if (joined === undefined) return false;
    this.leaderId = joined.memberId;
    return true;
  }

  initNextGeneration(nowMs: number): void {
    this.generationId = this.generationId === 0x7fff_ffff ? 0 : this.generationId + 1;
    this.pendingSyncMembers.clear();
    if (this.#members.size === 0) {
      this.protocolName = undefined;
      this.leaderId = undefined;
      this.transitionTo("Empty", nowMs);
    } else {
      this.protocolName = this.selectProtocol();
      this.transitionTo("CompletingRebalance", nowMs);
    }
    this.#subscribedTopics = this.#computeSubscribedTopics();
  }

  /** Undefined where the members are no consumers, or one says what cannot be read. */
  #computeSubscribedTopics(): ReadonlySet<string> | undefined {
    if (this.protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined;
    const topics = new Set<string>();
    const protocol = this.protocolName;
    if (this.#members.size > 0 && protocol === undefined) return undefined;
    try {
      for (const member of this.#members.values()) {
        const reader = new ByteReader(member.metadata(protocol ?? ""));
        const version = reader.int16();
        if (version < 0) return undefined;
        const known = Math.min(version, ConsumerProtocolSubscription.highestVersion);
        for (const topic of ConsumerProtocolSubscription.read(reader, known).topics) topics.add(topic);
      }
      return topics;
    } catch (error) {
      if (error instanceof KafkaError) return undefined;
      throw error;
    }
  }
}
