import type { Random } from "@samsa/base";
import { assert } from "@samsa/base";
import type { BatchAccumulator } from "./batch-accumulator.ts";
import type { ElectionState } from "./election-state.ts";
import { EpochElection } from "./epoch-election.ts";
import type { RaftConfig } from "./raft-config.ts";
import type { OffsetAndEpoch, RaftLog } from "./raft-log.ts";
import type { CandidateState } from "./states/candidate-state.ts";
import type { FollowerState } from "./states/follower-state.ts";
import { LeaderState } from "./states/leader-state.ts";
import type { ProspectiveState } from "./states/prospective-state.ts";
import type { ResignedState } from "./states/resigned-state.ts";
import type { UnattachedState } from "./states/unattached-state.ts";
import type { Endpoint, ReplicaKey, VoterSet } from "./voter-set.ts";
import { isSameReplica } from "./voter-set.ts";

export type EpochState =
  | UnattachedState
  | FollowerState
  | ProspectiveState
  | CandidateState
  | LeaderState
  | ResignedState;

/**
 * Observers are Unattached or Follower. Each state says how it votes and what makes it leave. Within an epoch the way is
 *
 *     unattached ─▶ prospective ─▶ candidate ─▶ leader ─▶ resigned
 *          └────────────┴──▶ follower ◀──┘
 *
 * and from everywhere to unattached or follower of a later one.
 */
const NEXT_STATES = {
  unattached: ["unattached", "follower", "prospective"],
  follower: ["unattached", "follower", "prospective"],
  prospective: ["unattached", "follower", "prospective", "candidate"], // itself: when it gives its vote
  candidate: ["unattached", "follower", "prospective", "leader"],
  leader: ["unattached", "follower", "resigned"],
  resigned: ["unattached", "follower", "prospective"], // prospective: a sole voter that is started again
} as const satisfies Record<EpochState["kind"], readonly EpochState["kind"][]>;

export interface QuorumStateOptions {
  readonly localKey: ReplicaKey;
  readonly config: RaftConfig;
  readonly random: Random;
  readonly voterSet: () => VoterSet;
  /** Whether its removal from the voters stands in its log and is not known to be committed. */
  readonly isLeaving: () => boolean;
  /** Makes it durable before anything that is said later. */
  readonly persist: (state: ElectionState) => void;
}

/** The state of this replica in the quorum, and the moves from one to the next. */
export class QuorumState {
  readonly #options: QuorumStateOptions;
  #state: EpochState = {
    kind: "unattached",
    epoch: 0,
    leaderId: undefined,
    votedKey: undefined,
    electionDeadlineMs: 0,
  };

  constructor(options: QuorumStateOptions) {
    this.#options = options;
  }

  /** Takes up where the node stopped. */
  initialize(found: ElectionState | undefined, logEnd: OffsetAndEpoch, nowMs: number): void {
    const { localKey } = this.#options;
    const election = found ?? { epoch: 0, leaderId: undefined, votedKey: undefined };
    if (election.epoch < logEnd.epoch) {
      // The file is gone or old. The log says that there was such an epoch; whom we voted for in it nobody knows, so we
      // vote in the next one at the earliest.
      this.#state = this.#unattached(logEnd.epoch + 1, undefined, undefined, nowMs);
      this.#persist();
    } else if (election.leaderId === localKey.id && this.mayStand) {
      const deadlineMs = nowMs + this.randomElectionTimeoutMs();
      this.#state = resigned(election.epoch, [], new Set(), deadlineMs);
    } else {
      // One that led and was removed from the voters meanwhile has voted for itself; that it may not vote again stays true.
      const hasLed = election.leaderId === localKey.id;
      const leaderId = hasLed ? undefined : election.leaderId;
      this.#state = this.#unattached(election.epoch, leaderId, hasLed ? localKey : election.votedKey, nowMs);
    }
  }

  get state(): EpochState {
    return this.#state;
  }

  get epoch(): number {
    return this.#state.epoch;
  }

  get leaderId(): number | undefined {
    const state = this.#state;
    switch (state.kind) {
      case "leader":
      case "resigned":
        return this.#options.localKey.id;
      case "follower":
      case "unattached":
      case "prospective":
        return state.leaderId;
      case "candidate":
        return undefined;
    }
  }

  get isVoter(): boolean {
    return this.#options.voterSet().isVoter(this.#options.localKey);
  }

  /**
   * Whether it may stand for election. One that is leaving may have to: when its removal is in its log alone, no log of the
   * others is up to date for it, and none of them gets its vote that they still need (Raft, dissertation, 4.2.2).
   */
  get mayStand(): boolean {
    return this.isVoter || this.#options.isLeaving();
  }

  get isOnlyVoter(): boolean {
    return this.#options.voterSet().isOnlyVoter(this.#options.localKey);
  }

  /** Spread over twice the timeout, lest all stand at once. */
  randomElectionTimeoutMs(): number {
    const { config, random } = this.#options;
    return config.electionTimeoutMs + (random.uint32() % Math.max(1, config.electionTimeoutMs));
  }

  /** After so many lost elections: twice as long each time, at random, up to the limit. */
  electionBackoffMs(retries: number): number {
    const { config, random } = this.#options;
    const range = Math.min(config.electionBackoffMaxMs, config.retryBackoffMs * 2 ** Math.min(retries, 20));
    return 1 + (random.uint32() % Math.max(1, range));
  }

  canGrantVote(candidate: ReplicaKey, isLogUpToDate: boolean, isPreVote: boolean): boolean {
    const state = this.#state;
    switch (state.kind) {
      case "leader":
        return false;
      case "candidate":
      case "resigned":
        return isPreVote && isLogUpToDate;
      case "follower":
        if (isPreVote) return isLogUpToDate && !state.hasFetchedFromLeader;
        return state.votedKey !== undefined && isSameReplica(state.votedKey, candidate);
      case "unattached":
      case "prospective":
        if (isPreVote) return isLogUpToDate;
        if (state.votedKey !== undefined) return isSameReplica(state.votedKey, candidate);
        return state.leaderId === undefined && isLogUpToDate;
    }
  }

  transitionToUnattached(epoch: number, leaderId: number | undefined, nowMs: number): void {
    const state = this.#state;
    assert(epoch >= state.epoch, "epochs do not go back");
    const isNewEpoch = epoch > state.epoch;
    const votedKey = isNewEpoch ? undefined : votedKeyOf(state);
    assert(isNewEpoch || (state.kind !== "leader" && state.kind !== "resigned"), "who led an epoch cannot forget it");
    const deadlineMs = this.#keptDeadlineMs(nowMs);
    this.#moveTo({ kind: "unattached", epoch, leaderId, votedKey, electionDeadlineMs: deadlineMs });
  }

  /** This replica grants a vote in its epoch. */
  addVote(votedKey: ReplicaKey, nowMs: number): void {
    const state = this.#state;
    assert(state.kind === "unattached" || state.kind === "prospective", "only these give their vote");
    assert(state.votedKey === undefined || isSameReplica(state.votedKey, votedKey), "one vote an epoch");
    const electionDeadlineMs = this.mayStand ? nowMs + this.randomElectionTimeoutMs() : Infinity;
    this.#moveTo({ ...state, votedKey, electionDeadlineMs });
  }

  transitionToFollower(epoch: number, leaderId: number, leaderEndpoint: Endpoint, nowMs: number): void {
    const { config, localKey } = this.#options;
    const state = this.#state;
    assert(leaderId !== localKey.id, "nobody follows himself");
    assert(epoch >= state.epoch, "epochs do not go back");
    const isNewEpoch = epoch > state.epoch;
    assert(isNewEpoch || (state.kind !== "leader" && state.kind !== "resigned"), "an epoch has one leader");
    this.#moveTo({
      kind: "follower",
      epoch,
      leaderId,
      leaderEndpoint,
      votedKey: isNewEpoch ? undefined : votedKeyOf(state),
      fetchDeadlineMs: nowMs + config.fetchTimeoutMs,
      hasFetchedFromLeader: false,
      leaderHighWatermark: undefined,
      fetchingSnapshot: undefined,
      updateVoterDeadlineMs: nowMs + config.fetchTimeoutMs,
    });
  }

  transitionToProspective(nowMs: number): void {
    const { localKey, voterSet } = this.#options;
    const state = this.#state;
    assert(this.mayStand, "observers do not stand for election");
    const election = new EpochElection(voterSet());
    election.record(localKey.id, true);
    this.#moveTo({
      kind: "prospective",
      epoch: state.epoch,
      leaderId: this.leaderId === localKey.id ? undefined : this.leaderId,
      leaderEndpoint: state.kind === "follower" ? state.leaderEndpoint : undefined,
      votedKey: votedKeyOf(state),
      election,
      electionDeadlineMs: nowMs + this.randomElectionTimeoutMs(),
    });
  }

  transitionToCandidate(retries: number, nowMs: number): void {
    const { localKey, voterSet } = this.#options;
    assert(this.mayStand, "observers do not stand for election");
    const election = new EpochElection(voterSet());
    election.record(localKey.id, true);
    this.#moveTo({
      kind: "candidate",
      epoch: this.epoch + 1,
      votedKey: localKey,
      election,
      electionDeadlineMs: nowMs + this.randomElectionTimeoutMs(),
      retries,
      backoffDeadlineMs: undefined,
    });
  }

  transitionToLeader(log: RaftLog, accumulator: BatchAccumulator, nowMs: number): LeaderState {
    const { config, localKey, voterSet } = this.#options;
    const state = this.#state;
    assert(state.kind === "candidate" && state.election.isGranted, "a leader has the votes of a majority");
    const leader = new LeaderState(
      {
        epoch: state.epoch,
        epochStartOffset: log.endOffset,
        localKey,
        grantingVoters: state.election.grantingVoters,
        accumulator,
        fetchTimeoutMs: config.fetchTimeoutMs,
        nowMs,
      },
      voterSet(),
    );
    this.#moveTo(leader);
    return leader;
  }

  transitionToResigned(preferredSuccessors: readonly number[], nowMs: number): void {
    const state = this.#state;
    assert(state.kind === "leader", "only a leader resigns");
    const unacked = new Set(preferredSuccessors);
    this.#moveTo(resigned(state.epoch, preferredSuccessors, unacked, nowMs + this.randomElectionTimeoutMs()));
  }

  #moveTo(next: EpochState): void {
    const before = this.#electionState();
    const allowed: readonly EpochState["kind"][] = NEXT_STATES[this.#state.kind];
    assert(allowed.includes(next.kind), `nobody goes from ${this.#state.kind} to ${next.kind}`);
    this.#state = next;
    if (!isSameElection(before, this.#electionState())) this.#persist();
  }

  #persist(): void {
    this.#options.persist(this.#electionState());
  }

  #electionState(): ElectionState {
    const voterIds = this.#options.voterSet().nodes.map(({ key }) => key.id);
    return { epoch: this.epoch, leaderId: this.leaderId, votedKey: votedKeyOf(this.#state), voterIds };
  }

  #unattached(
    epoch: number,
    leaderId: number | undefined,
    votedKey: ReplicaKey | undefined,
    nowMs: number,
  ): UnattachedState {
    const electionDeadlineMs = this.mayStand ? nowMs + this.randomElectionTimeoutMs() : Infinity;
    return { kind: "unattached", epoch, leaderId, votedKey, electionDeadlineMs };
  }

  /** Somebody else's higher epoch is no reason to wait longer: one that cannot win would keep all others from standing. */
  #keptDeadlineMs(nowMs: number): number {
    if (!this.mayStand) return Infinity;
    const state = this.#state;
    switch (state.kind) {
      case "leader":
        return nowMs + this.randomElectionTimeoutMs();
      case "follower":
        return state.fetchDeadlineMs;
      case "prospective":
        // Lost, or out of time: a new wait, or it would ask again at once.
        return Math.max(state.electionDeadlineMs, nowMs + this.electionBackoffMs(5));
      case "unattached":
      case "candidate":
      case "resigned":
        return Number.isFinite(state.electionDeadlineMs)
          ? state.electionDeadlineMs
          : nowMs + this.randomElectionTimeoutMs();
    }
  }
}

function votedKeyOf(state: EpochState): ReplicaKey | undefined {
  return state.kind === "leader" || state.kind === "resigned" ? undefined : state.votedKey;
}

function isSameElection(one: ElectionState, other: ElectionState): boolean {
  const isSameVoted =
    one.votedKey === other.votedKey ||
    (one.votedKey !== undefined && other.votedKey !== undefined && isSameReplica(one.votedKey, other.votedKey));
  return one.epoch === other.epoch && one.leaderId === other.leaderId && isSameVoted;
}

function resigned(
  epoch: number,
  preferredSuccessors: readonly number[],
  unackedVoters: Set<number>,
  electionDeadlineMs: number,
): ResignedState {
  return { kind: "resigned", epoch, electionDeadlineMs, preferredSuccessors, unackedVoters };
}
