import type { ControlRecord, RecordBatch } from "@samsa/protocol";
import { ControlRecordType, readControlRecord } from "@samsa/protocol";
import { VoterSet } from "./voter-set.ts";

/** A value and the offset of the record that says so; -1 for what formatting or the configuration says. */
interface Entry<T> {
  readonly offset: number;
  readonly value: T;
}

/** The quorum's own records in a log or a snapshot, with their offsets; those of a snapshot have that of its last record. */
export interface LocatedControlRecord {
  readonly offset: number;
  readonly record: ControlRecord;
}

/** Not in the log: formatting or the configuration said so. */
export const NOT_IN_LOG = -1;

/**
 * Who votes and which kraft.version counts, as the log says, committed or not: a new set of voters counts from the moment it is
 * appended, and not any more when it is cut off again (KIP-853, KRaftControlRecordStateMachine).
 */
export class PartitionState {
  readonly #voters: Entry<VoterSet>[];
  readonly #kraftVersions: Entry<number>[];

  /** @param staticVoters `controller.quorum.voters`, which counts at kraft.version 0 */
  constructor(staticVoters: VoterSet, records: readonly LocatedControlRecord[] = []) {
    this.#voters = [{ offset: NOT_IN_LOG, value: staticVoters }];
    this.#kraftVersions = [{ offset: NOT_IN_LOG, value: 0 }];
    for (const located of records) this.append(located);
  }

  get voterSet(): VoterSet {
    return last(this.#voters).value;
  }

  get kraftVersion(): number {
    return last(this.#kraftVersions).value;
  }

  /** The offset of the record that names the voters, NOT_IN_LOG when none does. */
  get votersOffset(): number {
    return last(this.#voters).offset;
  }

  /** As the log below `endOffset` says. */
  voterSetAt(endOffset: number): VoterSet {
    return valueAt(this.#voters, endOffset);
  }

  kraftVersionAt(endOffset: number): number {
    return valueAt(this.#kraftVersions, endOffset);
  }

  /** Who voted before the last word on it; the same set when there was none. */
  get previousVoterSet(): VoterSet {
    return (this.#voters.at(-2) ?? last(this.#voters)).value;
  }

  append({ offset, record }: LocatedControlRecord): void {
    if (record.type === ControlRecordType.KRAFT_VOTERS) {
      put(this.#voters, { offset, value: VoterSet.fromRecord(record.value) });
    } else if (record.type === ControlRecordType.KRAFT_VERSION) {
      put(this.#kraftVersions, { offset, value: record.value.kRaftVersion });
    }
  }

  /** @returns whether another set of voters counts now */
  truncateTo(endOffset: number): boolean {
    const before = this.votersOffset;
    for (const entries of [this.#voters, this.#kraftVersions]) {
      while (last<unknown>(entries).offset >= endOffset) entries.pop();
    }
    return this.votersOffset !== before;
  }

  /** What was said before the last word of a snapshot is of no use any more. */
  deleteBefore(logStartOffset: number): void {
    for (const entries of [this.#voters, this.#kraftVersions]) {
      while ((entries[1]?.offset ?? Infinity) < logStartOffset) entries.shift();
    }
  }

  /** The log was replaced by a snapshot. */
  replaceBy(staticVoters: VoterSet, records: readonly LocatedControlRecord[]): void {
    this.#voters.splice(0, this.#voters.length, { offset: NOT_IN_LOG, value: staticVoters });
    this.#kraftVersions.splice(0, this.#kraftVersions.length, { offset: NOT_IN_LOG, value: 0 });
    for (const located of records) this.append(located);
  }
}

/** @throws InvalidRecordError when a control record cannot be read */
export function locatedControlRecords(batch: RecordBatch): LocatedControlRecord[] {
  if (!batch.isControlBatch) return [];
  const found: LocatedControlRecord[] = [];
  for (const record of batch.records()) {
    const read = readControlRecord(record);
    if (read !== undefined) found.push({ offset: record.offset, record: read });
  }
  return found;
}

/** A record of the same place takes the place of the one before: formatting says again what the configuration said. */
function put<T>(entries: Entry<T>[], entry: Entry<T>): void {
  if (last(entries).offset === entry.offset) entries.pop();
  entries.push(entry);
}

function valueAt<T>(entries: readonly Entry<T>[], endOffset: number): T {
  const entry = entries.findLast(({ offset }) => offset < endOffset) ?? entries[0];
  if (entry === undefined) throw new Error("a history begins with something");
  return entry.value;
}

function last<T>(entries: readonly Entry<T>[]): Entry<T> {
  const entry = entries.at(-1);
  if (entry === undefined) throw new Error("a history begins with something");
  return entry;
}
