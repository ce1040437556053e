import assert from "node:assert/strict";
import type { Random } from "@samsa/base";
import { DiskError, KafkaError, uuidFromBytes } from "@samsa/base";
import { endTransactionMarker, recordBatches } from "@samsa/protocol";
import { SeededRandom, SimulatedDisk, VirtualClock } from "@samsa/simulation";
import { KafkaStorageError } from "../errors.ts";
import type { LogConfig } from "../log-config.ts";
import { defaultLogConfig } from "../log-config.ts";
import { LogManager } from "../log-manager.ts";
import type { UnifiedLog } from "../unified-log.ts";
import { batchOf, NOW_MS } from "./records.ts";
import { settles } from "./settles.ts";

export const DATA = "/data";
const COMMON = { segmentBytes: 900, indexIntervalBytes: 150, retentionMs: -1 };
const CONFIGS: Readonly<Record<string, LogConfig>> = {
  kept: defaultLogConfig(COMMON),
  compacted: defaultLogConfig({ ...COMMON, cleanupPolicy: ["compact"], minCleanableDirtyRatio: 0 }),
};
const TOPICS = Object.keys(CONFIGS);

/** A data directory as a broker left it, and what a reader of it must find. */
export interface Image {
  readonly name: "after a clean stop" | "after the end of the process";
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly logs: ReadonlyMap<string, ExpectedLog>;
}

interface ExpectedLog {
  readonly startOffset: number;
  readonly endOffset: number;
  /** Everything below was synced or committed, and noted so: it may not be cut. */
  readonly safeEnd: number;
  readonly batches: ReadonlyMap<number, string>; // by first offset, as hex
}

/** What became of a log whose file was damaged. */
type Fate = "served" | "served from its new start" | "offline" | "fenced" | "cut" | "refused";

export async function makeImage(name: Image["name"]): Promise<Image> {
  const disk = new SimulatedDisk();
  disk.put(`${DATA}/meta.properties`, new Uint8Array(0));
  const manager = await open(disk);
  for (const topic of TOPICS) {
    const log = await manager.getOrCreate({ topic, partition: 0 }, topicIdOf(topic));
    log.onWritten = () => void log.updateHighWatermark(log.writtenEndOffset);
    for (let epoch = 1; epoch <= 3; epoch++) {
      log.maybeAssignEpochStartOffset(epoch, log.logEndOffset);
      for (let index = 0; index < 9; index++) await append(log, epoch, index);
      await appendTransaction(log, epoch);
    }
    await log.flush();
  }
  const safeEnds = new Map([...manager.logs()].map((log) => [log.topicPartition.topic, log.recoveryPoint]));
  const kept = manager.get("kept", 0);
  assert.ok(kept !== undefined);
  const deleted = await readBatches(kept);
  kept.maybeIncrementLogStartOffset(3);
  await manager.checkpoint();
  await manager.cleanDirtyLogs();
  for (const log of manager.logs()) {
    for (let index = 0; index < 5; index++) await append(log, 3, 100 + index);
  }
  const logs = new Map<string, ExpectedLog>();
  for (const topic of TOPICS) {
    const log = manager.get(topic, 0);
    assert.ok(log !== undefined);
    const { logStartOffset: startOffset, logEndOffset: endOffset } = log;
    const isClean = name === "after a clean stop";
    const safeEnd = isClean ? endOffset : (safeEnds.get(topic) ?? 0);
    const batches = new Map([...(topic === "kept" ? deleted : []), ...(await readBatches(log))]);
    logs.set(topic, { startOffset, endOffset, safeEnd, batches });
  }
  if (name === "after a clean stop") assert.ok(await manager.close());
  return { name, files: disk.files(), logs };
}

/** So many flips: every second one in a log file, the others in files of all kinds in turn. */
export async function flipBits(
  count: number,
  from = 1,
): Promise<{ readonly fates: ReadonlyMap<string, number>; readonly failures: readonly string[] }> {
  const images = [await makeImage("after a clean stop"), await makeImage("after the end of the process")];
  const fates = new Map<string, number>();
  const failures: string[] = [];
  for (let flip = 0; flip < count; flip++) {
    const image = images[flip % 2];
    assert.ok(image !== undefined);
    const kinds = [...new Set([...image.files].filter(([, bytes]) => bytes.length > 0).map(([path]) => kindOf(path)))];
    const kind = flip % 4 < 2 ? ".log" : (kinds[Math.floor(flip / 4) % kinds.length] ?? ".log");
    try {
      for (const fate of await flipOneBit(image, kind, new SeededRandom((from + flip) * 104_729))) {
        fates.set(`${kind}: ${fate}`, (fates.get(`${kind}: ${fate}`) ?? 0) + 1);
      }
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { fates, failures };
}

/** Flips a bit of a file of some kind, and looks at what a broker makes of it. */
async function flipOneBit(image: Image, kind: string, random: Random): Promise<readonly string[]> {
  const paths = [...image.files].filter(([path, bytes]) => kindOf(path) === kind && bytes.length > 0);
  const [path, original] = paths[random.uint32() % paths.length] ?? [];
  assert.ok(path !== undefined && original !== undefined, `there is a ${kind}`);
  const bytes = original.slice();
  const at = random.uint32() % bytes.length;
  const bit = random.uint32() % 8;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  try {
    return await inspect(image, new Map([...image.files, [path, bytes]]), kind);
  } catch (error) {
    if (isBaseOffsetOfLastBatch(image, path, at)) return ["not to be told"];
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`bit ${bit} of byte ${at} of ${path}, ${image.name}: ${message}`, { cause: error });
  }
}

/**
 * Where a compacted log was not closed, its last batch may follow a gap, as it does on a follower. Nothing then says what its base
 * offset was: Kafka's format has no checksum of it.
 */
function isBaseOffsetOfLastBatch(image: Image, path: string, at: number): boolean {
  if (image.name === "after a clean stop" || !path.startsWith(`${DATA}/compacted-0/`) || kindOf(path) !== ".log")
    return false;
  const last = [...image.files.keys()].filter(
    (one) => one.startsWith(`${DATA}/compacted-0/`) && kindOf(one) === ".log",
  );
  if (path !== last.toSorted((one, other) => one.localeCompare(other)).at(-1)) return false;
  const sizes = Array.from(recordBatches(image.files.get(path) ?? new Uint8Array(0)), ({ sizeInBytes }) => sizeInBytes);
  const start = sizes.slice(0, -1).reduce((sum, size) => sum + size, 0);
  return at >= start && at < start + 8;
}

/**
 * Starts on these files, and reads all there is. Every batch that is handed out must be one that was appended, bit for bit; what is
 * missing must have been said.
 *
 * @param files undefined for one that is gone
 */
export async function inspect(
  image: Image,
  files: ReadonlyMap<string, Uint8Array | undefined>,
  kind: string,
): Promise<readonly string[]> {
  const disk = new SimulatedDisk();
  for (const [path, bytes] of files) disk.put(path, bytes);
  const manager = await open(disk);
  const fates: string[] = [];
  for (const topic of TOPICS) {
    const expected = image.logs.get(topic);
    assert.ok(expected !== undefined);
    fates.push(await fateOf(manager, topic, expected, kind));
  }
  const isDamaged = fates.some((fate) => fate === "offline" || fate === "cut");
  if (isDamaged) assert.ok(manager.problems.length > 0, "nothing is said of it");
  await settles(manager.close());
  return fates;
}

export function kindOf(path: string): string {
  const name = /[^/]*$/.exec(path)?.[0] ?? "";
  return name.replace(/^\d{20}/, "");
}

async function fateOf(manager: LogManager, topic: string, expected: ExpectedLog, kind: string): Promise<Fate> {
  if (manager.offlineLogs().has(`${topic}-0`)) return "offline";
  let log: UnifiedLog;
  try {
    log = await manager.getOrCreate({ topic, partition: 0 }, topicIdOf(topic));
  } catch (error) {
    if (error instanceof KafkaStorageError) return "refused";
    throw error;
  }
  const { logStartOffset, logEndOffset } = log;
  let batches: ReadonlyMap<number, string>;
  try {
    batches = await readBatches(log);
  } catch (error) {
    if (!(error instanceof KafkaError) && !(error instanceof DiskError)) throw error;
    assert.ok(log.failure !== undefined, `the log goes on after: ${error.message}`);
    return "fenced";
  }
  for (const [offset, bytes] of batches) {
    assert.equal(bytes, expected.batches.get(offset), `the batch at ${offset} of ${topic} is what was appended`);
  }
  for (const [offset] of expected.batches) {
    const isThere = batches.has(offset) || offset < logStartOffset || offset >= logEndOffset;
    assert.ok(isThere, `the batch at ${offset} of ${topic} is there`);
  }
  assert.ok(logEndOffset <= expected.endOffset && logEndOffset >= expected.safeEnd, `${topic} ends at ${logEndOffset}`);
  if (logEndOffset < expected.endOffset) return "cut";
  if (logStartOffset === expected.startOffset) return "served";
  assert.equal(kind, "log-start-offset-checkpoint", `${topic} starts at ${logStartOffset}`);
  return "served from its new start";
}

/** All batches from the start on, by their first offset, as hex. */
async function readBatches(log: UnifiedLog): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  let offset = log.logStartOffset;
  while (offset < log.logEndOffset) {
    const read = log.read(offset, 400);
    const result = await settles(Promise.resolve(read));
    assert.ok(result !== "over");
    for (const chunk of result.records) {
      for (const batch of recordBatches(chunk)) found.set(batch.baseOffset, hexOf(batch.bytes));
    }
    if (result.nextOffset === offset) break;
    offset = result.nextOffset;
  }
  return found;
}

async function append(log: UnifiedLog, epoch: number, index: number): Promise<void> {
  const values = Array.from(
    { length: 1 + (index % 3) },
    (_, at) => `${epoch} ${index} ${at} ${"x".repeat((index * 3) % 40)}`,
  );
  const key = `k${index % 4}`;
  const producer = { producerId: 5, producerEpoch: epoch, baseSequence: sequenceBefore(index) };
  await log.appendAsLeader(batchOf(values, { ...(index < 100 ? producer : {}), key }), epoch).written;
}

function sequenceBefore(index: number): number {
  let sequence = 0;
  for (let before = 0; before < index; before++) sequence += 1 + (before % 3);
  return sequence;
}

async function appendTransaction(log: UnifiedLog, epoch: number): Promise<void> {
  const producer = { producerId: 6, producerEpoch: epoch };
  await log.appendAsLeader(batchOf(["t"], { ...producer, baseSequence: 0, isTransactional: true, key: "t" }), epoch)
    .written;
  const type = epoch % 2 === 0 ? 1 : 0;
  const marker = endTransactionMarker({ ...producer, type, coordinatorEpoch: 0, timestamp: NOW_MS });
  await log.appendAsLeader(marker, epoch, "coordinator").written;
}

async function open(disk: SimulatedDisk): Promise<LogManager> {
  const opened = await settles(
    LogManager.open({
      disk,
      clock: new VirtualClock(),
      random: new SeededRandom(1),
      directory: DATA,
      configFor: (topic) => CONFIGS[topic] ?? defaultLogConfig(),
    }),
  );
  assert.ok(opened !== "over");
  return opened;
}

function topicIdOf(topic: string) {
  const bytes = new Uint8Array(16).fill(topic.length);
  return uuidFromBytes(bytes);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
