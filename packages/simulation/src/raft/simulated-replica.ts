import { assert, ErrorCode, ZERO_UUID } from "@samsa/base";
import type {
  KafkaRaftOptions,
  OffsetAndEpoch,
  RaftEffect,
  RaftInput,
  RaftRequest,
  RaftResponse,
  RaftTime,
  ReplicaKey,
} from "@samsa/raft";
import { KafkaRaft, readRecordsSnapshot, RecordsSnapshotWriter } from "@samsa/raft";
import type { SeededRandom } from "../seeded-random.ts";
import type { EventQueue } from "./event-queue.ts";
import type { CheckedReplica, RaftInvariants } from "./raft-invariants.ts";
import { SimulatedRaftDisk } from "./simulated-raft-disk.ts";

const EPOCH_OF_WALL_MS = 1_700_000_000_000;

/** Mistakes of whoever performs the effects. */
export interface DriverMutations {
  /** Says things before the quorum state is on the platter. */
  readonly skipsQuorumStateSync: boolean;
  /** Starts again without the quorum state. */
  readonly forgetsQuorumState: boolean;
}

export interface ReplicaSurroundings {
  readonly queue: EventQueue;
  readonly random: SeededRandom;
  readonly invariants: RaftInvariants;
  readonly mutations: DriverMutations;
  replica(id: number): CheckedReplica | undefined;
  send(from: SimulatedReplica, correlationId: number, to: number, request: RaftRequest): void;
  answer(from: SimulatedReplica, requestId: number, response: RaftResponse): void;
}

/** One replica of a simulated quorum: the step function, a disk, and the effects that are not done yet. */
export class SimulatedReplica implements CheckedReplica {
  readonly key: ReplicaKey;
  readonly disk = new SimulatedRaftDisk();
  raft: KafkaRaft | undefined;
  /** How long the disk takes at most. */
  syncMs = 4;
  /** Grows with every start: what was under way before is of no concern. */
  incarnation = 0;
  appliedOffset = 0;
  appliedState = 0;
  snapshotsInstalled = 0;
  /** Set by the simulation: it stopped by itself and wants to be started again. */
  hasShutDown = false;
  readonly #options: KafkaRaftOptions;
  readonly #around: ReplicaSurroundings;
  readonly #votes = new Map<number, { readonly epoch: number; readonly candidate: string }>(); // by request
  #effects: RaftEffect[] = [];
  #isBusy = false;
  #isPumping = false;
  #lastSyncMs = 0;
  #tickAtMs = Infinity;
  #highWatermark = 0;
  #writing: (RaftEffect & { kind: "write-quorum-state" }) | undefined;
  #isSnapshotUnderWay = false;

  constructor(options: KafkaRaftOptions, around: ReplicaSurroundings) {
    this.key = options.localKey;
    this.#options = options;
    this.#around = around;
  }

  get id(): number {
    return this.key.id;
  }

  get isUp(): boolean {
    return this.raft !== undefined;
  }

  start(): void {
    assert(this.raft === undefined, "it runs already");
    this.incarnation++;
    this.appliedOffset = 0;
    this.appliedState = 0;
    this.#highWatermark = 0;
    this.hasShutDown = false;
    const recovered = this.disk.recover();
    const { forgetsQuorumState } = this.#around.mutations;
    const found = forgetsQuorumState ? { ...recovered, quorumState: undefined } : recovered;
    this.raft = new KafkaRaft(this.#options, found, this.#time);
    this.#after(this.raft, this.raft.start());
  }

  /** The power goes. */
  crash(): void {
    assert(this.raft !== undefined, "it does not run");
    this.raft = undefined;
    this.incarnation++;
    this.#effects = [];
    this.#isBusy = false;
    this.#tickAtMs = Infinity;
    this.#votes.clear();
    this.#isSnapshotUnderWay = false;
    const { random, invariants } = this.#around;
    const writing = this.#writing;
    this.#writing = undefined;
    if (writing !== undefined && random.uint32() % 2 === 0)
      this.disk.writeQuorumState(writing.state, writing.kraftVersion);
    this.disk.crash(random);
    invariants.onRestart(this.id);
  }

  step(input: RaftInput): void {
    const { raft } = this;
    if (raft === undefined) return;
    if (input.kind === "request" && input.request.api === "Vote") this.#noteVoteRequest(input.requestId, input.request);
    this.#after(raft, raft.step(input, this.#time));
  }

  append(epoch: number, values: readonly Uint8Array[], isUrgent: boolean): number {
    const { raft } = this;
    assert(raft !== undefined, "it does not run");
    const { lastOffset, effects } = raft.append(epoch, values, this.#time, isUrgent);
    this.#after(raft, effects);
    return lastOffset;
  }

  /** Writes a snapshot of what it has applied, and then perhaps lets go of the log before it. */
  snapshot(deletesLog: boolean): void {
    const { raft } = this;
    if (raft === undefined || this.#isSnapshotUnderWay || this.appliedOffset <= (raft.latestSnapshot?.offset ?? 0))
      return;
    const id = raft.snapshotIdAt(this.appliedOffset);
    const { kraftVersion, voterSet } = this.#committedQuorum(raft, id);
    const writer = new RecordsSnapshotWriter({
      id,
      lastContainedLogTimeMs: this.#time.wallMs,
      kraftVersion,
      voterSet,
      nowMs: this.#time.wallMs,
    });
    const value = new Uint8Array(64);
    new DataView(value.buffer).setUint32(0, this.appliedState);
    writer.append(value);
    const bytes = concat(writer.freeze());
    this.#isSnapshotUnderWay = true;
    this.#later(this.#diskMs() * 3, () => {
      this.#isSnapshotUnderWay = false;
      if ((raft.latestSnapshot?.offset ?? 0) >= id.offset) return; // a newer one came from the leader
      const snapshot = this.disk.addSnapshot(id, bytes);
      this.step({ kind: "snapshot-created", snapshot });
      if (deletesLog) this.step({ kind: "delete-before", id });
    });
  }

  get #time(): RaftTime {
    const { nowMs } = this.#around.queue;
    return { nowMs, wallMs: EPOCH_OF_WALL_MS + Math.floor(nowMs) };
  }

  /** The voters as of the snapshot's end: what was said after it is not in it. */
  #committedQuorum(raft: KafkaRaft, id: OffsetAndEpoch): { kraftVersion: number; voterSet: KafkaRaft["voterSet"] } {
    return { kraftVersion: raft.kraftVersionAt(id.offset), voterSet: raft.voterSetAt(id.offset) };
  }

  #after(raft: KafkaRaft, effects: readonly RaftEffect[]): void {
    this.#effects.push(...effects);
    if (effects.some(({ kind }) => kind === "shutdown-complete")) this.hasShutDown = true;
    this.#around.invariants.onStep(this, raft);
    this.#pump();
    this.#scheduleTick(raft);
  }

  #scheduleTick(raft: KafkaRaft): void {
    const { queue } = this.#around;
    const dueMs = raft.nextDeadlineMs;
    if (dueMs === Infinity || (this.#tickAtMs <= dueMs && this.#tickAtMs > queue.nowMs)) return;
    this.#tickAtMs = dueMs;
    this.#later(dueMs - queue.nowMs, () => {
      if (this.#tickAtMs === dueMs) this.#tickAtMs = Infinity;
      this.step({ kind: "tick" });
    });
  }

  /** Does something later, unless the replica was started anew meanwhile. */
  #later(delayMs: number, action: () => void): void {
    const { incarnation } = this;
    this.#around.queue.after(delayMs, () => {
      if (this.incarnation === incarnation) action();
    });
  }

  #diskMs(): number {
    return ((this.#around.random.uint32() % 1000) / 1000) * this.syncMs;
  }

  /** Performs effects in their order, until one of them takes time. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isBusy) {
      const effect = this.#effects.shift();
      if (effect === undefined || this.raft === undefined) break;
      this.#perform(effect, this.raft);
    }
    this.#isPumping = false;
  }

  #perform(effect: RaftEffect, raft: KafkaRaft): void {
    const { disk } = this;
    const { invariants, mutations } = this.#around;
    switch (effect.kind) {
      case "write-quorum-state":
        this.#isBusy = !mutations.skipsQuorumStateSync;
        this.#writing = effect;
        this.#later(this.#diskMs(), () => {
          if (this.#writing === effect) this.#writing = undefined;
          disk.writeQuorumState(effect.state, effect.kraftVersion);
          this.#resume();
        });
        return;
      case "append": {
        invariants.onAppend(this, disk.append(effect.bytes));
        const { endOffset, truncationCount } = effect;
        const { queue } = this.#around;
        this.#lastSyncMs = Math.max(this.#lastSyncMs, queue.nowMs + this.#diskMs());
        this.#later(this.#lastSyncMs - queue.nowMs, () => {
          disk.synced(endOffset);
          this.step({ kind: "log-durable", endOffset, truncationCount });
        });
        return;
      }
      case "truncate":
        invariants.onTruncate(this, effect.endOffset, this.#highWatermark);
        disk.truncate(effect.endOffset);
        return;
      case "send":
        this.#noteOwnVote(effect.request);
        this.#around.send(this, effect.correlationId, effect.destination.port, effect.request);
        return;
      case "answer":
        this.#noteVoteAnswer(effect.requestId, effect.response);
        this.#around.answer(this, effect.requestId, effect.response);
        return;
      case "answer-fetch":
        this.#later(this.#around.random.uint32() % 4 === 0 ? this.#diskMs() : 0, () => {
          const isStillLeader = raft.epoch === effect.epoch;
          const records = isStillLeader ? this.#read(effect.fetchOffset, effect.maxBytes) : undefined;
          const message = records === undefined ? effect.refusal : effect.withRecords(records);
          this.#around.answer(this, effect.requestId, { api: "Fetch", message });
        });
        return;
      case "answer-snapshot": {
        const bytes = disk.snapshot(effect.id)?.bytes.subarray(effect.position, effect.position + effect.maxBytes);
        const message = bytes === undefined ? effect.refusal : effect.withBytes(bytes);
        this.#around.answer(this, effect.requestId, { api: "FetchSnapshot", message });
        return;
      }
      case "write-snapshot-chunk": {
        const name = snapshotName(effect.id);
        const before = effect.position === 0 ? new Uint8Array(0) : (disk.partial.get(name) ?? new Uint8Array(0));
        assert(before.length === effect.position, "chunks follow each other");
        disk.partial.set(name, concat([before, effect.bytes]));
        return;
      }
      case "install-snapshot":
        this.#install(effect.id);
        return;
      case "delete-before":
        disk.deleteBefore(effect.id);
        return;
      case "high-watermark":
        this.#commit(raft, effect.offset);
        return;
      case "leader-changed":
      case "shutdown-complete":
        return;
    }
  }

  #resume(): void {
    this.#isBusy = false;
    this.#pump();
  }

  /** Named and synced first, then the log begins anew. The power may go in between. */
  #install(id: OffsetAndEpoch): void {
    const { disk } = this;
    this.#isBusy = true;
    this.#later(this.#diskMs(), () => {
      const bytes = disk.partial.get(snapshotName(id)) ?? new Uint8Array(0);
      disk.partial.delete(snapshotName(id));
      const { controlRecords } = readRecordsSnapshot(bytes, id);
      const snapshot = disk.addSnapshot(id, bytes);
      this.#later(this.#diskMs(), () => {
        disk.startAt(id.offset);
        this.snapshotsInstalled++;
        this.#isBusy = false;
        this.step({ kind: "snapshot-installed", snapshot, controlRecords });
        this.#pump();
      });
    });
  }

  #read(fetchOffset: number, maxBytes: number): Uint8Array | undefined {
    const { batches, logStartOffset } = this.disk;
    if (fetchOffset < logStartOffset) return undefined;
    const found: Uint8Array[] = [];
    let size = 0;
    for (let at = this.disk.indexAt(fetchOffset); at < batches.length; at++) {
      const bytes = batches[at]?.bytes;
      if (bytes === undefined || (size > 0 && size + bytes.length > maxBytes)) break;
      found.push(bytes);
      size += bytes.length;
    }
    return concat(found);
  }

  #commit(raft: KafkaRaft, highWatermark: number): void {
    const { invariants } = this.#around;
    if (highWatermark < this.#highWatermark) throw new Error(`the high watermark of ${this.id} went back`);
    this.#highWatermark = highWatermark;
    const { disk } = this;
    if (this.appliedOffset < disk.logStartOffset || this.appliedOffset < (disk.latestSnapshot?.offset ?? 0))
      this.#load();
    const { voterSet } = raft;
    const voters = voterSet.nodes.flatMap(({ key }) => this.#around.replica(key.id) ?? []);
    for (let at = disk.indexAt(this.appliedOffset); at < disk.batches.length; at++) {
      const batch = disk.batches[at];
      if (batch === undefined || batch.endOffset > highWatermark) break;
      this.appliedState = invariants.onCommit(this, batch, raft.epoch, voters, voterSet.majority);
      this.appliedOffset = batch.endOffset;
    }
  }

  #load(): void {
    const latest = this.disk.latestSnapshot;
    if (latest === undefined || latest.offset === 0 || latest.offset > this.#highWatermark) return;
    const { batches } = readRecordsSnapshot(latest.bytes, latest);
    let state: number | undefined;
    for (const batch of batches) {
      for (const { value } of batch.records()) {
        if (value !== null) state = new DataView(value.buffer, value.byteOffset).getUint32(0);
      }
    }
    assert(state !== undefined, "a snapshot has a state");
    this.#around.invariants.onLoadSnapshot(this.id, latest.offset, state);
    this.appliedOffset = latest.offset;
    this.appliedState = state;
  }

  #noteVoteRequest(requestId: number, request: RaftRequest): void {
    const asked = request.api === "Vote" ? request.message.topics[0]?.partitions[0] : undefined;
    if (asked === undefined || asked.preVote) return;
    const candidate = `${asked.replicaId}:${asked.replicaDirectoryId}`;
    this.#votes.set(requestId, { epoch: asked.replicaEpoch, candidate });
  }

  #noteVoteAnswer(requestId: number, response: RaftResponse): void {
    if (response.api !== "Vote") return;
    const asked = this.#votes.get(requestId);
    this.#votes.delete(requestId);
    const answer = response.message.topics[0]?.partitions[0];
    if (asked === undefined || answer?.errorCode !== ErrorCode.NONE || !answer.voteGranted) return;
    this.#around.invariants.onVote(this.id, asked.epoch, asked.candidate);
  }

  #noteOwnVote(request: RaftRequest): void {
    const asked = request.api === "Vote" ? request.message.topics[0]?.partitions[0] : undefined;
    if (asked === undefined || asked.preVote) return;
    const directoryId =
      this.#options.staticVoters.size > 0 && this.isOfOldProtocol ? ZERO_UUID : asked.replicaDirectoryId;
    this.#around.invariants.onVote(this.id, asked.replicaEpoch, `${asked.replicaId}:${directoryId}`);
  }

  /** Its peers are told no directories. */
  isOfOldProtocol = false;
}

function snapshotName({ offset, epoch }: OffsetAndEpoch): string {
  return `${offset}-${epoch}`;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
