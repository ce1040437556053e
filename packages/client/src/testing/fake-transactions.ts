import { ErrorCode } from "@samsa/base";
import { ControlRecordType, endTransactionMarker, RecordBatch } from "@samsa/protocol";
import type { FakeCluster } from "./fake-cluster.ts";

export interface FakeTransaction {
  producerId: number;
  producerEpoch: number;
  isOpen: boolean;
  /** First offset of each partition that something was written to; undefined where it was only added. */
  readonly partitions: Map<string, number | undefined>;
  readonly groups: Set<string>;
  readonly pendingOffsets: PendingOffset[];
}

interface PendingOffset {
  readonly groupId: string;
  readonly partition: string; // `t-0`
  readonly offset: number;
}

/** A coordinator of transactions that writes its markers at once. */
export class FakeTransactions {
  readonly #cluster: FakeCluster;
  readonly byId = new Map<string, FakeTransaction>();
  /** The level of `transaction.version`. */
  version = 2;

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
  }

  init(transactionalId: string, known: { producerId: number; producerEpoch: number }): FakeTransaction | ErrorCode {
    const found = this.byId.get(transactionalId);
    if (found === undefined) {
      const fresh = {
        producerId: this.#cluster.nextProducerId++,
        producerEpoch: 0,
        isOpen: false,
        partitions: new Map(),
        groups: new Set<string>(),
        pendingOffsets: [],
      };
      this.byId.set(transactionalId, fresh);
      return fresh;
    }
    if (known.producerId >= 0 && this.check(transactionalId, known) !== ErrorCode.NONE)
      return ErrorCode.PRODUCER_FENCED;
    found.producerEpoch++;
    this.#finish(found, false);
    return found;
  }

  check(transactionalId: string, producer: { producerId: number; producerEpoch: number }): ErrorCode {
    const found = this.byId.get(transactionalId);
    if (found?.producerId !== producer.producerId) return ErrorCode.INVALID_PRODUCER_ID_MAPPING;
    return found.producerEpoch === producer.producerEpoch ? ErrorCode.NONE : ErrorCode.PRODUCER_FENCED;
  }

  add(transactionalId: string, partition: string): void {
    const found = this.byId.get(transactionalId);
    if (found === undefined) return;
    found.isOpen = true;
    if (!found.partitions.has(partition)) found.partitions.set(partition, undefined);
  }

  /** What a leader asks before it appends (KIP-890). */
  verify(transactionalId: string | null, records: Uint8Array, name: string, version: number): ErrorCode {
    const batch = new RecordBatch(records);
    if (!batch.isTransactional) return ErrorCode.NONE;
    if (transactionalId === null) return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    const code = this.check(transactionalId, batch);
    if (code !== ErrorCode.NONE) return code === ErrorCode.PRODUCER_FENCED ? ErrorCode.INVALID_PRODUCER_EPOCH : code;
    if (version >= 12) this.add(transactionalId, name);
    return this.byId.get(transactionalId)?.partitions.has(name) === true ? ErrorCode.NONE : ErrorCode.INVALID_TXN_STATE;
  }

  appended(transactionalId: string, name: string, baseOffset: number): void {
    const found = this.byId.get(transactionalId);
    if (found?.partitions.has(name) !== true) return;
    if (found.partitions.get(name) === undefined) found.partitions.set(name, baseOffset);
    this.#settleStableOffset(name);
  }

  /** @returns who the producer is from now on, with transactions V2 */
  end(transactionalId: string, committed: boolean, isV2: boolean): FakeTransaction | undefined {
    const found = this.byId.get(transactionalId);
    if (found === undefined) return undefined;
    if (isV2) found.producerEpoch++;
    this.#finish(found, committed);
    return found;
  }

  #finish(transaction: FakeTransaction, committed: boolean): void {
    const { producerId, producerEpoch, partitions, pendingOffsets } = transaction;
    transaction.isOpen = false;
    for (const [name, firstOffset] of partitions) {
      partitions.delete(name);
      const [topic = "", partition = "0"] = name.split("/");
      const found = this.#cluster.partition(topic, Number(partition));
      const type = committed ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
      const bytes = endTransactionMarker({
        type,
        producerId,
        producerEpoch,
        coordinatorEpoch: 0,
        timestamp: 0,
        baseOffset: found.endOffset,
        partitionLeaderEpoch: found.leaderEpoch,
      });
      if (!committed && firstOffset !== undefined) {
        found.aborted.push({ producerId, firstOffset, lastOffset: found.endOffset });
      }
      found.batches.push(bytes);
      found.endOffset++;
      const known = found.producers.get(producerId);
      if (known !== undefined && known.epoch < producerEpoch) {
        found.producers.set(producerId, { epoch: producerEpoch, batches: [] });
      }
      this.#settleStableOffset(name);
    }
    for (const { groupId, partition, offset } of pendingOffsets.splice(0)) {
      if (!committed) continue;
      const group = this.#cluster.groups.get(groupId);
      group.offsets.set(partition, { offset, leaderEpoch: -1, metadata: "" });
      group.commits.push(`${partition}=${offset}`);
    }
    transaction.groups.clear();
    this.#cluster.appended();
  }

  #settleStableOffset(name: string): void {
    const [topic = "", partition = "0"] = name.split("/");
    const open = Array.from(this.byId.values(), ({ partitions }) => partitions.get(name) ?? Infinity);
    const first = Math.min(...open);
    this.#cluster.partition(topic, Number(partition)).lastStableOffset = first === Infinity ? undefined : first;
  }
}
