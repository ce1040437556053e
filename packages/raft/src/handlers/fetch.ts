import { ErrorCode, InvariantError, KafkaError } from "@samsa/base";
import { recordBatches } from "@samsa/protocol";
import {
  createFetchRequestFetchPartition,
  createFetchRequestFetchTopic,
  createFetchRequestReplicaState,
  FetchRequest,
} from "@samsa/protocol/messages/fetch-request";
import type { FetchRequestFetchPartition } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import {
  createFetchResponseEpochEndOffset,
  createFetchResponseFetchableTopicResponse,
  createFetchResponseLeaderIdAndEpoch,
  createFetchResponseNodeEndpoint,
  createFetchResponsePartitionData,
  createFetchResponseSnapshotId,
  FetchResponse,
} from "@samsa/protocol/messages/fetch-response";
import type { Destination } from "../effects.ts";
import { locatedControlRecords } from "../partition-state.ts";
import type { PendingFetch, RaftCore } from "../raft-core.ts";
import type { SentRequest } from "../request-manager.ts";
import type { FollowerState } from "../states/follower-state.ts";
import type { LeaderState } from "../states/leader-state.ts";
import type { ReplicaKey } from "../voter-set.ts";
import { handleCommonResponse } from "./common-response.ts";
import {
  endpointOf,
  isOurCluster,
  leaderIdAndEpoch,
  leaderNodes,
  METADATA_PARTITION,
  METADATA_TOPIC,
  onlyPartition,
} from "./envelope.ts";

const EMPTY = new Uint8Array(0);

/**
 * Fetch of a replica, versions 12-18: 17 names the directory (KIP-853), 18 tells the high watermark that the replica knows, so
 * that a new one is answered at once (KIP-1166).
 */
export function handleFetchRequest(core: RaftCore, requestId: number, request: FetchRequest): void {
  const refuse = (errorCode: ErrorCode): void =>
    core.answer(requestId, { api: "Fetch", message: FetchResponse.create({ errorCode }) });
  if (!isOurCluster(core, request.clusterId)) {
    refuse(ErrorCode.INCONSISTENT_CLUSTER_ID);
    return;
  }
  const partition = onlyPartition(
    request.topics,
    (at) =>
      request.topics[at]?.topicId === METADATA_TOPIC.topicId || request.topics[at]?.topic === METADATA_TOPIC.topic,
    (each) => each.partition,
  );
  if (partition === undefined) {
    refuse(ErrorCode.INVALID_REQUEST);
    return;
  }
  const { fetchOffset, lastFetchedEpoch, currentLeaderEpoch } = partition;
  if (request.maxWaitMs < 0 || fetchOffset < 0 || lastFetchedEpoch < 0 || currentLeaderEpoch < 0) {
    answerError(core, requestId, ErrorCode.INVALID_REQUEST);
    return;
  }
  const deadlineMs = core.now + Math.min(request.maxWaitMs, core.config.maxFetchWaitMs);
  const pending: PendingFetch = { requestId, request, partition, deadlineMs };
  if (tryAnswer(core, pending, { isNew: true, isUrgent: request.maxWaitMs === 0 })) return;
  if (core.pendingFetches.length >= core.config.maxPendingFetches) {
    const oldest = core.pendingFetches.shift();
    if (oldest !== undefined) tryAnswer(core, oldest, { isNew: false, isUrgent: true });
  }
  core.pendingFetches.push(pending);
}

/** Fetches that wait are answered when there is more to say, when their time is over, or when this replica leads no more. */
export function answerPendingFetches(core: RaftCore): void {
  if (core.pendingFetches.length === 0) return;
  core.pendingFetches = core.pendingFetches.filter(
    (fetch) => !tryAnswer(core, fetch, { isNew: false, isUrgent: fetch.deadlineMs <= core.now }),
  );
}

/**
 * @param how `isNew` when it has just come: only then it is a sign of life
 * @returns whether it was answered
 */
function tryAnswer(
  core: RaftCore,
  { requestId, request, partition }: PendingFetch,
  how: { readonly isNew: boolean; readonly isUrgent: boolean },
): boolean {
  const { leader, log } = core;
  const { currentLeaderEpoch, fetchOffset, lastFetchedEpoch } = partition;
  const errorCode = checkLeaderEpoch(core, currentLeaderEpoch);
  if (errorCode !== ErrorCode.NONE || leader === undefined) {
    answerError(core, requestId, errorCode);
    return true;
  }
  const replica = replicaKey(request, partition);
  if (how.isNew && replica.id >= 0) leader.noteFollowing(replica, core.voterSet, core.now);
  const validation = core.mutations.ignoresDivergence
    ? ({ kind: "valid" } as const)
    : log.validate(fetchOffset, lastFetchedEpoch);
  switch (validation.kind) {
    case "snapshot": {
      const { offset: endOffset, epoch } = validation.id;
      const snapshotId = createFetchResponseSnapshotId({ endOffset, epoch });
      core.answer(requestId, { api: "Fetch", message: response(core, { snapshotId }) });
      return true;
    }
    case "diverging": {
      const { offset: endOffset, epoch } = validation.end;
      const divergingEpoch = createFetchResponseEpochEndOffset({ endOffset, epoch });
      core.answer(requestId, { api: "Fetch", message: response(core, { divergingEpoch }) });
      return true;
    }
    case "valid":
      break;
  }
  if (how.isNew && replica.id >= 0 && replica.id !== core.localKey.id) {
    leader.noteFetch(replica, fetchOffset, log.endOffset, core.now, core.time.wallMs);
    advanceLeaderHighWatermark(core, leader);
  }
  if (fetchOffset < log.endOffset) {
    core.emit({
      kind: "answer-fetch",
      requestId,
      epoch: core.epoch,
      fetchOffset,
      maxBytes: Math.min(Math.max(partition.partitionMaxBytes, 0), core.config.maxFetchBytes),
      withRecords: withRecords(core),
      refusal: errorResponse(core, ErrorCode.NOT_LEADER_OR_FOLLOWER),
    });
    return true;
  }
  const hasNews = partition.highWatermark < (leader.highWatermark ?? -1);
  if (!how.isUrgent && !hasNews) return false;
  core.answer(requestId, { api: "Fetch", message: response(core, {}) });
  return true;
}

/** What the followers have and the disk has synced may be committed now. */
export function advanceLeaderHighWatermark(core: RaftCore, leader: LeaderState): void {
  const offset = leader.maybeAdvanceHighWatermark(core.voterSet, core.log, core.mutations);
  if (offset !== undefined) core.advanceHighWatermark(offset);
}

/** Whether the leader of this epoch may be asked here. */
export function checkLeaderEpoch(core: RaftCore, epoch: number): ErrorCode {
  if (epoch < core.epoch) return ErrorCode.FENCED_LEADER_EPOCH;
  if (epoch > core.epoch) return ErrorCode.UNKNOWN_LEADER_EPOCH;
  if (core.leader === undefined) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  return core.shutdown === undefined ? ErrorCode.NONE : ErrorCode.BROKER_NOT_AVAILABLE;
}

function replicaKey(request: FetchRequest, { replicaDirectoryId }: FetchRequestFetchPartition): ReplicaKey {
  const id = request.replicaState.replicaId >= 0 ? request.replicaState.replicaId : request.replicaId;
  return { id, directoryId: replicaDirectoryId };
}

function response(core: RaftCore, fields: Partial<FetchResponsePartitionData>): FetchResponse {
  const { leaderId, leaderEpoch } = leaderIdAndEpoch(core);
  const data = createFetchResponsePartitionData({
    partitionIndex: METADATA_PARTITION,
    highWatermark: core.leader?.highWatermark ?? -1,
    lastStableOffset: -1,
    logStartOffset: core.log.logStartOffset,
    currentLeader: createFetchResponseLeaderIdAndEpoch({ leaderId, leaderEpoch }),
    records: EMPTY,
    ...fields,
  });
  return FetchResponse.create({
    responses: [createFetchResponseFetchableTopicResponse({ ...METADATA_TOPIC, partitions: [data] })],
    nodeEndpoints: leaderNodes(core).map((node) => createFetchResponseNodeEndpoint(node)),
  });
}

/** As it is when the fetch is answered, whatever moves while the records are read. */
function withRecords(core: RaftCore): (records: Uint8Array) => FetchResponse {
  const { leaderId, leaderEpoch } = leaderIdAndEpoch(core);
  const highWatermark = core.leader?.highWatermark ?? -1;
  const { logStartOffset } = core.log;
  const nodes = leaderNodes(core);
  return (records) => {
    const data = createFetchResponsePartitionData({
      partitionIndex: METADATA_PARTITION,
      highWatermark,
      lastStableOffset: -1,
      logStartOffset,
      currentLeader: createFetchResponseLeaderIdAndEpoch({ leaderId, leaderEpoch }),
      records,
    });
    return FetchResponse.create({
      responses: [createFetchResponseFetchableTopicResponse({ ...METADATA_TOPIC, partitions: [data] })],
      nodeEndpoints: nodes.map((node) => createFetchResponseNodeEndpoint(node)),
    });
  };
}

function errorResponse(core: RaftCore, errorCode: ErrorCode): FetchResponse {
  return response(core, { errorCode, highWatermark: -1, logStartOffset: -1 });
}

function answerError(core: RaftCore, requestId: number, errorCode: ErrorCode): void {
  core.answer(requestId, { api: "Fetch", message: errorResponse(core, errorCode) });
}

/** Asks for what follows the end of this log, which the disk has synced: the leader counts on it. */
export function sendFetchRequest(core: RaftCore, destination: Destination): void {
  if (core.installing !== undefined || !(core.log.isDurable || core.mutations.fetchesBeforeSync)) return;
  const { offset, epoch } = core.log.end;
  const partition = createFetchRequestFetchPartition({
    partition: METADATA_PARTITION,
    currentLeaderEpoch: core.epoch,
    fetchOffset: offset,
    lastFetchedEpoch: epoch,
    logStartOffset: core.log.logStartOffset,
    partitionMaxBytes: core.config.maxFetchBytes,
    replicaDirectoryId: core.localKey.directoryId,
    highWatermark: core.log.highWatermark,
  });
  const message = FetchRequest.create({
    clusterId: core.options.clusterId,
    replicaState: createFetchRequestReplicaState({ replicaId: core.localKey.id, replicaEpoch: -1 }),
    maxWaitMs: core.config.maxFetchWaitMs,
    minBytes: 0,
    maxBytes: core.config.maxFetchBytes,
    topics: [createFetchRequestFetchTopic({ ...METADATA_TOPIC, partitions: [partition] })],
  });
  core.send(destination, { api: "Fetch", message });
}

/** @returns whether the request should be tried again after a pause */
export function handleFetchResponse(core: RaftCore, sent: SentRequest, answer: FetchResponse): boolean {
  const data = answer.responses[0]?.partitions[0];
  if (answer.errorCode !== ErrorCode.NONE || data === undefined) return true;
  const { leaderId, leaderEpoch } = data.currentLeader;
  const endpoint = endpointOf(core, leaderId, answer.nodeEndpoints);
  const outcome = handleCommonResponse(core, { errorCode: data.errorCode, leaderId, leaderEpoch, endpoint });
  if (outcome !== "open") return outcome === "failed";
  const { state } = core.quorum;
  if (data.errorCode !== ErrorCode.NONE || state.kind !== "follower" || sent.epoch !== state.epoch) return true;
  state.fetchDeadlineMs = core.now + core.config.fetchTimeoutMs;
  state.hasFetchedFromLeader = true;
  return follow(core, state, data);
}

function follow(core: RaftCore, state: FollowerState, data: FetchResponsePartitionData): boolean {
  const { divergingEpoch, snapshotId, records } = data;
  if (divergingEpoch.epoch >= 0 && divergingEpoch.endOffset >= 0) {
    const end = { offset: divergingEpoch.endOffset, epoch: divergingEpoch.epoch };
    core.truncateTo(core.mutations.truncatesCommitted ? core.log.logStartOffset : core.log.truncationOffset(end));
    return false;
  }
  if (snapshotId.endOffset >= 0 && snapshotId.epoch >= 0) {
    const id = { offset: snapshotId.endOffset, epoch: snapshotId.epoch };
    if (id.offset < core.log.highWatermark || core.log.snapshot(id) !== undefined) return true;
    state.fetchingSnapshot = { ...id, position: 0, isInstalling: false };
    return false;
  }
  if (data.highWatermark >= 0) state.leaderHighWatermark = data.highWatermark;
  const isWhole = records === null || appendFetched(core, records);
  advanceFollowerHighWatermark(core);
  return !isWhole;
}

/** Whole batches that continue the log. Of what is damaged, or of no epoch that the leader could write, nothing is taken. */
function appendFetched(core: RaftCore, records: Uint8Array): boolean {
  try {
    for (const batch of recordBatches(records)) {
      batch.ensureValid();
      const { baseOffset, nextOffset, partitionLeaderEpoch: epoch } = batch;
      if (nextOffset <= core.log.endOffset) continue; // the batch that held the offset asked for
      const isNext = baseOffset === core.log.endOffset && nextOffset > baseOffset;
      const isPossible = epoch >= core.log.lastFetchedEpoch && epoch <= core.epoch;
      if (!isNext || !(isPossible || core.mutations.ignoresDivergence)) return false;
      const controlRecords = locatedControlRecords(batch);
      core.log.append(baseOffset, nextOffset, epoch);
      for (const located of controlRecords) core.partition.append(located);
      core.emitAppend(batch.bytes, baseOffset, nextOffset);
    }
    return true;
  } catch (error) {
    if (error instanceof KafkaError && !(error instanceof InvariantError)) return false;
    throw error;
  }
}

/** A follower knows of a commit when the leader said so and its own disk has the records. */
export function advanceFollowerHighWatermark(core: RaftCore): void {
  const { state } = core.quorum;
  if (state.kind !== "follower" || state.leaderHighWatermark === undefined) return;
  core.advanceHighWatermark(Math.min(state.leaderHighWatermark, core.log.durableEndOffset));
}
