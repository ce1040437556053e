import { ErrorCode } from "@samsa/base";
import type { RaftCore } from "../raft-core.ts";
import type { CommonResponse } from "./envelope.ts";
import { NOBODY } from "./envelope.ts";

/**
 * What an answer says of leader and epoch, before what it says of its subject (KafkaRaftClient.maybeHandleCommonResponse).
 * @returns "done" when there is nothing more to learn from it, "failed" when it should be asked again, "open" otherwise
 */
export function handleCommonResponse(core: RaftCore, response: CommonResponse): "done" | "failed" | "open" {
  const { errorCode, leaderEpoch, endpoint } = response;
  const leaderId = response.leaderId === NOBODY ? undefined : response.leaderId;
  if (leaderEpoch < core.epoch || errorCode === ErrorCode.UNKNOWN_LEADER_EPOCH) return "done";
  const isStale = errorCode === ErrorCode.FENCED_LEADER_EPOCH || errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER;
  if (leaderEpoch > core.epoch || isStale) {
    const before = core.quorum.state;
    core.maybeTransition(leaderId, leaderEpoch, endpoint);
    return core.quorum.state === before && isStale ? "failed" : "done";
  }
  const isFollowing = core.quorum.leaderId !== undefined && core.quorum.state.kind !== "unattached";
  const isNews = leaderId !== undefined && leaderId !== core.localKey.id && !isFollowing;
  if (isNews) {
    core.maybeTransition(leaderId, leaderEpoch, endpoint);
    // A follower by this very answer takes in what else it says.
    return errorCode === ErrorCode.NONE ? "open" : "done";
  }
  return errorCode === ErrorCode.BROKER_NOT_AVAILABLE ? "failed" : "open";
}
