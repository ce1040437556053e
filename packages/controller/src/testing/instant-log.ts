import type { MetadataRecord } from "@samsa/metadata";
import { bootstrapRecords } from "@samsa/metadata";
import { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import type { MetadataLog, MetadataLogListener } from "../metadata-log.ts";

/** A log that commits what is appended at once, and forgets it. */
export class InstantLog implements MetadataLog {
  readonly kraftVersion = 1;
  readonly bootstrapRecords = bootstrapRecords();
  /** The number of records of each batch. */
  readonly batchSizes: number[] = [];
  endOffset = 0;
  #listener: MetadataLogListener | undefined;

  register(listener: MetadataLogListener): Promise<void> {
    this.#listener = listener;
    listener.handleLeaderChange({ leaderId: 1, epoch: 1 });
    return Promise.resolve();
  }

  append(epoch: number, records: readonly MetadataRecord[]): number {
    const baseOffset = this.endOffset;
    this.batchSizes.push(records.length);
    this.endOffset += records.length;
    this.#listener?.handleCommit({ records, baseOffset, epoch, timestampMs: 0 });
    return this.endOffset - 1;
  }

  /** Another node leads from now on. */
  loseLeadership(): void {
    this.#listener?.handleLeaderChange({ leaderId: 2, epoch: 2 });
  }

  readonly bytesSinceSnapshot = 0;

  createSnapshot(): Promise<void> {
    return Promise.resolve();
  }

  describeQuorum(): Promise<DescribeQuorumResponse> {
    return Promise.resolve(DescribeQuorumResponse.create());
  }

  addRaftVoter(): Promise<AddRaftVoterResponse> {
    return Promise.resolve(AddRaftVoterResponse.create());
  }

  removeRaftVoter(): Promise<RemoveRaftVoterResponse> {
    return Promise.resolve(RemoveRaftVoterResponse.create());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
