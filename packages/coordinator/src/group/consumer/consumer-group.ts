import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { Assignment } from "../assignor/partition-assignor.ts";
import { NO_PARTITIONS } from "../assignor/partition-assignor.ts";
import type {
  ConsumerGroupMember,
  MemberAssignmentState,
  MemberDescription,
  OwnedPartitions,
} from "./consumer-group-member.ts";
import { isReconciledTo, MemberState, newConsumerGroupMember, NOTHING_OWNED } from "./consumer-group-member.ts";

export type ConsumerGroupState = "Empty" | "Assigning" | "Reconciling" | "Stable";

/** What a regular expression came to, the last time. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>;
  readonly version: number; // offset of the metadata, in Kafka
  readonly timestampMs: number;
}

/** What a step is about to change of who subscribes to what. */
export interface SubscriptionChange {
  /** Members that go, or that `and` takes the place of. */
  readonly without?: Iterable<ConsumerGroupMember>;
  readonly and?: MemberDescription;
  readonly regexes?: ReadonlyMap<string, ResolvedRegex>;
}

/**
 * A group of the consumer protocol (KIP-848), as its records tell. Three epochs: the group's goes up with every change of members or
 * topics, the target assignment's follows when it has been computed, each member's when it has what the target says.
 */
export class ConsumerGroup {
  readonly type = "consumer";
  readonly groupId: string;
  groupEpoch = 1; // so that a member that reads nothing has an epoch, too
  metadataHash = 0n;
  assignmentEpoch = 0;
  /** When the target was computed, 0 for unknown. */
  assignmentTimestampMs = 0;
  readonly #members = new Map<string, ConsumerGroupMember>();
  readonly #staticMembers = new Map<string, string>(); // member id by instance id
  readonly #targets = new Map<string, Assignment>();
  readonly #regexes = new Map<string, ResolvedRegex>();
  readonly #owners = new Map<Uuid, Map<number, string>>(); // member id by partition
  readonly #topicNames = new Counter();
  readonly #regexCounts = new Counter();
  readonly #assignors = new Counter();
  #classicCount = 0;
  /** Kafka before 4.1 wrote the topics themselves; the record is to be removed. */
  hasPartitionMetadataRecord = false;

  // Not on the disk:
  /** Topics of the group may have changed: its hash is to be looked at. So it is after a load, too. */
  isMetadataStale = true;
  /** There are other topics than when the regular expressions were looked at. */
  areRegexesStale = true;
  /** Members that speak the classic protocol and are expected to join again. */
  readonly expectedToJoin = new Set<string>();
  /** When the regular expressions were looked at. */
  regexRefreshTimeMs = 0;
  isResolvingRegexes = false;

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  get members(): ReadonlyMap<string, ConsumerGroupMember> {
    return this.#members;
  }

  get size(): number {
    return this.#members.size;
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return "Empty";
    if (this.groupEpoch > this.assignmentEpoch) return "Assigning";
    for (const member of this.#members.values()) {
      if (!isReconciledTo(member, this.assignmentEpoch)) return "Reconciling";
    }
    return "Stable";
  }

  get targets(): ReadonlyMap<string, Assignment> {
    return this.#targets;
  }

  get resolvedRegexes(): ReadonlyMap<string, ResolvedRegex> {
    return this.#regexes;
  }

  /** Regular expressions that members subscribe to. */
  get subscribedRegexes(): Iterable<string> {
    return this.#regexCounts.keys();
  }

  member(memberId: string): ConsumerGroupMember | undefined {
    return this.#members.get(memberId);
  }

  staticMember(instanceId: string | null): ConsumerGroupMember | undefined {
    const memberId = instanceId === null ? undefined : this.#staticMembers.get(instanceId);
    return memberId === undefined ? undefined : this.#members.get(memberId);
  }

  target(memberId: string): Assignment {
    return this.#targets.get(memberId) ?? NO_PARTITIONS;
  }

  /** @throws KafkaError UNKNOWN_MEMBER_ID */
  memberOrRefuse(memberId: string): ConsumerGroupMember {
    const member = this.#members.get(memberId);
    if (member !== undefined) return member;
    const message = `Member ${memberId} is not a member of group ${this.groupId}.`;
    throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, message);
  }

  isOwned(topicId: Uuid, partition: number): boolean {
    return this.#owners.get(topicId)?.has(partition) ?? false;
  }

  /** Members that subscribe to the regular expression. */
  regexCount(regex: string): number {
    return this.#regexCounts.count(regex);
  }

  allUseClassicProtocolBut(members: readonly ConsumerGroupMember[]): boolean {
    const leavingClassic = members.filter(({ classic }) => classic !== null).length;
    return this.#classicCount - leavingClassic === this.#members.size - members.length;
  }

  /** Whether there is one that every member of the classic protocol knows. */
  supportsClassicProtocols(names: readonly string[]): boolean {
    if (this.#classicCount === 0) return true;
    return names.some((name) =>
      [...this.#members.values()].every(
        ({ classic }) => classic === null || classic.supportedProtocols.some((protocol) => protocol.name === name),
      ),
    );
  }

  /** All topics that members read, by name or by regular expression, whether or not they exist; as they will be after a change. */
  subscribedTopics({ without = [], and, regexes }: SubscriptionChange = {}): ReadonlySet<string> {
    const leavingNames = new Counter();
    const leavingRegexes = new Counter();
    for (const { memberId } of without) {
      const member = this.#members.get(memberId);
      for (const name of member?.subscribedTopicNames ?? []) leavingNames.add(name);
      if (member !== undefined) leavingRegexes.add(member.subscribedTopicRegex);
    }
    const names = new Set<string>(and?.subscribedTopicNames);
    for (const name of this.#topicNames.keys()) {
      if (this.#topicNames.count(name) > leavingNames.count(name)) names.add(name);
    }
    const patterns = new Set<string>(and === undefined ? [] : [and.subscribedTopicRegex]);
    for (const regex of this.#regexCounts.keys()) {
      if (this.#regexCounts.count(regex) > leavingRegexes.count(regex)) patterns.add(regex);
    }
    for (const regex of patterns) {
      for (const name of (regexes?.get(regex) ?? this.#regexes.get(regex))?.topics ?? []) names.add(name);
    }
    return names;
  }

  isSubscribedTo(topic: string): boolean {
    if (this.#topicNames.count(topic) > 0) return true;
    for (const regex of this.#regexCounts.keys()) if (this.#regexes.get(regex)?.topics.has(topic) === true) return true;
    return false;
  }

  /** The assignor that most members ask for. */
  preferredAssignor(without?: ConsumerGroupMember, and?: MemberDescription): string | undefined {
    let best: string | undefined;
    let most = 0;
    const names = new Set([...this.#assignors.keys(), ...(and?.serverAssignor == null ? [] : [and.serverAssignor])]);
    for (const name of names) {
      const isLess = without?.serverAssignor === name && this.#members.has(without.memberId);
      const count = this.#assignors.count(name) - (isLess ? 1 : 0) + (and?.serverAssignor === name ? 1 : 0);
      if (count > most) [best, most] = [name, count];
    }
    return best;
  }

  /** Whether it waits for partitions that others have; one that could have them needs another heartbeat. */
  isWaitingOnUnreleased({ memberId, state, assigned }: ConsumerGroupMember): boolean {
    if (state !== MemberState.UNRELEASED_PARTITIONS) return false;
    for (const [topicId, partitions] of this.target(memberId)) {
      for (const partition of partitions) {
        if (assigned.get(topicId)?.has(partition) !== true && this.isOwned(topicId, partition)) return true;
      }
    }
    return false;
  }

  // Replayed:

  setDescription(memberId: string, description: MemberDescription): void {
    this.#replace(memberId, { ...(this.#members.get(memberId) ?? newConsumerGroupMember(memberId)), ...description });
  }

  setAssignmentState(memberId: string, state: MemberAssignmentState): void {
    this.#replace(memberId, { ...(this.#members.get(memberId) ?? newConsumerGroupMember(memberId)), ...state });
  }

  /** Its partitions are nobody's, and its epoch is the one of a departed member. */
  clearAssignmentState(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    this.#replace(memberId, {
      ...member,
      memberEpoch: -1,
      previousMemberEpoch: -1,
      state: MemberState.STABLE,
      assigned: NOTHING_OWNED,
      pendingRevocation: NOTHING_OWNED,
    });
  }

  removeMember(memberId: string): void {
    this.#replace(memberId, undefined);
    this.expectedToJoin.delete(memberId);
  }

  setTarget(memberId: string, assignment: Assignment | undefined): void {
    if (assignment === undefined) this.#targets.delete(memberId);
    else this.#targets.set(memberId, assignment);
  }

  setRegex(regex: string, resolved: ResolvedRegex | undefined): void {
    if (resolved === undefined) this.#regexes.delete(regex);
    else this.#regexes.set(regex, resolved);
  }

  #replace(memberId: string, next: ConsumerGroupMember | undefined): void {
    const before = this.#members.get(memberId);
    if (before !== undefined) this.#count(before, -1);
    if (next === undefined) {
      this.#members.delete(memberId);
      return;
    }
    this.#members.set(memberId, next);
    this.#count(next, 1);
  }

  #count(member: ConsumerGroupMember, by: 1 | -1): void {
    const { memberId, instanceId, subscribedTopicNames, subscribedTopicRegex, serverAssignor } = member;
    for (const name of subscribedTopicNames) this.#topicNames.add(name, by);
    if (subscribedTopicRegex !== "") this.#regexCounts.add(subscribedTopicRegex, by);
    if (serverAssignor !== null) this.#assignors.add(serverAssignor, by);
    if (member.classic !== null) this.#classicCount += by;
    if (instanceId !== null) {
      if (by === 1) this.#staticMembers.set(instanceId, memberId);
      else if (this.#staticMembers.get(instanceId) === memberId) this.#staticMembers.delete(instanceId);
    }
    this.#own(memberId, member.assigned, by);
    this.#own(memberId, member.pendingRevocation, by);
  }

  #own(memberId: string, owned: OwnedPartitions, by: 1 | -1): void {
    for (const [topicId, partitions] of owned) {
      const owners = this.#owners.get(topicId) ?? new Map<number, string>();
      for (const partition of partitions.keys()) {
        if (by === 1) owners.set(partition, memberId);
        else if (owners.get(partition) === memberId) owners.delete(partition);
      }
      if (owners.size > 0) this.#owners.set(topicId, owners);
      else this.#owners.delete(topicId);
    }
  }
}

class Counter {
  readonly #counts = new Map<string, number>();

  keys(): Iterable<string> {
    return this.#counts.keys();
  }

  count(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, by = 1): void {
    const count = this.count(key) + by;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}
