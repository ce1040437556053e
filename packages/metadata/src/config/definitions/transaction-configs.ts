import type { ConfigDefinition } from "../config-definition.ts";
import { boolean, int, short } from "../config-definition.ts";
import { atLeast } from "../config-validator.ts";

/** Transactions. */
export const TRANSACTION_CONFIGS: readonly ConfigDefinition[] = [
  int(
    "transaction.max.timeout.ms",
    900_000,
    "high",
    "Longest transaction timeout that a producer may ask for.",
    atLeast(1),
  ),
  int(
    "transaction.state.log.num.partitions",
    50,
    "high",
    "Partitions of the transaction topic. It may not change once the topic exists.",
    atLeast(1),
  ),
  short(
    "transaction.state.log.replication.factor",
    3,
    "high",
    "Replicas of the transaction topic. The topic is not created before that many brokers are there.",
    atLeast(1),
  ),
  int(
    "transaction.state.log.min.isr",
    2,
    "high",
    "In-sync replicas that a write of the transaction topic needs.",
    atLeast(1),
  ),
  int(
    "transaction.state.log.segment.bytes",
    104_857_600,
    "high",
    "Size of a segment of the transaction topic.",
    atLeast(1),
  ),
  int(
    "transaction.state.log.load.buffer.size",
    5_242_880,
    "high",
    "Bytes read at a time while transactions are loaded.",
    atLeast(1),
  ),
  int(
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    10_000,
    "low",
    "Time between two looks for transactions that took too long.",
    atLeast(1),
  ),
  int(
    "transaction.remove.expired.transaction.cleanup.interval.ms",
    3_600_000,
    "low",
    "Time between two looks for transactional ids to forget.",
    atLeast(1),
  ),
  boolean(
    "transaction.partition.verification.enable",
    true,
    "low",
    "Whether a partition asks the coordinator whether a transaction is open before it takes the first record.",
  ),
  boolean(
    "transaction.two.phase.commit.enable",
    false,
    "low",
    "Whether a transaction may be prepared and left to another system to finish.",
  ),
  int(
    "transactional.id.expiration.ms",
    604_800_000,
    "high",
    "Time without a transaction after which a transactional id is forgotten.",
    atLeast(1),
  ),
  int(
    "add.partitions.to.txn.retry.backoff.ms",
    20,
    "high",
    "Pause before a broker asks again to verify or add a partition of a transaction.",
    atLeast(1),
  ),
  int(
    "add.partitions.to.txn.retry.backoff.max.ms",
    100,
    "high",
    "Longest pause before a broker asks again to verify or add a partition of a transaction.",
    atLeast(0),
  ),
];
