import type { Clock, Timer } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { Destination, RaftEffect, RaftInput, RaftTime } from "./effects.ts";
import { encodeQuorumState } from "./election-state.ts";
import type { KafkaRaft } from "./kafka-raft.ts";
import type { LocatedControlRecord } from "./partition-state.ts";
import type { OffsetAndEpoch, SnapshotInfo } from "./raft-log.ts";
import type { RaftRequest, RaftResponse } from "./raft-messages.ts";

/** The log `__cluster_metadata-0` on a disk. */
export interface ReplicatedLog {
  /** Takes a batch in at once: it can be read, and the next may follow. Resolves when it, and all before it, is synced. */
  append(bytes: Uint8Array): Promise<void>;
  /** Whole batches from the one that holds the offset on; the first may be larger than `maxBytes`. */
  read(fetchOffset: number, maxBytes: number): Uint8Array | Promise<Uint8Array>;
  truncateTo(endOffset: number): Promise<void>;
  /** Lets go of the records below the snapshot's end, and of the snapshots before it. */
  deleteBefore(id: OffsetAndEpoch): Promise<void>;
  /** Bytes of a snapshot; undefined when it is gone. */
  readSnapshot(id: OffsetAndEpoch, position: number, maxBytes: number): Promise<Uint8Array | undefined>;
  /** The next bytes of a snapshot that comes from the leader; position 0 begins it anew. */
  writeSnapshotChunk(id: OffsetAndEpoch, position: number, bytes: Uint8Array): Promise<void>;
  /** Syncs and names the snapshot whose bytes are all there, and begins the log anew at its end; undefined when it is damaged. */
  installSnapshot(id: OffsetAndEpoch): Promise<InstalledSnapshot | undefined>;
}

export interface InstalledSnapshot {
  readonly snapshot: SnapshotInfo;
  readonly controlRecords: readonly LocatedControlRecord[];
}

/** How replicas speak to each other. What comes back is told by `RaftDriver.response` or `noResponse`. */
export interface RaftChannel {
  send(correlationId: number, destination: Destination, request: RaftRequest): void;
}

/** Told in order. May call the driver. */
export interface RaftListener {
  /** Everything below is committed. */
  onHighWatermark(offset: number): void;
  onLeaderChange(change: RaftEffect & { readonly kind: "leader-changed" }): void;
  /** The log has given up records from here on. */
  onTruncate(endOffset: number): void;
  /** A snapshot has taken the place of the log. */
  onSnapshotInstalled(snapshot: SnapshotInfo): void;
  /** A batch has been handed to the log, by this leader or from another. */
  onAppend(bytes: Uint8Array, baseOffset: number, endOffset: number): void;
}

export interface RaftDriverOptions {
  readonly raft: KafkaRaft;
  readonly clock: Clock;
  readonly log: ReplicatedLog;
  /** Resolves when the bytes are on the platter, in the place of those before. */
  readonly writeQuorumState: (bytes: Uint8Array) => Promise<void>;
  readonly channel: RaftChannel;
  readonly listener: RaftListener;
  /** A disk failed, or a promise was broken: nothing is done any more. */
  readonly onFailure: (error: unknown) => void;
}

interface WaitingRequest {
  readonly resolve: (response: RaftResponse) => void;
  readonly reject: (error: KafkaError) => void;
}

/**
 * Performs the effects of a KafkaRaft, one after the other: those that a disk has to confirm hold up all that come later, and the
 * steps go on meanwhile. So whatever is said rests on what is on the platter.
 */
export class RaftDriver {
  readonly #options: RaftDriverOptions;
  readonly #effects: RaftEffect[] = [];
  readonly #waiting = new Map<number, WaitingRequest>();
  #nextRequestId = 1;
  #isBusy = false;
  #isPerforming = false;
  #timer: Timer | undefined;
  #timerDueMs = Infinity;
  #lastAppend: Promise<void> = Promise.resolve();
  #isStopped = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: RaftDriverOptions) {
    this.#options = options;
  }

  start(): void {
    this.#take(this.#options.raft.start());
  }

  /** Appends as the leader of `epoch`; see KafkaRaft.append. @returns the offset of the last record */
  append(epoch: number, values: readonly Uint8Array[], isUrgent: boolean): number {
    if (this.#isStopped) throw new KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, "the quorum's log is closed");
    const { lastOffset, effects } = this.#options.raft.append(epoch, values, this.#time, isUrgent);
    this.#take(effects);
    return lastOffset;
  }

  /**
   * Asks this replica, as its peers and administrators do.
   * @throws KafkaError BROKER_NOT_AVAILABLE when the replica stops before
   */
  request(request: RaftRequest): Promise<RaftResponse> {
    const requestId = this.#nextRequestId++;
    return new Promise((resolve, reject) => {
      if (this.#isStopped) {
        reject(stopped());
        return;
      }
      this.#waiting.set(requestId, { resolve, reject });
      this.step({ kind: "request", requestId, request });
    });
  }

  response(correlationId: number, response: RaftResponse): void {
    this.step({ kind: "response", correlationId, response });
  }

  noResponse(correlationId: number, isUnsupported: boolean): void {
    this.step({ kind: "no-response", correlationId, isUnsupported });
  }

  step(input: RaftInput): void {
    if (this.#isStopped) return;
    try {
      this.#take(this.#options.raft.step(input, this.#time));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Takes no more steps, and waits for what was begun: the appends are synced then. */
  async close(): Promise<void> {
    if (!this.#isStopped) {
      if (this.#isBusy || this.#effects.length > 0) {
        await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
      }
      await this.#lastAppend;
    }
    this.#stop();
  }

  get #time(): RaftTime {
    const { clock } = this.#options;
    return { nowMs: clock.monotonicMs(), wallMs: Math.floor(clock.wallMs()) };
  }

  #take(effects: readonly RaftEffect[]): void {
    this.#effects.push(...effects);
    this.#perform();
    this.#setTimer();
  }

  #perform(): void {
    if (this.#isPerforming) return; // a listener has called the driver: what is left is done after it
    this.#isPerforming = true;
    try {
      while (!this.#isBusy && !this.#isStopped) {
        const effect = this.#effects.shift();
        if (effect === undefined) break;
        const done = this.#begin(effect);
        if (done !== undefined) this.#await(done);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isPerforming = false;
    }
    if (this.#isStopped || (!this.#isBusy && this.#effects.length === 0)) {
      for (const resolve of this.#whenIdle.splice(0)) resolve();
    }
  }

  /** What comes later begins when this is done. */
  #await(done: Promise<void>): void {
    this.#isBusy = true;
    done.then(
      () => {
        this.#isBusy = false;
        this.#perform();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** @returns what has to be awaited before the next effect */
  #begin(effect: RaftEffect): Promise<void> | undefined {
    const { log, channel, listener, raft, writeQuorumState } = this.#options;
    switch (effect.kind) {
      case "write-quorum-state":
        return writeQuorumState(encodeQuorumState(effect.state, effect.kraftVersion));
      case "append": {
        const { bytes, baseOffset, endOffset, truncationCount } = effect;
        const synced = log.append(bytes);
        listener.onAppend(bytes, baseOffset, endOffset);
        this.#lastAppend = synced.then(
          () => this.step({ kind: "log-durable", endOffset, truncationCount }),
          (error: unknown) => this.#fail(error),
        );
        return undefined;
      }
      case "truncate":
        listener.onTruncate(effect.endOffset);
        return log.truncateTo(effect.endOffset);
      case "delete-before":
        return log.deleteBefore(effect.id);
      case "send":
        channel.send(effect.correlationId, effect.destination, effect.request);
        return undefined;
      case "answer":
        this.#answer(effect.requestId, effect.response);
        return undefined;
      case "answer-fetch": {
        const answer = (records: Uint8Array): void => {
          // Cut and written again meanwhile, the log could hold anything there.
          const message = raft.epoch === effect.epoch ? effect.withRecords(records) : effect.refusal;
          this.#answer(effect.requestId, { api: "Fetch", message });
        };
        const records = log.read(effect.fetchOffset, effect.maxBytes);
        if (records instanceof Uint8Array) answer(records);
        else records.then(answer, (error: unknown) => this.#fail(error));
        return undefined;
      }
      case "answer-snapshot":
        log.readSnapshot(effect.id, effect.position, effect.maxBytes).then(
          (bytes) => {
            const message = bytes === undefined ? effect.refusal : effect.withBytes(bytes);
            this.#answer(effect.requestId, { api: "FetchSnapshot", message });
          },
          (error: unknown) => this.#fail(error),
        );
        return undefined;
      case "write-snapshot-chunk":
        return log.writeSnapshotChunk(effect.id, effect.position, effect.bytes);
      case "install-snapshot":
        return log.installSnapshot(effect.id).then((installed) => {
          if (installed === undefined) this.step({ kind: "snapshot-rejected", id: effect.id });
          else {
            listener.onSnapshotInstalled(installed.snapshot);
            this.step({ kind: "snapshot-installed", ...installed });
          }
        });
      case "high-watermark":
        listener.onHighWatermark(effect.offset);
        return undefined;
      case "leader-changed":
        listener.onLeaderChange(effect);
        return undefined;
      case "shutdown-complete":
        return undefined;
    }
  }

  #answer(requestId: number, response: RaftResponse): void {
    const waiting = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    waiting?.resolve(response);
  }

  #setTimer(): void {
    const { raft, clock } = this.#options;
    const dueMs = this.#isStopped ? Infinity : raft.nextDeadlineMs;
    if (dueMs === this.#timerDueMs) return;
    // One that comes too early costs a step without effect; one is set anew only when it would come too late.
    if (this.#timer !== undefined && this.#timerDueMs < dueMs && dueMs !== Infinity) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = dueMs;
    if (dueMs === Infinity) return;
    this.#timer = clock.setTimer(Math.max(0, dueMs - clock.monotonicMs()), () => {
      this.#timer = undefined;
      this.#timerDueMs = Infinity;
      this.step({ kind: "tick" });
    });
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.#stop();
    this.#options.onFailure(error);
  }

  #stop(): void {
    this.#isStopped = true;
    this.#effects.length = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { reject } of this.#waiting.values()) reject(stopped());
    this.#waiting.clear();
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

function stopped(): KafkaError {
  return new KafkaError(ErrorCode.BROKER_NOT_AVAILABLE, "this replica of the quorum has stopped");
}
