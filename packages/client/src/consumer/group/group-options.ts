import { ConfigurationError } from "../../errors.ts";
import { having } from "../../options.ts";
import type { PartitionAssignor, RebalanceProtocol } from "../assignors/partition-assignor.ts";
import { rangeAssignor } from "../assignors/range-assignor.ts";
import { roundRobinAssignor } from "../assignors/round-robin-assignor.ts";
import { cooperativeStickyAssignor, stickyAssignor } from "../assignors/sticky-assignor.ts";

export type GroupProtocol = "classic" | "consumer";

/** The options of a consumer that make it a member of a group; Kafka's names and defaults. */
export interface GroupOptions {
  /** Needed for `subscribe` and for commits. */
  readonly groupId?: string | undefined;
  /** Makes it a static member (KIP-345): it may go and come back within the session without a rebalance. */
  readonly groupInstanceId?: string | undefined;
  /**
   * "consumer" is KIP-848: the broker assigns. Default: that, where the broker has it and nothing is set that only "classic" knows
   * (`sessionTimeoutMs`, `heartbeatIntervalMs`, `partitionAssignmentStrategy`).
   */
  readonly groupProtocol?: GroupProtocol | undefined;
  /** The broker's assignor of the consumer protocol, "uniform" or "range". Default: the first of the broker's. */
  readonly groupRemoteAssignor?: string | undefined;
  /** For the classic protocol, by name or as an object of one's own. Default: range, cooperative-sticky. */
  readonly partitionAssignmentStrategy?: readonly (string | PartitionAssignor)[] | undefined;
  /** Without heartbeats for so long a member is expelled. Classic protocol; the broker decides in the other. Default 45000. */
  readonly sessionTimeoutMs?: number | undefined;
  /** Default 3000. */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How long a record, batch or handler may take before the group goes on without us. Default 300000. */
  readonly maxPollIntervalMs?: number;
  /** Whether what is completed is committed by itself: now and then, when partitions are given up, and at the end. Default true. */
  readonly enableAutoCommit?: boolean;
  /** Default 5000. */
  readonly autoCommitIntervalMs?: number;
  /** Whether subscribing to a topic that does not exist makes it, where the brokers do such things. Default true. */
  readonly allowAutoCreateTopics?: boolean;
  /** Whether a pattern leaves Kafka's own topics out. Default true. */
  readonly excludeInternalTopics?: boolean;
}

type Given = { readonly [Name in keyof GroupOptions]: GroupOptions[Name] | undefined };

const DEFAULT_SESSION_TIMEOUT_MS = 45_000;
const DEFAULT_HEARTBEAT_INTERVAL_MS = 3000;
const BUILT_IN: readonly PartitionAssignor[] = [
  rangeAssignor,
  roundRobinAssignor,
  stickyAssignor,
  cooperativeStickyAssignor,
];

/** What only the classic protocol knows; whoever sets one of these wants it. */
const CLASSIC_ONLY = ["sessionTimeoutMs", "heartbeatIntervalMs", "partitionAssignmentStrategy"] as const;

/** What has no meaning without a group. Who commits nothing, and says so, may read without one. */
const GROUP_ONLY = [
  "groupInstanceId",
  "groupProtocol",
  "groupRemoteAssignor",
  ...CLASSIC_ONLY,
] as const satisfies readonly (keyof GroupOptions)[];

/**
 * @param given the options as they were said, without the defaults
 * @throws ConfigurationError for what does not go together
 */
export function checkGroupOptions(options: Given, given: Given): void {
  const { groupId, groupProtocol } = options;
  const meaningless = GROUP_ONLY.find((name) => given[name] !== undefined);
  if (groupId === undefined && (meaningless !== undefined || given.enableAutoCommit === true)) {
    const option = meaningless ?? "enableAutoCommit";
    throw new ConfigurationError(`kafka.consumer(): ${option} has no meaning without groupId`);
  }
  const classicOnly = CLASSIC_ONLY.find((name) => options[name] !== undefined);
  if (groupProtocol === "consumer" && classicOnly !== undefined) {
    const reason = "the broker decides in the consumer protocol";
    throw new ConfigurationError(`kafka.consumer(): ${classicOnly} is for groupProtocol "classic"; ${reason}`);
  }
  if (options.groupRemoteAssignor !== undefined && (groupProtocol === "classic" || classicOnly !== undefined)) {
    throw new ConfigurationError('kafka.consumer(): groupRemoteAssignor is for groupProtocol "consumer"');
  }
  const sessionTimeoutMs = options.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? DEFAULT_HEARTBEAT_INTERVAL_MS;
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    throw new ConfigurationError("kafka.consumer(): heartbeatIntervalMs must be less than sessionTimeoutMs");
  }
  assignorsOf(options);
}

/** Undefined where the broker is to decide. */
export function wantedProtocol(options: Given): GroupProtocol | undefined {
  return options.groupProtocol ?? (CLASSIC_ONLY.some((name) => options[name] !== undefined) ? "classic" : undefined);
}

export function sessionOf(options: Given): { readonly sessionTimeoutMs: number; readonly heartbeatIntervalMs: number } {
  const { sessionTimeoutMs = DEFAULT_SESSION_TIMEOUT_MS, heartbeatIntervalMs = DEFAULT_HEARTBEAT_INTERVAL_MS } =
    options;
  return { sessionTimeoutMs, heartbeatIntervalMs };
}

/** @throws ConfigurationError for a name that is none, twice the same, or assignors that have no rebalance protocol in common */
export function assignorsOf({ partitionAssignmentStrategy }: Given): readonly PartitionAssignor[] {
  const chosen = partitionAssignmentStrategy ?? [rangeAssignor, cooperativeStickyAssignor];
  const assignors = chosen.map((one) => {
    if (typeof one !== "string") {
      const wanted = having("assign")(one);
      if (wanted === undefined) return one;
      throw new ConfigurationError(`kafka.consumer(): an assignor is a name or ${wanted}`);
    }
    const found = BUILT_IN.find(({ name }) => name === one);
    if (found !== undefined) return found;
    const names = BUILT_IN.map(({ name }) => name).join(", ");
    throw new ConfigurationError(`kafka.consumer(): there is no assignor ${JSON.stringify(one)}; there are ${names}`);
  });
  if (new Set(assignors.map(({ name }) => name)).size < assignors.length) {
    throw new ConfigurationError("kafka.consumer(): partitionAssignmentStrategy has two assignors of one name");
  }
  rebalanceProtocolOf(assignors);
  return assignors;
}

/** The first that the first assignor prefers and all have. @throws ConfigurationError */
export function rebalanceProtocolOf(assignors: readonly PartitionAssignor[]): RebalanceProtocol {
  const common = (assignors[0]?.rebalanceProtocols ?? []).filter((protocol) =>
    assignors.every(({ rebalanceProtocols }) => rebalanceProtocols.includes(protocol)),
  );
  if (common[0] !== undefined) return common.includes("cooperative") ? "cooperative" : common[0];
  const names = assignors.map(({ name }) => name).join(", ");
  throw new ConfigurationError(`kafka.consumer(): the assignors ${names} have no rebalance protocol in common`);
}
