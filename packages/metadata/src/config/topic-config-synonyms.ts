/** A broker's key that gives a topic's key its default, and the milliseconds in one unit of it. */
export interface TopicConfigSynonym {
  readonly name: string;
  readonly unitMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The first that is set counts. */
const SYNONYMS: readonly (readonly [string, readonly (string | TopicConfigSynonym)[]])[] = [
  ["cleanup.policy", ["log.cleanup.policy"]],
  ["compression.gzip.level", ["compression.gzip.level"]],
  ["compression.lz4.level", ["compression.lz4.level"]],
  ["compression.type", ["compression.type"]],
  ["compression.zstd.level", ["compression.zstd.level"]],
  ["delete.retention.ms", ["log.cleaner.delete.retention.ms"]],
  ["file.delete.delay.ms", ["log.segment.delete.delay.ms"]],
  ["flush.messages", ["log.flush.interval.messages"]],
  ["flush.ms", ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]],
  ["index.interval.bytes", ["log.index.interval.bytes"]],
  ["local.retention.bytes", ["log.local.retention.bytes"]],
  ["local.retention.ms", ["log.local.retention.ms"]],
  ["max.compaction.lag.ms", ["log.cleaner.max.compaction.lag.ms"]],
  ["max.decompressed.message.bytes", ["max.decompressed.message.bytes"]],
  ["max.message.bytes", ["message.max.bytes"]],
  ["message.timestamp.after.max.ms", ["log.message.timestamp.after.max.ms"]],
  ["message.timestamp.before.max.ms", ["log.message.timestamp.before.max.ms"]],
  ["message.timestamp.type", ["log.message.timestamp.type"]],
  ["min.cleanable.dirty.ratio", ["log.cleaner.min.cleanable.ratio"]],
  ["min.compaction.lag.ms", ["log.cleaner.min.compaction.lag.ms"]],
  ["min.insync.replicas", ["min.insync.replicas"]],
  ["preallocate", ["log.preallocate"]],
  ["remote.copy.lag.bytes", ["log.remote.copy.lag.bytes"]],
  ["remote.copy.lag.ms", ["log.remote.copy.lag.ms"]],
  ["retention.bytes", ["log.retention.bytes"]],
  [
    "retention.ms",
    [
      "log.retention.ms",
      { name: "log.retention.minutes", unitMs: MINUTE_MS },
      { name: "log.retention.hours", unitMs: HOUR_MS },
    ],
  ],
  ["segment.bytes", ["log.segment.bytes"]],
  ["segment.index.bytes", ["log.index.size.max.bytes"]],
  ["segment.jitter.ms", ["log.roll.jitter.ms", { name: "log.roll.jitter.hours", unitMs: HOUR_MS }]],
  ["segment.ms", ["log.roll.ms", { name: "log.roll.hours", unitMs: HOUR_MS }]],
  ["unclean.leader.election.enable", ["unclean.leader.election.enable"]],
];

/** By topic key. Keys that are missing here have their default from the topic's own definition. */
export const TOPIC_CONFIG_SYNONYMS: ReadonlyMap<string, readonly TopicConfigSynonym[]> = new Map(
  SYNONYMS.map(([topicKey, synonyms]) => [
    topicKey,
    synonyms.map((synonym) => (typeof synonym === "string" ? { name: synonym, unitMs: 1 } : synonym)),
  ]),
);
