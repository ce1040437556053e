import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RecordBatch } from "@samsa/protocol";
import { defaultLogConfig } from "./log-config.ts";
import { LogManager } from "./log-manager.ts";
import { defaultLogCaches } from "./load-log.ts";
import { LogSegment } from "./log-segment.ts";
import { PooledDisk } from "./pooled-disk.ts";
import { copyDisk, readFile } from "./testing/disks.ts";
import { kafkaDataDirectory } from "./testing/fixtures.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { readAll, valuesOf } from "./testing/records.ts";

const clock = new ManualClock(2_000_000_000_000); // later than the capture
const random = new SeededRandom();
const RECORDS = new Map([
  ["plain", 1400],
  ["gzip", 500],
  ["snappy", 500],
  ["lz4", 500],
  ["zstd", 500],
  ["append-time", 200],
  ["keyed", 100],
]);
const SEGMENTS = [
  ...[0, 620, 1255].map((baseOffset) => ({ folder: "plain-0", baseOffset })),
  ...["gzip-0", "snappy-0", "lz4-0", "zstd-0", "append-time-0", "keyed-0"].map((folder) => ({ folder, baseOffset: 0 })),
];

describe("a data directory that Apache Kafka wrote and closed", () => {
  test("is loaded without a complaint, and says how Kafka stopped", async () => {
    const manager = await LogManager.open({ disk: await kafkaDataDirectory(), clock, random, directory: "/data" });
    assert.deepEqual(manager.problems, []);
    assert.equal(manager.hadCleanShutdown, true);
    assert.ok(manager.previousBrokerEpoch > 0);
    assert.deepEqual(
      [...manager.logs()].map((log) => log.topicPartition.topic).toSorted(),
      [...RECORDS.keys()].toSorted(),
    );
    for (const log of manager.logs()) {
      assert.equal(log.logEndOffset, RECORDS.get(log.topicPartition.topic));
      assert.equal(log.highWatermark, log.logEndOffset);
      assert.deepEqual(log.earliestOffset(), { timestamp: -1, offset: 0, leaderEpoch: 0 });
      assert.match(log.topicId, /^[A-Za-z0-9_-]{22}$/);
    }
  });

  test("gives every record back, in small steps and in large ones", async () => {
    const manager = await LogManager.open({ disk: await kafkaDataDirectory(), clock, random, directory: "/data" });
    for (const log of manager.logs()) {
      const values = valuesOf(await readAll(log));
      assert.equal(values.length, RECORDS.get(log.topicPartition.topic));
      assert.ok(values.every((value) => /^line \d+ /.test(value)));
      assert.deepEqual(valuesOf(await readAll(log, 0, 1)), values);
      assert.deepEqual(valuesOf(await readAll(log, 0, 5000)), values);
    }
  });

  test("has the same records after an unclean stop, when all is scanned", async () => {
    const disk = await kafkaDataDirectory();
    await disk.remove("/data/.kafka_cleanshutdown");
    const manager = await LogManager.open({ disk, clock, random, directory: "/data" });
    assert.deepEqual(manager.problems, []);
    for (const log of manager.logs()) assert.equal(log.logEndOffset, RECORDS.get(log.topicPartition.topic));
  });

  test("takes more records, and offers them beside Kafka's after a stop and a start", async () => {
    const disk = await kafkaDataDirectory();
    const first = await LogManager.open({ disk, clock, random, directory: "/data" });
    const source = await readFile(disk, "/data/plain-0/00000000000000001255.log");
    const batch = new RecordBatch(source.slice());
    batch.setLastOffset(batch.lastOffsetDelta);
    const { info } = first.get("gzip", 0)?.appendAsLeader(batch.bytes, 3) ?? {};
    assert.equal(info?.firstOffset, 500);
    assert.equal(await first.close({ brokerEpoch: 17 }), true);

    const second = await LogManager.open({ disk, clock, random, directory: "/data" });
    assert.equal(second.previousBrokerEpoch, 17);
    const log = second.get("gzip", 0);
    assert.equal(log?.logEndOffset, 500 + batch.recordCount);
    assert.equal(log.latestEpoch, 3);
    assert.deepEqual(log.endOffsetForEpoch(0), { leaderEpoch: 0, endOffset: 500 });
  });
});

describe("the indexes we build from Kafka's log", () => {
  for (const { folder, baseOffset } of SEGMENTS) {
    test(`are Kafka's, byte for byte: segment ${baseOffset} of ${folder}`, async () => {
      const kafka = await kafkaDataDirectory();
      const name = (suffix: string): string => `/data/${folder}/${String(baseOffset).padStart(20, "0")}${suffix}`;
      const log = await readFile(kafka, name(".log"));
      const copy = await copyDisk(kafka, "/data", (path, bytes) =>
        path.endsWith("index") ? new Uint8Array(0) : bytes,
      );
      const segment = new LogSegment(baseOffset, 0, {
        disk: PooledDisk.of(copy),
        directory: `/data/${folder}`,
        config: defaultLogConfig(),
        createdMs: 0,
        rollJitterMs: 0,
        indexCache: defaultLogCaches().indexes,
      });
      segment.begin();
      for (let position = 0; position < log.length;) {
        const batch = new RecordBatch(log, position);
        assert.equal(segment.append(batch), position);
        position += batch.sizeInBytes;
      }
      segment.seal();
      await segment.flush();
      for (const suffix of [".index", ".timeindex"]) {
        assert.deepEqual(await readFile(copy, name(suffix)), await readFile(kafka, name(suffix)), suffix);
      }
    });

    test(`are the same when they are made by recovery: segment ${baseOffset} of ${folder}`, async () => {
      const kafka = await kafkaDataDirectory();
      const name = (suffix: string): string => `/data/${folder}/${String(baseOffset).padStart(20, "0")}${suffix}`;
      const copy = await copyDisk(kafka, "/data");
      await copy.remove(name(".index"));
      const told: string[] = [];
      const segment = new LogSegment(baseOffset, (await copy.fileSize(name(".log"))) ?? 0, {
        disk: PooledDisk.of(copy),
        directory: `/data/${folder}`,
        config: defaultLogConfig(),
        createdMs: 0,
        rollJitterMs: 0,
        indexCache: defaultLogCaches().indexes,
        report: (_path, message) => told.push(message),
      });
      await segment.loadIndexes();
      assert.match(told.join(), /\.index: it is missing; made anew/);
      for (const suffix of [".index", ".timeindex"]) {
        assert.deepEqual(await readFile(copy, name(suffix)), await readFile(kafka, name(suffix)), suffix);
      }
    });
  }
});
