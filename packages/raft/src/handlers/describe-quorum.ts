import { ErrorCode } from "@samsa/base";
import type { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import type { DescribeQuorumResponseReplicaState } from "@samsa/protocol/messages/describe-quorum-response";
import {
  createDescribeQuorumResponseListener,
  createDescribeQuorumResponseNode,
  createDescribeQuorumResponsePartitionData,
  createDescribeQuorumResponseReplicaState,
  createDescribeQuorumResponseTopicData,
  DescribeQuorumResponse,
} from "@samsa/protocol/messages/describe-quorum-response";
import { ERRORS } from "@samsa/base";
import type { RaftCore } from "../raft-core.ts";
import type { LeaderState } from "../states/leader-state.ts";
import type { ReplicaKey } from "../voter-set.ts";
import { isSameReplica } from "../voter-set.ts";
import { CLUSTER_METADATA_TOPIC, leaderIdAndEpoch, METADATA_PARTITION, onlyPartition } from "./envelope.ts";

/** DescribeQuorum, versions 0-2: 1 has fetch times (KIP-836), 2 directories and addresses (KIP-853). Only the leader knows. */
export function handleDescribeQuorumRequest(core: RaftCore, requestId: number, request: DescribeQuorumRequest): void {
  core.answer(requestId, { api: "DescribeQuorum", message: describe(core, request) });
}

function describe(core: RaftCore, request: DescribeQuorumRequest): DescribeQuorumResponse {
  const asked = onlyPartition(
    request.topics,
    (at) => request.topics[at]?.topicName === CLUSTER_METADATA_TOPIC,
    ({ partitionIndex }) => partitionIndex,
  );
  if (asked === undefined) {
    const topics = request.topics.map(({ topicName, partitions }) => {
      const refused = partitions.map(({ partitionIndex }) =>
        refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, partitionIndex),
      );
      return createDescribeQuorumResponseTopicData({ topicName, partitions: refused });
    });
    return DescribeQuorumResponse.create({ errorMessage: "", topics });
  }
  const { leader } = core;
  const partition =
    leader === undefined
      ? { ...refusal(ErrorCode.NOT_LEADER_OR_FOLLOWER, METADATA_PARTITION), ...leaderIdAndEpoch(core) }
      : createDescribeQuorumResponsePartitionData({
          partitionIndex: METADATA_PARTITION,
          errorMessage: "",
          ...leaderIdAndEpoch(core),
          highWatermark: leader.highWatermark ?? -1,
          currentVoters: core.voterSet.nodes.map(({ key }) => voterState(core, leader, key)),
          observers: observerStates(core, leader),
        });
  return DescribeQuorumResponse.create({
    errorMessage: "",
    topics: [createDescribeQuorumResponseTopicData({ topicName: CLUSTER_METADATA_TOPIC, partitions: [partition] })],
    nodes:
      leader === undefined
        ? []
        : core.voterSet.nodes.map(({ key, endpoints }) =>
            createDescribeQuorumResponseNode({
              nodeId: key.id,
              listeners: endpoints.map((endpoint) => createDescribeQuorumResponseListener(endpoint)),
            }),
          ),
  });
}

function refusal(
  errorCode: ErrorCode,
  partitionIndex: number,
): ReturnType<typeof createDescribeQuorumResponsePartitionData> {
  const errorMessage = ERRORS.get(errorCode)?.description ?? null;
  return createDescribeQuorumResponsePartitionData({ partitionIndex, errorCode, errorMessage });
}

function voterState(core: RaftCore, leader: LeaderState, key: ReplicaKey): DescribeQuorumResponseReplicaState {
  if (key.id === core.localKey.id) return ownState(core, key);
  return stateOf(key, leader.voterState(key, core.voterSet));
}

/** Also the leader itself, from its removal to its resignation. */
function observerStates(core: RaftCore, leader: LeaderState): DescribeQuorumResponseReplicaState[] {
  leader.forgetOldObservers(core.voterSet, core.now);
  const observers = leader.replicas.filter(({ key }) => !core.voterSet.isVoter(key));
  const others = observers.filter(({ key }) => !isSameReplica(key, core.localKey));
  const own = core.voterSet.isVoter(core.localKey) ? [] : [ownState(core, core.localKey)];
  return [...own, ...others.map((state) => stateOf(state.key, state))];
}

function ownState(core: RaftCore, key: ReplicaKey): DescribeQuorumResponseReplicaState {
  const { wallMs } = core.time;
  return createDescribeQuorumResponseReplicaState({
    replicaId: key.id,
    replicaDirectoryId: key.directoryId,
    logEndOffset: core.log.endOffset,
    lastFetchTimestamp: wallMs,
    lastCaughtUpTimestamp: wallMs,
  });
}

function stateOf(
  key: ReplicaKey,
  state:
    | { readonly endOffset: number; readonly lastFetchWallMs: number; readonly lastCaughtUpWallMs: number }
    | undefined,
): DescribeQuorumResponseReplicaState {
  return createDescribeQuorumResponseReplicaState({
    replicaId: key.id,
    replicaDirectoryId: key.directoryId,
    logEndOffset: state?.endOffset ?? -1,
    lastFetchTimestamp: state?.lastFetchWallMs ?? -1,
    lastCaughtUpTimestamp: state?.lastCaughtUpWallMs ?? -1,
  });
}
