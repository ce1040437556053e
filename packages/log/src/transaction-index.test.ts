import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import { ControlRecordType, endTransactionMarker, recordBatches } from "@samsa/protocol";
import fc from "fast-check";

import { Cleaner } from "./cleaner.ts";
import { defaultLogConfig } from "./log-config.ts";
import { LogManager } from "./log-manager.ts";
import { copyDisk, readFile, readTree, WatchedDisk, writeFile } from "./testing/disks.ts";
import { kafkaDataDirectory } from "./testing/fixtures.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { batchOf, NOW_MS } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const clock = new ManualClock(NOW_MS);
const random = new SeededRandom();
const decoder = new TextDecoder();

/** Writes transactions as their producers and their coordinator do. */
class Writer {
  readonly #log: UnifiedLog;
  readonly #sequences = new Map<number, number>();

  constructor(log: UnifiedLog) {
    this.#log = log;
  }

  write(producerId: number, value: string): void {
    const baseSequence = this.#sequences.get(producerId) ?? 0;
    this.#sequences.set(producerId, baseSequence + 1);
    const batch = batchOf([value], { producerId, producerEpoch: 0, baseSequence, isTransactional: true, key: value });
    this.#log.appendAsLeader(batch, 0);
  }

  end(producerId: number, outcome: "commit" | "abort"): void {
    const type = outcome === "abort" ? ControlRecordType.ABORT : ControlRecordType.COMMIT;
    const marker = endTransactionMarker({ type, coordinatorEpoch: 0, producerId, producerEpoch: 0, timestamp: NOW_MS });
    this.#log.appendAsLeader(marker, 0, "coordinator");
  }
}

/** What a read_committed consumer makes of the log (KIP-98), in steps of `maxBytes`. */
async function committedValues(log: UnifiedLog, from: number, maxBytes: number): Promise<string[]> {
  const values: string[] = [];
  for (let offset = from; offset < log.lastStableOffset;) {
    const options = { upToOffset: log.lastStableOffset, withAbortedTransactions: true };
    const { records, nextOffset, abortedTransactions = [] } = await log.read(offset, maxBytes, options);
    const waiting = abortedTransactions.toSorted((one, other) => one.firstOffset - other.firstOffset);
    const aborting = new Set<number>();
    for (const batch of records.flatMap((chunk) => [...recordBatches(chunk)])) {
      while ((waiting[0]?.firstOffset ?? Infinity) <= batch.lastOffset) aborting.add(waiting.shift()?.producerId ?? -1);
      if (batch.isControlBatch) aborting.delete(batch.producerId);
      else if (!(batch.isTransactional && aborting.has(batch.producerId))) {
        for (const record of batch.records()) values.push(decoder.decode(record.value ?? undefined));
      }
    }
    offset = nextOffset;
  }
  return values;
}

async function indexNames(disk: MemoryDisk): Promise<string[]> {
  return [...(await readTree(disk, FOLDER)).keys()].filter((name) => name.endsWith(".txnindex")).toSorted();
}

describe("aborted transactions", () => {
  const actions = fc.array(
    fc.record({
      what: fc.constantFrom("write", "write", "write", "commit", "abort", "plain"),
      producerId: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 50 },
  );

  test("are passed over by a consumer, and nothing else is, from wherever it begins and however the log was loaded", async () => {
    const check = async (
      script: readonly { readonly what: string; readonly producerId: number }[],
      from: number,
      maxBytes: number,
      start: "running" | "closed" | "crashed" | "truncated",
    ): Promise<void> => {
      const disk = new MemoryDisk();
      const config = { segmentBytes: 400 };
      let log = await openLog({ disk, config });
      const writer = new Writer(log);
      // The model: each record with what became of it.
      const records: { offset: number; value: string; producerId: number | undefined; outcome: string }[] = [];
      for (const [index, { what, producerId }] of script.entries()) {
        const offset = log.logEndOffset;
        if (what === "plain") log.appendAsLeader(batchOf([`${index}`]), 0);
        else if (what === "write") writer.write(producerId, `${index}`);
        else {
          writer.end(producerId, what === "abort" ? "abort" : "commit");
          for (const record of records) {
            if (record.producerId === producerId && record.outcome === "open") record.outcome = what;
          }
        }
        if (what === "plain") records.push({ offset, value: `${index}`, producerId: undefined, outcome: "commit" });
        if (what === "write") records.push({ offset, value: `${index}`, producerId, outcome: "open" });
      }
      await log.flush();
      const end = log.logEndOffset;
      if (start === "truncated") {
        // Something of another leader that is taken back.
        for (const producerId of [1, 2, 3]) {
          writer.write(producerId, "lost");
          writer.end(producerId, "abort");
        }
        await log.truncateTo(end);
      } else if (start === "closed") {
        await log.close();
        log = await openLog({ disk, config, hadCleanShutdown: true });
      } else if (start === "crashed") log = await openLog({ disk: await copyDisk(disk, FOLDER), config });
      log.updateHighWatermark(end);
      const open = records.find(({ outcome }) => outcome === "open")?.offset ?? end;
      assert.equal(log.lastStableOffset, open);
      const visible = records.filter(({ offset, outcome }) => offset >= from && offset < open && outcome === "commit");
      assert.deepEqual(
        await committedValues(log, from, maxBytes),
        visible.map(({ value }) => value),
      );
      await log.close();
    };
    const starts = fc.constantFrom("running", "closed", "crashed", "truncated");
    const property = fc.asyncProperty(actions, fc.nat(12), fc.constantFrom(1, 200, 1 << 20), starts, check);
    await fc.assert(property, { numRuns: 150 });
  });

  test("are looked for only when somebody asks", async () => {
    const log = await openLog();
    new Writer(log).write(1, "a");
    new Writer(log).end(1, "abort");
    assert.equal((await log.read(0, 1000)).abortedTransactions, undefined);
    const { abortedTransactions } = await log.read(0, 1000, { withAbortedTransactions: true });
    assert.deepEqual(abortedTransactions, [{ producerId: 1, firstOffset: 0, lastOffset: 1, lastStableOffset: 2 }]);
  });

  test("need no file where there are none, and their file goes with its segment", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config: { segmentBytes: 300, retentionBytes: 0 } });
    const writer = new Writer(log);
    for (const outcome of ["commit", "abort", "commit"] as const) {
      for (const value of ["a", "b", "c"]) writer.write(1, value);
      writer.end(1, outcome);
    }
    await log.roll();
    await log.flush();
    assert.deepEqual(await indexNames(disk), ["00000000000000000004.txnindex"]);
    log.updateHighWatermark(log.logEndOffset);
    await log.deleteOldSegments();
    assert.deepEqual(await indexNames(disk), []);
  });
});

test("aborted transactions are known after a compaction, and after a crash at any operation of the disk in it", async () => {
  const memory = new MemoryDisk();
  const disk = new WatchedDisk(memory);
  const config = { segmentBytes: 400, cleanupPolicy: ["compact"] as const };
  const log = await openLog({ disk, config });
  const writer = new Writer(log);
  for (const round of [1, 2, 3, 4, 5]) {
    for (const value of ["a", "b"]) log.appendAsLeader(batchOf([`${value}${round}`], { key: value }), 0);
    for (const producerId of [1, 2]) writer.write(producerId, `${producerId}${round}`);
    writer.end(1, "abort");
    writer.end(2, "commit");
  }
  await log.roll();
  await log.flush();
  const end = log.logEndOffset;
  log.updateHighWatermark(end);
  const copies: MemoryDisk[] = [];
  disk.before = async () => void copies.push(await copyDisk(memory, FOLDER));
  log.updateConfig(defaultLogConfig({ ...config, segmentBytes: 100_000 }));
  await new Cleaner(log, { clock, random, dedupeBufferBytes: 1 << 20 }).clean(0, end);
  disk.before = () => undefined;
  const isTransactional = (value: string): boolean => /^\d/.test(value);
  const expected = [1, 2, 3, 4, 5].map((round) => `2${round}`);
  assert.equal(log.segmentCount, 2, "all but the active one were merged");
  await log.close(); // which forgets what memory still had of the old ones
  const after = await openLog({ disk, config, hadCleanShutdown: true });
  after.updateHighWatermark(end);
  const values = await committedValues(after, 0, 1 << 20);
  assert.deepEqual(values.filter(isTransactional), expected);
  assert.deepEqual(
    values.filter((value) => !isTransactional(value)),
    ["a5", "b5"],
  );
  for (const hadCleanShutdown of [true, false]) {
    for (const copy of copies) {
      const again = await openLog({ disk: await copyDisk(copy, FOLDER), config, hadCleanShutdown, recoveryPoint: end });
      again.updateHighWatermark(end);
      assert.deepEqual((await committedValues(again, 0, 1 << 20)).filter(isTransactional), expected);
    }
  }
});

describe("the transaction index", () => {
  const damages: { what: string; change: (bytes: Uint8Array) => Uint8Array; says: RegExp }[] = [
    { what: "is cut short", change: (bytes) => bytes.subarray(0, -1), says: /are no multiple of 34/ },
    { what: "is of another version", change: (bytes) => bytes.fill(1, 0, 2), says: /entry 0: version 257/ },
    { what: "names offsets of another segment", change: (bytes) => bytes.fill(0, 18, 26), says: /entry 0: producer/ },
    { what: "names no exact number", change: (bytes) => bytes.fill(0x7f, 10, 18), says: /entry 0: / },
    { what: "holds an entry twice", change: (bytes) => Uint8Array.of(...bytes, ...bytes), says: /entry \d: producer/ },
  ];
  for (const { what, change, says } of damages) {
    test(`is made anew from the log when it ${what}`, async () => {
      const path = "/data/transactions-0/00000000000000000114.txnindex";
      const kafka = await readFile(await kafkaDataDirectory("producers"), path);
      const disk = await kafkaDataDirectory("producers");
      await writeFile(disk, path, change(kafka.slice()));
      const manager = await LogManager.open({ disk, clock, random, directory: "/data" });
      const [problem, ...others] = manager.problems.filter(({ message }) => !message.includes("the folder is gone"));
      assert.deepEqual(others, []);
      assert.match(problem?.message ?? "", says);
      assert.deepEqual(await readFile(disk, path), kafka);
    });
  }

  test("is Kafka's, byte for byte, when the log is scanned", async () => {
    const kafka = await kafkaDataDirectory("producers");
    const disk = await kafkaDataDirectory("producers");
    await disk.remove("/data/.kafka_cleanshutdown");
    await disk.remove("/data/recovery-point-offset-checkpoint");
    const paths = [0, 114].map((offset) => `/data/transactions-0/${String(offset).padStart(20, "0")}.txnindex`);
    for (const path of paths) await disk.remove(path);
    await LogManager.open({ disk, clock, random, directory: "/data" });
    for (const path of paths) assert.deepEqual(await readFile(disk, path), await readFile(kafka, path));
  });

  test("of Kafka's log leaves a consumer what was committed", async () => {
    const disk = await kafkaDataDirectory("producers");
    const manager = await LogManager.open({ disk, clock, random, directory: "/data" });
    const log = manager.get("transactions", 0);
    assert.ok(log !== undefined);
    const all = await committedValues(log, 0, 1 << 20);
    // Producers.java: of four rounds, t (15 records) commits two and u (17 records) two; the last 4 of u are still open.
    assert.equal(all.length, 2 * 15 + 2 * 17);
    assert.deepEqual(await committedValues(log, 0, 1), all);
  });
});
