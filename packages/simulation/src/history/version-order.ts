import { isOperation, recordsPolledBy, sendsOf } from "./history.ts";
import type { History, LogName, Operation, Value } from "./history.ts";

/** Where the values of one log lie: as far as polls and acknowledgements tell. */
export class LogOrder {
  readonly valuesAt = new Map<number, Set<Value>>();
  readonly offsetsOf = new Map<Value, number[]>();
  readonly polled = new Set<Value>();
  #indexes: Map<number, number> | undefined;

  add(offset: number, value: Value): void {
    const values = this.valuesAt.get(offset) ?? new Set();
    if (values.has(value)) return;
    this.valuesAt.set(offset, values.add(value));
    this.offsetsOf.set(
      value,
      [...(this.offsetsOf.get(value) ?? []), offset].sort((a, b) => a - b),
    );
    this.#indexes = undefined;
  }

  /** The place of an offset among the offsets that hold records: markers and aborted records leave holes between them. */
  indexOf(offset: number): number | undefined {
    this.#indexes ??= new Map(this.offsets().map((known, index) => [known, index]));
    return this.#indexes.get(offset);
  }

  offsets(): number[] {
    return [...this.valuesAt.keys()].sort((a, b) => a - b);
  }
}

/** What can be known of a history before anything in it is judged. */
export class VersionOrder {
  readonly operations: readonly Operation[];
  readonly logs = new Map<LogName, LogOrder>();
  readonly writerOf = new Map<Value, Operation>();
  readonly polled = new Set<Value>();
  /** Operations that surely took effect: they said so, or somebody read of them. */
  readonly committed = new Set<Operation>();

  constructor(history: History) {
    this.operations = history.filter(isOperation);
    for (const operation of this.operations) {
      for (const { value } of sendsOf(operation)) this.writerOf.set(value, operation);
      // A transaction that failed still polled what it polled, and a committed read is committed whoever makes it.
      for (const { log, offset, value } of recordsPolledBy(operation)) {
        this.log(log).add(offset, value);
        this.log(log).polled.add(value);
        this.polled.add(value);
      }
    }
    for (const operation of this.operations) {
      if (!this.#isCommitted(operation)) continue;
      this.committed.add(operation);
      for (const { log, offset, value } of sendsOf(operation))
        if (offset !== undefined) this.log(log).add(offset, value);
    }
  }

  log(name: LogName): LogOrder {
    let log = this.logs.get(name);
    if (log === undefined) this.logs.set(name, (log = new LogOrder()));
    return log;
  }

  /** What is outside a transaction stands alone: one read value says nothing of its neighbours. */
  isCommittedWrite(value: Value): boolean {
    const writer = this.writerOf.get(value);
    if (writer === undefined || !this.committed.has(writer)) return false;
    return writer.outcome === "ok" || writer.transactional || this.polled.has(value);
  }

  #isCommitted(operation: Operation): boolean {
    if (operation.outcome === "ok") return true;
    return operation.outcome === "unknown" && sendsOf(operation).some(({ value }) => this.polled.has(value));
  }
}
