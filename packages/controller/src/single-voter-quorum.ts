import type { Clock, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import type { UnifiedLog } from "@samsa/log";
import type { MetadataRecord } from "@samsa/metadata";
import { bootstrapRecords, encodeControlBatch, encodeMetadataBatch, quorumRecords } from "@samsa/metadata";
import type { ControlRecord } from "@samsa/protocol";
import { ControlRecordType } from "@samsa/protocol";
import { LeaderChangeMessage, createLeaderChangeMessageVoter } from "@samsa/protocol/messages/leader-change-message";
import type { MetadataLog, MetadataLogListener } from "./metadata-log.ts";
import type { MetadataLogLocation, RecoveredBatch, RecoveredMetadataLog } from "./metadata-log-recovery.ts";
import {
  MAX_METADATA_BATCH_BYTES,
  METADATA_LOG_FOLDER,
  recoverMetadataLog,
  writeRecoveryPoint,
} from "./metadata-log-recovery.ts";
import { QuorumStateFile } from "./quorum-state-file.ts";

/** So many records may be committed before the recovery point is noted again. */
const CHECKPOINT_INTERVAL_RECORDS = 1000;

export interface SingleVoterQuorumOptions extends MetadataLogLocation {
  readonly nodeId: number;
  readonly directoryId: Uuid;
}

/**
 * The metadata log of a quorum that has one voter, this node: it leads from the start, and what its disk has synced is
 * committed. It writes what a quorum of many would: an epoch of its own, `quorum-state`, a leader change first.
 */
export class SingleVoterQuorum implements MetadataLog {
  readonly bootstrapRecords: readonly MetadataRecord[];
  /** The level of the feature kraft.version, which the quorum keeps and not the metadata. */
  readonly kraftVersion: number;
  readonly #log: UnifiedLog;
  readonly #location: MetadataLogLocation;
  readonly #clock: Clock;
  readonly #nodeId: number;
  readonly #epoch: number;
  #recovered: RecoveredMetadataLog | undefined;
  #listener: MetadataLogListener | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  #checkpointedOffset = 0;
  #checkpointing: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(options: SingleVoterQuorumOptions, recovered: RecoveredMetadataLog, epoch: number) {
    this.#log = recovered.log;
    this.#location = options;
    this.#clock = options.clock;
    this.#nodeId = options.nodeId;
    this.#epoch = epoch;
    this.#recovered = recovered;
    this.kraftVersion = recovered.kraftVersion;
    this.bootstrapRecords = recovered.bootstrapRecords.length > 0 ? recovered.bootstrapRecords : bootstrapRecords();
  }

  /**
   * Recovers the log and wins the election of the next epoch.
   * @throws KafkaError when the log is damaged, or other voters belong to its quorum
   */
  static async open(options: SingleVoterQuorumOptions): Promise<SingleVoterQuorum> {
    const { disk, directory, nodeId } = options;
    const stateFile = new QuorumStateFile(disk, `${directory}/${METADATA_LOG_FOLDER}/quorum-state`);
    const state = await stateFile.read();
    const recovered = await recoverMetadataLog(options);
    try {
      checkVoters(options, recovered);
      const epoch = Math.max(state?.leaderEpoch ?? 0, recovered.log.latestEpoch ?? 0) + 1;
      // Before anything is written in the epoch: it is ours on disk, or after a crash it could be used twice.
      await stateFile.write({ leaderId: nodeId, leaderEpoch: epoch, votedId: -1, votedDirectoryId: ZERO_UUID });
      const quorum = new SingleVoterQuorum(options, recovered, epoch);
      await quorum.#announceLeader(recovered);
      await quorum.#checkpoint();
      return quorum;
    } catch (error) {
      await recovered.log.close();
      throw error;
    }
  }

  get epoch(): number {
    return this.#epoch;
  }

  get endOffset(): number {
    return this.#log.logEndOffset;
  }

  register(listener: MetadataLogListener): Promise<void> {
    const recovered = this.#recovered;
    if (recovered === undefined) throw new Error("one listener is enough");
    this.#recovered = undefined;
    this.#listener = listener;
    this.#log.onFailure = (_log, error) => listener.handleFailure(error);
    if (recovered.snapshot !== undefined) {
      listener.handleLoadSnapshot(recovered.snapshot.id, recovered.snapshot.snapshot);
    }
    for (const batch of recovered.batches) tell(listener, batch);
    const lastOffset = this.endOffset - 1;
    listener.handleControlRecords(lastOffset, this.#epoch, this.#clock.wallMs()); // our own leader change
    listener.handleLeaderChange({ leaderId: this.#nodeId, epoch: this.#epoch });
    return Promise.resolve();
  }

  append(epoch: number, records: readonly MetadataRecord[]): number {
    if (this.#isClosed || epoch !== this.#epoch) {
      throw new KafkaError(ErrorCode.NOT_CONTROLLER, `epoch ${epoch} is not the epoch of this leader`);
    }
    const baseOffset = this.endOffset;
    const timestampMs = this.#clock.wallMs();
    const bytes = encodeMetadataBatch(records, { baseOffset, epoch, timestampMs });
    if (bytes.length > MAX_METADATA_BATCH_BYTES) {
      throw new KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        `the decision takes ${bytes.length} bytes of the metadata log, more than ${MAX_METADATA_BATCH_BYTES}`,
      );
    }
    const { written } = this.#log.appendAsFollower(bytes);
    this.#lastWrite = written.then(
      () => {
        this.#log.updateHighWatermark(baseOffset + records.length);
        this.#listener?.handleCommit({ records, baseOffset, epoch, timestampMs });
        if (this.#log.recoveryPoint - this.#checkpointedOffset < CHECKPOINT_INTERVAL_RECORDS) return;
        this.#checkpoint().catch((error: unknown) => this.#listener?.handleFailure(error));
      },
      (error: unknown) => this.#listener?.handleFailure(error),
    );
    return baseOffset + records.length - 1;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#lastWrite;
    // What failed before is known to the listener; a stop after it leaves the last checkpoint that was written.
    if (this.#log.failure === undefined) await this.#checkpoint();
    await this.#log.close();
  }

  /** One checkpoint after the other. */
  #checkpoint(): Promise<void> {
    this.#checkpointedOffset = this.#log.recoveryPoint;
    const { disk, directory } = this.#location;
    this.#checkpointing = this.#checkpointing.then(() => writeRecoveryPoint(disk, directory, this.#log));
    return this.#checkpointing;
  }

  /** The first batch of every epoch. The first one of a log also says who votes. */
  async #announceLeader({ areVotersInLog, kraftVersion, voters }: RecoveredMetadataLog): Promise<void> {
    const voter = createLeaderChangeMessageVoter({ voterId: this.#nodeId });
    const leaderChange: ControlRecord = {
      type: ControlRecordType.LEADER_CHANGE,
      value: LeaderChangeMessage.create({ leaderId: this.#nodeId, voters: [voter], grantingVoters: [voter] }),
    };
    const position = { baseOffset: this.endOffset, epoch: this.#epoch, timestampMs: this.#clock.wallMs() };
    const records = [leaderChange, ...(areVotersInLog ? [] : quorumRecords(kraftVersion, voters))];
    await this.#log.appendAsFollower(encodeControlBatch(records, position)).written;
    this.#log.updateHighWatermark(this.endOffset);
  }
}

function tell(listener: MetadataLogListener, recovered: RecoveredBatch): void {
  if (recovered.kind === "records") listener.handleCommit(recovered.batch);
  else listener.handleControlRecords(recovered.lastOffset, recovered.epoch, recovered.timestampMs);
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
