import type { Anomaly } from "./anomaly.ts";
import type { History, OffsetCommitted, Owned } from "./history.ts";

interface OfGroup {
  readonly group: string;
  readonly log: string;
}

/**
 * A fetched offset is never less than one whose commit was acknowledged before. For workloads whose commits only go forward.
 */
export function offsetRegressions(history: History): Anomaly[] {
  const acknowledged = commits(history).filter(({ outcome }) => outcome === "ok");
  return history.flatMap((event): Anomaly[] => {
    if (event.kind !== "offset-fetched") return [];
    const committed = acknowledged.filter((commit) => sameLog(commit, event) && commit.end < event.begin);
    const highest = Math.max(-1, ...committed.map(({ offset }) => offset));
    if (event.offset >= highest) return [];
    const detail = `${event.group} was told ${event.offset} after ${highest} had been committed`;
    return [{ kind: "offset-regression", log: event.log, values: [], detail }];
  });
}

/** A commit was accepted from a member that had lost the log to a later epoch. */
export function fencedCommits(history: History): Anomaly[] {
  const owners = ownerships(history);
  return commits(history)
    .filter(({ outcome }) => outcome === "ok")
    .flatMap((commit): Anomaly[] => {
      const later = owners.find(
        (owned) =>
          sameLog(owned, commit) &&
          owned.member !== commit.member &&
          owned.epoch > commit.epoch &&
          owned.from < commit.begin,
      );
      if (later === undefined) return [];
      const detail = `${commit.member} committed in epoch ${commit.epoch}, while ${later.member} owned in ${later.epoch}`;
      return [{ kind: "fenced-commit", log: commit.log, values: [], detail }];
    });
}

/** Two members owned a log at the same time in the same epoch. */
export function twoOwners(history: History): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const until = new Map<string, Owned>(); // by group, log and epoch: who owns longest of those that began already
  for (const owned of ownerships(history).sort((one, other) => one.from - other.from)) {
    const of = `${owned.group} ${owned.log} ${owned.epoch}`;
    const before = until.get(of);
    if (before !== undefined && before.member !== owned.member && owned.from < before.until) {
      const detail = `${before.member} and ${owned.member} both owned in epoch ${owned.epoch} of ${owned.group}`;
      anomalies.push({ kind: "two-owners", log: owned.log, values: [], detail });
    }
    if (before === undefined || before.until < owned.until) until.set(of, owned);
  }
  return anomalies;
}

function sameLog(one: OfGroup, other: OfGroup): boolean {
  return one.group === other.group && one.log === other.log;
}

function commits(history: History): OffsetCommitted[] {
  return history.filter((event) => event.kind === "offset-committed");
}

function ownerships(history: History): Owned[] {
  return history.filter((event) => event.kind === "owned");
}
