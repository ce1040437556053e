import { ErrorCode } from "@samsa/base";
import {
  createVoteRequestPartitionData,
  createVoteRequestTopicData,
  VoteRequest,
} from "@samsa/protocol/messages/vote-request";
import {
  createVoteResponseNodeEndpoint,
  createVoteResponsePartitionData,
  createVoteResponseTopicData,
  VoteResponse,
} from "@samsa/protocol/messages/vote-response";
import type { RaftCore } from "../raft-core.ts";
import { compareLogEnds } from "../raft-log.ts";
import type { SentRequest } from "../request-manager.ts";
import type { ReplicaKey } from "../voter-set.ts";
import { ZERO_UUID } from "@samsa/base";
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

/** Vote, versions 0-2: 1 names directories (KIP-853), 2 asks for pre-votes (KIP-996). */
export function handleVoteRequest(core: RaftCore, requestId: number, request: VoteRequest): void {
  core.answer(requestId, { api: "Vote", message: decide(core, request) });
}

function decide(core: RaftCore, request: VoteRequest): VoteResponse {
  if (!isOurCluster(core, request.clusterId))
    return VoteResponse.create({ errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID });
  const asked = onlyPartition(
    request.topics,
    (at) => request.topics[at]?.topicName === CLUSTER_METADATA_TOPIC,
    ({ partitionIndex }) => partitionIndex,
  );
  if (asked === undefined) return VoteResponse.create({ errorCode: ErrorCode.INVALID_REQUEST });
  const { replicaEpoch, lastOffset, lastOffsetEpoch, preVote } = asked;
  // Nobody's log has records of an epoch in which it only begins to stand.
  const isLogPossible = lastOffsetEpoch < replicaEpoch || (preVote && lastOffsetEpoch === replicaEpoch);
  if (lastOffset < 0 || lastOffsetEpoch < 0 || asked.replicaId < 0 || !isLogPossible) {
    return answer(core, ErrorCode.INVALID_REQUEST, false);
  }
  if (replicaEpoch < core.epoch) return answer(core, ErrorCode.FENCED_LEADER_EPOCH, false);
  const isForUs =
    (request.voterId === -1 || request.voterId === core.localKey.id) &&
    (asked.voterDirectoryId === ZERO_UUID || asked.voterDirectoryId === core.localKey.directoryId);
  if (!isForUs) return answer(core, ErrorCode.INVALID_VOTER_KEY, false);

  if (replicaEpoch > core.epoch) core.becomeUnattached(replicaEpoch);
  const candidate: ReplicaKey = { id: asked.replicaId, directoryId: asked.replicaDirectoryId };
  const isLogUpToDate =
    compareLogEnds({ offset: lastOffset, epoch: lastOffsetEpoch }, core.log.end) >= 0 ||
    core.mutations.ignoresLogOfCandidate;
  const isGranted = core.quorum.canGrantVote(candidate, isLogUpToDate, preVote);
  if (isGranted && !preVote) {
    const { state } = core.quorum;
    const isNew = (state.kind === "unattached" || state.kind === "prospective") && state.votedKey === undefined;
    // On the platter before the answer: the effect stands before it.
    if (isNew) core.quorum.addVote(candidate, core.now);
  }
  return answer(core, ErrorCode.NONE, isGranted);
}

function answer(core: RaftCore, errorCode: ErrorCode, voteGranted: boolean): VoteResponse {
  const partition = createVoteResponsePartitionData({
    partitionIndex: METADATA_PARTITION,
    errorCode,
    ...leaderIdAndEpoch(core),
    voteGranted,
  });
  return VoteResponse.create({
    topics: [createVoteResponseTopicData({ topicName: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
    nodeEndpoints: leaderNodes(core).map((node) => createVoteResponseNodeEndpoint(node)),
  });
}

/** A candidate asks those who have not answered. */
export function sendVoteRequests(core: RaftCore): void {
  const { state } = core.quorum;
  if (state.kind !== "candidate" && state.kind !== "prospective") return;
  const preVote = state.kind === "prospective";
  const end = core.log.end;
  for (const voterId of state.election.unrecordedVoters) {
    const destination = core.voterDestination(voterId);
    if (destination === undefined) continue;
    const partition = createVoteRequestPartitionData({
      partitionIndex: METADATA_PARTITION,
      replicaEpoch: state.epoch,
      replicaId: core.localKey.id,
      replicaDirectoryId: core.localKey.directoryId,
      voterDirectoryId: state.election.voters.node(voterId)?.key.directoryId,
      lastOffset: end.offset,
      lastOffsetEpoch: end.epoch,
      preVote,
    });
    const message = VoteRequest.create({
      clusterId: core.options.clusterId,
      voterId,
      topics: [createVoteRequestTopicData({ topicName: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
    });
    core.send(destination, { api: "Vote", message }, preVote);
  }
}

/** @returns whether the request should be tried again after a pause */
export function handleVoteResponse(core: RaftCore, sent: SentRequest, response: VoteResponse): boolean {
  const partition = response.topics[0]?.partitions[0];
  if (response.errorCode !== ErrorCode.NONE || partition === undefined) return true;
  const { leaderId, leaderEpoch } = partition;
  const common = { ...partition, endpoint: endpointOf(core, leaderId, response.nodeEndpoints) };
  const outcome = handleCommonResponse(core, { ...common, leaderEpoch });
  if (outcome !== "open") return outcome === "failed";
  if (partition.errorCode !== ErrorCode.NONE) return true;
  recordVote(core, sent, partition.voteGranted);
  return false;
}

/** A voter that does not know pre-votes is taken to grant it: asking would not have kept an older candidate from standing. */
export function handleUnsupportedPreVote(core: RaftCore, sent: SentRequest): void {
  recordVote(core, sent, true);
}

function recordVote(core: RaftCore, sent: SentRequest, isGranted: boolean): void {
  const { state } = core.quorum;
  if (sent.epoch !== core.epoch) return;
  if (state.kind === "prospective" && sent.isPreVote) {
    state.election.record(sent.nodeId, isGranted);
    core.maybeWinPreVote();
  } else if (state.kind === "candidate" && !sent.isPreVote) {
    state.election.record(sent.nodeId, isGranted);
    core.maybeWinElection();
    if (state.election.isRejected) state.backoffDeadlineMs ??= core.now + core.quorum.electionBackoffMs(state.retries);
  }
}
