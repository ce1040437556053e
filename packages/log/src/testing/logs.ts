import type { Clock, Disk } from "@samsa/base";
import { parseUuid } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import type { LogConfig } from "../log-config.ts";
import { defaultLogConfig } from "../log-config.ts";
import type { LoadLogOptions } from "../load-log.ts";
import { loadLog } from "../load-log.ts";
import type { UnifiedLog } from "../unified-log.ts";
import { ManualClock, SeededRandom } from "./ports.ts";

export const TOPIC_ID = parseUuid("GcnynczvRom65cq5HE6Fiw");
export const FOLDER = "/data/t-0";

/** Opens the log in `/data/t-0`, new unless the disk has it. */
export function openLog(
  options: Partial<Omit<LoadLogOptions, "config">> & { config?: Partial<LogConfig>; clock?: Clock; disk?: Disk } = {},
): Promise<UnifiedLog> {
  const clock = options.clock ?? new ManualClock();
  return loadLog({
    disk: options.disk ?? new MemoryDisk({ clock }),
    clock,
    random: new SeededRandom(),
    directory: FOLDER,
    topicPartition: { topic: "t", partition: 0 },
    topicId: TOPIC_ID,
    ...options,
    config: defaultLogConfig(options.config),
  });
}
