import type { Clock, Disk, Random } from "@samsa/base";
import type { RecordBatch } from "@samsa/protocol";
import { CorruptFileError, KafkaStorageError } from "./errors.ts";
import type { IndexCache } from "./index-cache.ts";
import { LeaderEpochCache, LeaderEpochCheckpointFile, NO_LEADER_EPOCH } from "./leader-epoch-cache.ts";
import type { EpochEntry } from "./leader-epoch-cache.ts";
import type { LogConfig } from "./log-config.ts";
import { maxSegmentMs } from "./log-config.ts";
import {
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  hasUnsafeOffset,
  LOG_SUFFIX,
  logFileName,
  OFFSET_INDEX_SUFFIX,
  parseLogFileName,
  PRODUCER_SNAPSHOT_SUFFIX,
  SWAP_SUFFIX,
  TIME_INDEX_SUFFIX,
  TXN_INDEX_SUFFIX,
} from "./log-file-names.ts";
import type { LogFileName } from "./log-file-names.ts";
import { LogSegment } from "./log-segment.ts";
import type { SegmentContext } from "./log-segment.ts";
import type { PooledDisk } from "./pooled-disk.ts";
import { ProducerSnapshots } from "./producer-snapshot-file.ts";
import { loadProducerState, rebuildTransactionIndex, replayBatch } from "./producer-state-loader.ts";
import type { ProducerStateSources } from "./producer-state-loader.ts";
import { ProducerStateManager } from "./producer-state-manager.ts";
import { recoverSegment, rewriteSegment } from "./segment-recovery.ts";
import type { ScanProblem } from "./segment-recovery.ts";
import type { LoadedLog } from "./unified-log.ts";

export interface LogLoaderOptions {
  readonly disk: PooledDisk;
  readonly clock: Clock;
  readonly random: Random;
  readonly directory: string;
  readonly config: LogConfig;
  readonly indexCache: IndexCache;
  /** So long after its last batch a producer is forgotten. */
  readonly producerIdExpirationMs: number;
  /** Whether the log was closed after its last write: then no segment is scanned. */
  readonly hadCleanShutdown: boolean;
  /** Everything below was synced: damage there is a failed disk, never a torn tail. */
  readonly recoveryPoint: number;
  /** As checkpointed. A batch below it that is damaged (rather than not there) fails the log, too. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** A scan that finds an offset left out has found damage; where left out, it depends on `cleanup.policy`. */
  readonly isTailContiguous?: boolean;
  /** Told in a line each what was found wrong and made good. */
  readonly report: (path: string, message: string) => void;
}

const UNSAFE_OFFSET = "its offset is beyond 2^53 - 1";

interface FoundFile extends LogFileName {
  readonly name: string;
}

/**
 * Loads a log from its folder, in Kafka's order (LogLoader): what a crash left half done is finished or removed, segments are
 * opened, and after an unclean stop those from the recovery point on are scanned. A torn tail is cut there. Nothing else that
 * is wrong with a batch makes the log shorter: it fails the load.
 *
 * @throws KafkaStorageError or DiskError: the log is offline
 */
export async function loadSegments(options: LogLoaderOptions): Promise<LoadedLog> {
  const { disk, directory, report } = options;
  const found = await finishInterruptedWork(await listLogFiles(disk, directory), options);
  const sizes = new Map<number, number>();
  for (const { name, offset, suffix } of found) {
    if (suffix === LOG_SUFFIX) sizes.set(offset, (await disk.fileSize(`${directory}/${name}`)) ?? 0);
  }
  await refuseLostLogs(found, sizes, options);
  await removeOrphanIndexes(found, sizes, options);

  const context = segmentContext(options);
  let segments = [...sizes]
    .toSorted(([one], [other]) => one - other)
    .map(([offset, size]) => new LogSegment(offset, size, context));
  const damagedTransactionIndexes = await loadTransactionIndexes(segments, found, options);
  const epochs = await readEpochs(options);
  const producers = new ProducerStateManager();
  const snapshotFiles = found.filter(({ suffix }) => suffix === PRODUCER_SNAPSHOT_SUFFIX);
  const snapshots = new ProducerSnapshots(
    disk,
    directory,
    snapshotFiles.map(({ offset }) => offset),
  );
  await snapshots.removeStray(segments.map(({ baseOffset }) => baseOffset));
  if (!options.hadCleanShutdown) segments = await recoverSegments(segments, { epochs, producers, snapshots }, options);

  let active = segments.at(-1);
  await active?.activate();
  let logEndOffset = active === undefined ? options.logStartOffset : await active.readNextOffset();
  if (active?.isTimeIndexShort === true) await active.completeTimeIndex();
  if (active !== undefined && logEndOffset < options.recoveryPoint) {
    throw new KafkaStorageError(
      `${directory} ends at offset ${logEndOffset}, but everything below ${options.recoveryPoint} had been synced`,
    );
  }
  if (options.hadCleanShutdown && options.recoveryPoint > 0 && logEndOffset > options.recoveryPoint) {
    report(directory, `ends at ${logEndOffset}, where ${options.recoveryPoint} was noted at the stop: scanned`);
    await active?.close();
    return await loadSegments({ ...options, hadCleanShutdown: false, isTailContiguous: true });
  }
  if (active === undefined || logEndOffset < options.logStartOffset) {
    // As after somebody removed the files: the log goes on where its start is known to be.
    if (active !== undefined) report(directory, `ends at ${logEndOffset}, before its start: removed and begun anew`);
    else if (options.recoveryPoint > 0) report(directory, `no log file is left: begun anew at ${logEndOffset}`);
    for (const segment of segments.toReversed()) await segment.remove();
    active = new LogSegment(options.logStartOffset, 0, context);
    active.begin();
    await active.createFiles();
    await disk.syncDirectory(directory);
    segments = [active];
    logEndOffset = options.logStartOffset;
    await snapshots.removeWhere(() => true);
    producers.restore(logEndOffset);
  }

  const logStartOffset = Math.max(options.logStartOffset, segments[0]?.baseOffset ?? 0);
  epochs.truncateFromEnd(logEndOffset);
  epochs.truncateFromStart(logStartOffset);
  await snapshots.removeWhere((offset) => offset > logEndOffset || offset < logStartOffset);
  const sources = producerSources(segments, snapshots, options);
  for (const segment of segments) {
    if (damagedTransactionIndexes.has(segment)) await rebuildTransactionIndex(segment, sources);
  }
  if (options.hadCleanShutdown) await loadProducerState(producers, logEndOffset, sources);
  if (producers.needsSnapshot(logEndOffset)) {
    const fields = producers.takeSnapshot(logEndOffset);
    // Compaction may take from the log what a snapshot says: then nothing would tell it again.
    if (options.config.cleanupPolicy.includes("compact")) await snapshots.write(logEndOffset, fields);
    else await snapshots.writeUnsynced(logEndOffset, fields);
  }
  const recoveryPoint = options.hadCleanShutdown ? logEndOffset : Math.min(options.recoveryPoint, logEndOffset);
  if (logEndOffset - recoveryPoint >= options.config.flushMessages) {
    // Acknowledged means synced here, and what the scan found may be in memory only: see docs/decisions/0013.
    const first = segments.findLastIndex((segment) => segment.baseOffset <= recoveryPoint);
    for (const segment of segments.slice(Math.max(0, first))) await rewriteSegment(segment, recoveryPoint);
  }
  return { segments, epochs, producers, snapshots, logStartOffset, logEndOffset, recoveryPoint };
}

function producerSources(
  segments: readonly LogSegment[],
  snapshots: ProducerSnapshots,
  { clock, directory, producerIdExpirationMs, logStartOffset, report }: LogLoaderOptions,
): ProducerStateSources {
  return {
    segments,
    snapshots,
    logStartOffset,
    nowMs: clock.wallMs(),
    expirationMs: producerIdExpirationMs,
    report: (message) => report(directory, message),
  };
}

function segmentContext(options: LogLoaderOptions): SegmentContext {
  const { disk, directory, config, clock, random, indexCache, report } = options;
  const mostJitterMs = Math.min(config.segmentJitterMs, maxSegmentMs(config));
  const rollJitterMs = mostJitterMs <= 0 ? 0 : random.uint32() % mostJitterMs;
  return { disk, directory, config, createdMs: clock.wallMs(), rollJitterMs, indexCache, report };
}

async function listLogFiles(disk: Disk, directory: string): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  for (const { name, isDirectory } of await disk.list(directory)) {
    const parsed = isDirectory ? undefined : parseLogFileName(name);
    if (parsed !== undefined) files.push({ ...parsed, name });
    // Passed over, the log would be shorter than it is.
    else if (!isDirectory && hasUnsafeOffset(name)) throw new CorruptFileError(`${directory}/${name}`, UNSAFE_OFFSET);
  }
  return files;
}

/**
 * `.deleted` and `.cleaned` files go. `.swap` files are a cleaner's finished work: they take the place of the segments they were
 * made from, which go first. A `.swap` at or above a `.cleaned` is part of a split that did not finish (KAFKA-6264): it goes.
 */
async function finishInterruptedWork(files: readonly FoundFile[], options: LogLoaderOptions): Promise<FoundFile[]> {
  const { disk, directory, report } = options;
  const remove = async (file: FoundFile, why: string): Promise<void> => {
    await disk.remove(`${directory}/${file.name}`);
    report(`${directory}/${file.name}`, why);
  };
  const cleaned = files.filter((file) => file.state === CLEANED_SUFFIX);
  const lowestCleaned = Math.min(Infinity, ...cleaned.map((file) => file.offset));
  const isUnfinished = (file: FoundFile): boolean =>
    file.state === DELETED_SUFFIX ||
    file.state === CLEANED_SUFFIX ||
    (file.state === SWAP_SUFFIX && file.offset >= lowestCleaned);
  // Logs last: one of these is what tells, after another crash, that an index without its log is no loss.
  const leaving = files.filter((file) => isLeaving(file, files));
  const unfinished = files.filter(isUnfinished);
  const isLog = (file: FoundFile): boolean => file.suffix === LOG_SUFFIX;
  for (const file of [...leaving, ...unfinished.filter((one) => !isLog(one)), ...unfinished.filter(isLog)]) {
    await remove(file, "left over from an interrupted clean-up: removed");
  }

  const swaps = files.filter((file) => file.state === SWAP_SUFFIX && !isUnfinished(file));
  const regular = files.filter((file) => file.state === "" && !leaving.includes(file));
  if (swaps.length === 0) return regular;
  let start = Infinity;
  let end = -Infinity;
  for (const { offset, suffix, name } of swaps) {
    if (suffix !== LOG_SUFFIX) continue;
    start = Math.min(start, offset);
    end = Math.max(end, await endOfSwapFile(`${directory}/${name}`, offset, options));
  }
  const isReplaced = (file: FoundFile): boolean => file.offset >= start && file.offset < end;
  for (const file of regular.filter(isReplaced)) await remove(file, "replaced by a compacted segment: removed");
  const swapped: FoundFile[] = [];
  for (const { offset, suffix, name } of swaps) {
    const newName = logFileName(offset, suffix);
    await disk.rename(`${directory}/${name}`, `${directory}/${newName}`);
    report(`${directory}/${name}`, `takes its place as ${newName}`);
    swapped.push({ offset, suffix, state: "", name: newName });
  }
  await disk.syncDirectory(directory);
  return [...regular.filter((file) => !isReplaced(file)), ...swapped];
}

/** An index whose log has been renamed, to be deleted, when it was to follow. */
function isLeaving({ offset, suffix, state }: FoundFile, files: readonly FoundFile[]): boolean {
  if (state !== "" || suffix === LOG_SUFFIX || suffix === PRODUCER_SNAPSHOT_SUFFIX) return false;
  const ofThis = files.filter((file) => file.offset === offset);
  const has = (otherSuffix: string, otherState: string): boolean =>
    ofThis.some((file) => file.suffix === otherSuffix && file.state === otherState);
  return !has(LOG_SUFFIX, "") && has(LOG_SUFFIX, DELETED_SUFFIX) && !has(suffix, DELETED_SUFFIX);
}

/** The offset after the last batch of a `.log.swap`, which was synced before it had this name. */
async function endOfSwapFile(path: string, baseOffset: number, options: LogLoaderOptions): Promise<number> {
  const size = (await options.disk.fileSize(path)) ?? 0;
  const segment = new LogSegment(baseOffset, size, segmentContext(options));
  segment.log.moveTo(path);
  try {
    let end = baseOffset;
    for await (const header of segment.headers(0)) end = header.lastOffset + 1;
    return end;
  } finally {
    await segment.log.close();
  }
}

/**
 * A log file that is gone, or empty, while its indexes are there and other segments follow, or none is left: nothing that we do
 * leaves that behind below the recovery point. What is deleted or compacted gets another ending first, and a truncation takes the end of a log.
 *
 * @throws CorruptFileError
 */
async function refuseLostLogs(
  found: readonly FoundFile[],
  sizes: ReadonlyMap<number, number>,
  { disk, directory, recoveryPoint }: LogLoaderOptions,
): Promise<void> {
  const offsets = [...sizes.keys()].toSorted((one, other) => one - other);
  for (const { name, offset, suffix } of found) {
    if (suffix !== OFFSET_INDEX_SUFFIX && suffix !== TIME_INDEX_SUFFIX) continue;
    const size = sizes.get(offset);
    const next = offsets.find((other) => other > offset);
    // The last of several is missed by where the log ends.
    if ((size ?? 0) > 0 || (next === undefined && sizes.size > 0) || offset >= recoveryPoint) continue;
    const path = `${directory}/${logFileName(offset, LOG_SUFFIX)}`;
    if (size === undefined) throw new CorruptFileError(path, `it is missing, where ${name} is there`);
    const indexSize = (await disk.fileSize(`${directory}/${name}`)) ?? 0;
    if (indexSize > 0) throw new CorruptFileError(path, `it is empty, where ${name} is not`);
  }
}

async function removeOrphanIndexes(
  files: readonly FoundFile[],
  sizes: ReadonlyMap<number, number>,
  { disk, directory, report }: LogLoaderOptions,
): Promise<void> {
  for (const { name, offset, suffix } of files) {
    if (suffix !== OFFSET_INDEX_SUFFIX && suffix !== TIME_INDEX_SUFFIX && suffix !== TXN_INDEX_SUFFIX) continue;
    if (sizes.has(offset)) continue;
    await disk.remove(`${directory}/${name}`);
    report(`${directory}/${name}`, "an index without its log: removed");
  }
}

/** Reads those that are there; returns the segments whose index has to be made anew. */
async function loadTransactionIndexes(
  segments: readonly LogSegment[],
  files: readonly FoundFile[],
  { directory, report }: LogLoaderOptions,
): Promise<Set<LogSegment>> {
  const damaged = new Set<LogSegment>();
  for (const { name, offset, suffix } of files) {
    if (suffix !== TXN_INDEX_SUFFIX) continue;
    const segment = segments.find(({ baseOffset }) => baseOffset === offset);
    if (segment === undefined) continue;
    const problem = await segment.transactionIndex.load();
    if (problem === undefined) continue;
    report(`${directory}/${name}`, `${problem}; made anew from the log`);
    damaged.add(segment);
  }
  return damaged;
}

/** Epochs can be read from the batches again, so a damaged checkpoint is no reason to fail. */
async function readEpochs(options: LogLoaderOptions): Promise<LeaderEpochCache> {
  let entries: EpochEntry[] = [];
  try {
    entries = (await new LeaderEpochCheckpointFile(options.disk, options.directory).read()) ?? [];
  } catch (error) {
    if (!(error instanceof CorruptFileError)) throw error;
    options.report(options.directory, `${error.message}: begun anew`);
  }
  return new LeaderEpochCache(entries);
}

/** Scans the segment that holds the recovery point and all after it. */
async function recoverSegments(
  segments: readonly LogSegment[],
  { epochs, producers, snapshots }: Pick<LoadedLog, "epochs" | "producers" | "snapshots">,
  options: LogLoaderOptions,
): Promise<LogSegment[]> {
  const first = Math.max(
    0,
    segments.findLastIndex((segment) => segment.baseOffset <= options.recoveryPoint),
  );
  const kept = segments.slice(0, first);
  let endOffset = segments[first]?.baseOffset ?? 0;
  // Up to where the scan begins; the scan itself tells of the rest.
  await loadProducerState(producers, endOffset, producerSources(segments, snapshots, options));
  const noted = new LeaderEpochCache(epochs.entries);
  for (const [index, segment] of segments.entries()) {
    if (index < first) continue;
    const followers = segments.slice(index + 1);
    segment.transactionIndex.reset();
    // Compaction leaves gaps, but none above the recovery point: see LogCleaner. A follower of a compacted log has them, too.
    const isCompacted = options.config.cleanupPolicy.includes("compact");
    const isContiguous = options.isTailContiguous ?? (!isCompacted && options.recoveryPoint > 0);
    let contradiction: CorruptFileError | undefined;
    const visit = (batch: RecordBatch): void => {
      endOffset = batch.nextOffset;
      const completed = replayBatch(producers, batch);
      if (completed?.isAborted === true) segment.transactionIndex.append(completed);
      const latest = epochs.latestEpoch ?? -1;
      if (batch.partitionLeaderEpoch > latest) epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
    };
    // The checkpoint was synced before the batch was written, and no CRC covers the epoch in it: one of the two is damaged.
    const check = (batch: RecordBatch): void => {
      const epoch = noted.epochForOffset(batch.baseOffset);
      const { partitionLeaderEpoch: found } = batch;
      if (epoch === undefined || found === epoch || found === NO_LEADER_EPOCH) return;
      const message = `its leader epoch is ${found}, where ${epoch} was noted`;
      // Zeros are what a write leaves that did not finish.
      if (found !== 0) contradiction ??= segment.corruptAt(segment.size, message);
      throw new Error(message);
    };
    let problem = await recoverSegment(segment, isContiguous, visit, check);
    if (contradiction !== undefined) throw contradiction;
    problem ??= findGap(segment, endOffset, followers, options);
    if (problem !== undefined) {
      refuseDamage(segment, problem, endOffset, followers, options);
      await segment.cutFile();
      const what = followers.length === 0 ? "a torn tail, cut" : `cut, with ${followers.length} segments after it`;
      options.report(segment.log.path, `${problem.message} at ${problem.position}: ${what}`);
      for (const follower of followers.toReversed()) await follower.remove();
      // What was cut must not come back, after a loss of power, behind what is appended from now on.
      await segment.log.sync();
      await options.disk.syncDirectory(options.directory);
    }
    await segment.flushIndexes(false);
    kept.push(segment);
    if (problem !== undefined) break;
    if (followers.length > 0) segment.deactivate();
    endOffset = followers[0]?.baseOffset ?? endOffset;
  }
  return kept;
}

/**
 * A segment may end early without a trace when its last batches were lost whole. Where compaction leaves gaps that cannot be
 * told from a loss, unless nothing follows.
 */
function findGap(
  segment: LogSegment,
  endOffset: number,
  followers: readonly LogSegment[],
  { config }: LogLoaderOptions,
): ScanProblem | undefined {
  const next = followers[0]?.baseOffset ?? endOffset;
  const position = segment.size;
  if (next < endOffset) {
    return { position, kind: "overlap", message: `offset ${endOffset - 1}, where the next segment begins at ${next},` };
  }
  const isEmptyAfter = followers.every((follower) => follower.size === 0);
  if (next === endOffset || (config.cleanupPolicy.includes("compact") && !isEmptyAfter)) return undefined;
  return { position, kind: "torn", message: `offsets ${endOffset} to ${next - 1} are missing` };
}

/** @throws KafkaStorageError unless the damage is to a tail that was never acknowledged as safe */
function refuseDamage(
  segment: LogSegment,
  problem: ScanProblem,
  endOffset: number,
  followers: readonly LogSegment[],
  { recoveryPoint, highWatermark }: LogLoaderOptions,
): void {
  // A tail that is not there is what the loss of power leaves of unsynced writes. Damage with more behind it is not.
  const isTail = problem.kind === "torn" && followers.every((follower) => follower.size === 0);
  let bound: string | undefined;
  if (endOffset < recoveryPoint) bound = `the recovery point ${recoveryPoint}`;
  else if (endOffset < highWatermark && !isTail) bound = `the high watermark ${highWatermark}`;
  if (problem.kind === "overlap" || problem.kind === "unreadable")
    throw segment.corruptAt(problem.position, problem.message);
  if (bound === undefined) return;
  throw segment.corruptAt(problem.position, `${problem.message}; offset ${endOffset} is to be there, below ${bound}`);
}
