import type { LogCleanerConfig } from "@samsa/log";
import type { EffectiveBrokerConfig } from "@samsa/metadata";

/** What a broker's configuration, as it counts now, says to its log cleaner. */
export function logCleanerConfigOf(broker: EffectiveBrokerConfig): LogCleanerConfig {
  return {
    isEnabled: broker.boolean("log.cleaner.enable"),
    threads: broker.number("log.cleaner.threads"),
    backoffMs: broker.number("log.cleaner.backoff.ms"),
    dedupeBufferBytes: broker.number("log.cleaner.dedupe.buffer.size"),
    dedupeBufferLoadFactor: broker.number("log.cleaner.io.buffer.load.factor"),
    ioBufferBytes: broker.number("log.cleaner.io.buffer.size"),
    ioMaxBytesPerSecond: broker.number("log.cleaner.io.max.bytes.per.second"),
  };
}
