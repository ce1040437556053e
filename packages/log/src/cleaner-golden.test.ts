import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { MemoryDisk } from "@samsa/io";
import { recordBatches } from "@samsa/protocol";
import { Cleaner } from "./cleaner.ts";
import { readTree, writeFile } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";

/** What fixtures/compaction/Compact.java prints. Files in base64, by name. */
interface Script {
  readonly name: string;
  readonly script: readonly string[];
  readonly passes: readonly Pass[];
}

interface Pass {
  readonly nowMs: number;
  readonly keys: number;
  readonly firstDirtyOffset: number;
  readonly firstUncleanableOffset: number;
  readonly logEndOffset: number;
  readonly endOffset: number;
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
}

const golden = JSON.parse(
  gunzipSync(readFileSync(new URL("../fixtures/compaction/golden.json.gz", import.meta.url))).toString(),
) as readonly Script[];

const decoder = new TextDecoder();

/** Headers, and records where they were not compressed: two implementations of a codec need not agree on the bytes. */
function describeBatches(log: Uint8Array): string[] {
  return [...recordBatches(log)].flatMap((batch) => {
    batch.ensureValid();
    const isCompressed = batch.compressionType !== "none";
    const header = Buffer.from(batch.bytes.subarray(isCompressed ? 21 : 0, 61)).toString("hex");
    const records = Array.from(batch.records(), (record) => {
      const key = batch.isControlBatch ? record.key?.join() : decoder.decode(record.key ?? undefined);
      const value = record.value === null ? "null" : decoder.decode(record.value);
      return `  ${record.offset} ${record.timestamp} ${key}=${value} ${JSON.stringify(record.headers())}`;
    });
    return [`${batch.baseOffset} to ${batch.lastOffset} ${batch.attributes} ${header}`, ...records];
  });
}

async function compact(pass: Pass): Promise<Map<string, Uint8Array>> {
  const disk = new MemoryDisk();
  for (const [name, text] of Object.entries(pass.before)) {
    await writeFile(disk, `${FOLDER}/${name}`, Buffer.from(text, "base64"));
  }
  const log = await openLog({
    disk,
    clock: new ManualClock(pass.nowMs),
    hadCleanShutdown: true,
    recoveryPoint: pass.logEndOffset,
    highWatermark: pass.logEndOffset,
    producerIdExpirationMs: 3_600_000,
    config: {
      cleanupPolicy: ["compact"],
      deleteRetentionMs: 60_000,
      indexIntervalBytes: 200,
      segmentIndexBytes: 4096,
    },
  });
  const cleaner = new Cleaner(log, {
    clock: new ManualClock(pass.nowMs),
    random: new SeededRandom(),
    dedupeBufferBytes: 1 << 20,
    dedupeBufferLoadFactor: (pass.keys + 0.5) / Math.floor((1 << 20) / 24),
  });
  const { endOffset } = await cleaner.clean(pass.firstDirtyOffset, pass.firstUncleanableOffset);
  assert.equal(endOffset, pass.endOffset);
  const activeName = String(log.segments.at(-1)?.baseOffset).padStart(20, "0");
  await log.close();
  const files = await readTree(disk, FOLDER);
  for (const name of files.keys()) {
    if (!/^\d{20}\.(log|index|timeindex|txnindex)$/.test(name) || name.startsWith(activeName)) files.delete(name);
  }
  return files;
}

/**
 * Where the last batch of a pass has lost all its records, we keep its header, as Kafka does since it found what is lost with it:
 * where the cleaned part ends. Kafka 4.4 keeps it only where the high watermark is.
 */
function isLastHeader(bytes: Uint8Array, { firstUncleanableOffset }: Pass): boolean {
  const last = [...recordBatches(bytes)].at(-1);
  return last?.nextOffset === firstUncleanableOffset && last.recordCount === 0;
}

describe("a log that Apache Kafka compacted", () => {
  for (const { name, passes } of golden) {
    test(`is what ours is, file by file: ${name}`, async () => {
      for (const pass of passes) {
        const ours = await compact(pass);
        const theirs = new Map(Object.entries(pass.after).map(([file, text]) => [file, Buffer.from(text, "base64")]));
        for (const [file, bytes] of theirs) {
          const logName = file.replace(/\..*/, ".log");
          const [ourLog, theirLog] = [ours.get(logName) ?? new Uint8Array(0), theirs.get(logName) ?? new Uint8Array(0)];
          const batches = [...recordBatches(theirLog)];
          const isLonger = ourLog.length === theirLog.length + 61 && isLastHeader(ourLog, pass);
          if (file === logName) {
            const comparable = isLonger ? ourLog.subarray(0, -61) : ourLog;
            assert.deepEqual(describeBatches(comparable), describeBatches(theirLog), file);
          } else if (!isLonger && batches.every(({ compressionType }) => compressionType === "none")) {
            assert.equal(Buffer.from(ours.get(file) ?? []).toString("hex"), bytes.toString("hex"), file);
          }
        }
        const more = [...ours].filter(
          ([file, bytes]) => !theirs.has(file) && (file.endsWith(".log") || bytes.length > 0),
        );
        assert.deepEqual(more, []);
      }
    });
  }

  test("was changed in most of the passes", () => {
    const all = golden.flatMap(({ passes }) => passes);
    const firstLog = (files: Readonly<Record<string, string>>): string | undefined =>
      Object.entries(files).find(([file]) => file.endsWith(".log"))?.[1];
    const changed = all.filter(({ before, after }) => firstLog(before) !== firstLog(after));
    assert.ok(changed.length > 100, `${changed.length} of ${all.length}`);
  });
});
