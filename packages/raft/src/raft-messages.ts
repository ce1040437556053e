import { ZERO_UUID } from "@samsa/base";
import type { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import type { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import type { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import type { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import type { BeginQuorumEpochRequest } from "@samsa/protocol/messages/begin-quorum-epoch-request";
import type { BeginQuorumEpochResponse } from "@samsa/protocol/messages/begin-quorum-epoch-response";
import type { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import type {
  DescribeQuorumResponse,
  DescribeQuorumResponseReplicaState,
} from "@samsa/protocol/messages/describe-quorum-response";
import type { EndQuorumEpochRequest } from "@samsa/protocol/messages/end-quorum-epoch-request";
import type { EndQuorumEpochResponse } from "@samsa/protocol/messages/end-quorum-epoch-response";
import type { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { createFetchRequestReplicaState } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { FetchSnapshotRequest } from "@samsa/protocol/messages/fetch-snapshot-request";
import type { FetchSnapshotResponse } from "@samsa/protocol/messages/fetch-snapshot-response";
import type { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import type { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import type { UpdateRaftVoterRequest } from "@samsa/protocol/messages/update-raft-voter-request";
import type { UpdateRaftVoterResponse } from "@samsa/protocol/messages/update-raft-voter-response";
import type { VoteRequest } from "@samsa/protocol/messages/vote-request";
import type { VoteResponse } from "@samsa/protocol/messages/vote-response";

/** What replicas of the quorum and their administrators ask, in the one shape that serves all versions. */
export type RaftRequest =
  | { readonly api: "Vote"; readonly message: VoteRequest }
  | { readonly api: "BeginQuorumEpoch"; readonly message: BeginQuorumEpochRequest }
  | { readonly api: "EndQuorumEpoch"; readonly message: EndQuorumEpochRequest }
  | { readonly api: "Fetch"; readonly message: FetchRequest }
  | { readonly api: "FetchSnapshot"; readonly message: FetchSnapshotRequest }
  | { readonly api: "AddRaftVoter"; readonly message: AddRaftVoterRequest }
  | { readonly api: "RemoveRaftVoter"; readonly message: RemoveRaftVoterRequest }
  | { readonly api: "UpdateRaftVoter"; readonly message: UpdateRaftVoterRequest }
  | { readonly api: "DescribeQuorum"; readonly message: DescribeQuorumRequest }
  | { readonly api: "ApiVersions"; readonly message: ApiVersionsRequest };

export type RaftResponse =
  | { readonly api: "Vote"; readonly message: VoteResponse }
  | { readonly api: "BeginQuorumEpoch"; readonly message: BeginQuorumEpochResponse }
  | { readonly api: "EndQuorumEpoch"; readonly message: EndQuorumEpochResponse }
  | { readonly api: "Fetch"; readonly message: FetchResponse }
  | { readonly api: "FetchSnapshot"; readonly message: FetchSnapshotResponse }
  | { readonly api: "AddRaftVoter"; readonly message: AddRaftVoterResponse }
  | { readonly api: "RemoveRaftVoter"; readonly message: RemoveRaftVoterResponse }
  | { readonly api: "UpdateRaftVoter"; readonly message: UpdateRaftVoterResponse }
  | { readonly api: "DescribeQuorum"; readonly message: DescribeQuorumResponse }
  | { readonly api: "ApiVersions"; readonly message: ApiVersionsResponse };

export type RaftApi = RaftRequest["api"];

/** Before version 15 the replica's id stands elsewhere in a fetch (KIP-903). To be called by whoever writes it. */
export function fetchRequestForVersion(request: FetchRequest, version: number): FetchRequest {
  if (version >= 15) return request;
  return { ...request, replicaId: request.replicaState.replicaId, replicaState: createFetchRequestReplicaState() };
}

function describeWithoutDirectories(message: DescribeQuorumResponse): DescribeQuorumResponse {
  const withoutDirectory = (replica: DescribeQuorumResponseReplicaState): DescribeQuorumResponseReplicaState => ({
    ...replica,
    replicaDirectoryId: ZERO_UUID,
  });
  const topics = message.topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) => ({
      ...partition,
      currentVoters: partition.currentVoters.map(withoutDirectory),
      observers: partition.observers.map(withoutDirectory),
    })),
  }));
  return { ...message, topics, nodes: [] };
}

/** Answers of older versions have no place for addresses (KIP-853). To be called by whoever writes them. */
export function responseForVersion(response: RaftResponse, version: number): RaftResponse {
  switch (response.api) {
    case "Fetch":
      return version >= 16 ? response : { api: "Fetch", message: { ...response.message, nodeEndpoints: [] } };
    case "Vote":
      return version >= 1 ? response : { api: "Vote", message: { ...response.message, nodeEndpoints: [] } };
    case "BeginQuorumEpoch":
      return version >= 1 ? response : { api: "BeginQuorumEpoch", message: { ...response.message, nodeEndpoints: [] } };
    case "EndQuorumEpoch":
      return version >= 1 ? response : { api: "EndQuorumEpoch", message: { ...response.message, nodeEndpoints: [] } };
    case "FetchSnapshot":
      return version >= 1 ? response : { api: "FetchSnapshot", message: { ...response.message, nodeEndpoints: [] } };
    case "DescribeQuorum":
      return version >= 2 ? response : { api: "DescribeQuorum", message: describeWithoutDirectories(response.message) };
    default:
      return response;
  }
}
