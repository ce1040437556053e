import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseUuid } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { readWholeFile, writeFileAtomically } from "./atomic-file.ts";
import { CleanShutdownFile } from "./clean-shutdown-file.ts";
import { CorruptFileError } from "./errors.ts";
import { LeaderEpochCheckpointFile } from "./leader-epoch-cache.ts";
import { logFileName, parseLogFileName } from "./log-file-names.ts";
import { OffsetCheckpointFile } from "./offset-checkpoint-file.ts";
import { PartitionMetadataFile } from "./partition-metadata-file.ts";
import { ioError, readFile, WatchedDisk, writeFile } from "./testing/disks.ts";
import { kafkaDataDirectory } from "./testing/fixtures.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("a file that is replaced at once", () => {
  test("is written aside, synced, renamed, and its folder synced, in this order", async () => {
    const disk = new WatchedDisk();
    await disk.makeDirectory("/d");
    await writeFileAtomically(disk, "/d/file", bytesOf("new"));
    assert.deepEqual(disk.calls.slice(1), [
      "open /d/file.tmp",
      "truncate /d/file.tmp to 0",
      "write /d/file.tmp 1 chunks at 0",
      "sync /d/file.tmp",
      "rename /d/file.tmp /d/file",
      "sync /d/",
    ]);
  });

  test("holds the old or the new content, whichever call fails", async () => {
    for (let failing = 0; failing < 6; failing++) {
      const memory = new MemoryDisk();
      await writeFile(memory, "/d/file", bytesOf("old"));
      const disk = new WatchedDisk(memory);
      let count = 0;
      disk.before = () => {
        if (count++ === failing) throw ioError();
      };
      await assert.rejects(writeFileAtomically(disk, "/d/file", bytesOf("newer")), { code: "EIO" });
      assert.equal(textOf(await readFile(memory, "/d/file")), failing < 5 ? "old" : "newer");
    }
  });

  test("is not read when it is larger than it can be", async () => {
    const disk = new MemoryDisk();
    await writeFile(disk, "/file", new Uint8Array(11));
    await assert.rejects(readWholeFile(disk, "/file", 10), CorruptFileError);
    assert.equal(await readWholeFile(disk, "/missing"), undefined);
  });
});

describe("an offset checkpoint", () => {
  test("is written as Kafka writes it", async () => {
    const disk = new MemoryDisk();
    const file = new OffsetCheckpointFile(disk, "/recovery-point-offset-checkpoint");
    await file.write([
      { topic: "a-b", partition: 0, offset: 0 },
      { topic: "c", partition: 12, offset: 9007199254740991 },
    ]);
    const text = textOf(await readFile(disk, "/recovery-point-offset-checkpoint"));
    assert.equal(text, "0\n2\na-b 0 0\nc 12 9007199254740991\n");
    assert.equal((await file.read()).get("c-12")?.offset, 9007199254740991);
  });

  test("of Kafka's is read", async () => {
    const file = new OffsetCheckpointFile(await kafkaDataDirectory(), "/data/recovery-point-offset-checkpoint");
    assert.deepEqual((await file.read()).get("plain-0"), { topic: "plain", partition: 0, offset: 1400 });
  });

  for (const content of [undefined, "", "0\n0\n"]) {
    test(`is empty when it is ${JSON.stringify(content) ?? "missing"}`, async () => {
      const disk = new MemoryDisk();
      if (content !== undefined) await writeFile(disk, "/file", bytesOf(content));
      assert.equal((await new OffsetCheckpointFile(disk, "/file").read()).size, 0);
    });
  }

  for (const content of [
    "1\n0\n",
    "0\n1\n",
    "0\n1\na 0 1\nb 0 1\n",
    "0\n1\na 0\n",
    "0\n1\na 0 -1\n",
    "0\n1\na 0 1 2\n",
    "0\n1\na x 1\n",
    "0\n1\na/b 0 1\n",
    "0\n1\na 0 9007199254740993\n",
    "0\nx\n",
    "\n",
    "\0\0\0\0",
  ]) {
    test(`is corrupt when it reads ${JSON.stringify(content)}`, async () => {
      const disk = new MemoryDisk();
      await writeFile(disk, "/file", bytesOf(content));
      await assert.rejects(new OffsetCheckpointFile(disk, "/file").read(), CorruptFileError);
    });
  }
});

describe("the other small files", () => {
  test("of Kafka's are written back byte for byte", async () => {
    const disk = await kafkaDataDirectory();
    const paths = [
      "/data/plain-0/partition.metadata",
      "/data/plain-0/leader-epoch-checkpoint",
      "/data/.kafka_cleanshutdown",
    ];
    const before = await Promise.all(paths.map((path) => readFile(disk, path)));
    const metadata = new PartitionMetadataFile(disk, "/data/plain-0");
    const epochs = new LeaderEpochCheckpointFile(disk, "/data/plain-0");
    const marker = new CleanShutdownFile(disk, "/data");
    const topicId = await metadata.read();
    assert.ok(topicId !== undefined);
    await metadata.write(topicId);
    const entries = await epochs.read();
    assert.deepEqual(entries, [{ epoch: 0, startOffset: 0 }]);
    await epochs.write(entries);
    await marker.write(await marker.readBrokerEpoch());
    assert.deepEqual(await Promise.all(paths.map((path) => readFile(disk, path))), before);
  });

  test("partition.metadata refuses what names no topic", async () => {
    for (const text of [
      "",
      "version: 1\ntopic_id: GcnynczvRom65cq5HE6Fiw",
      "version: 0\n",
      "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
    ]) {
      const disk = new MemoryDisk();
      await writeFile(disk, "/t-0/partition.metadata", bytesOf(text));
      await assert.rejects(new PartitionMetadataFile(disk, "/t-0").read(), CorruptFileError);
    }
    assert.equal(await new PartitionMetadataFile(new MemoryDisk(), "/t-0").read(), undefined);
    const disk = new MemoryDisk();
    await writeFile(disk, "/t-0/partition.metadata", bytesOf("version: 0\ntopic_id: GcnynczvRom65cq5HE6Fiw\n"));
    assert.equal(await new PartitionMetadataFile(disk, "/t-0").read(), parseUuid("GcnynczvRom65cq5HE6Fiw"));
  });

  test("an unreadable marker of a clean stop is one without an epoch", async () => {
    for (const text of ["", "{", "null", '{"version":0}', '{"version":0,"brokerEpoch":"x"}']) {
      const disk = new MemoryDisk();
      await writeFile(disk, "/.kafka_cleanshutdown", bytesOf(text));
      const marker = new CleanShutdownFile(disk, "");
      assert.equal(await marker.exists(), true);
      assert.equal(await marker.readBrokerEpoch(), -1);
    }
  });
});

describe("the name of a file of a log", () => {
  test("is the offset in twenty digits and what it holds", () => {
    assert.equal(logFileName(620, ".timeindex"), "00000000000000000620.timeindex");
    assert.deepEqual(parseLogFileName("00000000000000000620.timeindex"), {
      offset: 620,
      suffix: ".timeindex",
      state: "",
    });
    assert.deepEqual(parseLogFileName("00000000000000000620.log.swap"), {
      offset: 620,
      suffix: ".log",
      state: ".swap",
    });
  });

  for (const name of [
    "1.log",
    "00000000000000000620",
    "leader-epoch-checkpoint",
    "99999999999999999999.log",
    "00000000000000000620.deleted",
    "00000000000000000620.log.bak",
    "x00000000000000000620.log",
  ]) {
    test(`is not ${name}`, () => assert.equal(parseLogFileName(name), undefined));
  }
});
