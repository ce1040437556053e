import { ErrorCode, KafkaError, unreachable } from "@samsa/base";
import type { RaftEffect, RaftInput, RaftTime } from "./effects.ts";
import { handleDescribeQuorumRequest } from "./handlers/describe-quorum.ts";
import {
  advanceFollowerHighWatermark,
  advanceLeaderHighWatermark,
  answerPendingFetches,
  handleFetchRequest,
  handleFetchResponse,
} from "./handlers/fetch.ts";
import { handleFetchSnapshotRequest, handleFetchSnapshotResponse } from "./handlers/fetch-snapshot.ts";
import {
  handleBeginQuorumEpochRequest,
  handleEndQuorumEpochRequest,
  handleQuorumEpochResponse,
} from "./handlers/quorum-epoch.ts";
import { handleUnsupportedPreVote, handleVoteRequest, handleVoteResponse } from "./handlers/vote.ts";
import {
  advanceVoterChange,
  handleAddVoterRequest,
  handleApiVersionsResponse,
  handleRemoveVoterRequest,
  handleUpdateVoterRequest,
  handleUpdateVoterResponse,
} from "./handlers/voters.ts";
import { poll, stateDeadlineMs } from "./poll.ts";
import type { EpochState } from "./quorum-state.ts";
import type { KafkaRaftOptions, RecoveredRaft } from "./raft-core.ts";
import { RaftCore } from "./raft-core.ts";
import type { OffsetAndEpoch, SnapshotInfo } from "./raft-log.ts";
import type { RaftRequest, RaftResponse } from "./raft-messages.ts";
import type { SentRequest } from "./request-manager.ts";
import type { ReplicaKey, VoterSet } from "./voter-set.ts";

/**
 * One replica of the quorum that keeps `__cluster_metadata-0`, after Kafka's KafkaRaftClient (KIP-595, 630, 853, 996, 1166).
 * It decides and does nothing else: what must be done comes back as effects, in order (see RaftEffect).
 *
 *     request, response, tick, log-durable …  ──▶  step  ──▶  write-quorum-state, append, send, answer, high-watermark …
 */
export class KafkaRaft {
  readonly #core: RaftCore;
  #starting: readonly RaftEffect[];

  constructor(options: KafkaRaftOptions, recovered: RecoveredRaft, time: RaftTime) {
    this.#core = new RaftCore(options, recovered, time);
    const { quorum, log } = this.#core;
    quorum.initialize(recovered.quorumState, log.end, time.nowMs);
    if (log.highWatermark > 0) this.#core.emit({ kind: "high-watermark", offset: log.highWatermark });
    if (quorum.isOnlyVoter) this.#core.becomeProspective(); // and at once candidate and leader
    this.#settle();
    this.#starting = this.#core.takeEffects();
  }

  get state(): EpochState["kind"] {
    return this.#core.quorum.state.kind;
  }

  get epoch(): number {
    return this.#core.epoch;
  }

  get leaderId(): number | undefined {
    return this.#core.quorum.leaderId;
  }

  get localKey(): ReplicaKey {
    return this.#core.localKey;
  }

  get voterSet(): VoterSet {
    return this.#core.voterSet;
  }

  get kraftVersion(): number {
    return this.#core.partition.kraftVersion;
  }

  /** As the log below `endOffset` says: what a snapshot of it has to say. */
  voterSetAt(endOffset: number): VoterSet {
    return this.#core.partition.voterSetAt(endOffset);
  }

  kraftVersionAt(endOffset: number): number {
    return this.#core.partition.kraftVersionAt(endOffset);
  }

  /** Whom it voted for in this epoch. */
  get votedKey(): ReplicaKey | undefined {
    const { state } = this.#core.quorum;
    return state.kind === "leader" || state.kind === "resigned" ? undefined : state.votedKey;
  }

  get isVoter(): boolean {
    return this.#core.quorum.isVoter;
  }

  /** Everything below is committed, as far as this replica knows. */
  get highWatermark(): number {
    return this.#core.log.highWatermark;
  }

  get logStartOffset(): number {
    return this.#core.log.logStartOffset;
  }

  /** Of the log with what a leader gathers and has not written: the offset that the next record gets. */
  get endOffset(): number {
    return this.#core.leader?.accumulator.nextOffset ?? this.#core.log.endOffset;
  }

  get durableEndOffset(): number {
    return this.#core.log.durableEndOffset;
  }

  get latestSnapshot(): SnapshotInfo | undefined {
    return this.#core.log.latestSnapshot;
  }

  /** Oldest first. */
  get snapshots(): readonly SnapshotInfo[] {
    return this.#core.log.snapshots;
  }

  get snapshotBytes(): number {
    return this.snapshots.reduce((size, { sizeInBytes }) => size + sizeInBytes, 0);
  }

  /** Where its epoch begins, of a leader. */
  get epochStartOffset(): number | undefined {
    return this.#core.leader?.epochStartOffset;
  }

  /** The id of a snapshot of everything below `endOffset`. */
  snapshotIdAt(endOffset: number): OffsetAndEpoch {
    return { offset: endOffset, epoch: this.#core.log.epochBefore(endOffset) };
  }

  /** When the next tick is due on the clock that never goes back; Infinity when only inputs matter. */
  get nextDeadlineMs(): number {
    const core = this.#core;
    let next = Math.min(stateDeadlineMs(core), core.requests.nextDeadlineMs(core.now));
    for (const { deadlineMs } of core.pendingFetches) next = Math.min(next, deadlineMs);
    if (core.voterChange !== undefined) next = Math.min(next, core.voterChange.deadlineMs);
    if (core.shutdown !== undefined && !core.shutdown.isComplete) next = Math.min(next, core.shutdown.deadlineMs);
    return Math.max(next, core.now + 1);
  }

  /** What the start itself asks for. Once. */
  start(): readonly RaftEffect[] {
    const effects = this.#starting;
    this.#starting = [];
    return effects;
  }

  /** @throws InvariantError when the quorum has broken its promises; the replica must stop */
  step(input: RaftInput, time: RaftTime): readonly RaftEffect[] {
    this.#core.time = time;
    this.#expire();
    this.#handle(input);
    this.#settle();
    return this.#core.takeEffects();
  }

  /**
   * Queues records of the application as one part of one batch.
   *
   * @param epoch in which the caller believes to lead
   * @param isUrgent written at once, without lingering
   * @returns the offset of the last record, and what there is to do
   * @throws KafkaError NOT_LEADER_OR_FOLLOWER when it does not lead that epoch (any more), RECORD_LIST_TOO_LARGE beyond the
   *   largest batch, THROTTLING_QUOTA_EXCEEDED when the disk does not keep up. Nothing has changed then.
   */
  append(
    epoch: number,
    values: readonly Uint8Array[],
    time: RaftTime,
    isUrgent = false,
  ): { readonly lastOffset: number; readonly effects: readonly RaftEffect[] } {
    const core = this.#core;
    core.time = time;
    const { leader } = core;
    if (leader === undefined || leader.epoch !== epoch || core.shutdown !== undefined) {
      throw new KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, `epoch ${epoch} is not the epoch of this leader`);
    }
    if (core.unsyncedBytes > core.config.maxUnwrittenBytes) {
      throw new KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED, "the disk does not keep up with the metadata log");
    }
    const lastOffset = leader.accumulator.append(values, time.wallMs, time.nowMs, isUrgent);
    this.#settle();
    return { lastOffset, effects: core.takeEffects() };
  }

  /** What is due after every input, whatever it was. */
  #settle(): void {
    const core = this.#core;
    advanceVoterChange(core);
    poll(core);
    answerPendingFetches(core);
    advanceVoterChange(core);
    this.#maybeCompleteShutdown();
  }

  #handle(input: RaftInput): void {
    const core = this.#core;
    switch (input.kind) {
      case "tick":
        return;
      case "request":
        this.#handleRequest(input.requestId, input.request);
        return;
      case "response":
        this.#handleResponse(input.correlationId, input.response);
        return;
      case "no-response": {
        const sent = core.requests.complete(input.correlationId);
        if (sent !== undefined) this.#fail(sent, input.isUnsupported);
        return;
      }
      case "log-durable": {
        core.noteDurable(input.endOffset, input.truncationCount);
        const { leader } = core;
        if (leader !== undefined) advanceLeaderHighWatermark(core, leader);
        else advanceFollowerHighWatermark(core);
        return;
      }
      case "snapshot-created":
        core.log.addSnapshot(input.snapshot);
        return;
      case "delete-before":
        if (!core.log.deleteBefore(input.id)) return;
        core.partition.deleteBefore(input.id.offset);
        core.emit({ kind: "delete-before", id: input.id });
        return;
      case "snapshot-installed":
        this.#install(input.snapshot, input.controlRecords);
        return;
      case "snapshot-rejected":
        this.#endInstalling();
        return;
      case "resign":
        if (core.leader?.epoch === input.epoch && core.leader.needsOthers(core.voterSet)) core.resign();
        return;
      case "shutdown":
        core.shutdown ??= { deadlineMs: core.now + input.timeoutMs, isComplete: false };
        return;
      default:
        unreachable(input);
    }
  }

  #handleRequest(requestId: number, request: RaftRequest): void {
    const core = this.#core;
    switch (request.api) {
      case "Vote":
        handleVoteRequest(core, requestId, request.message);
        return;
      case "BeginQuorumEpoch":
        handleBeginQuorumEpochRequest(core, requestId, request.message);
        return;
      case "EndQuorumEpoch":
        handleEndQuorumEpochRequest(core, requestId, request.message);
        return;
      case "Fetch":
        handleFetchRequest(core, requestId, request.message);
        return;
      case "FetchSnapshot":
        handleFetchSnapshotRequest(core, requestId, request.message);
        return;
      case "AddRaftVoter":
        handleAddVoterRequest(core, requestId, request.message);
        return;
      case "RemoveRaftVoter":
        handleRemoveVoterRequest(core, requestId, request.message);
        return;
      case "UpdateRaftVoter":
        handleUpdateVoterRequest(core, requestId, request.message);
        return;
      case "DescribeQuorum":
        handleDescribeQuorumRequest(core, requestId, request.message);
        return;
      case "ApiVersions":
        throw new KafkaError(ErrorCode.INVALID_REQUEST, "ApiVersions is for the server to answer");
    }
  }

  #handleResponse(correlationId: number, response: RaftResponse): void {
    const core = this.#core;
    const sent = core.requests.complete(correlationId);
    if (sent === undefined || sent.api !== response.api) return; // too late, twice, or of an epoch that is over
    if (this.#take(sent, response)) core.requests.backOff(sent.nodeId, core.now);
  }

  /** @returns whether the same should be asked again after a pause */
  #take(sent: SentRequest, response: RaftResponse): boolean {
    const core = this.#core;
    switch (response.api) {
      case "Vote":
        return handleVoteResponse(core, sent, response.message);
      case "BeginQuorumEpoch":
      case "EndQuorumEpoch":
        return handleQuorumEpochResponse(core, sent, response.message);
      case "Fetch":
        return handleFetchResponse(core, sent, response.message);
      case "FetchSnapshot":
        return handleFetchSnapshotResponse(core, sent, response.message);
      case "UpdateRaftVoter":
        return handleUpdateVoterResponse(core, response.message);
      case "ApiVersions":
        return handleApiVersionsResponse(core, sent, response.message);
      case "AddRaftVoter":
      case "RemoveRaftVoter":
        // Not before it has fetched a while: each of these questions holds up the fetches.
        core.autoJoinDeadlineMs = core.now + core.config.fetchTimeoutMs;
        return response.message.errorCode !== ErrorCode.NONE;
      case "DescribeQuorum":
        return false;
    }
  }

  #expire(): void {
    for (const sent of this.#core.requests.takeExpired(this.#core.now)) this.#fail(sent, false);
  }

  #fail(sent: SentRequest, isUnsupported: boolean): void {
    const core = this.#core;
    if (isUnsupported && sent.isPreVote) {
      handleUnsupportedPreVote(core, sent);
      return;
    }
    const change = core.voterChange;
    if (change?.kind === "add" && change.step.kind === "api-versions") {
      if (change.step.correlationId === sent.correlationId)
        change.step = { kind: "api-versions", correlationId: undefined };
    }
    if (sent.api === "AddRaftVoter" || sent.api === "RemoveRaftVoter") {
      core.autoJoinDeadlineMs = core.now + core.config.fetchTimeoutMs;
    }
    core.requests.backOff(sent.nodeId, core.now);
  }

  #install(snapshot: SnapshotInfo, records: RecoveredRaft["controlRecords"]): void {
    const core = this.#core;
    core.log.replaceBy(snapshot);
    core.partition.replaceBy(core.options.staticVoters, records);
    core.emit({ kind: "high-watermark", offset: snapshot.offset });
    this.#endInstalling();
  }

  #endInstalling(): void {
    const core = this.#core;
    const { state } = core.quorum;
    core.installing = undefined;
    if (state.kind !== "follower") return;
    state.fetchingSnapshot = undefined;
    state.fetchDeadlineMs = core.now + core.config.fetchTimeoutMs;
  }

  /** It is over when nobody is left to tell, when another leads, or when time is over. */
  #maybeCompleteShutdown(): void {
    const core = this.#core;
    const { shutdown } = core;
    if (shutdown === undefined || shutdown.isComplete) return;
    const { state } = core.quorum;
    const isTelling = state.kind === "resigned" && state.unackedVoters.size > 0 && core.quorum.isVoter;
    if (isTelling && core.now < shutdown.deadlineMs) return;
    shutdown.isComplete = true;
    core.emit({ kind: "shutdown-complete" });
  }
}
