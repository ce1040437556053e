import { assert } from "@samsa/base";
import type { EpochStart, LocatedControlRecord, OffsetAndEpoch, RecoveredRaft, SnapshotInfo } from "@samsa/raft";
import {
  decodeQuorumState,
  encodeQuorumState,
  isLogBehindSnapshot,
  locatedControlRecords,
  readRecordsSnapshot,
} from "@samsa/raft";
import type { ElectionState } from "@samsa/raft";
import { RecordBatch } from "@samsa/protocol";
import type { SeededRandom } from "../seeded-random.ts";

/** A batch in a log, with the check sum that tells it from every other. */
export interface LogBatch {
  readonly bytes: Uint8Array;
  readonly baseOffset: number;
  readonly endOffset: number;
  readonly epoch: number;
  readonly crc: number;
}

interface StoredSnapshot extends SnapshotInfo {
  readonly bytes: Uint8Array;
}

/**
 * The disk of one replica, in the terms of its quorum. What was not synced may be lost, in whole or from some batch on; what was
 * cut off may come back.
 */
export class SimulatedRaftDisk {
  quorumState: Uint8Array | undefined;
  logStartOffset = 0;
  /** In the order of their offsets; the first may begin before the log's start. */
  batches: LogBatch[] = [];
  snapshots: StoredSnapshot[] = [];
  readonly partial = new Map<string, Uint8Array>();
  #syncedEndOffset = 0;
  /** Cut off, and not written over on the platter yet. */
  #cut: { readonly offset: number; readonly batches: readonly LogBatch[] } | undefined;

  get endOffset(): number {
    return this.batches.at(-1)?.endOffset ?? this.logStartOffset;
  }

  get syncedEndOffset(): number {
    return this.#syncedEndOffset;
  }

  /** Index of the first batch that ends after `offset`. */
  indexAt(offset: number): number {
    let [low, high] = [0, this.batches.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.batches[middle]?.endOffset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  batchAt(offset: number): LogBatch | undefined {
    return this.batches[this.indexAt(offset)];
  }

  append(bytes: Uint8Array): LogBatch {
    const batch = new RecordBatch(bytes);
    const { baseOffset, nextOffset: endOffset, partitionLeaderEpoch: epoch, crc } = batch;
    assert(baseOffset === this.endOffset, "the log is continued");
    const appended = { bytes, baseOffset, endOffset, epoch, crc };
    this.batches.push(appended);
    return appended;
  }

  synced(endOffset: number): void {
    this.#syncedEndOffset = Math.max(this.#syncedEndOffset, Math.min(endOffset, this.endOffset));
    this.#cut = undefined;
  }

  truncate(offset: number): void {
    const index = this.indexAt(offset);
    const cut = this.batches.splice(index);
    assert(cut.length === 0 || cut[0]?.baseOffset === offset, "a log is cut between batches");
    const synced = cut.filter(({ endOffset }) => endOffset <= this.#syncedEndOffset);
    if (this.#cut === undefined && synced.length > 0) this.#cut = { offset, batches: synced };
    else if (this.#cut !== undefined && offset < this.#cut.offset) this.#cut = undefined;
    this.#syncedEndOffset = Math.min(this.#syncedEndOffset, offset);
  }

  addSnapshot(id: OffsetAndEpoch, bytes: Uint8Array): SnapshotInfo {
    const stored = { ...id, bytes, sizeInBytes: bytes.length };
    this.snapshots = [...this.snapshots.filter(({ offset }) => offset !== id.offset), stored];
    this.snapshots.sort((one, other) => one.offset - other.offset);
    return { ...id, sizeInBytes: bytes.length };
  }

  snapshot(id: OffsetAndEpoch): StoredSnapshot | undefined {
    return this.snapshots.find(({ offset, epoch }) => offset === id.offset && epoch === id.epoch);
  }

  get latestSnapshot(): StoredSnapshot | undefined {
    return this.snapshots.at(-1);
  }

  deleteBefore({ offset }: OffsetAndEpoch): void {
    this.logStartOffset = Math.max(this.logStartOffset, offset);
    this.batches.splice(0, this.indexAt(this.logStartOffset));
    this.snapshots = this.snapshots.filter((each) => each.offset >= offset);
    if (this.#cut !== undefined && this.#cut.offset <= offset) this.#cut = undefined;
  }

  startAt(offset: number): void {
    this.logStartOffset = offset;
    this.batches = [];
    this.#syncedEndOffset = offset;
    this.#cut = undefined;
    this.snapshots = this.snapshots.filter((each) => each.offset >= offset);
  }

  writeQuorumState(state: ElectionState, kraftVersion: number): void {
    this.quorumState = encodeQuorumState(state, kraftVersion);
  }

  /** The power is gone. */
  crash(random: SeededRandom): void {
    this.partial.clear();
    const cut = this.#cut;
    this.#cut = undefined;
    if (cut !== undefined && random.uint32() % 2 === 0) {
      this.batches.splice(this.indexAt(cut.offset));
      this.batches.push(...cut.batches);
    } else {
      const unsynced = this.batches.length - this.indexAt(this.#syncedEndOffset);
      const lost = unsynced === 0 ? 0 : random.uint32() % (unsynced + 1);
      this.batches.length -= lost;
    }
    this.#syncedEndOffset = this.endOffset;
  }

  /** What the next start finds; it syncs before it believes. */
  recover(): RecoveredRaft {
    const latest = this.latestSnapshot;
    const lastEpoch =
      this.batches.at(-1)?.epoch ?? this.snapshots.find((each) => each.offset === this.logStartOffset)?.epoch;
    if (isLogBehindSnapshot({ offset: this.endOffset, epoch: lastEpoch ?? 0 }, latest) && latest !== undefined) {
      this.startAt(latest.offset);
    }
    const epochs: EpochStart[] = [];
    for (const { epoch, baseOffset } of this.batches) {
      const startOffset = Math.max(baseOffset, this.logStartOffset);
      if (epochs.at(-1)?.epoch !== epoch) epochs.push({ epoch, startOffset });
    }
    const controlRecords: LocatedControlRecord[] = [];
    if (latest !== undefined) controlRecords.push(...readRecordsSnapshot(latest.bytes, latest).controlRecords);
    for (const { bytes, endOffset } of this.batches) {
      if (endOffset > (latest?.offset ?? 0)) controlRecords.push(...locatedControlRecords(new RecordBatch(bytes)));
    }
    return {
      log: { logStartOffset: this.logStartOffset, endOffset: this.endOffset, epochs, snapshots: this.snapshots },
      controlRecords,
      quorumState: this.quorumState === undefined ? undefined : decodeQuorumState(this.quorumState),
    };
  }
}
