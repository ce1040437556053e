import type { ConfigDefinition } from "../config-definition.ts";
import { boolean, int, list, long, string } from "../config-definition.ts";
import type { ConfigValidator } from "../config-validator.ts";
import { atLeast, listOf, oneOf } from "../config-validator.ts";
import { invalidValue } from "../invalid-config-error.ts";

const DURATION = /^by_duration:P(?=\d|T\d)(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,9})?S)?)?$/i;

/** Where a share group begins: an end of the log, or so long before now. */
const offsetReset: ConfigValidator = {
  valid: "[latest, earliest, by_duration:PnDTnHnMn.nS]",
  check(key, value) {
    if (value === "latest" || value === "earliest" || DURATION.test(String(value))) return;
    throw invalidValue(key, value, "Invalid value for share.auto.offset.reset");
  },
};
const INTERNAL = { isInternal: true };

/** What single groups may have otherwise than the broker says. Unless set, a key `x` is the broker's `group.x`. */
export const GROUP_RESOURCE_CONFIGS: readonly ConfigDefinition[] = [
  int("consumer.session.timeout.ms", 45_000, "medium", "Silence after which a member is taken for dead.", atLeast(1)),
  int("consumer.heartbeat.interval.ms", 5000, "medium", "How often a member is to be heard of.", atLeast(1)),
  int("consumer.assignment.interval.ms", 1000, "medium", "Least time between two assignments.", atLeast(0)),
  boolean("consumer.assignor.offload.enable", true, "medium", "Assigns apart from requests.", undefined, INTERNAL),
  int("share.session.timeout.ms", 45_000, "medium", "Silence after which a member is taken for dead.", atLeast(1)),
  int("share.heartbeat.interval.ms", 5000, "medium", "How often a member is to be heard of.", atLeast(1)),
  int("share.assignment.interval.ms", 1000, "medium", "Least time between two assignments.", atLeast(0)),
  boolean("share.assignor.offload.enable", true, "medium", "Assigns apart from requests.", undefined, INTERNAL),
  int("share.record.lock.duration.ms", 30_000, "medium", "Time for which a record is one member's.", atLeast(1000)),
  int("share.delivery.count.limit", 5, "medium", "How often a record is handed out at most.", atLeast(2)),
  int("share.partition.max.record.locks", 2000, "medium", "Records of a partition under way at most.", atLeast(100)),
  boolean("share.renew.acknowledge.enable", true, "medium", "Whether a member may keep a record for longer."),
  string("share.auto.offset.reset", "latest", "medium", "Where a new group begins.", offsetReset),
  string(
    "share.isolation.level",
    "read_uncommitted",
    "medium",
    "Whether records of open and aborted transactions are handed out.",
    oneOf("read_committed", "read_uncommitted"),
  ),
  boolean("errors.deadletterqueue.copy.record.enable", false, "medium", "Whether rejected records are copied whole."),
  string("errors.deadletterqueue.topic.name", "", "medium", "Where rejected records go; nowhere unless set."),
  int("streams.session.timeout.ms", 45_000, "medium", "Silence after which a member is taken for dead.", atLeast(1)),
  int("streams.heartbeat.interval.ms", 5000, "medium", "How often a member is to be heard of.", atLeast(1)),
  int("streams.assignment.interval.ms", 1000, "medium", "Least time between two assignments.", atLeast(0)),
  boolean("streams.assignor.offload.enable", true, "medium", "Assigns apart from requests.", undefined, INTERNAL),
  string("streams.assignor.name", null, "medium", "How tasks are spread."),
  int("streams.initial.rebalance.delay.ms", 3000, "medium", "How long a new group waits for members.", atLeast(0)),
  int("streams.num.standby.replicas", 0, "medium", "Copies of each state beside the one in use.", atLeast(0)),
  int("streams.num.warmup.replicas", 2, "medium", "Copies that may catch up at a time.", atLeast(0), INTERNAL),
  long("streams.acceptable.recovery.lag", 10_000, "medium", "How far behind a copy may be.", atLeast(0), INTERNAL),
  int("streams.task.offset.interval.ms", 60_000, "medium", "How often members tell offsets.", atLeast(1), INTERNAL),
  list(
    "streams.rack.aware.assignment.tags",
    [],
    "low",
    "Tags that standbys shall differ in.",
    listOf({ mayBeEmpty: true }),
  ),
];
