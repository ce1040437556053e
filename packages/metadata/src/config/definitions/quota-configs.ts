import type { ConfigDefinition } from "../config-definition.ts";
import { className, int } from "../config-definition.ts";
import { atLeast } from "../config-validator.ts";

/** The windows over which quotas are measured. */
export const QUOTA_CONFIGS: readonly ConfigDefinition[] = [
  int("quota.window.num", 11, "low", "Samples kept to measure the quotas of clients.", atLeast(1)),
  int("quota.window.size.seconds", 1, "low", "Length of one sample of the quotas of clients.", atLeast(1)),
  className("client.quota.callback.class", null, "low", "Class that decides the quotas of clients."),
  int(
    "controller.quota.window.num",
    11,
    "low",
    "Samples kept to measure the quota of controller mutations.",
    atLeast(1),
  ),
  int(
    "controller.quota.window.size.seconds",
    1,
    "low",
    "Length of one sample of the quota of controller mutations.",
    atLeast(1),
  ),
  int("replication.quota.window.num", 11, "low", "Samples kept to measure the quota of replication.", atLeast(1)),
  int(
    "replication.quota.window.size.seconds",
    1,
    "low",
    "Length of one sample of the quota of replication.",
    atLeast(1),
  ),
  int(
    "alter.log.dirs.replication.quota.window.num",
    11,
    "low",
    "Samples kept to measure the quota of moves between directories.",
    atLeast(1),
  ),
  int(
    "alter.log.dirs.replication.quota.window.size.seconds",
    1,
    "low",
    "Length of one sample of the quota of moves between directories.",
    atLeast(1),
  ),
];
