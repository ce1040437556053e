import type { ConfigDefinition } from "../config-definition.ts";
import { boolean, int, long, string } from "../config-definition.ts";
import { atLeast } from "../config-validator.ts";

/** Replicas, leaders and followers. */
export const REPLICATION_CONFIGS: readonly ConfigDefinition[] = [
  int(
    "min.insync.replicas",
    1,
    "high",
    "In-sync replicas that must hold a record before it counts as written, when the producer asks for all.",
    atLeast(1),
  ),
  boolean(
    "unclean.leader.election.enable",
    false,
    "high",
    "Whether a replica that is not in sync may lead when no other can, at the cost of records.",
  ),
  long(
    "unclean.leader.election.interval.ms",
    300_000,
    "medium",
    "Time between two looks for partitions that need an unclean election.",
    atLeast(1),
    { isInternal: true },
  ),
  boolean(
    "auto.leader.rebalance.enable",
    true,
    "high",
    "Whether leaders move back to their preferred replicas by themselves.",
  ),
  long(
    "leader.imbalance.check.interval.seconds",
    300,
    "high",
    "Time between two looks for leaders that are not on their preferred replicas.",
    atLeast(1),
  ),
  int("num.replica.fetchers", 1, "high", "Fetchers for each broker that records are replicated from.", atLeast(1)),
  int(
    "num.replica.alter.log.dirs.threads",
    null,
    "high",
    "Threads that move replicas between directories; as many as directories unless set.",
  ),
  long(
    "replica.lag.time.max.ms",
    30_000,
    "high",
    "Time after which a follower that has not caught up leaves the in-sync replicas.",
  ),
  int("replica.fetch.min.bytes", 1, "high", "Least bytes that a follower's fetch waits for."),
  int(
    "replica.fetch.max.bytes",
    1_048_576,
    "medium",
    "Most bytes that a follower asks for of one partition.",
    atLeast(0),
  ),
  int(
    "replica.fetch.response.max.bytes",
    10_485_760,
    "medium",
    "Most bytes that a follower asks for in one fetch.",
    atLeast(0),
  ),
  int("replica.fetch.wait.max.ms", 500, "high", "Longest time that a follower's fetch waits."),
  int("replica.fetch.backoff.ms", 1000, "medium", "Time that a follower waits after a fetch that failed.", atLeast(0)),
  int("replica.socket.timeout.ms", 30_000, "high", "Time that a follower waits for the answer to a fetch."),
  int("replica.socket.receive.buffer.bytes", 65_536, "high", "Receive buffer of a follower's sockets."),
  long(
    "replica.high.watermark.checkpoint.interval.ms",
    5000,
    "high",
    "Time between two writings of the high watermarks.",
  ),
  string(
    "replica.selector.class",
    null,
    "medium",
    "Class that chooses the replica a consumer fetches from; the leader unless set.",
  ),
  boolean(
    "follower.fetch.last.tiered.offset.enable",
    false,
    "medium",
    "Whether an empty follower begins at the end of the tiered log instead of its start.",
  ),
];
