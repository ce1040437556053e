import type { LogConfig } from "@samsa/log";
import { defaultLogConfig } from "@samsa/log";
import type { TopicConfig } from "@samsa/metadata";

const COMPRESSION_TYPES: Readonly<Record<string, LogConfig["compressionType"]>> = {
  producer: "producer",
  uncompressed: "none",
  gzip: "gzip",
  snappy: "snappy",
  lz4: "lz4",
  zstd: "zstd",
};

/** The configuration of a log, from the effective configuration of its topic. */
export function logConfigOf(topic: TopicConfig): LogConfig {
  return defaultLogConfig({
    segmentBytes: topic.number("segment.bytes"),
    segmentMs: topic.number("segment.ms"),
    segmentJitterMs: topic.number("segment.jitter.ms"),
    segmentIndexBytes: topic.number("segment.index.bytes"),
    indexIntervalBytes: topic.number("index.interval.bytes"),
    maxMessageBytes: topic.number("max.message.bytes"),
    ...compressionOf(topic),
    messageTimestampType:
      topic.string("message.timestamp.type") === "LogAppendTime" ? "log-append-time" : "create-time",
    messageTimestampBeforeMaxMs: topic.number("message.timestamp.before.max.ms"),
    messageTimestampAfterMaxMs: topic.number("message.timestamp.after.max.ms"),
    cleanupPolicy: topic.list("cleanup.policy").filter((policy) => policy === "delete" || policy === "compact"),
    retentionMs: topic.number("retention.ms"),
    retentionBytes: topic.number("retention.bytes"),
    minCompactionLagMs: topic.number("min.compaction.lag.ms"),
    maxCompactionLagMs: topic.number("max.compaction.lag.ms"),
    minCleanableDirtyRatio: topic.number("min.cleanable.dirty.ratio"),
    deleteRetentionMs: topic.number("delete.retention.ms"),
    flushMessages: topic.number("flush.messages"),
    flushMs: topic.number("flush.ms"),
    fileDeleteDelayMs: topic.number("file.delete.delay.ms"),
  });
}

/** `compression.type` and the level that belongs to it. */
function compressionOf(topic: TopicConfig): Pick<LogConfig, "compressionType" | "compressionLevel"> {
  const compressionType = COMPRESSION_TYPES[topic.string("compression.type")] ?? "producer";
  const hasLevel = compressionType === "gzip" || compressionType === "lz4" || compressionType === "zstd";
  return {
    compressionType,
    compressionLevel: hasLevel ? topic.number(`compression.${compressionType}.level`) : undefined,
  };
}
