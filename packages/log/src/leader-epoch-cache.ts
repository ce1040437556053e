import type { Disk } from "@samsa/base";
import { assert } from "@samsa/base";
import { CheckpointFile, parseOffset } from "./checkpoint-file.ts";

const FILE_NAME = "leader-epoch-checkpoint";
export const NO_LEADER_EPOCH = -1;
export const NO_EPOCH_OFFSET = -1;

/** From `startOffset` on, batches carry `epoch`, up to the start of the next entry. */
export interface EpochEntry {
  readonly epoch: number;
  readonly startOffset: number;
}

export interface EpochEndOffset {
  readonly leaderEpoch: number; // NO_LEADER_EPOCH when unknown
  readonly endOffset: number; // exclusive, NO_EPOCH_OFFSET when unknown
}

/** `leader-epoch-checkpoint`: a line `epoch startOffset` for each entry. */
export class LeaderEpochCheckpointFile extends CheckpointFile<EpochEntry> {
  constructor(disk: Disk, directory: string) {
    super(disk, `${directory}/${FILE_NAME}`, formatEntry, parseEntry);
  }
}

/**
 * Which leader wrote which range of the log (KIP-101, KIP-279). Epochs and start offsets both rise strictly; every change keeps
 * it so. It lives in memory: `isDirty` tells the owner that the checkpoint has to be written before the records that follow.
 */
export class LeaderEpochCache {
  #entries: EpochEntry[];
  #isDirty = false;

  constructor(entries: readonly EpochEntry[] = []) {
    this.#entries = [];
    for (const entry of entries) this.assign(entry.epoch, entry.startOffset);
    this.#isDirty = this.#entries.length !== entries.length;
  }

  /** Whether the entries differ from what `takeCheckpoint` last returned. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries;
  }

  get latestEpoch(): number | undefined {
    return this.#entries.at(-1)?.epoch;
  }

  get earliestEntry(): EpochEntry | undefined {
    return this.#entries[0];
  }

  /** The entries to be written, which are taken for written from now on. */
  takeCheckpoint(): readonly EpochEntry[] {
    this.#isDirty = false;
    return [...this.#entries];
  }

  /** Notes that records from `startOffset` on carry `epoch`. What contradicts it (as after an unclean election) goes. */
  assign(epoch: number, startOffset: number): void {
    assert(epoch >= 0 && startOffset >= 0, "leader epochs and offsets count from 0");
    const latest = this.#entries.at(-1);
    if (latest !== undefined && latest.epoch === epoch && startOffset >= latest.startOffset) return;
    let last = this.#entries.at(-1);
    while (last !== undefined && (last.epoch >= epoch || last.startOffset >= startOffset)) {
      this.#entries.pop();
      last = this.#entries.at(-1);
    }
    this.#entries.push({ epoch, startOffset });
    this.#isDirty = true;
  }

  /**
   * Where the records of the largest epoch not above `requestedEpoch` end, which is where a follower of that epoch diverges.
   * For the latest epoch that is the log end offset.
   */
  endOffsetFor(requestedEpoch: number, logEndOffset: number): EpochEndOffset {
    if (requestedEpoch !== NO_LEADER_EPOCH && requestedEpoch === this.latestEpoch) {
      return { leaderEpoch: requestedEpoch, endOffset: logEndOffset };
    }
    const higher = this.#entries.findIndex((entry) => entry.epoch > requestedEpoch);
    const higherEntry = this.#entries[higher];
    if (requestedEpoch === NO_LEADER_EPOCH || higherEntry === undefined) {
      return { leaderEpoch: NO_LEADER_EPOCH, endOffset: NO_EPOCH_OFFSET };
    }
    // Below all known epochs, the records are gone: the first known start is as far as the follower may go.
    const floorEntry = this.#entries[higher - 1];
    return { leaderEpoch: floorEntry?.epoch ?? requestedEpoch, endOffset: higherEntry.startOffset };
  }

  epochForOffset(offset: number): number | undefined {
    return this.#entries.findLast((entry) => entry.startOffset <= offset)?.epoch;
  }

  /** Forgets entries at or above `endOffset`. */
  truncateFromEnd(endOffset: number): void {
    const kept = this.#entries.filter((entry) => entry.startOffset < endOffset);
    if (kept.length === this.#entries.length) return;
    this.#entries = kept;
    this.#isDirty = true;
  }

  /** Forgets what lies below `startOffset`; the entry that reaches across starts there now. */
  truncateFromStart(startOffset: number): void {
    const reaching = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset);
    const entry = this.#entries[reaching];
    if (entry === undefined || (reaching === 0 && entry.startOffset === startOffset)) return;
    this.#entries = [{ epoch: entry.epoch, startOffset }, ...this.#entries.slice(reaching + 1)];
    this.#isDirty = true;
  }

  clear(): void {
    if (this.#entries.length === 0) return;
    this.#entries = [];
    this.#isDirty = true;
  }
}

function formatEntry({ epoch, startOffset }: EpochEntry): string {
  return `${epoch} ${startOffset}`;
}

function parseEntry(line: string): EpochEntry | undefined {
  const [epochDigits, offsetDigits, ...rest] = line.split(" ");
  const epoch = parseOffset(epochDigits);
  const startOffset = parseOffset(offsetDigits);
  if (epoch === undefined || epoch > 0x7fffffff || startOffset === undefined || rest.length > 0) return undefined;
  return { epoch, startOffset };
}
