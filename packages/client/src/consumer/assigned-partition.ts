import type { Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import type { OffsetSpec } from "../cluster/list-offsets.ts";
import type { MetadataCache } from "../cluster/metadata-cache.ts";
import { NO_LEADER_EPOCH } from "../cluster/topic-metadata.ts";
import type { Wanted } from "./fetch-session.ts";

export const NO_REPLICA = -1;

/** Where to begin. */
export type Place = OffsetSpec | "committed";

/** A partition this consumer reads, and how far it is. */
export class AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly name: string; // topic-partition
  /** The next offset to hand out; undefined until it is known. */
  position: number | undefined;
  /** Of the last batch before `position` that was handed out (KIP-320); NO_LEADER_EPOCH after a seek. */
  positionEpoch = NO_LEADER_EPOCH;
  /** The next offset to ask for: beyond `position` by what is buffered. */
  fetchOffset: number | undefined;
  /** Of the last batch before `fetchOffset` that was fetched; NO_LEADER_EPOCH after a seek. */
  fetchEpoch = NO_LEADER_EPOCH;
  /** Of the leader whose log is known to hold everything before `fetchOffset`. */
  validatedEpoch = NO_LEADER_EPOCH;
  /** Of the topic that was read up to `fetchOffset`: another may have its name meanwhile. Undefined after a seek. */
  topicId: Uuid | undefined;
  /** Where to find the position, while it is not known. "committed" is found by the membership of a group. */
  sought: Exclude<Place, number> | undefined;
  /** First offset not to read; infinite when reading goes on. */
  endOffset: number;
  highWatermark = -1;
  lastStableOffset = -1;
  isPaused = false;
  /** Handed out to nobody: it is about to be given up, or has just been assigned and the listener is not done. */
  isHeld = false;
  /** The offset that was committed last, as far as this consumer knows. */
  committedOffset: number | undefined;
  isFetching = false;
  /** A broker is asked where to begin, or whether its log is ours. */
  isLocating = false;
  /** Refused for good; a seek tries again. */
  hasFailed = false;
  /** Nearer than the leader (KIP-392), until then. */
  preferredReplica = NO_REPLICA;
  preferredUntilMs = 0;
  /** Counts the seeks: what was asked for before one is of no use after it. */
  epoch = 0;
  retryAtMs = 0;
  failures = 0; // in a row
  /** What was asked for last. */
  wanted: Wanted | undefined;

  constructor(topic: string, partition: number, at: Place, endOffset: number, leaderEpoch?: number) {
    this.topic = topic;
    this.partition = partition;
    this.name = `${topic}-${partition}`;
    this.endOffset = endOffset;
    this.seek(at, leaderEpoch);
  }

  /** @param leaderEpoch of the record before the offset, where it is known: finds out whether the log still is that log */
  seek(at: Place, leaderEpoch = NO_LEADER_EPOCH): void {
    this.epoch++;
    this.isLocating = false;
    this.hasFailed = false;
    this.failures = 0;
    this.retryAtMs = 0;
    this.preferredReplica = NO_REPLICA;
    const isKnown = typeof at === "number";
    this.position = isKnown ? at : undefined;
    this.fetchOffset = this.position;
    this.sought = isKnown ? undefined : at;
    this.positionEpoch = leaderEpoch;
    this.fetchEpoch = leaderEpoch;
    this.validatedEpoch = NO_LEADER_EPOCH;
    this.topicId = undefined;
  }

  /** Drops what is buffered: fetching begins again at the position. */
  rewind(): void {
    if (this.position !== undefined) this.seek(this.position, this.positionEpoch);
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

/** The topic was deleted, and another has its name: a position in the one says nothing of the other. */
export function isOfAnotherTopic({ topic, topicId }: AssignedPartition, metadata: MetadataCache): boolean {
  if (topicId === undefined) return false;
  const present = metadata.topic(topic)?.topicId ?? ZERO_UUID;
  return present !== ZERO_UUID && present !== topicId;
}
