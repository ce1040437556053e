import { ErrorCode } from "@samsa/base";
import {
  createFetchSnapshotRequestPartitionSnapshot,
  createFetchSnapshotRequestSnapshotId,
  createFetchSnapshotRequestTopicSnapshot,
  FetchSnapshotRequest,
} from "@samsa/protocol/messages/fetch-snapshot-request";
import type { FetchSnapshotResponsePartitionSnapshot } from "@samsa/protocol/messages/fetch-snapshot-response";
import {
  createFetchSnapshotResponseLeaderIdAndEpoch,
  createFetchSnapshotResponseNodeEndpoint,
  createFetchSnapshotResponsePartitionSnapshot,
  createFetchSnapshotResponseSnapshotId,
  createFetchSnapshotResponseTopicSnapshot,
  FetchSnapshotResponse,
} from "@samsa/protocol/messages/fetch-snapshot-response";
import type { Destination } from "../effects.ts";
import type { RaftCore } from "../raft-core.ts";
import type { SentRequest } from "../request-manager.ts";
import { handleCommonResponse } from "./common-response.ts";
import {
  CLUSTER_METADATA_TOPIC,
  endpointOf,
  isOurCluster,
  leaderIdAndEpoch,
  leaderNodes,
  METADATA_PARTITION,
  onlyPartition,
} from "./envelope.ts";
import { checkLeaderEpoch } from "./fetch.ts";

/** FetchSnapshot, versions 0-1 (KIP-630): bytes of a snapshot, not aligned to batches. 1 names the directory (KIP-853). */
export function handleFetchSnapshotRequest(core: RaftCore, requestId: number, request: FetchSnapshotRequest): void {
  const message = (answer: FetchSnapshotResponse): void =>
    core.answer(requestId, { api: "FetchSnapshot", message: answer });
  if (!isOurCluster(core, request.clusterId)) {
    message(FetchSnapshotResponse.create({ errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID }));
    return;
  }
  const asked = onlyPartition(
    request.topics,
    (at) => request.topics[at]?.name === CLUSTER_METADATA_TOPIC,
    ({ partition }) => partition,
  );
  if (asked === undefined) {
    message(respond(core, { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }));
    return;
  }
  const { position, snapshotId } = asked;
  const errorCode = checkLeaderEpoch(core, asked.currentLeaderEpoch);
  if (errorCode !== ErrorCode.NONE) {
    message(respond(core, { errorCode }));
    return;
  }
  const id = { offset: snapshotId.endOffset, epoch: snapshotId.epoch };
  const snapshot = core.log.snapshot(id);
  if (snapshot === undefined || snapshot.offset === 0) {
    message(respond(core, { errorCode: ErrorCode.SNAPSHOT_NOT_FOUND }));
    return;
  }
  if (position < 0 || position >= snapshot.sizeInBytes) {
    message(respond(core, { errorCode: ErrorCode.POSITION_OUT_OF_RANGE }));
    return;
  }
  const replica = { id: request.replicaId, directoryId: asked.replicaDirectoryId };
  if (replica.id >= 0) core.leader?.noteFollowing(replica, core.voterSet, core.now);
  const fields = {
    snapshotId: createFetchSnapshotResponseSnapshotId({ endOffset: id.offset, epoch: id.epoch }),
    size: snapshot.sizeInBytes,
    position,
  };
  const { leaderId, leaderEpoch } = leaderIdAndEpoch(core);
  const nodes = leaderNodes(core);
  core.emit({
    kind: "answer-snapshot",
    requestId,
    id,
    position,
    maxBytes: Math.min(Math.max(request.maxBytes, 1), core.config.maxSnapshotChunkBytes),
    withBytes: (unalignedRecords) => assemble({ ...fields, unalignedRecords }, leaderId, leaderEpoch, nodes),
    refusal: respond(core, { errorCode: ErrorCode.SNAPSHOT_NOT_FOUND }),
  });
}

function respond(core: RaftCore, fields: Partial<FetchSnapshotResponsePartitionSnapshot>): FetchSnapshotResponse {
  const { leaderId, leaderEpoch } = leaderIdAndEpoch(core);
  return assemble(fields, leaderId, leaderEpoch, leaderNodes(core));
}

function assemble(
  fields: Partial<FetchSnapshotResponsePartitionSnapshot>,
  leaderId: number,
  leaderEpoch: number,
  nodes: ReturnType<typeof leaderNodes>,
): FetchSnapshotResponse {
  const partition = createFetchSnapshotResponsePartitionSnapshot({
    index: METADATA_PARTITION,
    currentLeader: createFetchSnapshotResponseLeaderIdAndEpoch({ leaderId, leaderEpoch }),
    ...fields,
  });
  return FetchSnapshotResponse.create({
    topics: [createFetchSnapshotResponseTopicSnapshot({ name: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
    nodeEndpoints: nodes.map((node) => createFetchSnapshotResponseNodeEndpoint(node)),
  });
}

/** Asks for the bytes that follow those it has. */
export function sendFetchSnapshotRequest(core: RaftCore, destination: Destination): void {
  const { state } = core.quorum;
  if (state.kind !== "follower" || state.fetchingSnapshot === undefined || state.fetchingSnapshot.isInstalling) return;
  const { offset, epoch, position } = state.fetchingSnapshot;
  const partition = createFetchSnapshotRequestPartitionSnapshot({
    partition: METADATA_PARTITION,
    currentLeaderEpoch: core.epoch,
    snapshotId: createFetchSnapshotRequestSnapshotId({ endOffset: offset, epoch }),
    position,
    replicaDirectoryId: core.localKey.directoryId,
  });
  const message = FetchSnapshotRequest.create({
    clusterId: core.options.clusterId,
    replicaId: core.localKey.id,
    maxBytes: core.config.maxSnapshotChunkBytes,
    topics: [createFetchSnapshotRequestTopicSnapshot({ name: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
  });
  core.send(destination, { api: "FetchSnapshot", message });
}

/** @returns whether the request should be tried again after a pause */
export function handleFetchSnapshotResponse(
  core: RaftCore,
  sent: SentRequest,
  response: FetchSnapshotResponse,
): boolean {
  const data = response.topics[0]?.partitions[0];
  if (response.errorCode !== ErrorCode.NONE || data === undefined) return true;
  const { leaderId, leaderEpoch } = data.currentLeader;
  const endpoint = endpointOf(core, leaderId, response.nodeEndpoints);
  const outcome = handleCommonResponse(core, { errorCode: data.errorCode, leaderId, leaderEpoch, endpoint });
  if (outcome !== "open") return outcome === "failed";
  const { state } = core.quorum;
  if (state.kind !== "follower" || sent.epoch !== state.epoch) return true;
  const fetching = state.fetchingSnapshot;
  if (fetching === undefined || fetching.isInstalling) return false;
  if (data.errorCode !== ErrorCode.NONE) {
    // The leader has another snapshot by now, which the next fetch will name.
    state.fetchingSnapshot = undefined;
    state.fetchDeadlineMs = core.now + core.config.fetchTimeoutMs;
    return true;
  }
  const { unalignedRecords: bytes, position, size } = data;
  const isSame = data.snapshotId.endOffset === fetching.offset && data.snapshotId.epoch === fetching.epoch;
  if (!isSame || position !== fetching.position || bytes.length === 0 || position + bytes.length > size) return true;
  const id = { offset: fetching.offset, epoch: fetching.epoch };
  core.emit({ kind: "write-snapshot-chunk", id, position, bytes });
  fetching.position += bytes.length;
  state.fetchDeadlineMs = core.now + core.config.fetchTimeoutMs;
  state.hasFetchedFromLeader = true;
  if (fetching.position === size) {
    fetching.isInstalling = true;
    core.installing = id;
    core.emit({ kind: "install-snapshot", id });
  }
  return false;
}
