import assert from "node:assert/strict";
import type { Uuid } from "@samsa/base";
import { KafkaError, uuidFromBytes } from "@samsa/base";
import type { CompressionType } from "@samsa/protocol";
import { endTransactionMarker, RecordBatchBuilder } from "@samsa/protocol";
import type { DiskOperation } from "@samsa/simulation";
import { SeededRandom, SimulatedDisk, VirtualClock } from "@samsa/simulation";
import { IndexCache } from "../index-cache.ts";
import type { LogConfig } from "../log-config.ts";
import type { PromisedRecords } from "../log-reader.ts";
import { defaultLogConfig } from "../log-config.ts";
import type { LogCaches } from "../load-log.ts";
import { LogManager } from "../log-manager.ts";
import { ReadAheadBudget } from "../read-ahead.ts";
import { TailCacheBudget } from "../tail-cache.ts";
import type { UnifiedLog } from "../unified-log.ts";
import { checkOffsets, checkPromise, checkReads } from "./log-checks.ts";
import type { Producer } from "./log-subject.ts";
import { LogSubject } from "./log-subject.ts";
import type { ModelBatch, ModelLog, ModelRecord } from "./model-log.ts";
import { settles } from "./settles.ts";

const DATA = "/data";
const KEYS = ["a", "b", "c", "d", "e", "f", "g"];
const encoder = new TextEncoder();

/** The disk has stopped: what was under way is over. */
class Crashed extends Error {}

/** How often a run came by a place: one that never does tests less than it says. */
export type Tally = Map<string, number>;

export interface LogSimulationOptions {
  readonly seed: number;
  readonly steps?: number;
  readonly tally?: Tally;
}

/**
 * A script of random steps, performed by a LogManager on a simulated disk and by plain models of its logs, which must agree. The
 * disk stops in the middle of any operation, with or without the loss of what was not synced; then everything is opened anew.
 *
 * What is held:
 * - a log is a prefix of what was appended: no hole, no other order, no wrong byte, nothing twice
 * - what was flushed survives everything, what was acknowledged survives the end of the process; with `flush.messages=1` that is
 *   the same
 * - a producer's retry of what is there is a duplicate; the last stable offset and the aborted transactions are the model's
 * - the high watermark lies within the log; the log start offset never goes up by itself
 * - no log is offline
 */
export class LogSimulation {
  readonly #seed: number;
  readonly #steps: number;
  readonly #random: SeededRandom;
  readonly #clock = new VirtualClock();
  readonly #tally: Tally;
  readonly #caches: LogCaches;
  readonly #subjects: LogSubject[];
  readonly #isFsync: boolean;
  readonly #stepsBetweenCrashes: number;
  #disk: SimulatedDisk;
  #earlierOperations: DiskOperation[] = [];
  #manager: LogManager | undefined;
  #wasCrash = false;
  #power: "kept" | "lost" = "kept";
  #nextValue = 0;
  #nextProducerId = 1;
  #nextTopicId = 1;
  #step = "";
  #stepNumber = 0;
  #promise: { readonly log: UnifiedLog; readonly from: number; readonly promised: PromisedRecords } | undefined;

  constructor(options: LogSimulationOptions) {
    this.#seed = options.seed;
    this.#steps = options.steps ?? 60;
    this.#tally = options.tally ?? new Map<string, number>();
    this.#random = new SeededRandom(options.seed);
    this.#isFsync = this.#chance(3);
    this.#stepsBetweenCrashes = this.#pick([4, 10, 40]);
    const tailBytes = this.#pick([0, 700, 1 << 20]);
    this.#caches = {
      tail: new TailCacheBudget(tailBytes),
      indexes: new IndexCache(this.#pick([100, 1 << 20])),
      readAhead: new ReadAheadBudget(this.#pick([0, 500, 1 << 20]), 1),
    };
    const common: Partial<LogConfig> = {
      segmentBytes: this.#pick([700, 1500, 4000]),
      indexIntervalBytes: this.#pick([100, 300, 4096]),
      flushMessages: this.#isFsync ? 1 : this.#pick([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 7]),
      messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER,
      fileDeleteDelayMs: this.#pick([0, 60_000]),
    };
    const kept = { ...common, retentionMs: -1, retentionBytes: this.#pick([-1, 2500]) };
    const compacted = {
      ...common,
      retentionMs: -1,
      minCleanableDirtyRatio: 0,
      deleteRetentionMs: this.#pick([0, 500]),
    };
    this.#subjects = [
      new LogSubject("kept", defaultLogConfig(kept), this.#newTopicId()),
      new LogSubject("compacted", defaultLogConfig({ ...compacted, cleanupPolicy: ["compact"] }), this.#newTopicId()),
    ];
    this.#disk = new SimulatedDisk({ seed: this.#random.uint32(), mostTurns: this.#pick([0, 2, 7]) });
    this.#disk.put(`${DATA}/meta.properties`, new Uint8Array(0)); // the folder is there: who formats it makes it last
  }

  async run(): Promise<void> {
    try {
      await this.#until(this.#openAll());
      for (this.#stepNumber = 1; this.#stepNumber <= this.#steps; this.#stepNumber++) await this.#performStep();
      this.#step = "the last check";
      this.#disk.crashAt(Infinity);
      await this.#until(this.#restart());
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const told = `seed ${this.#seed}, step ${this.#stepNumber} (${this.#step}): ${message}`;
      throw new Error(told, { cause: error });
    }
  }

  /** The last operations of the disk, for who looks into a failure. */
  trace(count = 60): string[] {
    return [...this.#earlierOperations, ...this.#disk.trace]
      .slice(-count)
      .map(({ number, kind, path, detail, failure = "" }) => `${number} ${kind} ${path} ${detail} ${failure}`);
  }

  /** The models and their logs, likewise. */
  describe(): string {
    const lines = [`flush.messages=1: ${this.#isFsync}, power: ${this.#power}`];
    for (const { model, topic, config } of this.#subjects) {
      const { startOffset, endOffset, flushedEnd, acknowledgedEnd, cleanedEnd, batches } = model;
      lines.push(`${topic} ${JSON.stringify({ startOffset, endOffset, flushedEnd, acknowledgedEnd, cleanedEnd })}`);
      lines.push(`  ${JSON.stringify({ segmentBytes: config.segmentBytes, flushMessages: config.flushMessages })}`);
      for (const { baseOffset, lastOffset, leaderEpoch, producerId, producerEpoch, baseSequence, ...rest } of batches) {
        const kind = rest.marker ?? (rest.isTransactional ? "transactional" : "");
        const keys = rest.records.map(({ key, value }) => (value === null ? `-${key}` : key)).join("");
        lines.push(
          `  ${baseOffset}..${lastOffset} of ${leaderEpoch} by ${producerId}/${producerEpoch}/${baseSequence} ${kind} ${keys}`,
        );
      }
      const log = this.#manager?.get(topic, 0);
      if (log === undefined) continue;
      const { logStartOffset, logEndOffset, highWatermark, lastStableOffset, recoveryPoint } = log;
      lines.push(
        `  is ${JSON.stringify({ logStartOffset, logEndOffset, highWatermark, lastStableOffset, recoveryPoint })}`,
      );
      lines.push(`  in ${log.segments.map(({ baseOffset, size }) => `${baseOffset}:${size}`).join(" ")}`);
    }
    return lines.join("\n");
  }

  /** What has happened, step by step. */
  readonly story: string[] = [];

  async #performStep(): Promise<void> {
    if (this.#chance(this.#stepsBetweenCrashes)) {
      this.#power = this.#chance(2) ? "kept" : "lost";
      this.#disk.crashAt(1 + (this.#random.uint32() % this.#pick([3, 15, 60])));
    }
    try {
      await this.#until(this.#act());
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
      await this.#recover();
    }
  }

  async #act(): Promise<void> {
    const subject = this.#pick(this.#subjects);
    const log = this.#logOf(subject);
    const act = this.#pick(ACTS);
    this.#step = `${act} of ${subject.topic}`;
    this.#count(act);
    const offsets = this.#subjects.map((one) => JSON.stringify(this.#offsetsOf(one))).join(" ");
    this.story.push(`${this.#stepNumber} ${this.#step} at ${offsets.replaceAll(/["{}]|log|Offset/g, "")}`);
    switch (act) {
      case "append":
        return await this.#append(subject, log);
      case "retry":
        return await this.#retry(subject, log);
      case "end transaction":
        return await this.#endTransaction(subject, log);
      case "read":
        return await this.#checkReads(subject, log, this.#pick([1, 300, 5000]));
      case "find by time":
        return await this.#findByTime(subject, log);
      case "flush":
        await log.flush();
        assert.ok(log.recoveryPoint >= subject.model.acknowledgedEnd);
        return;
      case "roll":
        return await log.roll();
      case "checkpoint":
        return await this.#checkpoint();
      case "new leader epoch":
        subject.leaderEpoch += 1 + (this.#random.uint32() % 2);
        return log.maybeAssignEpochStartOffset(subject.leaderEpoch, log.logEndOffset);
      case "delete records":
        return this.#deleteRecords(subject, log);
      case "retention":
        return await this.#retain();
      case "compact":
        return await this.#compact();
      case "truncate":
        return await this.#truncate(subject, log);
      case "truncate fully":
        return await this.#truncateFully(subject);
      case "wait":
        return await this.#wait();
      case "delete topic":
        return await this.#deleteTopic(subject);
      case "restart":
        return await this.#restart();
    }
  }

  async #append(subject: LogSubject, log: UnifiedLog): Promise<void> {
    const writes: Promise<void>[] = [];
    for (let count = 1 + (this.#random.uint32() % 5); count > 0; count--) {
      this.#clock.advance(2);
      const producer = this.#producerFor(subject);
      const records = this.#newRecords();
      const { id = -1, epoch = -1, nextSequence = -1, isTransactional = false } = producer ?? {};
      const options = { producerId: id, producerEpoch: epoch, baseSequence: nextSequence, isTransactional };
      const bytes = build(records, { ...options, compressionType: this.#pick(CODECS) });
      const baseOffset = subject.model.endOffset;
      const lastOffset = baseOffset + records.length - 1;
      subject.model.append({ ...options, baseOffset, lastOffset, records, leaderEpoch: subject.leaderEpoch, bytes });
      if (producer !== undefined) {
        producer.nextSequence += records.length;
        producer.isInTransaction = isTransactional;
      }
      const { info, written } = log.appendAsLeader(bytes.slice(), subject.leaderEpoch);
      assert.deepEqual([info.firstOffset, info.lastOffset, info.isDuplicate], [baseOffset, lastOffset, false]);
      writes.push(this.#acknowledge(subject, written, lastOffset + 1));
    }
    if (!this.#chance(4)) await Promise.all(writes);
  }

  async #acknowledge(subject: LogSubject, written: Promise<void>, endOffset: number): Promise<void> {
    const { model } = subject;
    await written;
    if (model !== subject.model || endOffset > model.endOffset) return; // deleted or truncated meanwhile
    model.acknowledgedEnd = Math.max(model.acknowledgedEnd, endOffset);
    if (this.#isFsync) model.flushedEnd = Math.max(model.flushedEnd, endOffset);
  }

  /** A batch that a producer has sent before is not appended again, whatever has happened in between. */
  async #retry(subject: LogSubject, log: UnifiedLog): Promise<void> {
    for (const batches of subject.model.producers().values()) {
      const last = batches.at(-1);
      if (last === undefined || !subject.isKnown(last) || last.lastOffset < log.logStartOffset) continue;
      const { info, written } = log.appendAsLeader(last.bytes.slice(), subject.leaderEpoch);
      assert.deepEqual(
        [info.isDuplicate, info.firstOffset, info.lastOffset],
        [true, last.baseOffset, last.lastOffset],
        `the last batch of producer ${last.producerId} is known`,
      );
      this.#count("duplicate");
      await this.#acknowledge(subject, written, last.lastOffset + 1);
      for (const older of batches.slice(0, -1)) this.#retryOlder(subject, log, older);
    }
  }

  /** After a restart fewer than five are known; one that is not is refused. */
  #retryOlder(subject: LogSubject, log: UnifiedLog, batch: ModelBatch): void {
    try {
      const { info } = log.appendAsLeader(batch.bytes.slice(), subject.leaderEpoch);
      assert.deepEqual([info.isDuplicate, info.firstOffset], [true, batch.baseOffset]);
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      assert.match(error.message, /after/, "out of order");
    }
  }

  async #endTransaction(subject: LogSubject, log: UnifiedLog): Promise<void> {
    const open = subject.producers.filter(({ isInTransaction }) => isInTransaction);
    const producer = open.length === 0 ? undefined : this.#pick(open);
    if (producer === undefined) return;
    this.#clock.advance(1);
    const firstOffset = subject.model.openTransaction(producer.id)?.firstOffset ?? -1;
    const marker = subject.model.decide(producer.id, firstOffset, this.#pick(["commit", "abort"] as const));
    const timestamp = this.#clock.wallMs();
    const bytes = endTransactionMarker({
      type: marker === "commit" ? 1 : 0,
      coordinatorEpoch: 0,
      producerId: producer.id,
      producerEpoch: producer.epoch,
      timestamp,
    });
    const baseOffset = subject.model.endOffset;
    subject.model.append({
      baseOffset,
      lastOffset: baseOffset,
      records: [{ key: "", value: null, timestamp }],
      leaderEpoch: subject.leaderEpoch,
      producerId: producer.id,
      producerEpoch: producer.epoch,
      baseSequence: -1,
      isTransactional: true,
      marker,
      bytes,
    });
    producer.isInTransaction = false;
    const { info, written } = log.appendAsLeader(bytes, subject.leaderEpoch, "coordinator");
    assert.equal(info.firstOffset, baseOffset);
    const acknowledged = this.#acknowledge(subject, written, baseOffset + 1);
    if (this.#chance(2)) await acknowledged;
  }

  async #findByTime(subject: LogSubject, log: UnifiedLog): Promise<void> {
    const { model } = subject;
    if (model.cleanedEnd > 0) return;
    const target = this.#clock.wallMs() - (this.#random.uint32() % 60);
    const found = await log.fetchOffsetByTimestamp(target);
    const records = model.batches.flatMap((batch) =>
      batch.records.map(({ timestamp }, index) => ({ timestamp, offset: batch.baseOffset + index })),
    );
    const expected = records.find(({ timestamp, offset }) => timestamp >= target && offset >= log.logStartOffset);
    // Kafka looks at one segment: the first whose largest timestamp is late enough, which may be due to deleted records.
    if (found === undefined && log.logStartOffset > 0) return;
    assert.equal(found?.offset, expected?.offset);
  }

  async #checkpoint(): Promise<void> {
    const starts = this.#subjects.map((subject) => this.#logOf(subject).logStartOffset);
    await this.#managerNow().checkpoint();
    for (const [index, subject] of this.#subjects.entries()) subject.checkpointedStart = starts[index] ?? 0;
  }

  #deleteRecords(subject: LogSubject, log: UnifiedLog): void {
    const { logStartOffset, highWatermark } = log;
    const offset = logStartOffset + (this.#random.uint32() % (highWatermark - logStartOffset + 1));
    log.maybeIncrementLogStartOffset(offset);
    subject.model.startOffset = log.logStartOffset;
    subject.startMayReach = log.logStartOffset;
  }

  async #retain(): Promise<void> {
    for (const subject of this.#subjects) subject.startMayReach = this.#logOf(subject).highWatermark;
    await this.#managerNow().deleteOldSegments();
    this.#adoptStarts();
  }

  #adoptStarts(): void {
    for (const subject of this.#subjects) {
      const log = this.#logOf(subject);
      if (log.logStartOffset > subject.model.startOffset) this.#count("segments deleted");
      if (subject.config.cleanupPolicy.includes("compact") || subject.config.retentionBytes < 0) {
        assert.equal(log.logStartOffset, subject.model.startOffset, "nothing is to be deleted");
      }
      subject.model.startOffset = log.logStartOffset;
      subject.startMayReach = log.logStartOffset;
    }
  }

  async #compact(): Promise<void> {
    const before = this.#subjects.map((subject) =>
      this.#logOf(subject)
        .segments.map(({ size }) => size)
        .join(),
    );
    for (const subject of this.#subjects) {
      if (!subject.config.cleanupPolicy.includes("compact")) continue;
      const { lastStableOffset, recoveryPoint } = this.#logOf(subject);
      const end = Math.min(lastStableOffset, recoveryPoint);
      subject.model.noteCleaning(end, lastStableOffset);
    }
    await this.#managerNow().cleanDirtyLogs();
    const after = this.#subjects.map((subject) =>
      this.#logOf(subject)
        .segments.map(({ size }) => size)
        .join(),
    );
    if (before.join(";") !== after.join(";")) this.#count("segments compacted");
  }

  /** As a follower does: to the end of a batch, and never into what was compacted. */
  async #truncate(subject: LogSubject, log: UnifiedLog): Promise<void> {
    const { model } = subject;
    const least = Math.max(model.stableEnd, log.logStartOffset);
    const ends = model.batches.map(({ lastOffset }) => lastOffset + 1).filter((end) => end >= least);
    const offset = this.#pick(ends.length === 0 ? [model.endOffset] : ends);
    subject.truncatingTo = { offset, isWhole: false };
    await this.#managerNow().truncateTo(log.topicPartition, offset);
    subject.truncatingTo = undefined;
    subject.cut(offset);
    log.maybeAssignEpochStartOffset(++subject.leaderEpoch, log.logEndOffset);
  }

  async #truncateFully(subject: LogSubject): Promise<void> {
    if (!this.#chance(6)) return; // more often, and there would be little to look at
    const { model } = subject;
    const offset = this.#pick([model.startOffset, model.endOffset, model.endOffset + 10]);
    const log = this.#logOf(subject);
    subject.truncatingTo = { offset, isWhole: true };
    subject.startMayReach = offset;
    await this.#managerNow().truncateFullyAndStartAt(log.topicPartition, offset);
    subject.truncatingTo = undefined;
    subject.beginAt(offset);
    log.maybeAssignEpochStartOffset(++subject.leaderEpoch, log.logEndOffset);
  }

  async #wait(): Promise<void> {
    const ms = this.#pick([10, 6_000, 61_000, 310_000]);
    for (const subject of this.#subjects) {
      subject.startMayReach = this.#logOf(subject).logEndOffset;
      if (!subject.config.cleanupPolicy.includes("compact")) continue;
      const { logEndOffset } = this.#logOf(subject);
      subject.model.noteCleaning(logEndOffset, logEndOffset);
    }
    this.#clock.advance(ms);
    // What the timers have begun is waited for: turns enough for all of it.
    for (let turn = 0; turn < 30; turn++) await new Promise(setImmediate);
    for (const subject of this.#subjects) subject.startMayReach = this.#logOf(subject).logStartOffset;
    this.#adoptStarts();
  }

  async #deleteTopic(subject: LogSubject): Promise<void> {
    if (!this.#chance(6)) return;
    const { topicPartition } = this.#logOf(subject);
    subject.renew(this.#newTopicId());
    await this.#managerNow().delete(topicPartition);
    await this.#open(subject);
  }

  async #restart(): Promise<void> {
    const manager = this.#managerNow();
    for (const subject of this.#subjects) await this.#checkAll(subject);
    const before = this.#subjects.map((subject) => this.#offsetsOf(subject));
    assert.equal(await manager.close(), true, "the stop is complete");
    for (const { model } of this.#subjects) {
      model.flushedEnd = model.endOffset;
      model.acknowledgedEnd = model.endOffset;
    }
    for (const subject of this.#subjects) subject.checkpointedStart = subject.model.startOffset;
    await this.#openAll();
    assert.ok(this.#managerNow().hadCleanShutdown);
    // A snapshot that a start has written is not synced, so that a loss of power may damage it before the stop.
    const isExpected = /^a stray replica|\.snapshot: .*: removed$/;
    const problems = this.#managerNow().problems.filter(({ message }) => !isExpected.test(message));
    assert.deepEqual(problems, [], "nothing is wrong after a clean stop");
    const after = this.#subjects.map((subject) => this.#offsetsOf(subject));
    assert.deepEqual(after, before, "offsets are those of before the stop");
    for (const subject of this.#subjects) await this.#checkAll(subject);
  }

  #offsetsOf(subject: LogSubject): unknown {
    const { logStartOffset, logEndOffset, highWatermark, lastStableOffset } = this.#logOf(subject);
    return { logStartOffset, logEndOffset, highWatermark, lastStableOffset };
  }

  /** Everything is opened anew, however often the disk stops meanwhile. */
  async #recover(): Promise<void> {
    const crashedIn = this.#step;
    for (;;) {
      this.#count(`crash, power ${this.#power}`);
      for (const { model, topic } of this.#subjects) {
        // What was flushed is safe; so says the log itself.
        const log = this.#manager?.get(topic, 0);
        if (log !== undefined && log.failure === undefined && this.#isModelOf(model, log)) {
          model.flushedEnd = Math.max(model.flushedEnd, Math.min(log.recoveryPoint, model.endOffset));
        }
      }
      this.#manager = undefined;
      this.story.push(`  crash at ${this.#disk.operationCount} with power ${this.#power}`);
      this.#earlierOperations = [...this.#earlierOperations, ...this.#disk.trace].slice(-1000);
      this.#disk = this.#disk.crash({ power: this.#power });
      this.#wasCrash = true;
      this.#step = `start after a crash with power ${this.#power} in ${crashedIn}`;
      if (this.#chance(4)) this.#disk.crashAt(1 + (this.#random.uint32() % 80));
      const power = this.#chance(2) ? "kept" : "lost";
      try {
        await this.#until(this.#openAll());
        this.#disk.crashAt(Infinity);
        for (const subject of this.#subjects) await this.#until(this.#checkAll(subject));
        return;
      } catch (error) {
        if (!(error instanceof Crashed)) throw error;
        this.#count("crash while recovering");
        if (power === "lost") this.#power = "lost";
      }
    }
  }

  #isModelOf(model: ModelLog, log: UnifiedLog): boolean {
    return this.#subjects.some((subject) => subject.model === model && subject.topicId === log.topicId);
  }

  async #openAll(): Promise<void> {
    const disk = this.#disk;
    const manager = await LogManager.open({
      disk,
      clock: this.#clock,
      random: new SeededRandom(this.#random.uint32()),
      directory: DATA,
      caches: this.#caches,
      configFor: (topic) => this.#subjects.find((subject) => subject.topic === topic)?.config ?? defaultLogConfig(),
      isStray: ({ topic }, topicId) => this.#subjects.some((one) => one.topic === topic && one.topicId !== topicId),
    });
    this.#manager = manager;
    for (const subject of this.#subjects) {
      const error = manager.offlineLogs().get(`${subject.topic}-0`);
      if (error === undefined) continue;
      if (!this.#mayBeOffline(subject, error)) assert.fail(error.message);
      this.#count("offline: damage below the high watermark");
      return await this.#startAnew(subject);
    }
    for (const subject of this.#subjects) await this.#open(subject);
    this.#wasCrash = false;
  }

  /** Without syncs, a loss of power may damage what was below the high watermark: that is said, and not made shorter. */
  #mayBeOffline({ model }: LogSubject, error: Error): boolean {
    if (this.#isFsync || this.#power === "kept" || model.flushedEnd === model.endOffset) return false;
    const bound = /offset (\d+) is to be there, below the high watermark (\d+)/.exec(error.message);
    return bound !== null && Number(bound[1]) >= model.flushedEnd;
  }

  /** What an operator does: removes the folder, and has the topic made again. */
  async #startAnew(subject: LogSubject): Promise<void> {
    this.#disk = this.#disk.crash({ power: "kept" });
    for (const path of this.#disk.files().keys()) {
      if (path.startsWith(`${DATA}/${subject.topic}-0/`)) this.#disk.put(path, undefined);
    }
    subject.renew(this.#newTopicId());
    await this.#openAll();
  }

  async #open(subject: LogSubject): Promise<void> {
    const log = await this.#managerNow().getOrCreate({ topic: subject.topic, partition: 0 }, subject.topicId);
    if (this.#wasCrash && subject.adopt(log, this.#power) === "tail lost") this.#count("tail lost");
    if (subject.mustEmptyAt !== undefined) {
      // A follower finds that it is still to be done.
      const offset = subject.mustEmptyAt;
      subject.truncatingTo = { offset, isWhole: true };
      subject.startMayReach = offset;
      await this.#managerNow().truncateFullyAndStartAt(log.topicPartition, offset);
      subject.truncatingTo = undefined;
      subject.mustEmptyAt = undefined;
      subject.beginAt(offset);
    }
    assert.equal(log.logEndOffset, subject.model.endOffset, "the log ends where the model does");
    assert.ok(log.highWatermark <= log.logEndOffset && log.highWatermark >= log.logStartOffset);
    // As a Partition does that begins to lead.
    const advance = (): void => void log.updateHighWatermark(Math.max(log.highWatermark, log.writtenEndOffset));
    log.onWritten = advance;
    log.maybeAssignEpochStartOffset(++subject.leaderEpoch, log.logEndOffset);
    advance();
    subject.producers = subject.producers.filter((producer) => subject.resume(producer));
  }

  async #checkAll(subject: LogSubject): Promise<void> {
    const log = this.#logOf(subject);
    const { model } = subject;
    assert.equal(log.logEndOffset, model.endOffset);
    assert.equal(log.logStartOffset, model.startOffset);
    await log.fetchMaxTimestampOffset(); // what is under way is over then
    await this.#checkReads(subject, log, 5000);
    await this.#retry(subject, log);
    for (const batch of model.batches) {
      if (batch.baseOffset < model.largestStartOffset) continue; // their epochs were forgotten with them
      assert.equal(log.epochForOffset(batch.baseOffset), batch.leaderEpoch, `epoch at ${batch.baseOffset}`);
    }
  }

  async #checkReads(subject: LogSubject, log: UnifiedLog, maxBytes: number): Promise<void> {
    const { model } = subject;
    const { highWatermark, logStartOffset } = log;
    checkOffsets(log, model);
    const from = logStartOffset + (this.#chance(2) ? 0 : this.#random.uint32() % (highWatermark - logStartOffset + 1));
    const mayPromise = this.#chance(2);
    await checkReads({ log, model, isCurrent: () => model === subject.model }, { from, maxBytes, mayPromise });
    await this.#checkPromise(log, model);
  }

  /** What was promised a while ago: the log may have been cut, cleaned or deleted since. */
  async #checkPromise(log: UnifiedLog, model: ModelLog): Promise<void> {
    const held = this.#promise;
    this.#promise = undefined;
    if (held !== undefined && held.log === log) {
      const isKept = await checkPromise(model, held.from, held.promised);
      this.#count(isKept ? "promise kept" : "promise broken");
    }
    const { highWatermark: upToOffset, logStartOffset } = log;
    for (const from of model.batchEnds.filter((end) => end >= logStartOffset && end < upToOffset)) {
      const { promised } = await log.read(from, this.#pick([300, 1500]), { upToOffset, mayPromise: true });
      if (promised === undefined) continue;
      this.#promise = { log, from, promised };
      if (this.#chance(2)) return;
    }
  }

  /** Settles as the promise does, unless the disk stops first; what never ends is an error. */
  async #until<T>(promise: Promise<T>): Promise<T> {
    const value = await settles(promise, () => this.#disk.isCrashed);
    if (value === "over") throw new Crashed();
    return value;
  }

  #newTopicId(): Uuid {
    const bytes = new Uint8Array(16).fill(7);
    bytes[15] = this.#nextTopicId++;
    return uuidFromBytes(bytes);
  }

  #producerFor(subject: LogSubject): Producer | undefined {
    const kind = this.#pick(["none", "new", "old", "old", "old", "old", "bumped"]);
    const old = subject.producers.filter((producer) => subject.isProducerKnown(producer));
    if (kind === "none") return undefined;
    if (kind === "new" || old.length === 0) {
      const isTransactional = this.#chance(2);
      const id = this.#nextProducerId++;
      const producer: Producer = { id, epoch: 0, nextSequence: 0, isInTransaction: false, isTransactional };
      subject.producers.push(producer);
      return producer;
    }
    const producer = this.#pick(old);
    if (kind === "bumped" && !producer.isInTransaction) {
      producer.epoch++;
      producer.nextSequence = 0;
    }
    return producer;
  }

  #newRecords(): ModelRecord[] {
    return Array.from({ length: 1 + (this.#random.uint32() % 4) }, (_, index) => ({
      key: this.#pick(KEYS),
      value: this.#chance(8) ? null : `${this.#nextValue++}`.padEnd(this.#random.uint32() % 60, "."),
      timestamp: this.#clock.wallMs() - index,
    }));
  }

  #managerNow(): LogManager {
    assert.ok(this.#manager !== undefined);
    return this.#manager;
  }

  #logOf(subject: LogSubject): UnifiedLog {
    const log = this.#managerNow().get(subject.topic, 0);
    assert.ok(log !== undefined, `${subject.topic} is there`);
    return log;
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);
  }

  #chance(oneIn: number): boolean {
    return this.#random.uint32() % oneIn === 0;
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.uint32() % choices.length] as T;
  }
}

const CODECS: readonly CompressionType[] = ["none", "none", "none", "gzip"];
const ACTS = [
  ...Array<"append">(8).fill("append"),
  ...Array<"end transaction">(3).fill("end transaction"),
  ...(["read", "read", "retry", "find by time", "flush", "flush", "roll", "checkpoint", "new leader epoch"] as const),
  ...(["delete records", "retention", "compact", "compact", "truncate", "truncate fully", "wait"] as const),
  ...(["delete topic", "restart"] as const),
];

function build(
  records: readonly ModelRecord[],
  options: {
    readonly producerId: number;
    readonly producerEpoch: number;
    readonly baseSequence: number;
    readonly isTransactional: boolean;
    readonly compressionType: CompressionType;
  },
): Uint8Array {
  const builder = new RecordBatchBuilder(options);
  for (const { key, value, timestamp } of records) {
    builder.append({ timestamp, key: encoder.encode(key), value: value === null ? null : encoder.encode(value) });
  }
  return builder.build().slice();
}
