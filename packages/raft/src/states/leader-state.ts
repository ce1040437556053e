import type { BatchAccumulator } from "../batch-accumulator.ts";
import type { RaftLog } from "../raft-log.ts";
import type { RaftMutations } from "../raft-mutations.ts";
import type { ReplicaKey, VoterSet } from "../voter-set.ts";
import { isSameReplica, replicaText } from "../voter-set.ts";

/** What the leader knows of another replica. */
export interface ReplicaState {
  readonly key: ReplicaKey;
  /** -1 before its first fetch in this epoch. */
  endOffset: number;
  lastFetchMs: number;
  lastFetchWallMs: number;
  /** Of the leader, when the replica last fetched: whoever fetches up to it has caught up. */
  lastFetchLeaderEndOffset: number;
  lastCaughtUpMs: number;
  lastCaughtUpWallMs: number;
}

export interface LeaderStateOptions {
  readonly epoch: number;
  readonly epochStartOffset: number;
  readonly localKey: ReplicaKey;
  readonly grantingVoters: readonly number[];
  readonly accumulator: BatchAccumulator;
  readonly fetchTimeoutMs: number;
  readonly nowMs: number;
}

/** Observers that have not fetched for so long are forgotten. */
const OBSERVER_SESSION_TIMEOUT_MS = 300_000;
/** Observers that are remembered at most; the one that has not fetched for the longest time goes. */
const MAX_OBSERVERS = 10_000;

/**
 * Appends, answers fetches, and knows from them what is committed.
 *
 * Grants no vote of any kind. Leaves for Resigned when it stops, when it does not vote any more, or when no majority has fetched
 * for one and a half fetch timeouts (check quorum); for Unattached or Follower on an epoch above its own.
 */
export class LeaderState {
  readonly kind = "leader";
  readonly epoch: number;
  /** Where its leader change stands. What comes before is committed only together with it. */
  readonly epochStartOffset: number;
  readonly grantingVoters: readonly number[];
  readonly accumulator: BatchAccumulator;
  /** undefined until this leader has committed a record of its own epoch. */
  highWatermark: number | undefined;
  checkQuorumDeadlineMs: number;
  beginEpochDeadlineMs: number;
  /** Voters that have not answered to BeginQuorumEpoch nor fetched. */
  readonly unackedVoters = new Set<number>();
  readonly #localKey: ReplicaKey;
  readonly #checkQuorumTimeoutMs: number;
  readonly #beginEpochTimeoutMs: number;
  readonly #replicas = new Map<string, ReplicaState>();
  readonly #fetchedVoters = new Set<number>();

  constructor(options: LeaderStateOptions, voters: VoterSet) {
    this.epoch = options.epoch;
    this.epochStartOffset = options.epochStartOffset;
    this.grantingVoters = options.grantingVoters;
    this.accumulator = options.accumulator;
    this.#localKey = options.localKey;
    this.#checkQuorumTimeoutMs = options.fetchTimeoutMs * 1.5;
    this.#beginEpochTimeoutMs = Math.floor(options.fetchTimeoutMs / 2);
    this.checkQuorumDeadlineMs = options.nowMs + this.#checkQuorumTimeoutMs;
    this.beginEpochDeadlineMs = options.nowMs + this.#beginEpochTimeoutMs;
    this.#askToAcknowledge(voters);
  }

  replica(key: ReplicaKey): ReplicaState | undefined {
    return this.#replicas.get(replicaText(key));
  }

  /** In the order of their first fetch. */
  get replicas(): readonly ReplicaState[] {
    return [...this.#replicas.values()];
  }

  /** A fetch that continues this log: the replica has everything below, and has synced it. */
  noteFetch(key: ReplicaKey, fetchOffset: number, leaderEndOffset: number, nowMs: number, nowWallMs: number): void {
    const state = this.#replicas.get(replicaText(key)) ?? this.#addReplica(key);
    if (fetchOffset >= leaderEndOffset) {
      state.lastCaughtUpMs = Math.max(state.lastCaughtUpMs, nowMs);
      state.lastCaughtUpWallMs = Math.max(state.lastCaughtUpWallMs, nowWallMs);
    } else if (state.lastFetchLeaderEndOffset >= 0 && fetchOffset >= state.lastFetchLeaderEndOffset) {
      state.lastCaughtUpMs = Math.max(state.lastCaughtUpMs, state.lastFetchMs);
      state.lastCaughtUpWallMs = Math.max(state.lastCaughtUpWallMs, state.lastFetchWallMs);
    }
    // An older fetch of the same epoch may come late. It takes nothing back: whoever had it synced has it still.
    state.endOffset = Math.max(state.endOffset, fetchOffset);
    state.lastFetchMs = nowMs;
    state.lastFetchWallMs = nowWallMs;
    state.lastFetchLeaderEndOffset = leaderEndOffset;
  }

  /** A voter follows this leader, whatever it fetches. */
  noteFollowing(key: ReplicaKey, voters: VoterSet, nowMs: number): void {
    if (!voters.isVoter(key) || isSameReplica(key, this.#localKey)) return;
    this.unackedVoters.delete(key.id);
    this.#fetchedVoters.add(key.id);
    const others = voters.isVoter(this.#localKey) ? voters.majority - 1 : voters.majority;
    let fetched = 0;
    for (const id of this.#fetchedVoters) if (voters.hasId(id)) fetched++;
    if (fetched < others) return;
    this.#fetchedVoters.clear();
    this.checkQuorumDeadlineMs = nowMs + this.#checkQuorumTimeoutMs;
  }

  /** A leader that is the only voter needs nobody. */
  isQuorumLost(voters: VoterSet, nowMs: number): boolean {
    return this.needsOthers(voters) && nowMs >= this.checkQuorumDeadlineMs;
  }

  needsOthers(voters: VoterSet): boolean {
    return voters.size > 0 && !voters.isOnlyVoter(this.#localKey);
  }

  /** It is time to tell all voters again who leads; they may have missed it. */
  restartBeginEpoch(voters: VoterSet, nowMs: number): void {
    this.beginEpochDeadlineMs = nowMs + this.#beginEpochTimeoutMs;
    this.#askToAcknowledge(voters);
  }

  /**
   * The largest offset that a majority of the voters has synced. It counts when it reaches beyond the start of this epoch: a
   * record of an older epoch on a majority may still be lost to a leader that never saw it (Raft, 5.4.2).
   *
   * @returns the high watermark when it moved
   */
  maybeAdvanceHighWatermark(voters: VoterSet, log: RaftLog, mutations: RaftMutations): number | undefined {
    if (voters.size === 0) return undefined;
    const ends = voters.nodes
      .map(({ key }) => this.#voterEndOffset(key, voters, log, mutations.countsUnsyncedLeader))
      .sort((one, other) => other - one);
    const offset = ends[voters.majority - 1] ?? -1;
    if (offset <= this.epochStartOffset && !mutations.commitsOlderEpochs) return undefined;
    if (offset <= (this.highWatermark ?? log.highWatermark)) return undefined;
    this.highWatermark = offset;
    return offset;
  }

  /** The other voters, the furthest first. */
  votersByDescendingEndOffset(voters: VoterSet, log: RaftLog): readonly number[] {
    return voters.nodes
      .filter(({ key }) => key.id !== this.#localKey.id)
      .map(({ key }) => ({ id: key.id, endOffset: this.#voterEndOffset(key, voters, log) }))
      .sort((one, other) => other.endOffset - one.endOffset || one.id - other.id)
      .map(({ id }) => id);
  }

  /** What is known of a voter, also of one that was configured without its directory. */
  voterState(key: ReplicaKey, voters: VoterSet): ReplicaState | undefined {
    const exact = this.replica(key);
    if (exact !== undefined) return exact;
    let best: ReplicaState | undefined;
    for (const state of this.#replicas.values()) {
      if (state.key.id !== key.id || !voters.isVoter(state.key)) continue;
      // Of a node that came back with an empty disk the latest word counts.
      if (best === undefined || state.lastFetchMs >= best.lastFetchMs) best = state;
    }
    return best;
  }

  forgetOldObservers(voters: VoterSet, nowMs: number): void {
    for (const [text, { key, lastFetchMs }] of this.#replicas) {
      if (!voters.isVoter(key) && nowMs - lastFetchMs >= OBSERVER_SESSION_TIMEOUT_MS) this.#replicas.delete(text);
    }
  }

  #voterEndOffset(key: ReplicaKey, voters: VoterSet, log: RaftLog, countsUnsynced = false): number {
    if (key.id === this.#localKey.id && voters.isVoter(this.#localKey)) {
      return countsUnsynced ? log.endOffset : log.durableEndOffset;
    }
    return this.voterState(key, voters)?.endOffset ?? -1;
  }

  #askToAcknowledge(voters: VoterSet): void {
    this.unackedVoters.clear();
    for (const { key } of voters.nodes) if (key.id !== this.#localKey.id) this.unackedVoters.add(key.id);
  }

  #addReplica(key: ReplicaKey): ReplicaState {
    if (this.#replicas.size >= MAX_OBSERVERS) {
      const oldest = this.replicas.reduce((one, other) => (one.lastFetchMs <= other.lastFetchMs ? one : other));
      this.#replicas.delete(replicaText(oldest.key));
    }
    const state = {
      key,
      endOffset: -1,
      lastFetchMs: -1,
      lastFetchWallMs: -1,
      lastFetchLeaderEndOffset: -1,
      lastCaughtUpMs: -1,
      lastCaughtUpWallMs: -1,
    };
    this.#replicas.set(replicaText(key), state);
    return state;
  }
}
