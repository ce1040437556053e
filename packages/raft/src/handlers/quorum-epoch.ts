import { ErrorCode, ZERO_UUID } from "@samsa/base";
import {
  BeginQuorumEpochRequest,
  createBeginQuorumEpochRequestLeaderEndpoint,
  createBeginQuorumEpochRequestPartitionData,
  createBeginQuorumEpochRequestTopicData,
} from "@samsa/protocol/messages/begin-quorum-epoch-request";
import {
  BeginQuorumEpochResponse,
  createBeginQuorumEpochResponseNodeEndpoint,
  createBeginQuorumEpochResponsePartitionData,
  createBeginQuorumEpochResponseTopicData,
} from "@samsa/protocol/messages/begin-quorum-epoch-response";
import {
  createEndQuorumEpochRequestLeaderEndpoint,
  createEndQuorumEpochRequestPartitionData,
  createEndQuorumEpochRequestReplicaInfo,
  createEndQuorumEpochRequestTopicData,
  EndQuorumEpochRequest,
} from "@samsa/protocol/messages/end-quorum-epoch-request";
import {
  createEndQuorumEpochResponseNodeEndpoint,
  createEndQuorumEpochResponsePartitionData,
  createEndQuorumEpochResponseTopicData,
  EndQuorumEpochResponse,
} from "@samsa/protocol/messages/end-quorum-epoch-response";
import type { RaftCore } from "../raft-core.ts";
import type { SentRequest } from "../request-manager.ts";
import type { Endpoint } from "../voter-set.ts";
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

/** BeginQuorumEpoch, versions 0-1: 1 names the voter's directory and the leader's addresses (KIP-853). */
export function handleBeginQuorumEpochRequest(
  core: RaftCore,
  requestId: number,
  request: BeginQuorumEpochRequest,
): void {
  core.answer(requestId, { api: "BeginQuorumEpoch", message: begin(core, request) });
}

function begin(core: RaftCore, request: BeginQuorumEpochRequest): BeginQuorumEpochResponse {
  if (!isOurCluster(core, request.clusterId)) {
    return BeginQuorumEpochResponse.create({ errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID });
  }
  const asked = onlyPartition(
    request.topics,
    (at) => request.topics[at]?.topicName === CLUSTER_METADATA_TOPIC,
    ({ partitionIndex }) => partitionIndex,
  );
  if (asked === undefined) return BeginQuorumEpochResponse.create({ errorCode: ErrorCode.INVALID_REQUEST });
  const { leaderId, leaderEpoch } = asked;
  const errorCode = checkLeader(core, leaderId, leaderEpoch);
  if (errorCode === ErrorCode.NONE) {
    core.maybeTransition(leaderId, leaderEpoch, endpointNamed(core, request.leaderEndpoints));
  }
  const isForUs =
    (request.voterId === -1 || request.voterId === core.localKey.id) &&
    (asked.voterDirectoryId === ZERO_UUID || asked.voterDirectoryId === core.localKey.directoryId);
  const partition = createBeginQuorumEpochResponsePartitionData({
    partitionIndex: METADATA_PARTITION,
    errorCode: errorCode === ErrorCode.NONE && !isForUs ? ErrorCode.INVALID_VOTER_KEY : errorCode,
    ...leaderIdAndEpoch(core),
  });
  return BeginQuorumEpochResponse.create({
    topics: [createBeginQuorumEpochResponseTopicData({ topicName: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
    nodeEndpoints: leaderNodes(core).map((node) => createBeginQuorumEpochResponseNodeEndpoint(node)),
  });
}

/** EndQuorumEpoch, versions 0-1: 1 names directories and addresses (KIP-853). */
export function handleEndQuorumEpochRequest(core: RaftCore, requestId: number, request: EndQuorumEpochRequest): void {
  core.answer(requestId, { api: "EndQuorumEpoch", message: end(core, request) });
}

function end(core: RaftCore, request: EndQuorumEpochRequest): EndQuorumEpochResponse {
  if (!isOurCluster(core, request.clusterId)) {
    return EndQuorumEpochResponse.create({ errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID });
  }
  const asked = onlyPartition(
    request.topics,
    (at) => request.topics[at]?.topicName === CLUSTER_METADATA_TOPIC,
    ({ partitionIndex }) => partitionIndex,
  );
  if (asked === undefined) return EndQuorumEpochResponse.create({ errorCode: ErrorCode.INVALID_REQUEST });
  const { leaderId, leaderEpoch } = asked;
  const errorCode = checkLeader(core, leaderId, leaderEpoch);
  if (errorCode === ErrorCode.NONE) {
    core.maybeTransition(leaderId, leaderEpoch, endpointNamed(core, request.leaderEndpoints));
    const { state } = core.quorum;
    if (state.kind === "follower" && state.leaderId === leaderId && state.epoch === leaderEpoch) {
      const successors =
        asked.preferredCandidates.length > 0
          ? asked.preferredCandidates.map(({ candidateId }) => candidateId)
          : asked.preferredSuccessors;
      state.fetchDeadlineMs = Math.min(state.fetchDeadlineMs, core.now + successionDelayMs(core, successors));
    }
  }
  const partition = createEndQuorumEpochResponsePartitionData({
    partitionIndex: METADATA_PARTITION,
    errorCode,
    ...leaderIdAndEpoch(core),
  });
  return EndQuorumEpochResponse.create({
    topics: [createEndQuorumEpochResponseTopicData({ topicName: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
    nodeEndpoints: leaderNodes(core).map((node) => createEndQuorumEpochResponseNodeEndpoint(node)),
  });
}

/** The first successor stands at once, each of the others later, lest they take votes from each other. */
function successionDelayMs(core: RaftCore, successors: readonly number[]): number {
  const position = successors.indexOf(core.localKey.id);
  if (position <= 0) return position === 0 ? 0 : core.quorum.randomElectionTimeoutMs();
  const { electionBackoffMaxMs, retryBackoffMs } = core.config;
  return Math.min(electionBackoffMaxMs, retryBackoffMs * 2 ** Math.min(position, 20));
}

function checkLeader(core: RaftCore, leaderId: number, leaderEpoch: number): ErrorCode {
  if (leaderEpoch < core.epoch) return ErrorCode.FENCED_LEADER_EPOCH;
  if (leaderId < 0 || leaderId === core.localKey.id) return ErrorCode.INVALID_REQUEST;
  if (leaderEpoch > core.epoch) return ErrorCode.NONE;
  const known = core.quorum.leaderId;
  return known !== undefined && known !== leaderId ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE;
}

function endpointNamed(core: RaftCore, endpoints: readonly Endpoint[]): Endpoint | undefined {
  return endpoints.find(({ name }) => name === core.options.listenerName);
}

/** The leader tells the voters that it leads, until they fetch. */
export function sendBeginQuorumEpochRequests(core: RaftCore): void {
  const { leader } = core;
  if (leader === undefined) return;
  for (const voterId of leader.unackedVoters) {
    const destination = core.voterDestination(voterId);
    if (destination === undefined) continue;
    const partition = createBeginQuorumEpochRequestPartitionData({
      partitionIndex: METADATA_PARTITION,
      voterDirectoryId: core.voterSet.node(voterId)?.key.directoryId,
      leaderId: core.localKey.id,
      leaderEpoch: leader.epoch,
    });
    const message = BeginQuorumEpochRequest.create({
      clusterId: core.options.clusterId,
      voterId,
      topics: [createBeginQuorumEpochRequestTopicData({ topicName: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
      leaderEndpoints: core.options.endpoints.map((each) => createBeginQuorumEpochRequestLeaderEndpoint(each)),
    });
    core.send(destination, { api: "BeginQuorumEpoch", message });
  }
}

/** One that resigned tells the voters, the best successor first in the list. */
export function sendEndQuorumEpochRequests(core: RaftCore): void {
  const { state } = core.quorum;
  if (state.kind !== "resigned") return;
  for (const voterId of state.unackedVoters) {
    const destination = core.voterDestination(voterId);
    if (destination === undefined) continue;
    const partition = createEndQuorumEpochRequestPartitionData({
      partitionIndex: METADATA_PARTITION,
      leaderId: core.localKey.id,
      leaderEpoch: state.epoch,
      preferredSuccessors: state.preferredSuccessors,
      preferredCandidates: state.preferredSuccessors.map((candidateId) =>
        createEndQuorumEpochRequestReplicaInfo({
          candidateId,
          candidateDirectoryId: core.voterSet.node(candidateId)?.key.directoryId,
        }),
      ),
    });
    const message = EndQuorumEpochRequest.create({
      clusterId: core.options.clusterId,
      topics: [createEndQuorumEpochRequestTopicData({ topicName: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
      leaderEndpoints: core.options.endpoints.map((each) => createEndQuorumEpochRequestLeaderEndpoint(each)),
    });
    core.send(destination, { api: "EndQuorumEpoch", message });
  }
}

/** @returns whether the request should be tried again after a pause */
export function handleQuorumEpochResponse(
  core: RaftCore,
  sent: SentRequest,
  response: BeginQuorumEpochResponse | EndQuorumEpochResponse,
): boolean {
  const partition = response.topics[0]?.partitions[0];
  if (response.errorCode !== ErrorCode.NONE || partition === undefined) return true;
  const endpoint = endpointOf(core, partition.leaderId, response.nodeEndpoints);
  const outcome = handleCommonResponse(core, { ...partition, endpoint });
  if (outcome !== "open") return outcome === "failed";
  if (partition.errorCode !== ErrorCode.NONE) return true;
  const { state } = core.quorum;
  if (state.kind === "leader" || state.kind === "resigned") state.unackedVoters.delete(sent.nodeId);
  return false;
}
