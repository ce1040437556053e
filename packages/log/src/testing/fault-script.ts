import assert from "node:assert/strict";
import { DiskError, ErrorCode, KafkaError, uuidFromBytes } from "@samsa/base";
import { endTransactionMarker } from "@samsa/protocol";
import type { DiskFault, DiskOperation, DiskOperationKind } from "@samsa/simulation";
import { SeededRandom, SimulatedDisk, VirtualClock } from "@samsa/simulation";
import type { LogConfig } from "../log-config.ts";
import { defaultLogConfig } from "../log-config.ts";
import { LogManager } from "../log-manager.ts";
import type { UnifiedLog } from "../unified-log.ts";
import { batchOf, NOW_MS, readAll } from "./records.ts";
import { settles } from "./settles.ts";

/** The folder whose disk fails, and one on a disk that does not. */
const FAILING = "/failing";
const SOUND = "/sound";
const TAKING_ROOM: readonly DiskOperationKind[] = [
  "create",
  "mkdir",
  "rename",
  "write",
  "truncate",
  "sync",
  "sync-folder",
];
const CONFIGS: Readonly<Record<string, LogConfig>> = {
  kept: defaultLogConfig({ segmentBytes: 600, indexIntervalBytes: 100, flushMessages: 1, retentionMs: -1 }),
  compacted: defaultLogConfig({
    segmentBytes: 600,
    indexIntervalBytes: 100,
    flushMessages: 1,
    cleanupPolicy: ["compact"],
    minCleanableDirtyRatio: 0,
  }),
  deleted: defaultLogConfig({ flushMessages: 1 }),
};
/** What fails in the runs: each of these, once with every operation of the script. */
export const FAULT_KINDS: readonly (Omit<DiskFault, "nth"> & { readonly name: string })[] = [
  { name: "EIO once", code: "EIO" },
  { name: "EIO from then on", code: "EIO", isLasting: true },
  { name: "ENOSPC once, after a short write", code: "ENOSPC", isShort: true, kinds: TAKING_ROOM },
  {
    name: "ENOSPC from then on, after a short write",
    code: "ENOSPC",
    isShort: true,
    isLasting: true,
    kinds: TAKING_ROOM,
  },
];

/** What was sent to a topic, by offset. */
interface Sent {
  readonly key: string | undefined;
  readonly value: string;
  isAcknowledged: boolean;
}

export interface FaultOutcome {
  /** The operation that failed; undefined when there were fewer. */
  readonly failed: DiskOperation | undefined;
  /** All on the failing folder. */
  readonly operations: readonly DiskOperation[];
}

/**
 * Everything that a broker does to its logs, once: topics made, appended to, rolled, flushed, checkpointed, compacted, shortened,
 * deleted; a clean stop, a start, and a stop again. One operation of the disk fails on the way, or it and all that follow. Then
 * the power goes.
 *
 * What is held: all that was acknowledged is there afterwards. A log whose disk has failed says so from then on. No sync is
 * tried again. Nothing hangs, nobody's rejection is lost, and the logs in another folder notice nothing.
 */
export async function runWithFault(fault: DiskFault | undefined, seed = 1): Promise<FaultOutcome> {
  const run = new FaultRun(fault, seed);
  try {
    return await run.perform();
  } catch (error) {
    const what = run.failedOperation;
    const told = what === undefined ? "without a fault" : `${fault?.code} in ${what.number} ${what.kind} ${what.path}`;
    throw new Error(`${told}, in ${run.step}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

class FaultRun {
  step = "start";
  readonly #clock = new VirtualClock();
  readonly #disk: SimulatedDisk;
  readonly #sent = new Map<string, Sent[]>();
  readonly #truncated = new Set<string>();
  #soundCount = 0;
  #lifeBegan = 0;

  constructor(fault: DiskFault | undefined, seed: number) {
    this.#disk = new SimulatedDisk({ seed, mostTurns: 2 });
    for (const folder of [FAILING, SOUND]) this.#disk.put(`${folder}/meta.properties`, new Uint8Array(0));
    if (fault !== undefined) this.#disk.inject({ ...fault, path: /^\/failing/ });
  }

  get failedOperation(): DiskOperation | undefined {
    return this.#disk.trace.find(({ failure }) => failure !== undefined);
  }

  async perform(): Promise<FaultOutcome> {
    const sound = await this.#open(SOUND, this.#disk);
    await this.#appendToSound(sound);
    await this.#live(sound);
    this.step = "the stop of the other folder";
    assert.equal(await settles(sound.close()), true, "the other folder stops completely");
    const operations = this.#disk.trace.filter(({ path }) => path.startsWith(FAILING));
    const outcome = { failed: this.failedOperation, operations };
    this.step = "the start after the loss of power";
    const after = this.#disk.crash({ power: "lost" });
    await this.#checkAcknowledged(after);
    return outcome;
  }

  async #live(sound: LogManager): Promise<void> {
    for (const life of ["first life", "second life"]) {
      let manager: LogManager;
      try {
        manager = await this.#open(FAILING, this.#disk);
      } catch (error) {
        this.#checkRefusal(error);
        return;
      }
      const steps = life === "first life" ? FIRST_LIFE : SECOND_LIFE;
      for (const [name, act] of steps) {
        this.step = `${life}, ${name}`;
        await this.#attempt(manager, () => act(this, manager));
        await this.#appendToSound(sound);
      }
      this.step = `${life}, stop`;
      await this.#attempt(manager, async () => void (await manager.close()));
      this.#checkSyncs();
    }
  }

  /** What goes wrong must be said as Kafka says it; and what says so is out of service from then on. */
  async #attempt(manager: LogManager, act: () => Promise<void>): Promise<void> {
    try {
      await settles(act());
    } catch (error) {
      this.#checkRefusal(error);
    }
    this.#checkFences(manager);
  }

  #checkRefusal(error: unknown): void {
    assert.ok(this.failedOperation !== undefined, `nothing has failed, but: ${String(error)}`);
    if (error instanceof DiskError) return;
    assert.ok(error instanceof KafkaError, String(error));
    assert.equal(error.code, ErrorCode.KAFKA_STORAGE_ERROR, error.message);
  }

  /** A log one of whose files could not be changed takes nothing more. */
  #checkFences(manager: LogManager): void {
    for (const log of manager.logs()) {
      const failed = this.#disk.trace.find(
        ({ failure, kind, path }) =>
          failure !== undefined &&
          CONTENT.includes(kind) &&
          path.startsWith(`${log.directory}/`) &&
          path.endsWith(".log"),
      );
      if (failed === undefined || this.step.startsWith("second") || this.step.endsWith("stop")) continue;
      assert.ok(log.failure !== undefined, `${failed.kind} ${failed.path} failed, and the log goes on`);
      assert.throws(() => log.appendAsLeader(batchOf(["x"]), 0), { code: ErrorCode.KAFKA_STORAGE_ERROR });
    }
  }

  /** Once a sync has failed, the file is not synced again before the next start, unless it was written anew from its start. */
  #checkSyncs(): void {
    const operations = this.#disk.trace.slice(this.#lifeBegan);
    this.#lifeBegan = this.#disk.operationCount;
    for (const [index, failed] of operations.entries()) {
      if (failed.kind !== "sync" || failed.failure === undefined) continue;
      const later = operations.slice(index + 1).filter(({ path }) => path === failed.path);
      const again = later.findIndex(({ kind }) => kind === "sync");
      if (again < 0 || later.slice(0, again).some(({ kind, detail }) => kind === "truncate" && detail === "to 0"))
        continue;
      assert.fail(`${failed.path} is synced again, in operation ${later[again]?.number}`);
    }
  }

  async append(manager: LogManager, topic: string, count: number, options: { readonly isAborted?: boolean } = {}) {
    const log = logOf(manager, topic);
    const sent = this.#sentTo(topic);
    for (let index = 0; index < count; index++) {
      const offset = log.logEndOffset;
      const key = topic === "compacted" ? `k${offset % 3}` : undefined;
      const value = `${topic} ${offset}`;
      const isTransactional = options.isAborted !== undefined;
      const producer = isTransactional ? { ...TRANSACTION, baseSequence: index, isTransactional } : {};
      const { written } = log.appendAsLeader(batchOf([value], { ...producer, key: key ?? null }), 0);
      const one: Sent = { key: isTransactional ? undefined : key, value, isAcknowledged: false };
      sent[offset] = one;
      await written;
      one.isAcknowledged = true;
    }
    if (options.isAborted === undefined) return;
    const type = options.isAborted ? 0 : 1;
    const marker = endTransactionMarker({ type, ...TRANSACTION, coordinatorEpoch: 0, timestamp: NOW_MS });
    const offset = log.logEndOffset;
    const { written } = log.appendAsLeader(marker, 0, "coordinator");
    const one: Sent = { key: undefined, value: "marker", isAcknowledged: false };
    sent[offset] = one;
    await written;
    one.isAcknowledged = true;
  }

  async create(manager: LogManager, topic: string): Promise<void> {
    const log = await manager.getOrCreate({ topic, partition: 0 }, topicIdOf(topic));
    log.onWritten = () => void log.updateHighWatermark(log.writtenEndOffset);
    log.maybeAssignEpochStartOffset(0, log.logEndOffset);
    log.updateHighWatermark(log.writtenEndOffset);
  }

  async truncate(manager: LogManager, topic: string, fewer: number): Promise<void> {
    const log = logOf(manager, topic);
    const offset = Math.max(0, log.logEndOffset - fewer);
    const sent = this.#sentTo(topic);
    for (const one of sent.slice(offset)) one.isAcknowledged = false;
    this.#truncated.add(topic);
    await manager.truncateTo({ topic, partition: 0 }, offset);
    this.#truncated.delete(topic);
    sent.length = offset;
  }

  wait(ms: number): void {
    this.#clock.advance(ms);
  }

  async #open(directory: string, disk: SimulatedDisk): Promise<LogManager> {
    const opened = await settles(
      LogManager.open({
        disk,
        clock: this.#clock,
        random: new SeededRandom(1),
        directory,
        configFor: (topic) => CONFIGS[topic] ?? defaultLogConfig({ flushMessages: 1 }),
      }),
    );
    assert.ok(opened !== "over");
    return opened;
  }

  async #appendToSound(sound: LogManager): Promise<void> {
    const log = await sound.getOrCreate({ topic: "sound", partition: 0 }, topicIdOf("sound"));
    await log.appendAsLeader(batchOf([`${this.#soundCount++}`]), 0).written;
  }

  async #checkAcknowledged(disk: SimulatedDisk): Promise<void> {
    const sound = await this.#open(SOUND, disk);
    assert.equal((await readAll(logOf(sound, "sound"))).length, this.#soundCount);
    const manager = await this.#open(FAILING, disk);
    assert.deepEqual([...manager.offlineLogs().values()].map(String), [], "every log can be served again");
    for (const topic of ["kept", "compacted"]) {
      const sent = this.#sentTo(topic);
      const log = manager.get(topic, 0);
      if (log === undefined) {
        assert.ok(!sent.some((one) => one?.isAcknowledged), `${topic} is gone`);
        continue;
      }
      await this.#checkLog(log, topic, sent);
    }
    await settles(manager.close());
    await settles(sound.close());
  }

  async #checkLog(log: UnifiedLog, topic: string, sent: readonly Sent[]): Promise<void> {
    const records = new Map((await settlesAll(log)).map(({ offset, value }) => [offset, value]));
    for (const [offset, value] of records) {
      const one = sent[offset];
      if (one !== undefined && one.value !== "marker") assert.equal(value, one.value, `offset ${offset} of ${topic}`);
      else if (one === undefined) assert.ok(this.#truncated.has(topic), `offset ${offset} of ${topic} is not known`);
    }
    for (const [offset, one] of sent.entries()) {
      if (one === undefined || !one.isAcknowledged || offset < log.logStartOffset || records.has(offset)) continue;
      const isHidden = topic === "compacted" && sent.slice(offset + 1).some((later) => later?.key === one.key);
      assert.ok(isHidden || (topic === "compacted" && one.key === undefined), `offset ${offset} of ${topic} is lost`);
    }
  }

  #sentTo(topic: string): Sent[] {
    let sent = this.#sent.get(topic);
    if (sent === undefined) this.#sent.set(topic, (sent = []));
    return sent;
  }
}

const TRANSACTION = { producerId: 9, producerEpoch: 0 };
const CONTENT: readonly DiskOperationKind[] = ["write", "sync", "truncate"];

type Act = (run: FaultRun, manager: LogManager) => Promise<void>;

const FIRST_LIFE: readonly (readonly [string, Act])[] = [
  ["make a topic", (run, manager) => run.create(manager, "kept")],
  ["make a compacted topic", (run, manager) => run.create(manager, "compacted")],
  ["make a topic to be deleted", (run, manager) => run.create(manager, "deleted")],
  ["append", (run, manager) => run.append(manager, "kept", 12)],
  ["append to the compacted topic", (run, manager) => run.append(manager, "compacted", 12)],
  ["append a transaction", (run, manager) => run.append(manager, "kept", 2, { isAborted: true })],
  ["roll", async (_run, manager) => await logOf(manager, "kept").roll()],
  ["roll the compacted topic", async (_run, manager) => await logOf(manager, "compacted").roll()],
  ["flush", async (_run, manager) => await manager.flushAll()],
  ["checkpoint", async (_run, manager) => await manager.checkpoint()],
  ["compact", async (_run, manager) => await manager.cleanDirtyLogs()],
  ["truncate", (run, manager) => run.truncate(manager, "kept", 1)],
  ["append again", (run, manager) => run.append(manager, "kept", 3)],
  [
    "delete records",
    async (_run, manager) => {
      const log = logOf(manager, "kept");
      log.maybeIncrementLogStartOffset(Math.min(5, log.highWatermark));
      await manager.deleteOldSegments();
    },
  ],
  ["delete the topic", async (_run, manager) => await manager.delete({ topic: "deleted", partition: 0 })],
  ["wait for the files to go", async (run) => run.wait(61_000)],
  ["append at last", (run, manager) => run.append(manager, "compacted", 2)],
];

const SECOND_LIFE: readonly (readonly [string, Act])[] = [
  ["lead", (run, manager) => run.create(manager, "kept")],
  ["append", (run, manager) => run.append(manager, "kept", 3)],
];

function logOf(manager: LogManager, topic: string): UnifiedLog {
  const log = manager.get(topic, 0);
  if (log !== undefined) return log;
  throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${topic} is not here`);
}

async function settlesAll(log: UnifiedLog): Promise<{ readonly offset: number; readonly value: string }[]> {
  const all = await settles(readAll(log));
  assert.ok(all !== "over");
  return all;
}

function topicIdOf(topic: string) {
  const bytes = new Uint8Array(16).fill(topic.length);
  bytes[0] = topic.charCodeAt(0);
  return uuidFromBytes(bytes);
}
