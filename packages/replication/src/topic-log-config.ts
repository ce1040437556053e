import type { LogConfig } from "@samsa/log";
import { defaultLogConfig } from "@samsa/log";
import type { TopicConfig } from "@samsa/metadata";

/** The configuration of a log, from the effective configuration of its topic. */
export function logConfigOf(topic: TopicConfig): LogConfig {
  return defaultLogConfig({
    segmentBytes: topic.int("segment.bytes"),
    segmentMs: topic.int("segment.ms"),
    segmentJitterMs: topic.int("segment.jitter.ms"),
    segmentIndexBytes: topic.int("segment.index.bytes"),
    indexIntervalBytes: topic.int("index.interval.bytes"),
    maxMessageBytes: topic.int("max.message.bytes"),
    messageTimestampType: topic.string("message.timestamp.type") === "LogAppendTime" ? "log-append-time" : "create-time",
    messageTimestampBeforeMaxMs: topic.int("message.timestamp.before.max.ms"),
    messageTimestampAfterMaxMs: topic.int("message.timestamp.after.max.ms"),
    cleanupPolicy: topic.list("cleanup.policy").filter((policy) => policy === "delete" || policy === "compact"),
    flushMessages: topic.int("flush.messages"),
    flushMs: topic.int("flush.ms"),
    retentionMs: topic.int("retention.ms"),
    retentionBytes: topic.int("retention.bytes"),
    fileDeleteDelayMs: topic.int("file.delete.delay.ms"),
  });
}
