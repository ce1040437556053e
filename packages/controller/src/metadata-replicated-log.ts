import type { Disk } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import type { UnifiedLog } from "@samsa/log";
import { readWholeFile } from "@samsa/log";
import { parseSnapshotFileName, snapshotFileName } from "@samsa/metadata";
import { ControlRecordType, peekBatchSize, RecordBatch } from "@samsa/protocol";
import type { EpochStart, InstalledSnapshot, OffsetAndEpoch, ReplicatedLog } from "@samsa/raft";
import { locatedControlRecords, readRecordsSnapshot } from "@samsa/raft";

/** The first batch of a snapshot, with the voters, is far smaller. */
const HEADER_BYTES = 64 * 1024;
const MAX_SNAPSHOT_BYTES = 1024 ** 3;

/** `__cluster_metadata-0` and its snapshots in one folder, for the quorum (Kafka's KafkaRaftLog). */
export class MetadataReplicatedLog implements ReplicatedLog {
  readonly #log: UnifiedLog;
  readonly #disk: Disk;
  readonly #folder: string;

  constructor(log: UnifiedLog, disk: Disk, folder: string) {
    this.#log = log;
    this.#disk = disk;
    this.#folder = folder;
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#log.appendAsFollower(bytes).written;
  }

  read(fetchOffset: number, maxBytes: number): Uint8Array | Promise<Uint8Array> {
    const result = this.#log.read(fetchOffset, maxBytes);
    return result instanceof Promise ? result.then(({ records }) => concat(records)) : concat(result.records);
  }

  async truncateTo(endOffset: number): Promise<void> {
    await this.#log.truncateTo(endOffset);
  }

  async deleteBefore({ offset }: OffsetAndEpoch): Promise<void> {
    this.#log.maybeIncrementLogStartOffset(offset);
    await this.#log.deleteOldSegments();
    await this.#removeSnapshotsBefore(offset);
  }

  async readSnapshot(id: OffsetAndEpoch, position: number, maxBytes: number): Promise<Uint8Array | undefined> {
    const path = this.#path(id);
    const size = await this.#disk.fileSize(path);
    if (size === undefined || position >= size) return undefined;
    const file = await this.#disk.open(path);
    try {
      const bytes = new Uint8Array(Math.min(maxBytes, size - position));
      return bytes.subarray(0, await file.read(position, bytes));
    } finally {
      await file.close();
    }
  }

  /** The time of the last record that a snapshot sums up; undefined when its beginning does not say. */
  async snapshotTimeMs(id: OffsetAndEpoch): Promise<number | undefined> {
    const bytes = await this.readSnapshot(id, 0, HEADER_BYTES);
    const size = bytes === undefined ? undefined : peekBatchSize(bytes);
    if (bytes === undefined || size === undefined || size > bytes.length) return undefined;
    for (const { record } of locatedControlRecords(new RecordBatch(bytes))) {
      if (record.type === ControlRecordType.SNAPSHOT_HEADER) return record.value.lastContainedLogTimestamp;
    }
    return undefined;
  }

  async writeSnapshotChunk(id: OffsetAndEpoch, position: number, bytes: Uint8Array): Promise<void> {
    const file = await this.#disk.open(`${this.#path(id)}.part`, { create: true });
    try {
      if (position === 0) await file.truncate(0);
      await file.write(position, [bytes]);
    } finally {
      await file.close();
    }
  }

  async installSnapshot(id: OffsetAndEpoch): Promise<InstalledSnapshot | undefined> {
    const part = `${this.#path(id)}.part`;
    const bytes = await readWholeFile(this.#disk, part, MAX_SNAPSHOT_BYTES);
    if (bytes === undefined) return undefined;
    let controlRecords: InstalledSnapshot["controlRecords"];
    try {
      ({ controlRecords } = readRecordsSnapshot(bytes, id));
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      await this.#disk.remove(part);
      return undefined;
    }
    await this.#finish(part, this.#path(id));
    await this.#log.truncateFullyAndStartAt(id.offset);
    await this.#removeSnapshotsBefore(id.offset);
    return { snapshot: { ...id, sizeInBytes: bytes.length }, controlRecords };
  }

  /** Writes a snapshot of this replica's own. Resolves when it is on the platter. */
  async writeSnapshot(id: OffsetAndEpoch, bytes: Uint8Array): Promise<void> {
    await this.writeSnapshotChunk(id, 0, bytes);
    await this.#finish(`${this.#path(id)}.part`, this.#path(id));
  }

  async #finish(part: string, path: string): Promise<void> {
    const file = await this.#disk.open(part);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(part, path);
    await this.#disk.syncDirectory(this.#folder);
  }

  async #removeSnapshotsBefore(offset: number): Promise<void> {
    for (const { name } of await this.#disk.list(this.#folder)) {
      const id = parseSnapshotFileName(name.endsWith(".part") ? name.slice(0, -".part".length) : name);
      if (id !== undefined && id.endOffset < offset) await this.#disk.remove(`${this.#folder}/${name}`);
    }
  }

  #path({ offset: endOffset, epoch }: OffsetAndEpoch): string {
    return `${this.#folder}/${snapshotFileName({ endOffset, epoch })}`;
  }
}

/** Where each epoch of the log begins. */
export function epochStarts(log: UnifiedLog): EpochStart[] {
  const found: EpochStart[] = [];
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const epoch = log.epochForOffset(offset);
    if (epoch === undefined) break;
    found.push({ epoch, startOffset: offset });
    offset = log.endOffsetForEpoch(epoch).endOffset;
  }
  return found;
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
