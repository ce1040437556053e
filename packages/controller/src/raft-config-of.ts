import type { BrokerConfig } from "@samsa/metadata";
import type { RaftConfig } from "@samsa/raft";

/** The keys `controller.quorum.*` that say how a quorum waits, retries and fetches. */
export function raftConfigOf(config: BrokerConfig): Partial<RaftConfig> {
  return {
    electionTimeoutMs: config.number("controller.quorum.election.timeout.ms"),
    electionBackoffMaxMs: config.number("controller.quorum.election.backoff.max.ms"),
    fetchTimeoutMs: config.number("controller.quorum.fetch.timeout.ms"),
    requestTimeoutMs: config.number("controller.quorum.request.timeout.ms"),
    retryBackoffMs: config.number("controller.quorum.retry.backoff.ms"),
    appendLingerMs: config.number("controller.quorum.append.linger.ms"),
    autoJoin: config.boolean("controller.quorum.auto.join.enable"),
    maxFetchBytes: config.number("controller.quorum.fetch.max.bytes"),
    maxSnapshotChunkBytes: config.number("controller.quorum.fetch.snapshot.max.bytes"),
  };
}
