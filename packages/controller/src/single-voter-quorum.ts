import type { Clock, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { UnifiedLog } from "@samsa/log";
import type { MetadataBatch, MetadataRecord, SnapshotId } from "@samsa/metadata";
import { bootstrapRecords, decodeMetadataBatch, encodeSnapshot, serializeMetadataRecord } from "@samsa/metadata";
import { RecordBatch } from "@samsa/protocol";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import type { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import type { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import type { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import type { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import type { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import type { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import type { RaftConfig, RaftRequest } from "@samsa/raft";
import { DEFAULT_RAFT_CONFIG, KafkaRaft, RaftDriver, VoterSet } from "@samsa/raft";
import type { MetadataLog, MetadataLogListener } from "./metadata-log.ts";
import type { MetadataLogLocation, RecoveredBatch, RecoveredMetadataLog } from "./metadata-log-recovery.ts";
import {
  MAX_METADATA_BATCH_BYTES,
  METADATA_LOG_FOLDER,
  recoverMetadataLog,
  writeRecoveryPoint,
} from "./metadata-log-recovery.ts";
import { epochStarts, MetadataReplicatedLog } from "./metadata-replicated-log.ts";
import { QuorumStateFile } from "./quorum-state-file.ts";

/** So many records may be committed before the recovery point is noted again. */
const CHECKPOINT_INTERVAL_RECORDS = 1000;

export interface SingleVoterQuorumOptions extends MetadataLogLocation {
  readonly nodeId: number;
  readonly directoryId: Uuid;
  /** What requests about the quorum are held against. */
  readonly clusterId: string;
  /** `controller.quorum.*`; Kafka's defaults when left out. */
  readonly raftConfig?: Partial<RaftConfig>;
  /** `metadata.max.retention.bytes`: log and snapshots; the oldest snapshots go beyond. 100 MiB when left out. */
  readonly maxRetentionBytes?: number;
  /** `metadata.max.retention.ms`: of snapshots, by the records they sum up. Seven days when left out. */
  readonly maxRetentionMs?: number;
}

/** A batch that the log has and that is not committed. */
interface PendingBatch {
  readonly endOffset: number;
  readonly bytes: Uint8Array;
  /** What this node appended is not read again. */
  readonly batch: MetadataBatch | undefined;
}

/**
 * The metadata log of a quorum that has one voter, this node, on the quorum of `@samsa/raft`: it leads from the start, and what
 * its disk has synced is committed.
 */
export class SingleVoterQuorum implements MetadataLog {
  readonly bootstrapRecords: readonly MetadataRecord[];
  readonly #log: UnifiedLog;
  readonly #replicated: MetadataReplicatedLog;
  readonly #location: MetadataLogLocation;
  readonly #retention: { readonly bytes: number; readonly ms: number };
  readonly #clock: Clock;
  readonly #nodeId: number;
  readonly #raft: KafkaRaft;
  readonly #driver: RaftDriver;
  readonly #pending: PendingBatch[] = [];
  readonly #snapshotTimes = new Map<number, number>(); // by end offset: of the last record in it
  #recovered: RecoveredMetadataLog | undefined;
  #listener: MetadataLogListener | undefined;
  #failure: { readonly error: unknown } | undefined;
  #onLeading: (() => void) | undefined;
  #bytesSinceSnapshot = 0;
  #own: MetadataBatch | undefined;
  #checkpointedOffset = 0;
  #checkpointing: Promise<void> = Promise.resolve();
  #snapshotting: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(
    options: SingleVoterQuorumOptions,
    recovered: RecoveredMetadataLog,
    stateFile: QuorumStateFile,
    raft: KafkaRaft,
  ) {
    const { disk, clock, directory, nodeId, maxRetentionBytes, maxRetentionMs } = options;
    this.#log = recovered.log;
    this.#replicated = new MetadataReplicatedLog(recovered.log, disk, `${directory}/${METADATA_LOG_FOLDER}`);
    this.#location = options;
    this.#retention = { bytes: maxRetentionBytes ?? 100 * 1024 ** 2, ms: maxRetentionMs ?? 7 * 24 * 3_600_000 };
    this.#clock = clock;
    this.#nodeId = nodeId;
    this.#recovered = recovered;
    this.bootstrapRecords = recovered.bootstrapRecords.length > 0 ? recovered.bootstrapRecords : bootstrapRecords();
    this.#bytesSinceSnapshot = recovered.bytesSinceSnapshot;
    this.#raft = raft;
    this.#driver = new RaftDriver({
      raft,
      clock,
      log: this.#replicated,
      writeQuorumState: (bytes) => stateFile.write(bytes),
      // There is nobody else. A quorum of many has a channel here, and nothing else of its own.
      channel: { send: (correlationId, _destination, request) => this.#refuseToSend(correlationId, request) },
      listener: {
        onAppend: (bytes, _baseOffset, endOffset) => this.#pending.push({ endOffset, bytes, batch: this.#own }),
        onTruncate: () => undefined,
        onSnapshotInstalled: () => undefined,
        onLeaderChange: () => undefined,
        onHighWatermark: (offset) => this.#commit(offset),
      },
      onFailure: (error) => this.#fail(error),
    });
  }

  /**
   * Recovers the log and wins the election of the next epoch.
   * @throws KafkaError when the log is damaged, or other voters belong to its quorum
   */
  static async open(options: SingleVoterQuorumOptions): Promise<SingleVoterQuorum> {
    const { disk, directory } = options;
    const stateFile = new QuorumStateFile(disk, `${directory}/${METADATA_LOG_FOLDER}/quorum-state`);
    const quorumState = await stateFile.read();
    const recovered = await recoverMetadataLog(options);
    if (quorumState === undefined && recovered.log.logEndOffset > 0) {
      options.report?.(stateFile.path, "it is missing; made anew from the epochs of the log");
    }
    try {
      checkVoters(options, recovered);
      const raft = createRaft(options, recovered, quorumState);
      const quorum = new SingleVoterQuorum(options, recovered, stateFile, raft);
      await quorum.#readSnapshotTimes();
      await quorum.#lead();
      await quorum.#checkpoint();
      return quorum;
    } catch (error) {
      await recovered.log.close();
      throw error;
    }
  }

  get epoch(): number {
    return this.#raft.epoch;
  }

  get kraftVersion(): number {
    return this.#raft.kraftVersion;
  }

  get endOffset(): number {
    return this.#raft.endOffset;
  }

  get bytesSinceSnapshot(): number {
    return this.#bytesSinceSnapshot;
  }

  register(listener: MetadataLogListener): Promise<void> {
    const recovered = this.#recovered;
    if (recovered === undefined) throw new Error("one listener is enough");
    this.#recovered = undefined;
    this.#listener = listener;
    this.#log.onFailure = (_log, error) => this.#fail(error);
    if (recovered.snapshot !== undefined) {
      listener.handleLoadSnapshot(recovered.snapshot.id, recovered.snapshot.snapshot);
    }
    for (const batch of recovered.batches) tell(listener, batch);
    const lastOffset = this.endOffset - 1;
    listener.handleControlRecords(lastOffset, this.epoch, this.#clock.wallMs()); // our own leader change
    listener.handleLeaderChange({ leaderId: this.#nodeId, epoch: this.epoch });
    return Promise.resolve();
  }

  append(epoch: number, records: readonly MetadataRecord[]): number {
    if (this.#isClosed || epoch !== this.epoch) throw notController(epoch);
    const baseOffset = this.endOffset;
    const timestampMs = Math.floor(this.#clock.wallMs());
    // Read back by `onAppend`, which the driver calls before this returns: urgent records wait for no others.
    this.#own = { records, baseOffset, epoch, timestampMs };
    try {
      return this.#driver.append(epoch, records.map(serializeMetadataRecord), true);
    } catch (error) {
      const isDeposed = error instanceof KafkaError && error.code === ErrorCode.NOT_LEADER_OR_FOLLOWER;
      throw isDeposed ? notController(epoch) : error;
    } finally {
      this.#own = undefined;
    }
  }

  async describeQuorum(request: DescribeQuorumRequest): Promise<DescribeQuorumResponse> {
    const response = await this.#driver.request({ api: "DescribeQuorum", message: request });
    if (response.api === "DescribeQuorum") return response.message;
    throw new Error("the answer to another question");
  }

  async addRaftVoter(request: AddRaftVoterRequest): Promise<AddRaftVoterResponse> {
    const response = await this.#driver.request({ api: "AddRaftVoter", message: request });
    if (response.api === "AddRaftVoter") return response.message;
    throw new Error("the answer to another question");
  }

  async removeRaftVoter(request: RemoveRaftVoterRequest): Promise<RemoveRaftVoterResponse> {
    const response = await this.#driver.request({ api: "RemoveRaftVoter", message: request });
    if (response.api === "RemoveRaftVoter") return response.message;
    throw new Error("the answer to another question");
  }

  /** Snapshots are written one after the other; one that is not newer than the last is not. */
  createSnapshot(id: SnapshotId, lastContainedLogTimeMs: number, records: Iterable<MetadataRecord>): Promise<void> {
    if (this.#isClosed || id.endOffset <= (this.#raft.latestSnapshot?.offset ?? 0)) return Promise.resolve();
    const kraftVersion = this.#raft.kraftVersionAt(id.endOffset);
    const voters = kraftVersion === 0 ? undefined : this.#raft.voterSetAt(id.endOffset).toRecord();
    const snapshot = { lastContainedLogTimeMs, kraftVersion, voters, records: [...records] };
    const bytes = encodeSnapshot(snapshot, id.epoch, Math.floor(this.#clock.wallMs()));
    this.#bytesSinceSnapshot = 0;
    this.#snapshotting = this.#snapshotting.then(async () => {
      const raftId = { offset: id.endOffset, epoch: id.epoch };
      await this.#replicated.writeSnapshot(raftId, bytes);
      this.#snapshotTimes.set(id.endOffset, lastContainedLogTimeMs);
      this.#driver.step({ kind: "snapshot-created", snapshot: { ...raftId, sizeInBytes: bytes.length } });
      this.#clean();
    });
    return this.#snapshotting;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#snapshotting.catch(() => undefined); // told when it failed
    await this.#driver.close();
    // What failed before is known to the listener; a stop after it leaves the last checkpoint that was written.
    if (this.#log.failure === undefined && this.#failure === undefined) await this.#checkpoint();
    await this.#log.close();
  }

  /** Who is to vote as well cannot be reached from here, and Kafka's answer to that is this one. */
  #refuseToSend(correlationId: number, request: RaftRequest): void {
    if (request.api !== "ApiVersions") return;
    const message = ApiVersionsResponse.create({ errorCode: ErrorCode.BROKER_NOT_AVAILABLE });
    void Promise.resolve().then(() => this.#driver.response(correlationId, { api: "ApiVersions", message }));
  }

  /** Resolves when this node leads, and what came before its epoch is committed. */
  async #lead(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onLeading = resolve;
      this.#driver.start();
    });
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #readSnapshotTimes(): Promise<void> {
    for (const id of this.#raft.snapshots) {
      const timeMs = await this.#replicated.snapshotTimeMs(id);
      if (timeMs !== undefined) this.#snapshotTimes.set(id.offset, timeMs);
    }
  }

  #commit(highWatermark: number): void {
    this.#log.updateHighWatermark(highWatermark);
    while ((this.#pending[0]?.endOffset ?? Infinity) <= highWatermark) {
      const pending = this.#pending.shift();
      if (pending !== undefined) this.#tell(pending);
    }
    if (highWatermark > (this.#raft.epochStartOffset ?? Infinity)) this.#onLeading?.();
    if (this.#log.recoveryPoint - this.#checkpointedOffset < CHECKPOINT_INTERVAL_RECORDS) return;
    this.#checkpoint().catch((error: unknown) => this.#fail(error));
  }

  #tell({ bytes, batch }: PendingBatch): void {
    this.#bytesSinceSnapshot += bytes.length;
    const listener = this.#listener;
    if (listener === undefined) return; // the leader change, of which `register` tells
    if (batch !== undefined) {
      listener.handleCommit(batch);
      return;
    }
    const read = new RecordBatch(bytes);
    if (read.isControlBatch)
      listener.handleControlRecords(read.lastOffset, read.partitionLeaderEpoch, read.maxTimestamp);
    else listener.handleCommit(decodeMetadataBatch(read));
  }

  /** The oldest snapshots go, and the log before the one that is then the oldest, when there is too much or it is too old. */
  #clean(): void {
    for (const { oldest, next } of this.#snapshotPairs()) {
      const isTooMuch = this.#log.sizeInBytes + this.#raft.snapshotBytes > this.#retention.bytes;
      const timeMs = this.#snapshotTimes.get(oldest.offset);
      const isTooOld = timeMs !== undefined && this.#clock.wallMs() - timeMs > this.#retention.ms;
      if (!isTooMuch && !isTooOld) return;
      this.#snapshotTimes.delete(oldest.offset);
      this.#driver.step({ kind: "delete-before", id: next });
    }
  }

  #snapshotPairs(): { oldest: { offset: number; epoch: number }; next: { offset: number; epoch: number } }[] {
    const { snapshots } = this.#raft;
    return snapshots.slice(1).flatMap(({ offset, epoch }, at) => {
      const oldest = snapshots[at];
      return oldest === undefined ? [] : [{ oldest, next: { offset, epoch } }];
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#onLeading?.();
    this.#listener?.handleFailure(error);
  }

  /** One checkpoint after the other. */
  #checkpoint(): Promise<void> {
    this.#checkpointedOffset = this.#log.recoveryPoint;
    const { disk, directory } = this.#location;
    this.#checkpointing = this.#checkpointing.then(() => writeRecoveryPoint(disk, directory, this.#log));
    return this.#checkpointing;
  }
}

function createRaft(
  { nodeId, directoryId, clusterId, clock, random, raftConfig }: SingleVoterQuorumOptions,
  { log, controlRecords, snapshots }: RecoveredMetadataLog,
  quorumState: ConstructorParameters<typeof KafkaRaft>[1]["quorumState"],
): KafkaRaft {
  const self = { key: { id: nodeId, directoryId }, endpoints: [], kraftVersions: { min: 0, max: 1 } };
  // Segments go whole: the log on the disk may begin before the snapshot that is its beginning, or a little after an older one.
  const kept = snapshots.filter(({ offset }) => offset >= log.logStartOffset);
  const logStartOffset = log.logStartOffset === 0 ? 0 : Math.min(...kept.map(({ offset }) => offset));
  const epochs = epochStarts(log).map(({ epoch, startOffset }) => ({
    epoch,
    startOffset: Math.max(startOffset, logStartOffset),
  }));
  return new KafkaRaft(
    {
      localKey: { id: nodeId, directoryId },
      clusterId,
      endpoints: [],
      listenerName: "CONTROLLER",
      staticVoters: new VoterSet([self]), // until the log says so itself, from kraft.version 1 on
      canBecomeVoter: true,
      config: { ...DEFAULT_RAFT_CONFIG, ...raftConfig, maxBatchBytes: MAX_METADATA_BATCH_BYTES },
      random,
    },
    {
      log: { logStartOffset, endOffset: log.logEndOffset, epochs, snapshots: kept },
      controlRecords,
      quorumState,
    },
    { nowMs: clock.monotonicMs(), wallMs: Math.floor(clock.wallMs()) },
  );
}

function tell(listener: MetadataLogListener, recovered: RecoveredBatch): void {
  if (recovered.kind === "records") listener.handleCommit(recovered.batch);
  else listener.handleControlRecords(recovered.lastOffset, recovered.epoch, recovered.timestampMs);
}

function notController(epoch: number): KafkaError {
  return new KafkaError(ErrorCode.NOT_CONTROLLER, `epoch ${epoch} is not the epoch of this leader`);
}

function checkVoters(
  { nodeId, directoryId, directory }: SingleVoterQuorumOptions,
  { voters }: RecoveredMetadataLog,
): void {
  if (voters === undefined) return; // before kraft.version 1 they are configured
  const [voter, ...others] = voters.voters;
  const isSelf = voter?.voterId === nodeId && voter.voterDirectoryId === directoryId;
  if (isSelf && others.length === 0) return;
  const found = voters.voters.map((each) => `${each.voterId} (directory ${each.voterDirectoryId})`).join(", ");
  throw new KafkaError(
    ErrorCode.INVALID_VOTER_KEY,
    `the quorum of ${directory} is made of ${found}; this node is ${nodeId} (directory ${directoryId}) and runs as its only voter`,
  );
}
