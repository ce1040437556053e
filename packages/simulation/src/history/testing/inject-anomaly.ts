import type { AnomalyKind } from "../anomaly.ts";
import { isOperation, recordsPolledBy, sendsOf } from "../history.ts";
import type { History, Operation, PolledRecord } from "../history.ts";
import { withOperation } from "./clean-history.ts";

type Injection = (history: History) => History | undefined; // undefined: there is nothing to do it to

/** For each anomaly, the history with it. */
export const INJECTIONS: Partial<Record<AnomalyKind, Injection>> = {
  "inconsistent-offsets": (history) =>
    changePolled(history, ([first, ...rest]) => first && [{ ...first, value: "another" }, ...rest]),
  duplicate: (history) =>
    changePolled(history, ([first, ...rest]) => first && [first, { ...first, offset: first.offset + 0.5 }, ...rest]),
  "lost-write": (history) => {
    const acknowledged = operations(history).filter(({ outcome }) => outcome === "ok");
    const lost = acknowledged.flatMap(sendsOf).find(({ log, offset = Infinity }) => offset < lastPolled(history, log));
    return lost && withoutPolled(history, lost.value);
  },
  unseen: (history) => {
    const last = operations(history).filter(({ outcome, transactional }) => outcome === "ok" && !transactional);
    const send = last.flatMap(sendsOf).at(-1);
    return send && withoutPolled(withoutOffset(history, send.value), send.value);
  },
  "torn-transaction": (history) => {
    const torn = transactions(history).find((operation) => operation.outcome === "ok" && sendsOf(operation).length > 1);
    const lost = torn && sendsOf(torn)[0];
    return lost && withoutPolled(history, lost.value);
  },
  "aborted-read": (history) => {
    const aborted = transactions(history).find(({ outcome }) => outcome === "failed");
    const send = aborted && sendsOf(aborted)[0];
    return send?.offset === undefined ? undefined : withPoll(history, [{ ...send, offset: send.offset }]);
  },
  "unwritten-read": (history) => withPoll(history, [{ log: "orders-0", offset: 1e6, value: "nobody's" }]),
  "precommitted-read": (history) => {
    const committed = transactions(history).find(({ outcome }) => outcome === "ok");
    const send = committed && sendsOf(committed)[0];
    if (committed === undefined || send?.offset === undefined) return undefined;
    const poll = { kind: "poll", records: [{ ...send, offset: send.offset }] } as const;
    return withOperation(history, committed, { steps: [...committed.steps, poll] });
  },
  "intermediate-read": (history) => {
    for (const { steps } of operations(history))
      for (const step of steps) {
        if (step.kind !== "poll") continue;
        for (const writer of transactions(history)) {
          const shown = step.records.filter(({ value }) => sendsOf(writer).some((send) => send.value === value));
          const inner = shown.find(({ log, offset }) => {
            const offsets = step.records.filter((record) => record.log === log).map((record) => record.offset);
            return shown.length > 1 && offset > Math.min(...offsets) && offset < Math.max(...offsets);
          });
          if (inner !== undefined) return changePolls(history, step.records, (record) => record !== inner);
        }
      }
    return undefined;
  },
  "cyclic-information-flow": (history) => {
    const [one, other] = transactions(history).filter(({ outcome }) => outcome === "ok");
    const [ofOne, ofOther] = [one, other].map((operation) => operation && sendsOf(operation)[0]);
    if (one === undefined || other === undefined || ofOne?.offset === undefined || ofOther?.offset === undefined)
      return undefined;
    const read = (record: PolledRecord) => ({ kind: "poll", records: [record] }) as const;
    const first = withOperation(history, one, { steps: [...one.steps, read({ ...ofOther, offset: ofOther.offset })] });
    return withOperation(first, other, { steps: [...other.steps, read({ ...ofOne, offset: ofOne.offset })] });
  },
  "read-from-the-future": (history) => {
    const poll = operations(history).find((operation) => recordsPolledBy(operation).length > 0);
    return poll && withOperation(history, poll, { begin: -2, end: -1 });
  },
  "poll-skip": (history) =>
    changePolled(history, ([first, , ...rest]) =>
      first && rest.length > 0 && sameLog(first, rest[0]) ? [first, ...rest] : undefined,
    ),
  "nonmonotonic-poll": (history) => changePolled(history, ([first, ...rest]) => first && [first, first, ...rest]),
  "nonmonotonic-send": (history) => {
    for (const operation of transactions(history)) {
      const [first, second] = sendsOf(operation);
      if (operation.outcome !== "ok" || first === undefined || first.log !== second?.log) continue;
      return withOperation(history, operation, { steps: [second, first] });
    }
    return undefined;
  },
  "vanished-read": (history) =>
    history.map((event) => (event.kind === "read-again" ? { ...event, records: event.records.slice(1) } : event)),
  "offset-regression": (history) => {
    const committed = history.find((event) => event.kind === "offset-committed" && event.offset > 0);
    if (committed?.kind !== "offset-committed") return undefined;
    const { group, log } = committed;
    return [...history, { kind: "offset-fetched", group, log, offset: committed.offset - 1, begin: Infinity }];
  },
  "fenced-commit": (history) => {
    const later = history.find((event) => event.kind === "owned" && event.epoch > 1);
    if (later?.kind !== "owned") return undefined;
    const { group, log, epoch, until } = later;
    const times = { begin: until, end: until + 0.1 };
    const commit = { member: "a zombie", epoch: epoch - 1, offset: Infinity, ...times, outcome: "ok" } as const;
    return [...history, { kind: "offset-committed", group, log, ...commit }];
  },
  "two-owners": (history) => {
    const owned = history.find((event) => event.kind === "owned" && event.from < event.until);
    return owned?.kind === "owned" ? [...history, { ...owned, member: "another" }] : undefined;
  },
  "stuck-last-stable-offset": (history) =>
    history.map((event) => (event.kind === "offsets-seen" ? { ...event, lastStableOffset: -1 } : event)),
};

function operations(history: History): Operation[] {
  return history.filter(isOperation);
}

function transactions(history: History): Operation[] {
  return operations(history).filter(({ transactional }) => transactional);
}

function lastPolled(history: History, log: string): number {
  const polled = operations(history).flatMap(recordsPolledBy);
  return Math.max(-1, ...polled.filter((record) => record.log === log).map(({ offset }) => offset));
}

function sameLog(one: PolledRecord, other: PolledRecord | undefined): boolean {
  return one.log === other?.log;
}

/** Changes the first poll that the function does not decline. */
function changePolled(
  history: History,
  change: (records: readonly PolledRecord[]) => readonly PolledRecord[] | undefined | false,
): History | undefined {
  for (const operation of operations(history)) {
    const records = change(recordsPolledBy(operation));
    if (records) return withOperation(history, operation, { steps: [{ kind: "poll", records }] });
  }
  return undefined;
}

function changePolls(
  history: History,
  within: readonly PolledRecord[] | undefined,
  keep: (record: PolledRecord) => boolean,
): History {
  return history.map((event) => {
    if (!isOperation(event)) return event;
    const steps = event.steps.map((step) => {
      if (step.kind !== "poll" || (within !== undefined && step.records !== within)) return step;
      return { ...step, records: step.records.filter(keep) };
    });
    return { ...event, steps };
  });
}

function withoutPolled(history: History, value: string): History {
  return changePolls(history, undefined, (record) => record.value !== value);
}

function withoutOffset(history: History, value: string): History {
  return history.map((event) => {
    if (!isOperation(event)) return event;
    const steps = event.steps.map((step) =>
      step.kind === "send" && step.value === value ? { ...step, offset: undefined } : step,
    );
    return { ...event, steps };
  });
}

function withPoll(history: History, records: readonly PolledRecord[]): History {
  const times = { begin: 1e9, end: 1e9, outcome: "ok", transactional: false } as const;
  return [...history, { kind: "operation", process: 99, ...times, steps: [{ kind: "poll", records }] }];
}
