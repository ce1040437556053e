import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jsonText, RecordBatchBuilder } from "@samsa/protocol";
import { copyDisk, readFile, writeFile } from "../testing/disks.ts";
import { fixtureDisk, fixtureText } from "../testing/fixtures.ts";
import type { DumpOptions } from "./dump-file.ts";
import { canDump, dumpFile } from "./dump-file.ts";
import type { DumpItem } from "./dump-item.ts";
import { dumpItemText } from "./dump-item.ts";

const SHALLOW: DumpOptions = {
  isDeep: false,
  printDataLog: false,
  decoder: "string",
  skipRecordMetadata: false,
  maxBytes: Infinity,
  verifyIndexOnly: false,
  indexSanityCheck: false,
};
const DEEP: DumpOptions = { ...SHALLOW, isDeep: true };
const PRINTED: DumpOptions = { ...DEEP, printDataLog: true };

interface Dumped {
  readonly items: readonly DumpItem[];
  readonly problems: readonly DumpItem[];
  readonly lines: readonly string[];
}

async function dump(disk: Parameters<typeof dumpFile>[0], path: string, options = DEEP): Promise<Dumped> {
  const items: DumpItem[] = [];
  const sink = { put: (item: DumpItem) => void items.push(item), drain: () => Promise.resolve() };
  const problems = await dumpFile(disk, path, options, sink);
  return { items, problems, lines: items.map((item) => dumpItemText(item, options)) };
}

describe("what is said of files that Apache Kafka wrote is what its DumpLogSegments says, line by line", () => {
  const goldens = [
    { golden: "dump/producers.txt", folder: "producers", options: DEEP },
    { golden: "dump/data.txt", folder: "data", options: DEEP },
    { golden: "dump/keyed.txt", folder: "data", options: PRINTED },
    { golden: "dump/offsets.txt", folder: "dump", options: { ...PRINTED, decoder: "offsets" } },
    { golden: "dump/transaction-log.txt", folder: "dump", options: { ...PRINTED, decoder: "transaction-log" } },
    { golden: "dump/share-group-state.txt", folder: "dump", options: { ...PRINTED, decoder: "share-group-state" } },
    { golden: "dump/cluster-metadata.txt", folder: "dump", options: { ...PRINTED, decoder: "cluster-metadata" } },
  ] as const;
  for (const { golden, folder, options } of goldens) {
    test(golden, async () => {
      const disk = await fixtureDisk(folder);
      const expected = fixtureText(golden).split("\n").slice(0, -1);
      const files = expected.filter((line) => line.startsWith("Dumping ")).map((line) => line.slice(8));
      const lines: string[] = [];
      for (const file of files) {
        const dumped = await dump(disk, `/${file}`, options);
        lines.push(...dumped.lines.map((line) => line.replace(`/${file}`, file)));
      }
      assert.deepEqual(lines, expected);
    });
  }
});

describe("a dump of a log", () => {
  const path = "/data/plain-0/00000000000000000620.log";

  test("of batches alone has one line for each, and no gap to tell", async () => {
    const { lines, problems } = await dump(await fixtureDisk("data"), path, SHALLOW);
    assert.deepEqual(lines.slice(0, 2), [`Dumping ${path}`, "Log starting offset: 620"]);
    assert.ok(lines.slice(2).every((line) => line.startsWith("baseOffset: ")));
    assert.deepEqual(problems, []);
  });

  test("tells after the walk which offset follows which, from -1 on", async () => {
    const { problems } = await dump(await fixtureDisk("data"), path);
    assert.deepEqual(
      problems.map((problem) => dumpItemText(problem)),
      [`Non-consecutive offsets in ${path}\n  -1 is followed by 620`],
    );
  });

  test("reads no further than it is asked to, and says nothing of the rest", async () => {
    const { items } = await dump(await fixtureDisk("data"), path, { ...SHALLOW, maxBytes: 5000 });
    const batches = items.filter(({ kind }) => kind === "batch");
    assert.ok(batches.length > 0 && batches.length < 10);
    assert.ok(!items.some(({ kind }) => kind === "trailing-bytes"));
  });

  test("without metadata shows keys and values only", async () => {
    const options = { ...PRINTED, skipRecordMetadata: true };
    const { lines } = await dump(await fixtureDisk("data"), "/data/keyed-0/00000000000000000000.log", options);
    assert.match(lines[3] ?? "", /^\| key: key-1 payload: line 0 /);
  });

  test("counts the bytes of a torn batch at the end", async () => {
    const disk = await fixtureDisk("data");
    const bytes = await readFile(disk, path);
    await writeFile(disk, path, bytes.subarray(0, bytes.length - 7));
    const { lines, items } = await dump(disk, path, SHALLOW);
    assert.match(lines.at(-1) ?? "", /^Found \d+ invalid bytes at the end of 00000000000000000620\.log$/);
    assert.equal(items.at(-1)?.kind, "trailing-bytes");
  });

  test("says of a batch that it is not valid, and goes on", async () => {
    const disk = await fixtureDisk("data");
    const bytes = (await readFile(disk, path)).slice();
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await writeFile(disk, path, bytes);
    const { lines } = await dump(disk, path, SHALLOW);
    assert.match(lines[2] ?? "", /isvalid: false$/);
    assert.match(lines[3] ?? "", /isvalid: true$/);
  });

  test("ends with the place where no batch begins", async () => {
    const disk = await fixtureDisk("data");
    const bytes = (await readFile(disk, path)).slice();
    bytes.set([0, 0, 0, 3], 8); // the length of the first batch
    await writeFile(disk, path, bytes);
    const { problems } = await dump(disk, path, SHALLOW);
    assert.match(dumpItemText(problems[0] as DumpItem), /at position 0: a record batch of length 3/);
  });

  test("shows bytes that are no UTF-8 with the replacement character, and the extremes of int64 with all their digits", async () => {
    const disk = await copyDisk(await fixtureDisk("data"), "/data");
    const builder = new RecordBatchBuilder({});
    builder.append({ timestamp: 1, key: Uint8Array.of(0xff), value: Uint8Array.of(0x41) });
    await writeFile(disk, "/a-0/00000000000000000000.log", builder.build());
    const { lines } = await dump(disk, "/a-0/00000000000000000000.log", PRINTED);
    assert.match(lines.at(-1) ?? "", /key: \ufffd payload: A$/);
    assert.equal(
      jsonText({ a: 2 ** 63, b: undefined, c: [1n, null, "\u001f"] }),
      '{"a":9223372036854775807,"c":[1,null,"\\u001F"]}',
    );
  });
});

describe("a dump of an index", () => {
  const index = "/data/plain-0/00000000000000000620.index";
  const times = "/data/plain-0/00000000000000000620.timeindex";

  test("tells which entry does not agree with the log", async () => {
    const disk = await fixtureDisk("data");
    const bytes = (await readFile(disk, index)).slice();
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    await writeFile(disk, index, bytes);
    const { problems } = await dump(disk, index, { ...DEEP, verifyIndexOnly: true });
    assert.match(
      dumpItemText(problems[0] as DumpItem),
      /^Mismatches in :.*\.index\n {2}Index offset: \d+, log offset: \d+$/,
    );
  });

  test("tells of timestamps that are not those of the log", async () => {
    const disk = await fixtureDisk("data");
    const bytes = (await readFile(disk, times)).slice();
    bytes[7] = (bytes[7] ?? 0) ^ 1;
    await writeFile(disk, times, bytes);
    const { problems } = await dump(disk, times, { ...DEEP, verifyIndexOnly: true });
    assert.match(dumpItemText(problems[0] as DumpItem), /^Found timestamp mismatch in :/);
  });

  test("only says that it is sane when that is asked, and says it of none with half an entry", async () => {
    const disk = await fixtureDisk("data");
    const options = { ...DEEP, indexSanityCheck: true };
    assert.deepEqual((await dump(disk, index, options)).lines.slice(1), [`${index} passed sanity check.`]);
    assert.deepEqual((await dump(disk, times, options)).lines.slice(1), [`${times} passed sanity check.`]);
    const bytes = await readFile(disk, index);
    await writeFile(disk, index, bytes.subarray(0, bytes.length - 3));
    assert.equal((await dump(disk, index, options)).problems.length, 1);
  });
});

test("a producer snapshot with a wrong CRC is a problem, and shows nothing", async () => {
  const disk = await fixtureDisk("producers");
  const path = "/producers/idempotent-0/00000000000000000114.snapshot";
  const bytes = (await readFile(disk, path)).slice();
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  await writeFile(disk, path, bytes);
  const { items, problems } = await dump(disk, path);
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ["file"],
  );
  assert.match(dumpItemText(problems[0] as DumpItem), /its CRC is/);
});

test("checkpoints and other files of text are shown as they are", async () => {
  const { lines } = await dump(await fixtureDisk("producers"), "/producers/transactions-0/leader-epoch-checkpoint");
  assert.deepEqual(lines.slice(1, 3), ["0", "1"]);
});

test("a name tells whether there is anything to say", () => {
  const known = [
    "00000000000000000000.log",
    "00000000000000000000.log.deleted",
    "bootstrap.checkpoint",
    "meta.properties",
  ];
  assert.deepEqual(
    known.map(canDump),
    known.map(() => true),
  );
  assert.deepEqual(["notes.txt", "0.log", ".lock"].map(canDump), [false, false, false]);
});
