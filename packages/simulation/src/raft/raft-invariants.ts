import type { KafkaRaft } from "@samsa/raft";
import type { LogBatch, SimulatedRaftDisk } from "./simulated-raft-disk.ts";

/** A promise of the quorum was broken. */
export class RaftViolation extends Error {
  override readonly name = "RaftViolation";
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

interface CommittedBatch {
  readonly baseOffset: number;
  readonly endOffset: number;
  readonly epoch: number;
  readonly crc: number;
  /** Of the leader that committed it: what later leaders must have. */
  readonly committedInEpoch: number;
  /** Of everything up to its end. */
  readonly state: number;
}

/** What the checker has to know of a replica. */
export interface CheckedReplica {
  readonly id: number;
  readonly disk: SimulatedRaftDisk;
}

/** The state of the application after a batch: a sum over everything committed. */
export function nextState(
  state: number,
  { crc, endOffset }: { readonly crc: number; readonly endOffset: number },
): number {
  return (Math.imul(state ^ crc, 0x01000193) ^ endOffset) >>> 0;
}

/**
 * Watches a quorum from outside, and remembers what it may never forget. As Kafka's RaftEventSimulationTest: epochs grow, an
 * epoch has one leader, what is committed lies on a majority, is the same everywhere and stays; and with it Raft's own: one
 * vote an epoch, logs match, leaders are complete, snapshots say what the log said.
 */
export class RaftInvariants {
  readonly #committed: CommittedBatch[] = [];
  readonly #leaders = new Map<number, number>(); // by epoch
  readonly #votes = new Map<string, string>();
  readonly #epochs = new Map<number, number>(); // by replica
  readonly #appended = new Map<string, string>(); // by offset and epoch: the batch, and the one before
  #checks = 0;

  get checks(): number {
    return this.#checks;
  }

  get committedEndOffset(): number {
    return this.#committed.at(-1)?.endOffset ?? 0;
  }

  get leadersElected(): number {
    return this.#leaders.size;
  }

  /** After every step: epochs do not go back, an epoch has one leader, and it has everything that is committed. */
  onStep({ id, disk }: CheckedReplica, raft: KafkaRaft): void {
    this.#checks++;
    const known = this.#epochs.get(id) ?? 0;
    if (raft.epoch < known) throw new RaftViolation("epochs grow", `${id} went from ${known} back to ${raft.epoch}`);
    this.#epochs.set(id, raft.epoch);
    if (raft.state !== "leader") return;
    const leader = this.#leaders.get(raft.epoch);
    if (leader === id) return;
    if (leader !== undefined)
      throw new RaftViolation("an epoch has one leader", `${leader} and ${id} in ${raft.epoch}`);
    this.#leaders.set(raft.epoch, id);
    this.#checkCompleteness(id, disk, raft.epoch);
  }

  /** A replica begins anew, with what its disk kept. An epoch that it never spoke of may be forgotten. */
  onRestart(id: number): void {
    this.#epochs.delete(id);
  }

  /** A vote leaves the replica, also the one for itself. */
  onVote(id: number, epoch: number, candidate: string): void {
    this.#checks++;
    const key = `${id} in ${epoch}`;
    const voted = this.#votes.get(key) ?? candidate;
    if (voted !== candidate) throw new RaftViolation("one vote an epoch", `${key}: for ${voted} and for ${candidate}`);
    this.#votes.set(key, candidate);
  }

  /** A batch stands in a log. The same place and epoch hold the same batch in all logs, and the same before it. */
  onAppend({ id, disk }: CheckedReplica, batch: LogBatch): void {
    this.#checks++;
    const index = disk.batches.length - 2;
    const before = disk.batches[index];
    const previous = before === undefined ? "" : `${before.epoch}/${before.crc}`;
    const key = `${batch.baseOffset}/${batch.epoch}`;
    const known = this.#appended.get(key);
    if (known === undefined) {
      this.#appended.set(key, `${batch.crc} ${previous}`);
      return;
    }
    const [crc = "", knownPrevious = ""] = known.split(" ");
    const isSame = crc === String(batch.crc) && (previous === "" || knownPrevious === "" || previous === knownPrevious);
    if (!isSame) throw new RaftViolation("logs match", `${id} at offset ${batch.baseOffset} of epoch ${batch.epoch}`);
  }

  onTruncate({ id, disk }: CheckedReplica, endOffset: number, highWatermark: number): void {
    this.#checks++;
    if (endOffset >= Math.max(highWatermark, disk.logStartOffset)) return;
    throw new RaftViolation("what is committed stays", `${id} cuts at ${endOffset}, below ${highWatermark}`);
  }

  /**
   * A replica takes a batch for committed. When it is the first to say so, the batch must lie synced on a majority of the voters.
   * @returns the state after it
   */
  onCommit(
    replica: CheckedReplica,
    batch: LogBatch,
    committedInEpoch: number,
    voters: readonly CheckedReplica[],
    majority: number,
  ): number {
    this.#checks++;
    const known = this.committedAt(batch.baseOffset);
    if (known !== undefined) {
      if (known.epoch !== batch.epoch || known.crc !== batch.crc || known.endOffset !== batch.endOffset) {
        throw new RaftViolation(
          "what is committed is the same everywhere",
          `${replica.id} at offset ${batch.baseOffset}`,
        );
      }
      return known.state;
    }
    if (batch.baseOffset !== this.committedEndOffset) {
      throw new RaftViolation("what is committed is the same everywhere", `${replica.id} skips to ${batch.baseOffset}`);
    }
    const copies = voters.filter(({ disk }) => holds(disk, batch)).length;
    if (copies < majority) {
      const text = `offset ${batch.baseOffset} is on ${copies} of ${voters.length} voters, says ${replica.id}`;
      throw new RaftViolation("what is committed lies on a majority", text);
    }
    const { baseOffset, endOffset, epoch, crc } = batch;
    const state = nextState(this.#committed.at(-1)?.state ?? 0, batch);
    this.#committed.push({ baseOffset, endOffset, epoch, crc, committedInEpoch, state });
    return state;
  }

  /** A snapshot says what the log said. */
  onLoadSnapshot(id: number, endOffset: number, state: number): void {
    this.#checks++;
    if (endOffset === 0) return;
    const index = this.#indexAt(endOffset - 1);
    const last = this.#committed[index];
    if (last?.endOffset === endOffset && last.state === state) return;
    throw new RaftViolation("a snapshot says what the log said", `${id} at offset ${endOffset}`);
  }

  committedAt(offset: number): CommittedBatch | undefined {
    const batch = this.#committed[this.#indexAt(offset)];
    return batch !== undefined && batch.baseOffset <= offset ? batch : undefined;
  }

  /** The votes for a leader may arrive when a later one has committed long since. That one's records it need not have. */
  #checkCompleteness(id: number, disk: SimulatedRaftDisk, epoch: number): void {
    for (let at = this.#indexAt(disk.logStartOffset); at < this.#committed.length; at++) {
      const batch = this.#committed[at];
      if (batch === undefined || batch.committedInEpoch > epoch) break;
      const found = disk.batchAt(batch.baseOffset);
      if (found?.epoch === batch.epoch && found.crc === batch.crc) continue;
      throw new RaftViolation("a leader has all that is committed", `${id} lacks offset ${batch.baseOffset}`);
    }
  }

  /** Index of the first batch that ends after `offset`. */
  #indexAt(offset: number): number {
    let [low, high] = [0, this.#committed.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#committed[middle]?.endOffset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Also a snapshot holds what it sums up. */
function holds(disk: SimulatedRaftDisk, batch: LogBatch): boolean {
  if (disk.logStartOffset >= batch.endOffset) return true;
  if (disk.syncedEndOffset < batch.endOffset) return false;
  const found = disk.batchAt(batch.baseOffset);
  return found?.epoch === batch.epoch && found.crc === batch.crc;
}
