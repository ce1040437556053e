import type { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import type { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import type { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import type { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import type { BeginQuorumEpochRequest } from "@samsa/protocol/messages/begin-quorum-epoch-request";
import type { BeginQuorumEpochResponse } from "@samsa/protocol/messages/begin-quorum-epoch-response";
import type { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import type { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import type { EndQuorumEpochRequest } from "@samsa/protocol/messages/end-quorum-epoch-request";
import type { EndQuorumEpochResponse } from "@samsa/protocol/messages/end-quorum-epoch-response";
import type { FetchRequest } from "@samsa/protocol/messages/fetch-request";
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
