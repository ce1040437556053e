import type { Endpoint } from "./voter-set.ts";

/** How a quorum waits and retries: `controller.quorum.*` of Kafka 4.4, with its defaults. Milliseconds. */
export interface RaftConfig {
  /** `controller.quorum.election.timeout.ms`: a voter that hears of no leader stands for election after this, or up to twice that. */
  readonly electionTimeoutMs: number;
  /** `controller.quorum.fetch.timeout.ms`: a follower without an answer, or a leader without fetches of a majority, gives up. */
  readonly fetchTimeoutMs: number;
  /** `controller.quorum.election.backoff.max.ms` */
  readonly electionBackoffMaxMs: number;
  /** `controller.quorum.request.timeout.ms` */
  readonly requestTimeoutMs: number;
  /** `controller.quorum.retry.backoff.ms` */
  readonly retryBackoffMs: number;
  /** `controller.quorum.append.linger.ms`: so long the leader waits for more records before it writes a batch. */
  readonly appendLingerMs: number;
  /** `controller.quorum.auto.join.enable` (KIP-1186): a controller that is no voter asks to become one. */
  readonly autoJoin: boolean;
  /** `controller.quorum.bootstrap.servers`: asked for the leader by who knows no voters. */
  readonly bootstrapServers: readonly Pick<Endpoint, "host" | "port">[];
  /** How long the leader may hold a fetch that brings nothing. */
  readonly maxFetchWaitMs: number;
  /** Bytes of records in an answer; a batch larger than that comes alone. */
  readonly maxFetchBytes: number;
  /** The largest batch that the leader writes. */
  readonly maxBatchBytes: number;
  /** Bytes of records that may wait for a batch or for the disk; more is refused. */
  readonly maxUnwrittenBytes: number;
  /** Bytes of a snapshot in an answer. */
  readonly maxSnapshotChunkBytes: number;
  /** Fetches that may wait at the leader; the oldest is answered when there is one more. */
  readonly maxPendingFetches: number;
}

export const DEFAULT_RAFT_CONFIG: RaftConfig = {
  electionTimeoutMs: 1000,
  fetchTimeoutMs: 2000,
  electionBackoffMaxMs: 1000,
  requestTimeoutMs: 2000,
  retryBackoffMs: 20,
  appendLingerMs: 25,
  autoJoin: false,
  bootstrapServers: [],
  maxFetchWaitMs: 500,
  maxFetchBytes: 8 * 1024 ** 2,
  maxBatchBytes: 8 * 1024 ** 2,
  maxUnwrittenBytes: 128 * 1024 ** 2,
  maxSnapshotChunkBytes: 8 * 1024 ** 2,
  maxPendingFetches: 1000,
};
