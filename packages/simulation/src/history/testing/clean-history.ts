import { SeededRandom } from "../../seeded-random.ts";
import type {
  History,
  HistoryEvent,
  LogName,
  Operation,
  Outcome,
  PolledRecord,
  PollStep,
  SendStep,
} from "../history.ts";

const LOGS: readonly LogName[] = ["orders-0", "orders-1", "payments-0"];
const PRODUCERS = 3;
const CONSUMERS = 2;
const MEMBERS = ["ada", "grace", "joan"] as const;

interface Entry {
  readonly value: string;
  readonly transaction: Transaction | undefined;
}

interface Transaction {
  readonly process: number;
  readonly begin: number;
  readonly steps: SendStep[];
  readonly left: number;
  /** Markers that are still to be written, and which. */
  ending: { readonly commit: boolean; readonly logs: LogName[]; readonly outcome: Outcome } | undefined;
}

/**
 * What the clients of a broker without faults see: producers with and without transactions, of which some are aborted and some
 * never learn how they ended; readers of committed records; and a group whose members take turns.
 */
export function cleanHistory(seed: number, steps = 300): History {
  return new CleanRun(seed).run(steps);
}

class CleanRun {
  readonly #random: SeededRandom;
  readonly #events: HistoryEvent[] = [];
  readonly #logs = new Map<LogName, (Entry | "marker")[]>(LOGS.map((name) => [name, []]));
  readonly #open = new Map<number, Transaction>(); // by process
  readonly #ended = new Map<Transaction, Set<LogName>>(); // with the logs that have its marker
  readonly #committed = new Set<Transaction>();
  readonly #positions = Array.from({ length: CONSUMERS }, () => new Map<LogName, number>());
  readonly #owners = new Map<LogName, { member: string; epoch: number; from: number; committed: number }>();
  #now = 0;
  #values = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  run(steps: number): History {
    for (let consumer = 0; consumer < CONSUMERS; consumer++)
      this.#events.push({ kind: "assigned", process: PRODUCERS + consumer, at: 0, by: "assign" });
    for (let step = 0; step < steps; step++) {
      this.#now++;
      const actor = this.#below(PRODUCERS + CONSUMERS + 1);
      if (actor < PRODUCERS) this.#produce(actor);
      else if (actor < PRODUCERS + CONSUMERS) this.#poll(actor - PRODUCERS);
      else this.#group();
    }
    this.#finish();
    return this.#events;
  }

  #produce(process: number): void {
    const transaction = this.#open.get(process);
    if (transaction === undefined) {
      if (this.#below(3) === 0) this.#sendAlone(process);
      else
        this.#open.set(process, { process, begin: this.#now, steps: [], left: 1 + this.#below(4), ending: undefined });
    } else if (transaction.ending !== undefined) this.#writeMarker(transaction);
    else if (transaction.steps.length < transaction.left) transaction.steps.push(this.#append(transaction));
    else this.#end(transaction);
  }

  #sendAlone(process: number): void {
    const outcome = this.#outcome();
    const send = outcome === "failed" ? this.#sendNothing() : this.#append(undefined);
    const steps = [outcome === "ok" ? send : { ...send, offset: undefined }];
    const times = { begin: this.#now, end: this.#now + 0.5 };
    this.#events.push({ kind: "operation", process, ...times, outcome, transactional: false, steps });
  }

  #sendNothing(): SendStep {
    return { kind: "send", log: this.#anyLog(), value: `v${this.#values++}` };
  }

  #append(transaction: Transaction | undefined): SendStep {
    const { log, value } = this.#sendNothing();
    const entries = this.#entries(log);
    entries.push({ value, transaction });
    return { kind: "send", log, value, offset: entries.length - 1 };
  }

  #end(transaction: Transaction): void {
    const outcome = this.#outcome();
    const commit = outcome === "ok" || (outcome === "unknown" && this.#below(2) === 0);
    transaction.ending = { commit, logs: [...new Set(transaction.steps.map(({ log }) => log))], outcome };
    if (commit) this.#committed.add(transaction);
    this.#ended.set(transaction, new Set());
  }

  /** One log after the other: the parts of a transaction become visible at different times. */
  #writeMarker(transaction: Transaction): void {
    const log = transaction.ending?.logs.pop();
    if (log !== undefined) {
      this.#entries(log).push("marker");
      this.#ended.get(transaction)?.add(log);
      return;
    }
    const { process, begin, steps } = transaction;
    const outcome = transaction.ending?.outcome ?? "unknown";
    this.#open.delete(process);
    this.#events.push({ kind: "operation", process, begin, end: this.#now, outcome, transactional: true, steps });
  }

  #poll(consumer: number, most = 6): boolean {
    const records: PolledRecord[] = [];
    for (const log of LOGS) {
      let offset = this.#positions[consumer]?.get(log) ?? 0;
      const end = this.#lastStableOffset(log);
      for (let count = 0; offset < end && count < most; offset++) {
        const value = this.#readable(log, offset);
        if (value === undefined) continue;
        records.push({ log, offset, value });
        count++;
      }
      this.#positions[consumer]?.set(log, offset);
    }
    if (records.length === 0) return false;
    const steps: PollStep[] = [{ kind: "poll", records }];
    const times = { begin: this.#now, end: this.#now + 0.5 };
    const process = PRODUCERS + consumer;
    this.#events.push({ kind: "operation", process, ...times, outcome: "ok", transactional: false, steps });
    return true;
  }

  #readable(log: LogName, offset: number): string | undefined {
    const entry = this.#entries(log)[offset];
    if (entry === undefined || entry === "marker") return undefined;
    return entry.transaction === undefined || this.#committed.has(entry.transaction) ? entry.value : undefined;
  }

  #lastStableOffset(log: LogName): number {
    const entries = this.#entries(log);
    const open = entries.findIndex((entry) => {
      if (entry === "marker" || entry.transaction === undefined) return false;
      return this.#ended.get(entry.transaction)?.has(log) !== true;
    });
    return open === -1 ? entries.length : open;
  }

  #group(): void {
    const log = this.#anyLog();
    const owner = this.#owners.get(log);
    const of = { group: "readers", log };
    if (owner === undefined || this.#below(4) === 0) {
      if (owner !== undefined) this.#revoke(log);
      const committed = owner?.committed ?? -1;
      this.#events.push({ kind: "offset-fetched", ...of, offset: committed, begin: this.#now });
      const member = MEMBERS[this.#below(MEMBERS.length)] ?? MEMBERS[0];
      this.#owners.set(log, { member, epoch: (owner?.epoch ?? 0) + 1, from: this.#now, committed });
      return;
    }
    owner.committed = Math.max(owner.committed, this.#lastStableOffset(log));
    const { member, epoch, committed: offset } = owner;
    const times = { begin: this.#now, end: this.#now + 0.5 };
    this.#events.push({ kind: "offset-committed", ...of, member, epoch, offset, ...times, outcome: "ok" });
  }

  #revoke(log: LogName): void {
    const owner = this.#owners.get(log);
    if (owner === undefined) return;
    const { member, epoch, from } = owner;
    this.#events.push({ kind: "owned", group: "readers", log, member, epoch, from, until: this.#now });
  }

  #finish(): void {
    for (const transaction of this.#open.values()) {
      this.#now++;
      if (transaction.ending === undefined) this.#end(transaction);
      while (this.#open.has(transaction.process)) this.#writeMarker(transaction);
    }
    this.#now++;
    for (let consumer = 0; consumer < CONSUMERS; consumer++) while (this.#poll(consumer));
    for (const log of LOGS) {
      this.#revoke(log);
      const records = this.#entries(log).flatMap((_, offset) => {
        const value = this.#readable(log, offset);
        return value === undefined ? [] : [{ log, offset, value }];
      });
      const highWatermark = this.#entries(log).length;
      this.#events.push({ kind: "drained", log }, { kind: "read-again", log, logStartOffset: 0, records });
      const offsets = { lastStableOffset: this.#lastStableOffset(log), highWatermark, openTransactions: 0 };
      this.#events.push({ kind: "offsets-seen", log, ...offsets });
    }
  }

  #outcome(): Outcome {
    return (["ok", "ok", "ok", "failed", "unknown"] as const)[this.#below(5)] ?? "ok";
  }

  #entries(log: LogName): (Entry | "marker")[] {
    return this.#logs.get(log) ?? [];
  }

  #anyLog(): LogName {
    return LOGS[this.#below(LOGS.length)] ?? "orders-0";
  }

  #below(bound: number): number {
    return this.#random.uint32() % bound;
  }
}

/** The history with one of its operations changed. */
export function withOperation(history: History, old: Operation, changed: Partial<Operation>): History {
  return history.map((event) => (event === old ? { ...old, ...changed } : event));
}
