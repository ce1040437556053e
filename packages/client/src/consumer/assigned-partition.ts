import type { OffsetSpec } from "../cluster/list-offsets.ts";

/** A partition this consumer reads, and how far it is. */
export class AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to hand out; undefined until it is known. */
  position: number | undefined;
  /** The next offset to ask for: beyond `position` by what is buffered. */
  fetchOffset: number | undefined;
  /** Where to find the position, while it is not known. */
  sought: Exclude<OffsetSpec, number> | undefined;
  /** First offset not to read; infinite when reading goes on. */
  endOffset: number;
  highWatermark = -1;
  isPaused = false;
  isFetching = false;
  isResetting = false;
  /** Counts the seeks: what was asked for before one is of no use after it. */
  epoch = 0;
  retryAtMs = 0;
  failures = 0; // in a row

  constructor(topic: string, partition: number, at: OffsetSpec, endOffset: number) {
    this.topic = topic;
    this.partition = partition;
    this.endOffset = endOffset;
    this.seek(at);
  }

  seek(at: OffsetSpec): void {
    this.epoch++;
    this.isResetting = false;
    this.failures = 0;
    this.retryAtMs = 0;
    const isKnown = typeof at === "number";
    this.position = isKnown ? at : undefined;
    this.fetchOffset = this.position;
    this.sought = isKnown ? undefined : at;
  }

  /** Everything up to `endOffset` has been handed out. */
  get isDone(): boolean {
    return this.position !== undefined && this.position >= this.endOffset;
  }

  /** Everything up to `endOffset` has been asked for. */
  get isFetched(): boolean {
    return this.fetchOffset !== undefined && this.fetchOffset >= this.endOffset;
  }
}
