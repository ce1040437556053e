import type { Random } from "@samsa/base";
import { assert, InvariantError } from "@samsa/base";
import type { ControlRecord } from "@samsa/protocol";
import { ControlRecordType } from "@samsa/protocol";
import { KRaftVersionRecord } from "@samsa/protocol/messages/kraft-version-record";
import { LeaderChangeMessage, createLeaderChangeMessageVoter } from "@samsa/protocol/messages/leader-change-message";
import type { FetchRequest, FetchRequestFetchPartition } from "@samsa/protocol/messages/fetch-request";
import { BatchAccumulator } from "./batch-accumulator.ts";
import type { Destination, RaftEffect, RaftTime } from "./effects.ts";
import type { ElectionState } from "./election-state.ts";
import type { LocatedControlRecord } from "./partition-state.ts";
import { NOT_IN_LOG, PartitionState } from "./partition-state.ts";
import { QuorumState } from "./quorum-state.ts";
import type { RaftConfig } from "./raft-config.ts";
import type { OffsetAndEpoch, RecoveredRaftLog } from "./raft-log.ts";
import { RaftLog } from "./raft-log.ts";
import type { RaftRequest, RaftResponse } from "./raft-messages.ts";
import type { RaftMutations } from "./raft-mutations.ts";
import { NO_MUTATIONS } from "./raft-mutations.ts";
import { RequestManager } from "./request-manager.ts";
import type { LeaderState } from "./states/leader-state.ts";
import type { VoterChange } from "./voter-change.ts";
import type { Endpoint, ReplicaKey, SupportedKRaftVersions, VoterSet } from "./voter-set.ts";

export interface KafkaRaftOptions {
  readonly localKey: ReplicaKey;
  readonly clusterId: string;
  /** Where this replica is reached: of a voter all listeners, of an observer none are needed. */
  readonly endpoints: readonly Endpoint[];
  /** The listener that replicas speak to each other on: the first of `controller.listener.names`. */
  readonly listenerName: string;
  /** `controller.quorum.voters`; empty when the voters are in the log. */
  readonly staticVoters: VoterSet;
  /** Whether this node could be a voter at all: a controller, not a mere broker. */
  readonly canBecomeVoter: boolean;
  readonly config: RaftConfig;
  readonly random: Random;
  readonly supportedKRaftVersions?: SupportedKRaftVersions;
  /** For tests that prove that a mistake would be found. */
  readonly mutations?: RaftMutations;
}

/** What the disk holds when a replica starts. */
export interface RecoveredRaft {
  readonly log: RecoveredRaftLog;
  /** Of the newest snapshot (that of formatting at offset -1), then of the log from its end on. */
  readonly controlRecords: readonly LocatedControlRecord[];
  readonly quorumState: ElectionState | undefined;
}

/** A fetch that the leader holds until it has something to say. */
export interface PendingFetch {
  readonly requestId: number;
  readonly request: FetchRequest;
  readonly partition: FetchRequestFetchPartition;
  readonly deadlineMs: number;
}

/** What all handlers share: the parts of the state, and the moves that concern more than one of them. */
export class RaftCore {
  readonly options: KafkaRaftOptions;
  readonly config: RaftConfig;
  readonly localKey: ReplicaKey;
  readonly log: RaftLog;
  readonly partition: PartitionState;
  readonly quorum: QuorumState;
  readonly requests: RequestManager;
  readonly mutations: RaftMutations;
  /** Under way at the leader of `epoch`; one at a time. */
  voterChange: (VoterChange & { readonly epoch: number }) | undefined;
  /** Oldest first. */
  pendingFetches: PendingFetch[] = [];
  time: RaftTime;
  /** A snapshot takes the place of the log: until it has, nothing is fetched and no election begins. */
  installing: OffsetAndEpoch | undefined;
  shutdown: { readonly deadlineMs: number; isComplete: boolean } | undefined;
  autoJoinDeadlineMs = 0;
  #effects: RaftEffect[] = [];
  #told: { readonly epoch: number; readonly leaderId: number | undefined } | undefined;
  /** Bytes that were appended in this epoch and that the disk has not synced, oldest first. */
  #unsynced: { readonly endOffset: number; readonly bytes: number }[] = [];
  #unsyncedBytes = 0;

  constructor(options: KafkaRaftOptions, recovered: RecoveredRaft, time: RaftTime) {
    this.options = options;
    this.config = options.config;
    this.localKey = options.localKey;
    this.mutations = options.mutations ?? NO_MUTATIONS;
    this.time = time;
    this.log = new RaftLog(recovered.log);
    this.partition = new PartitionState(options.staticVoters, recovered.controlRecords);
    this.requests = new RequestManager(options.config);
    this.quorum = new QuorumState({
      localKey: options.localKey,
      config: options.config,
      random: options.random,
      voterSet: () => this.partition.voterSet,
      isLeaving: () =>
        this.partition.votersOffset >= this.log.highWatermark &&
        this.partition.previousVoterSet.isVoter(options.localKey),
      persist: (state) => {
        this.emit({ kind: "write-quorum-state", state, kraftVersion: this.partition.kraftVersion });
      },
    });
  }

  get now(): number {
    return this.time.nowMs;
  }

  get voterSet(): VoterSet {
    return this.partition.voterSet;
  }

  get epoch(): number {
    return this.quorum.epoch;
  }

  /** The state of a leader, undefined in all others. */
  get leader(): LeaderState | undefined {
    const { state } = this.quorum;
    return state.kind === "leader" ? state : undefined;
  }

  get supportedKRaftVersions(): SupportedKRaftVersions {
    return this.options.supportedKRaftVersions ?? { min: 0, max: 1 };
  }

  /** Bytes that are appended and not synced. */
  get unsyncedBytes(): number {
    return this.#unsyncedBytes;
  }

  emit(effect: RaftEffect): void {
    this.#effects.push(effect);
  }

  answer(requestId: number, response: RaftResponse): void {
    this.emit({ kind: "answer", requestId, response });
  }

  takeEffects(): readonly RaftEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Sends, when nothing else is under way to that node. @returns the correlation id */
  send(destination: Destination, request: RaftRequest, isPreVote = false): number | undefined {
    if (!this.requests.isReady(destination.nodeId, this.now)) return undefined;
    const what = { api: request.api, epoch: this.epoch, isPreVote };
    const correlationId = this.requests.send(destination.nodeId, what, this.now);
    this.emit({ kind: "send", correlationId, destination, request });
    return correlationId;
  }

  /** A voter's address; undefined when its record does not say. */
  voterDestination(nodeId: number): Destination | undefined {
    const endpoint = this.voterSet.endpoint(nodeId, this.options.listenerName);
    return endpoint === undefined ? undefined : { nodeId, host: endpoint.host, port: endpoint.port };
  }

  /** Where the leader is reached, as far as this replica knows. */
  get leaderEndpoint(): Endpoint | undefined {
    const { state } = this.quorum;
    const { listenerName, endpoints } = this.options;
    if (state.kind === "leader") return endpoints.find(({ name }) => name === listenerName);
    if (state.kind === "follower" || state.kind === "prospective") return state.leaderEndpoint;
    return undefined;
  }

  // ---- moves ----

  becomeUnattached(epoch: number, leaderId?: number): void {
    this.quorum.transitionToUnattached(epoch, leaderId, this.now);
    this.#moved();
  }

  becomeFollower(epoch: number, leaderId: number, endpoint: Endpoint | undefined): void {
    const known = endpoint ?? this.voterSet.endpoint(leaderId, this.options.listenerName);
    if (known === undefined) {
      // Unattached remembers the leader, and asks others for its address.
      if (epoch > this.epoch || this.quorum.leaderId === undefined) this.becomeUnattached(epoch, leaderId);
      return;
    }
    this.quorum.transitionToFollower(epoch, leaderId, known, this.now);
    this.#moved();
  }

  becomeProspective(): void {
    this.quorum.transitionToProspective(this.now);
    this.#moved();
    this.maybeWinPreVote();
  }

  maybeWinPreVote(): void {
    const { state } = this.quorum;
    if (state.kind === "prospective" && state.election.isGranted) this.becomeCandidate(0);
  }

  becomeCandidate(retries: number): void {
    this.quorum.transitionToCandidate(retries, this.now);
    this.#moved();
    this.maybeWinElection();
  }

  maybeWinElection(): void {
    const { state } = this.quorum;
    if (state.kind !== "candidate" || !state.election.isGranted) return;
    const { config } = this;
    const accumulator = new BatchAccumulator({
      epoch: this.epoch,
      baseOffset: this.log.endOffset,
      lingerMs: config.appendLingerMs,
      maxBatchBytes: config.maxBatchBytes,
      maxUnwrittenBytes: config.maxUnwrittenBytes,
    });
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
    const leader = this.quorum.transitionToLeader(this.log, accumulator, this.now);
    this.#moved();
    accumulator.appendControl(this.#firstRecords(leader), this.time.wallMs, this.now);
    this.drain(leader);
  }

  resign(): void {
    const { leader } = this;
    assert(leader !== undefined, "only a leader resigns");
    // One that was removed from the voters has no say in who comes next, yet it knows best.
    const successors = leader.votersByDescendingEndOffset(this.voterSet, this.log);
    this.quorum.transitionToResigned(successors, this.now);
    this.#moved();
  }

  /**
   * Somebody says who leads which epoch. What cannot be so is not believed: two leaders of an epoch, or an epoch of ours led by
   * another.
   */
  maybeTransition(leaderId: number | undefined, epoch: number, endpoint: Endpoint | undefined): void {
    const { quorum, localKey } = this;
    if (epoch < quorum.epoch) return;
    if (epoch > quorum.epoch) {
      if (leaderId === undefined || leaderId === localKey.id) this.becomeUnattached(epoch);
      else this.becomeFollower(epoch, leaderId, endpoint);
      return;
    }
    if (leaderId === undefined || leaderId === localKey.id) return;
    const { state } = quorum;
    if (state.kind === "leader" || state.kind === "resigned") return;
    if (quorum.leaderId === undefined) this.becomeFollower(epoch, leaderId, endpoint);
    else if (quorum.leaderId === leaderId && state.kind !== "follower") {
      // It was known to lead, and not where. Somebody has said so now, or the voters' record does.
      const known = endpoint ?? this.voterSet.endpoint(leaderId, this.options.listenerName);
      if (known !== undefined) this.becomeFollower(epoch, leaderId, known);
    }
  }

  // ---- the log ----

  /** Writes what the leader has gathered. */
  drain(leader: LeaderState): void {
    const batches = leader.accumulator.drain();
    for (const { bytes, baseOffset, endOffset } of batches) {
      this.log.append(baseOffset, endOffset, leader.epoch);
      this.#unsynced.push({ endOffset, bytes: bytes.length });
      this.#unsyncedBytes += bytes.length;
      this.emitAppend(bytes, baseOffset, endOffset);
    }
  }

  emitAppend(bytes: Uint8Array, baseOffset: number, endOffset: number): void {
    this.emit({ kind: "append", bytes, baseOffset, endOffset, truncationCount: this.log.truncationCount });
  }

  /** The leader appends records of the quorum, which count at once. @returns the offset of the last one */
  appendControl(leader: LeaderState, records: readonly ControlRecord[]): number {
    const lastOffset = leader.accumulator.appendControl(records, this.time.wallMs, this.now);
    for (const [index, record] of records.entries()) {
      this.partition.append({ offset: lastOffset - records.length + 1 + index, record });
    }
    this.drain(leader);
    return lastOffset;
  }

  noteDurable(endOffset: number, truncationCount: number): void {
    this.log.noteDurable(endOffset, truncationCount);
    while ((this.#unsynced[0]?.endOffset ?? Infinity) <= this.log.durableEndOffset) {
      this.#unsyncedBytes -= this.#unsynced.shift()?.bytes ?? 0;
    }
  }

  truncateTo(offset: number): void {
    if (offset < this.log.highWatermark && !this.mutations.truncatesCommitted) {
      const text = `cut at ${offset}, below the high watermark ${this.log.highWatermark}`;
      throw new InvariantError(`the leader's log would have this one ${text}`);
    }
    this.log.truncateTo(offset);
    this.partition.truncateTo(offset);
    this.emit({ kind: "truncate", endOffset: offset });
  }

  advanceHighWatermark(offset: number): void {
    if (this.log.advanceHighWatermark(offset)) this.emit({ kind: "high-watermark", offset: this.log.highWatermark });
  }

  #firstRecords(leader: LeaderState): readonly ControlRecord[] {
    const { kraftVersion, voterSet, votersOffset } = this.partition;
    // Kafka 4.4 leaves out the directories of this message, though its version 1 has a place for them.
    const voter = (id: number): ReturnType<typeof createLeaderChangeMessageVoter> =>
      createLeaderChangeMessageVoter({ voterId: id });
    const leaderChange: ControlRecord = {
      type: ControlRecordType.LEADER_CHANGE,
      value: LeaderChangeMessage.create({
        leaderId: this.localKey.id,
        voters: voterSet.nodes.map(({ key }) => voter(key.id)),
        grantingVoters: leader.grantingVoters.map(voter),
      }),
    };
    if (kraftVersion === 0 || votersOffset !== NOT_IN_LOG) return [leaderChange];
    // The first leader of a formatted quorum writes down what formatting said (KIP-853).
    const records: ControlRecord[] = [
      leaderChange,
      { type: ControlRecordType.KRAFT_VERSION, value: KRaftVersionRecord.create({ kRaftVersion: kraftVersion }) },
      { type: ControlRecordType.KRAFT_VOTERS, value: voterSet.toRecord() },
    ];
    for (const [index, record] of records.entries()) {
      this.partition.append({ offset: leader.epochStartOffset + index, record });
    }
    return records;
  }

  // ---- after a move ----

  #moved(): void {
    this.requests.reset();
    const { epoch, leaderId } = this.quorum;
    const { leader } = this;
    const shown = leader === undefined && leaderId === this.localKey.id ? undefined : leaderId;
    if (this.#told?.epoch !== epoch || this.#told.leaderId !== shown) {
      this.#told = { epoch, leaderId: shown };
      const epochStartOffset = leader?.epochStartOffset;
      this.emit({ kind: "leader-changed", epoch, leaderId: shown, epochStartOffset });
    }
  }
}
