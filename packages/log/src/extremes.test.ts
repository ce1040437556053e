import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { RecordBatch } from "@samsa/protocol";
import type { LogConfig } from "./log-config.ts";
import { copyDisk, readTree, writeFile } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { ManualClock } from "./testing/ports.ts";
import { batchOf, NOW_MS, readAll, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const HOUR_MS = 3600 * 1000;
const LARGEST = Number.MAX_SAFE_INTEGER; // 2^53 - 1
const YEAR_1950 = Date.UTC(1950, 0);
const YEAR_9999 = Date.UTC(9999, 11, 31);
const YEAR_200000 = Date.UTC(200_000, 0);
const logName = (offset: bigint | number): string => `${String(offset).padStart(20, "0")}.log`;
const noCheck: Partial<LogConfig> = { messageTimestampAfterMaxMs: Infinity };

/** The batch with another int64 in its header, and the CRC that goes with it. */
function withInt64(bytes: Uint8Array, at: number, value: bigint): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  view.setBigInt64(at, value);
  view.setUint32(17, new RecordBatch(copy).computeCrc());
  return copy;
}

const BASE_OFFSET_AT = 0;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;

describe("a number beyond 2^53 in a file", () => {
  const batch = batchOf(["x"]);
  const nearTheEnd = batchOf(["x", "y", "z"], { baseOffset: LARGEST - 1 });
  const cases: readonly { readonly what: string; readonly name?: string; readonly bytes: Uint8Array }[] = [
    { what: "a base offset", bytes: withInt64(batch, BASE_OFFSET_AT, 2n ** 53n + 1n) },
    { what: "the largest base offset there is", bytes: withInt64(batch, BASE_OFFSET_AT, 2n ** 63n - 1n) },
    { what: "a largest timestamp", bytes: withInt64(batch, MAX_TIMESTAMP_AT, 2n ** 53n + 1n) },
    { what: "a first timestamp", bytes: withInt64(batch, BASE_TIMESTAMP_AT, -(2n ** 53n) - 1n) },
    { what: "a last offset", name: logName(LARGEST - 1), bytes: nearTheEnd },
    { what: "the name of a segment", name: logName(2n ** 53n + 2n), bytes: batch },
  ];
  for (const { what, name = logName(0), bytes } of cases) {
    for (const hadCleanShutdown of [false, true]) {
      const stop = hadCleanShutdown ? "a clean stop" : "a crash";
      test(`takes the log offline and keeps the file: ${what}, after ${stop}`, async () => {
        const disk = new MemoryDisk();
        const path = `${FOLDER}/${name}`;
        await writeFile(disk, path, bytes);
        await assert.rejects(openLog({ disk, hadCleanShutdown, logStartOffset: 0 }), {
          code: ErrorCode.KAFKA_STORAGE_ERROR,
        });
        assert.deepEqual((await readTree(disk, FOLDER)).get(name), bytes);
      });
    }
  }
});

describe("a log that has come to the offset 2^53 - 1", () => {
  const atTheEnd = (): Promise<UnifiedLog> => openLog({ disk: new MemoryDisk(), logStartOffset: LARGEST - 3 });

  test("takes what still has an offset, and refuses the rest without a change", async () => {
    const log = await atTheEnd();
    assert.throws(() => log.appendAsLeader(batchOf(["a", "b", "c", "d"]), 0), KafkaError);
    await log.appendAsLeader(batchOf(["a", "b"]), 0).written;
    assert.equal(log.logEndOffset, LARGEST - 1);
    await log.appendAsLeader(batchOf(["c"]), 0).written;
    assert.throws(() => log.appendAsLeader(batchOf(["d"]), 0), KafkaError);
    assert.deepEqual([log.logEndOffset, log.failure], [LARGEST, undefined]);
    assert.deepEqual(valuesOf(await readAll(log)), ["a", "b", "c"]);
  });

  test("refuses it of a leader, too", async () => {
    const log = await atTheEnd();
    const beyond = batchOf(["a", "b", "c", "d"], { baseOffset: LARGEST - 3 });
    assert.throws(() => log.appendAsFollower(beyond), KafkaError);
    assert.deepEqual([log.logEndOffset, log.failure], [LARGEST - 3, undefined]);
  });

  test("is found again as it was", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, logStartOffset: LARGEST - 3 });
    await log.appendAsLeader(batchOf(["a", "b", "c"]), 0).written;
    for (const hadCleanShutdown of [false, true]) {
      const again = await openLog({ disk: await copyDisk(disk, "/"), hadCleanShutdown, logStartOffset: LARGEST - 3 });
      assert.deepEqual([again.logStartOffset, again.logEndOffset], [LARGEST - 3, LARGEST]);
      assert.deepEqual(valuesOf(await readAll(again)), ["a", "b", "c"]);
    }
  });
});

describe("timestamps far from now", () => {
  const times = [YEAR_1950, -2, 0, NOW_MS, YEAR_9999, YEAR_200000, LARGEST];

  test("are kept and found as they are, from memory, from the disk, and after a crash", async () => {
    const disk = new MemoryDisk();
    const config = { ...noCheck, indexIntervalBytes: 0 };
    const log = await openLog({ disk, config });
    for (const time of times) await log.appendAsLeader(batchOf([`${time}`], { timestamps: [time] }), 0).written;
    const crashed = await openLog({ disk: await copyDisk(disk, "/"), config });
    await log.close();
    const closed = await openLog({ disk, config, hadCleanShutdown: true });
    for (const each of [crashed, closed]) {
      for (const [offset, timestamp] of times.entries()) {
        // Before 1970 nothing is indexed, as in Kafka: a segment is passed over whose largest timestamp is below the one sought.
        assert.deepEqual(await each.fetchOffsetByTimestamp(timestamp), { timestamp, offset, leaderEpoch: 0 });
      }
      assert.deepEqual(await each.fetchMaxTimestampOffset(), { timestamp: LARGEST, offset: 6, leaderEpoch: 0 });
      assert.deepEqual(valuesOf(await readAll(each)), times.map(String));
    }
  });

  const refused: readonly [string, number, Partial<LogConfig>][] = [
    ["in year 9999, by message.timestamp.after.max.ms", YEAR_9999, {}],
    ["before 1970, where message.timestamp.before.max.ms is set", YEAR_1950, { messageTimestampBeforeMaxMs: HOUR_MS }],
  ];
  for (const [what, time, config] of refused) {
    test(`are refused ${what}`, async () => {
      const log = await openLog({ clock: new ManualClock(NOW_MS), config });
      assert.throws(() => log.appendAsLeader(batchOf(["x"], { timestamps: [time] }), 0), {
        code: ErrorCode.INVALID_TIMESTAMP,
      });
      assert.deepEqual([log.logEndOffset, log.failure], [0, undefined]);
    });
  }

  test("that no number holds are refused of a producer and of a leader", async () => {
    const log = await openLog({ config: noCheck });
    for (const at of [BASE_TIMESTAMP_AT, MAX_TIMESTAMP_AT]) {
      const bytes = withInt64(batchOf(["x"]), at, 2n ** 53n + 1n);
      assert.throws(() => log.appendAsLeader(bytes.slice(), 0), KafkaError);
      assert.throws(() => log.appendAsFollower(bytes.slice()), KafkaError);
    }
    assert.deepEqual([log.logEndOffset, log.failure], [0, undefined]);
  });

  const retained: readonly [number, string, readonly number[]][] = [
    [2, "the file is as old as its last change where all of it is before 1970", [YEAR_1950, YEAR_1950]],
    [0, "what is of year 9999 has not expired", [YEAR_9999, NOW_MS - 2 * HOUR_MS]],
    [1, "and keeps what follows it", [NOW_MS - 2 * HOUR_MS, YEAR_9999]],
    [0, "nor has what is of the day after tomorrow", [NOW_MS + 48 * HOUR_MS, NOW_MS]],
    [0, "nor the last that there can be", [LARGEST, LARGEST]],
  ];
  for (const [expected, why, timestamps] of retained) {
    test(`go by retention.ms like others, ${expected} of them: ${why}`, async () => {
      const clock = new ManualClock(NOW_MS - 2 * HOUR_MS);
      const config = { ...noCheck, retentionMs: HOUR_MS };
      const log = await openLog({ disk: new MemoryDisk({ clock }), clock, config });
      for (const timestamp of timestamps) {
        await log.roll();
        await log.appendAsLeader(batchOf(["x"], { timestamps: [timestamp] }), 0).written;
      }
      log.updateHighWatermark(log.logEndOffset);
      clock.advance(2 * HOUR_MS);
      assert.equal(await log.deleteOldSegments(), expected);
      assert.equal(log.logStartOffset, expected);
    });
  }

  test("roll a segment by the difference of two of them, and by the clock where the first is before 1970", async () => {
    const clock = new ManualClock(NOW_MS);
    const rolls = async (first: number, second: number, laterMs: number): Promise<boolean> => {
      const log = await openLog({ clock, config: { ...noCheck, segmentMs: HOUR_MS } });
      await log.appendAsLeader(batchOf(["x"], { timestamps: [first] }), 0).written;
      clock.advance(laterMs);
      await log.appendAsLeader(batchOf(["x"], { timestamps: [second] }), 0).written;
      return log.segmentCount === 2;
    };
    assert.equal(await rolls(NOW_MS, YEAR_9999, 0), true);
    assert.equal(await rolls(YEAR_9999, NOW_MS, 10 * HOUR_MS), false);
    assert.equal(await rolls(YEAR_9999, LARGEST, 0), true);
    assert.equal(await rolls(YEAR_1950, YEAR_9999, HOUR_MS), false);
    assert.equal(await rolls(YEAR_1950, YEAR_1950, HOUR_MS + 1), true);
  });
});
