import { assert, ErrorCode, KafkaError } from "@samsa/base";

/** Where a log ends, or what a snapshot sums up: everything below `offset`, the last of it written in `epoch`. */
export interface OffsetAndEpoch {
  readonly offset: number; // exclusive
  readonly epoch: number;
}

export interface SnapshotInfo extends OffsetAndEpoch {
  readonly sizeInBytes: number;
}

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

/** What the disk holds when a node starts. All of it has been synced. */
export interface RecoveredRaftLog {
  readonly logStartOffset: number;
  readonly endOffset: number;
  readonly epochs: readonly EpochStart[];
  /** In any order. The log starts at 0, or at the end of one of them. */
  readonly snapshots: readonly SnapshotInfo[];
}

/** How the log of a leader continues that of a follower (KIP-595, KIP-630). */
export type OffsetValidation =
  | { readonly kind: "valid" }
  | { readonly kind: "diverging"; readonly end: OffsetAndEpoch }
  | { readonly kind: "snapshot"; readonly id: OffsetAndEpoch };

export function compareLogEnds(one: OffsetAndEpoch, other: OffsetAndEpoch): number {
  return one.epoch - other.epoch || one.offset - other.offset;
}

/**
 * What the quorum knows of its log, without the records: where it starts and ends, where epochs begin, which snapshots are there.
 *
 *     log start      high watermark     durable end      end
 *         |  committed     |                 |            |
 *   ══════╪════════════════╪═════════════════╪┄┄┄┄┄┄┄┄┄┄┄┄┤
 *     snapshots            └ never cut       └ synced     └ handed to the disk
 */
export class RaftLog {
  #logStartOffset: number;
  #endOffset: number;
  #durableEndOffset: number;
  #highWatermark: number;
  #truncationCount = 0;
  readonly #epochs: EpochStart[];
  #snapshots: readonly SnapshotInfo[]; // oldest first

  constructor(recovered: RecoveredRaftLog) {
    this.#logStartOffset = recovered.logStartOffset;
    this.#endOffset = recovered.endOffset;
    this.#durableEndOffset = recovered.endOffset;
    this.#epochs = [...recovered.epochs];
    this.#snapshots = recovered.snapshots.toSorted((one, other) => one.offset - other.offset);
    // What a snapshot holds was committed; the rest has to be learned.
    this.#highWatermark = Math.max(recovered.logStartOffset, this.latestSnapshot?.offset ?? 0);
    assert(this.#highWatermark <= this.#endOffset, "a snapshot reaches beyond the log");
  }

  get logStartOffset(): number {
    return this.#logStartOffset;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  /** Everything below has been synced. */
  get durableEndOffset(): number {
    return this.#durableEndOffset;
  }

  get isDurable(): boolean {
    return this.#durableEndOffset === this.#endOffset;
  }

  /** Everything below is committed. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** Grows when records are cut off: what the disk says of appends before does not count then. */
  get truncationCount(): number {
    return this.#truncationCount;
  }

  /** Oldest first. */
  get snapshots(): readonly SnapshotInfo[] {
    return this.#snapshots;
  }

  get latestSnapshot(): SnapshotInfo | undefined {
    return this.#snapshots.at(-1);
  }

  get earliestSnapshot(): SnapshotInfo | undefined {
    return this.#snapshots[0];
  }

  /** The epoch of the last record, be it in a snapshot; 0 for an empty log. */
  get lastFetchedEpoch(): number {
    return this.#epochs.at(-1)?.epoch ?? this.#baseEpoch;
  }

  get end(): OffsetAndEpoch {
    return { offset: this.#endOffset, epoch: this.lastFetchedEpoch };
  }

  snapshot({ offset, epoch }: OffsetAndEpoch): SnapshotInfo | undefined {
    return this.#snapshots.find((each) => each.offset === offset && each.epoch === epoch);
  }

  /** Where the newest epoch ends that is not above the one asked for, as in OffsetsForLeaderEpoch. */
  endOffsetForEpoch(epoch: number): OffsetAndEpoch {
    for (let at = this.#epochs.length - 1; at >= 0; at--) {
      const entry = this.#epochs[at];
      if (entry === undefined || entry.epoch > epoch) continue;
      return { epoch: entry.epoch, offset: this.#epochs[at + 1]?.startOffset ?? this.#endOffset };
    }
    return { epoch: this.#baseEpoch, offset: this.#epochs[0]?.startOffset ?? this.#logStartOffset };
  }

  /** The epoch of the record before `offset`. */
  epochBefore(offset: number): number {
    const entry = this.#epochs.findLast(({ startOffset }) => startOffset < offset);
    return entry?.epoch ?? this.#baseEpoch;
  }

  /** Whether a follower whose log ends there can be sent records from there on. */
  validate(offset: number, epoch: number): OffsetValidation {
    if (this.#logStartOffset === 0 && offset === 0 && epoch === 0) return { kind: "valid" };
    const [earliest, latest] = [this.earliestSnapshot, this.latestSnapshot];
    if (this.#logStartOffset > 0 && earliest !== undefined && latest !== undefined) {
      const isBehind = offset < this.#logStartOffset || epoch < earliest.epoch;
      if (isBehind || (offset === this.#logStartOffset && epoch !== earliest.epoch)) {
        return { kind: "snapshot", id: { offset: latest.offset, epoch: latest.epoch } };
      }
    }
    const end = this.endOffsetForEpoch(epoch);
    return end.epoch !== epoch || end.offset < offset ? { kind: "diverging", end } : { kind: "valid" };
  }

  /** Takes a batch in; the caller hands the bytes to the disk. */
  append(baseOffset: number, endOffset: number, epoch: number): void {
    assert(baseOffset === this.#endOffset && endOffset > baseOffset, "a batch continues the log");
    assert(epoch >= this.lastFetchedEpoch, "epochs grow with the log");
    if (this.#epochs.length === 0 || epoch > this.lastFetchedEpoch) {
      this.#epochs.push({ epoch, startOffset: baseOffset });
    }
    this.#endOffset = endOffset;
  }

  /** The disk has synced an append. */
  noteDurable(endOffset: number, truncationCount: number): void {
    if (truncationCount !== this.#truncationCount) return;
    assert(endOffset <= this.#endOffset, "the disk has what was never appended");
    this.#durableEndOffset = Math.max(this.#durableEndOffset, endOffset);
  }

  /** Where this log must be cut to agree with a leader's that has `end` as the end of that epoch. */
  truncationOffset(end: OffsetAndEpoch): number {
    const own = this.endOffsetForEpoch(end.epoch);
    return own.epoch === end.epoch ? Math.min(own.offset, end.offset) : own.offset;
  }

  truncateTo(offset: number): void {
    assert(offset >= this.#logStartOffset && offset <= this.#endOffset, "a log is cut within itself");
    this.#endOffset = offset;
    this.#durableEndOffset = Math.min(this.#durableEndOffset, offset);
    this.#truncationCount++;
    while ((this.#epochs.at(-1)?.startOffset ?? -1) >= offset) this.#epochs.pop();
  }

  /** @returns whether it moved */
  advanceHighWatermark(offset: number): boolean {
    if (offset <= this.#highWatermark) return false;
    assert(offset <= this.#endOffset, "the high watermark is beyond the end of the log");
    this.#highWatermark = offset;
    return true;
  }

  /**
   * A snapshot of this replica's own state is on the disk.
   * @throws KafkaError INVALID_REQUEST when it is none of a committed prefix of this log
   */
  addSnapshot(snapshot: SnapshotInfo): void {
    this.validateSnapshotId(snapshot);
    if (this.snapshot(snapshot) !== undefined) return;
    this.#snapshots = [...this.#snapshots, snapshot].toSorted((one, other) => one.offset - other.offset);
  }

  /** @throws KafkaError INVALID_REQUEST when there can be no snapshot of this id */
  validateSnapshotId({ offset, epoch }: OffsetAndEpoch): void {
    if (offset > this.#highWatermark || offset < this.#logStartOffset) {
      const range = `${this.#logStartOffset} to ${this.#highWatermark}`;
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `a snapshot at ${offset} where the committed log is ${range}`);
    }
    if (this.epochBefore(offset) !== epoch) {
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `no record of epoch ${epoch} stands before ${offset}`);
    }
  }

  /** The records before this snapshot, and the snapshots before it, go. @returns whether anything did */
  deleteBefore({ offset, epoch }: OffsetAndEpoch): boolean {
    const latest = this.latestSnapshot;
    if (offset <= this.#logStartOffset || this.snapshot({ offset, epoch }) === undefined || latest === undefined) {
      return false;
    }
    assert(offset <= this.#highWatermark, "what is not committed is in no snapshot");
    this.#logStartOffset = offset;
    this.#snapshots = this.#snapshots.filter((each) => each.offset >= offset);
    while ((this.#epochs[1]?.startOffset ?? Infinity) <= offset) this.#epochs.shift();
    if (offset === this.#endOffset) this.#epochs.length = 0;
    const first = this.#epochs[0];
    if (first !== undefined && first.startOffset < offset) this.#epochs[0] = { ...first, startOffset: offset };
    return true;
  }

  /** A snapshot of the leader takes the place of the whole log. */
  replaceBy(snapshot: SnapshotInfo): void {
    assert(snapshot.offset >= this.#highWatermark, "a snapshot behind what is known to be committed");
    this.#logStartOffset = snapshot.offset;
    this.#endOffset = snapshot.offset;
    this.#durableEndOffset = snapshot.offset;
    this.#highWatermark = snapshot.offset;
    this.#truncationCount++;
    this.#epochs.length = 0;
    this.#snapshots = [snapshot];
  }

  /** Of the last record before the log's start. */
  get #baseEpoch(): number {
    const first = this.earliestSnapshot;
    return first !== undefined && first.offset === this.#logStartOffset ? first.epoch : 0;
  }
}
