import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ControlRecordType, endTransactionMarker, recordBatches } from "@samsa/protocol";
import { MemoryDisk } from "@samsa/io";
import fc from "fast-check";
import { Cleaner } from "./cleaner.ts";
import { copyDisk } from "./testing/disks.ts";
import { openLog } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { batchOf, NOW_MS } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const CONFIG = { cleanupPolicy: ["compact"], segmentBytes: 700, indexIntervalBytes: 100 } as const;
const decoder = new TextDecoder();

/** What a read_committed consumer has at the end that keeps the latest value of each key (KIP-98). */
async function committedLatest(log: UnifiedLog): Promise<[string, string][]> {
  const latest = new Map<string, string>();
  for (let offset = log.logStartOffset; offset < log.lastStableOffset;) {
    const options = { upToOffset: log.lastStableOffset, withAbortedTransactions: true };
    const { records, nextOffset, abortedTransactions = [] } = await log.read(offset, 500, options);
    if (nextOffset === offset) break; // a gap before an open transaction
    const waiting = abortedTransactions.toSorted((one, other) => one.firstOffset - other.firstOffset);
    const aborting = new Set<number>();
    for (const batch of records.flatMap((chunk) => [...recordBatches(chunk)])) {
      while ((waiting[0]?.firstOffset ?? Infinity) <= batch.lastOffset) aborting.add(waiting.shift()?.producerId ?? -1);
      if (batch.isControlBatch) aborting.delete(batch.producerId);
      else if (!(batch.isTransactional && aborting.has(batch.producerId))) {
        for (const { key, value } of batch.records()) {
          latest.set(decoder.decode(key ?? undefined), decoder.decode(value ?? undefined));
        }
      }
    }
    offset = nextOffset;
  }
  return [...latest].toSorted(([one], [other]) => one.localeCompare(other));
}

async function cleanAll(log: UnifiedLog): Promise<void> {
  const end = log.segments.map(({ baseOffset }) => baseOffset).findLast((base) => base <= log.lastStableOffset) ?? 0;
  const ports = { clock: new ManualClock(NOW_MS), random: new SeededRandom(), dedupeBufferBytes: 1 << 16 };
  await new Cleaner(log, ports).clean(0, end);
}

const action = fc.record({
  what: fc.constantFrom("write", "write", "write", "commit", "abort", "plain"),
  producerId: fc.integer({ min: 1, max: 3 }),
  key: fc.nat(5),
});

describe("transactions in a compacted log", () => {
  test("show a read_committed consumer the same latest values before, after, and after a restart", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 80, size: "max" }), async (actions) => {
        const disk = new MemoryDisk();
        const clock = new ManualClock(NOW_MS);
        const log = await openLog({ disk, clock, config: CONFIG });
        const sequences = new Map<number, number>();
        const open = new Set<number>();
        for (const [index, { what, producerId, key }] of actions.entries()) {
          if (what === "plain") log.appendAsLeader(batchOf([`${index}`], { key: `key ${key}` }), 0);
          else if (what === "write") {
            const baseSequence = sequences.get(producerId) ?? 0;
            sequences.set(producerId, baseSequence + 1);
            open.add(producerId);
            const producer = { producerId, producerEpoch: 0, baseSequence, isTransactional: true };
            log.appendAsLeader(batchOf([`${index}`], { ...producer, key: `key ${key}` }), 0);
          } else if (open.delete(producerId)) {
            const type = what === "abort" ? ControlRecordType.ABORT : ControlRecordType.COMMIT;
            const end = { coordinatorEpoch: 0, producerId, producerEpoch: 0, timestamp: NOW_MS };
            log.appendAsLeader(endTransactionMarker({ type, ...end }), 0, "coordinator");
          }
        }
        await log.flush();
        log.updateHighWatermark(log.logEndOffset);
        const expected = await committedLatest(log);
        for (let round = 0; round < 2; round++) {
          await cleanAll(log);
          assert.deepEqual(await committedLatest(log), expected);
        }
        const end = log.logEndOffset;
        const stable = log.lastStableOffset;
        const crashed = await copyDisk(disk, "/data");
        await log.close();
        for (const [left, hadCleanShutdown] of [
          [disk, true],
          [crashed, false],
        ] as const) {
          const again = await openLog({ disk: left, clock, config: CONFIG, hadCleanShutdown, recoveryPoint: end });
          again.updateHighWatermark(end);
          assert.deepEqual([again.logEndOffset, again.lastStableOffset], [end, stable]);
          assert.deepEqual(await committedLatest(again), expected);
          await cleanAll(again);
          assert.deepEqual(await committedLatest(again), expected);
        }
      }),
      { numRuns: 80 },
    );
  });
});
