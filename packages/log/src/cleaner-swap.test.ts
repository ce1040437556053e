import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { MemoryDisk } from "@samsa/io";
import { readTree, writeFile } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { readAll } from "./testing/records.ts";

/** What fixtures/compaction/Swap.java prints: a folder that a crash left, in base64 by file name, and what Kafka made of it. */
interface Swap {
  readonly files: Readonly<Record<string, string>>;
  readonly segments: readonly number[];
  readonly offsets: readonly number[];
  readonly logEndOffset: number;
  readonly left: readonly string[];
}

const swaps = JSON.parse(
  gunzipSync(readFileSync(new URL("../fixtures/compaction/swaps.json.gz", import.meta.url))).toString(),
) as readonly Swap[];

/** `00000000000000000010.log.swap` is `10.log.swap`. */
const nameOf = (file: string): string => file.replace(/^0+(?=\d)/, "");

async function load(files: readonly (readonly [string, string])[]): Promise<Omit<Swap, "files">> {
  const disk = new MemoryDisk();
  for (const [name, text] of files) await writeFile(disk, `${FOLDER}/${name}`, Buffer.from(text, "base64"));
  const log = await openLog({ disk, recoveryPoint: 21, highWatermark: 21, config: { cleanupPolicy: ["compact"] } });
  const result = {
    segments: log.segments.map(({ baseOffset }) => baseOffset),
    offsets: (await readAll(log)).map(({ offset }) => offset),
    logEndOffset: log.logEndOffset,
    left: [...(await readTree(disk, FOLDER)).keys()].filter((name) => /\.(cleaned|swap|deleted)$/.test(name)),
  };
  await log.close();
  return result;
}

describe("a swap that a crash broke off ends as in Apache Kafka", () => {
  for (const { files, ...expected } of swaps) {
    test(Object.keys(files).map(nameOf).toSorted().join(" "), async () => {
      assert.deepEqual(await load(Object.entries(files)), expected);
    });
  }

  test("with all that was there, or all that was compacted, and never a part of either", () => {
    const before = Array.from({ length: 21 }, (_, offset) => offset);
    const outcomes = new Set(swaps.map(({ offsets }) => offsets.join()));
    assert.deepEqual(outcomes, new Set([before.join(), [9, 19, 20].join()]));
  });
});
