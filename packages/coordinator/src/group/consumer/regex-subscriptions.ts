import type { Step } from "../../runtime/coordinator-shard.ts";
import type { GroupConfig } from "../group-config.ts";
import type { Groups } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import type { GroupTopics } from "../group-topics.ts";
import type { ConsumerGroup, ResolvedRegex } from "./consumer-group.ts";
import type { ConsumerGroupMember } from "./consumer-group-member.ts";
import { groupEpochRecord, regexRecord, regexTombstone } from "./consumer-group-records.ts";
import { metadataHash } from "./metadata-hash.ts";
import { TopicRegex } from "./topic-regex.ts";
import { TopicRegexScan } from "./topic-regex-resolver.ts";

type GroupStep = Step<GroupRecord>;

export interface RegexUpdate {
  /** The member has another regular expression, or none any more. */
  readonly isUpdated: boolean;
  /** What the group reads may be something else now. */
  readonly mustBump: boolean;
  /** All that have been looked up, among them what this step has found. */
  readonly resolved: ReadonlyMap<string, ResolvedRegex>;
}

/** How often a group may have its regular expressions looked at because there are new topics. */
const MIN_REFRESH_INTERVAL_MS = 10_000;

/**
 * Which topics the regular expressions of a group mean. They are looked up when one is new, when there are other topics, and now
 * and then. Few topics are looked through at once; many in parts, with other work in between, and the group moves on at the end.
 */
export class RegexSubscriptions {
  readonly #config: GroupConfig;
  readonly #groups: Groups;
  readonly #topics: () => GroupTopics;

  constructor(options: { readonly config: GroupConfig; readonly groups: Groups; readonly topics: () => GroupTopics }) {
    this.#config = options.config;
    this.#groups = options.groups;
    this.#topics = options.topics;
  }

  /** @throws KafkaError INVALID_REGULAR_EXPRESSION */
  update(
    step: GroupStep,
    group: ConsumerGroup,
    { subscribedTopicRegex: old }: ConsumerGroupMember,
    { subscribedTopicRegex: regex }: ConsumerGroupMember,
    records: GroupRecord[],
  ): RegexUpdate {
    const isUpdated = old !== regex;
    const isNew = isUpdated && regex !== "" && group.regexCount(regex) === 0;
    if (isNew) void new TopicRegex(regex); // refuses what cannot be read
    const isLastOfOld = isUpdated && old !== "" && group.regexCount(old) === 1;
    if (isLastOfOld) records.push(regexTombstone(group.groupId, old));
    const patterns = new Set(group.subscribedRegexes);
    if (isLastOfOld) patterns.delete(old);
    if (regex !== "") patterns.add(regex);
    const found = this.#lookUp(step, group, patterns, isNew);
    const resolved = new Map([...group.resolvedRegexes, ...found]);
    let mustBump = isUpdated && (regex === "" || resolved.has(regex));
    for (const [pattern, result] of found) {
      mustBump ||= !isSameSet(group.resolvedRegexes.get(pattern)?.topics, result.topics);
      records.push(regexRecord(group.groupId, pattern, result));
    }
    return { isUpdated, mustBump, resolved };
  }

  #lookUp(
    step: GroupStep,
    group: ConsumerGroup,
    patterns: ReadonlySet<string>,
    isNew: boolean,
  ): ReadonlyMap<string, ResolvedRegex> {
    const nothing = new Map<string, ResolvedRegex>();
    if (patterns.size === 0 || group.isResolvingRegexes) return nothing;
    const sinceMs = step.nowMs - group.regexRefreshTimeMs;
    const isDue =
      (group.areRegexesStale && sinceMs >= MIN_REFRESH_INTERVAL_MS) ||
      sinceMs > this.#config.consumerRegexRefreshIntervalMs ||
      sinceMs < 0;
    if (!isNew && !isDue) return nothing;
    const { names, version } = this.#topics();
    group.regexRefreshTimeMs = step.nowMs;
    group.areRegexesStale = false;
    const scan = new TopicRegexScan(patterns, names);
    scan.run();
    if (scan.isDone) return resolvedBy(scan, version, step.nowMs);
    group.isResolvingRegexes = true;
    this.#goOn(step, group.groupId, scan, version);
    return nothing;
  }

  #goOn(step: GroupStep, groupId: string, scan: TopicRegexScan, version: number): void {
    step.setTimer(`consumer-regex/${groupId}`, 0, (later) => {
      scan.run();
      if (!scan.isDone) return this.#goOn(later, groupId, scan, version);
      const group = this.#groups.get(groupId);
      if (group?.type === "consumer") this.#apply(later, group, resolvedBy(scan, version, later.nowMs));
    });
  }

  #apply(step: GroupStep, group: ConsumerGroup, found: ReadonlyMap<string, ResolvedRegex>): void {
    group.isResolvingRegexes = false;
    group.regexRefreshTimeMs = step.nowMs;
    const { groupId } = group;
    const records: GroupRecord[] = [];
    let mustBump = false;
    for (const [pattern, result] of found) {
      if (group.regexCount(pattern) === 0) continue; // nobody wants it any more
      mustBump ||= !isSameSet(group.resolvedRegexes.get(pattern)?.topics, result.topics);
      records.push(regexRecord(groupId, pattern, result));
    }
    const hash = metadataHash(group.subscribedTopics({ regexes: found }), this.#topics());
    if (mustBump || hash !== group.metadataHash) records.push(groupEpochRecord(groupId, group.groupEpoch + 1, hash));
    step.append(records);
  }
}

function resolvedBy({ topics }: TopicRegexScan, version: number, timestampMs: number): Map<string, ResolvedRegex> {
  return new Map(Array.from(topics, ([pattern, names]) => [pattern, { topics: names, version, timestampMs }]));
}

function isSameSet(a: ReadonlySet<string> | undefined, b: ReadonlySet<string>): boolean {
  return a !== undefined && a.size === b.size && [...a].every((each) => b.has(each));
}
