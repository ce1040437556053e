import { ByteReader, ByteWriter, KafkaError } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { BeginQuorumEpochRequest } from "@samsa/protocol/messages/begin-quorum-epoch-request";
import { BeginQuorumEpochResponse } from "@samsa/protocol/messages/begin-quorum-epoch-response";
import { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import { EndQuorumEpochRequest } from "@samsa/protocol/messages/end-quorum-epoch-request";
import { EndQuorumEpochResponse } from "@samsa/protocol/messages/end-quorum-epoch-response";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { FetchSnapshotRequest } from "@samsa/protocol/messages/fetch-snapshot-request";
import { FetchSnapshotResponse } from "@samsa/protocol/messages/fetch-snapshot-response";
import { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import { UpdateRaftVoterRequest } from "@samsa/protocol/messages/update-raft-voter-request";
import { UpdateRaftVoterResponse } from "@samsa/protocol/messages/update-raft-voter-response";
import { VoteRequest } from "@samsa/protocol/messages/vote-request";
import { VoteResponse } from "@samsa/protocol/messages/vote-response";
import type { RaftApi, RaftRequest, RaftResponse } from "@samsa/raft";
import { fetchRequestForVersion, responseForVersion } from "@samsa/raft";

/** As old as the peers of a simulated quorum may be: `latest`, or the oldest that KRaft of this kraft.version can speak. */
export type WireVersions = "none" | "latest" | "oldest";

const OLDEST: Readonly<Record<RaftApi, number>> = {
  Vote: 0,
  BeginQuorumEpoch: 0,
  EndQuorumEpoch: 0,
  Fetch: 12,
  FetchSnapshot: 0,
  AddRaftVoter: 0,
  RemoveRaftVoter: 0,
  UpdateRaftVoter: 0,
  DescribeQuorum: 0,
  ApiVersions: 3,
};

function versionOf(api: RaftApi, codec: { readonly highestVersion: number }, versions: WireVersions): number {
  return versions === "oldest" ? OLDEST[api] : codec.highestVersion;
}

/** The request as the other side reads it; undefined when it has no way to be said in that version. */
export function requestThroughWire(request: RaftRequest, versions: WireVersions): RaftRequest | undefined {
  if (versions === "none") return request;
  try {
    switch (request.api) {
      case "Vote":
        return { api: request.api, message: pass(VoteRequest, request, versions) };
      case "BeginQuorumEpoch":
        return { api: request.api, message: pass(BeginQuorumEpochRequest, request, versions) };
      case "EndQuorumEpoch":
        return { api: request.api, message: pass(EndQuorumEpochRequest, request, versions) };
      case "Fetch":
        return { api: request.api, message: pass(FetchRequest, oldFetch(request, versions), versions) };
      case "FetchSnapshot":
        return { api: request.api, message: pass(FetchSnapshotRequest, request, versions) };
      case "AddRaftVoter":
        return { api: request.api, message: pass(AddRaftVoterRequest, request, "latest") };
      case "RemoveRaftVoter":
        return { api: request.api, message: pass(RemoveRaftVoterRequest, request, "latest") };
      case "UpdateRaftVoter":
        return { api: request.api, message: pass(UpdateRaftVoterRequest, request, "latest") };
      case "DescribeQuorum":
        return { api: request.api, message: pass(DescribeQuorumRequest, request, versions) };
      case "ApiVersions":
        return { api: request.api, message: pass(ApiVersionsRequest, request, "latest") };
    }
  } catch (error) {
    if (error instanceof KafkaError && error.codeName === "UNSUPPORTED_VERSION") return undefined;
    throw error;
  }
}

export function responseThroughWire(said: RaftResponse, versions: WireVersions): RaftResponse {
  if (versions === "none") return said;
  const response = versions === "oldest" ? responseForVersion(said, OLDEST[said.api]) : said;
  switch (response.api) {
    case "Vote":
      return { api: response.api, message: pass(VoteResponse, response, versions) };
    case "BeginQuorumEpoch":
      return { api: response.api, message: pass(BeginQuorumEpochResponse, response, versions) };
    case "EndQuorumEpoch":
      return { api: response.api, message: pass(EndQuorumEpochResponse, response, versions) };
    case "Fetch":
      return { api: response.api, message: pass(FetchResponse, response, versions) };
    case "FetchSnapshot":
      return { api: response.api, message: pass(FetchSnapshotResponse, response, versions) };
    case "AddRaftVoter":
      return { api: response.api, message: pass(AddRaftVoterResponse, response, "latest") };
    case "RemoveRaftVoter":
      return { api: response.api, message: pass(RemoveRaftVoterResponse, response, "latest") };
    case "UpdateRaftVoter":
      return { api: response.api, message: pass(UpdateRaftVoterResponse, response, "latest") };
    case "DescribeQuorum":
      return { api: response.api, message: pass(DescribeQuorumResponse, response, versions) };
    case "ApiVersions":
      return { api: response.api, message: pass(ApiVersionsResponse, response, "latest") };
  }
}

function oldFetch(request: RaftRequest & { api: "Fetch" }, versions: WireVersions): RaftRequest & { api: "Fetch" } {
  const version = versionOf("Fetch", FetchRequest, versions);
  return { api: "Fetch", message: fetchRequestForVersion(request.message, version) };
}

function pass<T>(
  codec: ApiMessageCodec<T>,
  said: { readonly api: RaftApi; readonly message: T },
  versions: WireVersions,
): T {
  const version = versionOf(said.api, codec, versions);
  const writer = new ByteWriter(256);
  codec.write(writer, said.message, version);
  return codec.read(new ByteReader(writer.toBytes()), version);
}
