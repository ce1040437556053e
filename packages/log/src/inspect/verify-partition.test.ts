import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Disk } from "@samsa/base";
import type { MemoryDisk } from "@samsa/io";
import { OffsetCheckpointFile } from "../offset-checkpoint-file.ts";
import { readFile, writeFile } from "../testing/disks.ts";
import { kafkaDataDirectory } from "../testing/fixtures.ts";
import { SeededRandom } from "../testing/ports.ts";
import { describePartition } from "./describe-partition.ts";
import type { Finding } from "./finding.ts";
import { verifyPartition } from "./verify-partition.ts";

const FOLDERS = ["plain-0", "gzip-0", "snappy-0", "lz4-0", "zstd-0", "append-time-0", "keyed-0"] as const;

async function verify(disk: Disk, folder: string, wasClean = true): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  await verifyPartition({
    disk,
    directory: `/data/${folder}`,
    folder,
    checkpointed: await checkpointsOf(disk, folder),
    wasClean,
    report: (finding) => findings.push(finding),
  });
  return findings;
}

async function checkpointsOf(disk: Disk, folder: string) {
  const read = async (name: string) =>
    (await new OffsetCheckpointFile(disk, `/data/${name}`).read()).get(folder)?.offset;
  return {
    recoveryPoint: await read("recovery-point-offset-checkpoint"),
    highWatermark: await read("replication-offset-checkpoint"),
    logStartOffset: await read("log-start-offset-checkpoint"),
  };
}

async function change(disk: MemoryDisk, path: string, edit: (bytes: Uint8Array) => Uint8Array | void): Promise<void> {
  const bytes = (await readFile(disk, path)).slice();
  await writeFile(disk, path, edit(bytes) ?? bytes);
}

describe("what Apache Kafka wrote and closed is sound", () => {
  for (const folder of FOLDERS) {
    test(folder, async () => assert.deepEqual(await verify(await kafkaDataDirectory(), folder), []));
  }
  for (const folder of ["idempotent-0", "transactions-0"]) {
    test(folder, async () => assert.deepEqual(await verify(await kafkaDataDirectory("producers"), folder), []));
  }
});

test("every bit that is flipped, wherever that is, is found and named by its file", async () => {
  const random = new SeededRandom(11);
  const places = [
    ...["plain-0", "keyed-0", "lz4-0"].map((folder) => ({ name: "data" as const, folder })),
    ...["idempotent-0", "transactions-0"].map((folder) => ({ name: "producers" as const, folder })),
  ];
  for (const { name, folder } of places) {
    const disk = await kafkaDataDirectory(name);
    for (const entry of await disk.list(`/data/${folder}`)) {
      // Another topic id is as good as the one that was meant, for all that the folder can say.
      if (entry.name === "partition.metadata") continue;
      const path = `/data/${folder}/${entry.name}`;
      const original = await readFile(disk, path);
      for (let round = 0; round < 12 && original.length > 0; round++) {
        const position = random.uint32() % original.length;
        const bit = random.uint32() % 8;
        const bytes = original.slice();
        bytes[position] = (bytes[position] ?? 0) ^ (1 << bit);
        await writeFile(disk, path, bytes);
        const findings = (await verify(disk, folder)).filter(({ severity }) => severity !== "note");
        const where = `bit ${bit} of byte ${position} of ${folder}/${entry.name}`;
        assert.ok(findings.length > 0, where);
      }
      await writeFile(disk, path, original);
    }
  }
});

describe("damage is told with its place", () => {
  const log = "plain-0/00000000000000000620.log";

  test("a batch with a wrong CRC: file, position and offset", async () => {
    const disk = await kafkaDataDirectory();
    const { segments } = await describePartition(disk, "/data/plain-0", {});
    assert.deepEqual(
      segments.map(({ baseOffset, state }) => [baseOffset, state]),
      [
        [0, "sealed"],
        [620, "sealed"],
        [1255, "active"],
      ],
    );
    await change(disk, `/data/${log}`, (bytes) => void (bytes[80] = (bytes[80] ?? 0) ^ 4));
    const [finding, ...others] = await verify(disk, "plain-0");
    assert.deepEqual(
      { ...finding, message: "" },
      { severity: "damage", file: log, position: 0, offset: 620, message: "" },
    );
    assert.match(finding?.message ?? "", /CRC/);
    assert.ok(others.every(({ severity }) => severity !== "damage"));
  });

  test("a segment that ends in the middle of a batch", async () => {
    const disk = await kafkaDataDirectory();
    await change(disk, `/data/${log}`, (bytes) => bytes.subarray(0, bytes.length - 1));
    const damage = (await verify(disk, "plain-0")).find(({ severity }) => severity === "damage");
    assert.equal(damage?.file, log);
    assert.match(
      damage?.message ?? "",
      /bytes are no whole batch: a batch of \d+ bytes is announced where \d+ are left/,
    );
  });

  test("a log that ends below its high watermark", async () => {
    const disk = await kafkaDataDirectory();
    await disk.remove("/data/plain-0/00000000000000001255.log");
    const messages = (await verify(disk, "plain-0")).map(({ message }) => message);
    assert.ok(
      messages.some((message) => /the high watermark of plain-0 is 1400, where the log ends at 1255/.test(message)),
    );
  });

  test("logs that are gone or empty, where their indexes tell that they were not, and records of no topic", async () => {
    const names = (await (await kafkaDataDirectory()).list("/data/plain-0")).map(({ name }) => name);
    const logs = names.filter((name) => name.endsWith(".log")).toSorted();
    assert.ok(logs.length > 1);
    const damageWithout = async (lose: (disk: MemoryDisk) => Promise<void>): Promise<string> => {
      const disk = await kafkaDataDirectory();
      await lose(disk);
      const damage = (await verify(disk, "plain-0")).filter(({ severity }) => severity === "damage");
      return damage.map(({ file, message }) => `${file}: ${message}`).join("\n");
    };
    const all = await damageWithout(async (disk) => {
      for (const name of logs) await disk.remove(`/data/plain-0/${name}`);
    });
    assert.match(all, /plain-0: there is no log in this folder, with its records below offset 1400/);
    const first = await damageWithout((disk) => disk.remove(`/data/plain-0/${logs[0]}`));
    assert.match(first, /^plain-0\/0{20}\.index: the index of a log that was synced and is gone/);
    const emptied = await damageWithout((disk) => writeFile(disk, `/data/plain-0/${logs[0]}`, new Uint8Array(0)));
    const nameless = await damageWithout((disk) => disk.remove("/data/plain-0/partition.metadata"));
    assert.match(nameless, /^plain-0\/partition\.metadata: it is missing, and nothing else tells of which topic/);
    assert.match(emptied, /^plain-0\/0{20}\.log: it is empty, was synced, and its indexes are not$/);
  });

  test("an aborted transaction that its index does not have", async () => {
    const disk = await kafkaDataDirectory("producers");
    await disk.remove("/data/transactions-0/00000000000000000114.txnindex");
    const [finding] = await verify(disk, "transactions-0");
    assert.match(
      finding?.message ?? "",
      /no entry for the transaction of producer \d+ from offset \d+, aborted at offset \d+/,
    );
    assert.equal(finding?.severity, "repairable");
  });
});

describe("what an unclean stop leaves behind is no damage", () => {
  const last = "00000000000000001255";

  test("a torn tail past the recovery point, zeros at its end, and indexes that are too long or missing", async () => {
    const disk = await kafkaDataDirectory();
    for (const name of ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"]) {
      await writeFile(disk, `/data/${name}`, new TextEncoder().encode("0\n0\n"));
    }
    await change(disk, `/data/plain-0/${last}.log`, (bytes) => bytes.subarray(0, bytes.length - 10));
    await change(disk, `/data/plain-0/${last}.index`, (bytes) => {
      const longer = new Uint8Array(bytes.length + 800);
      longer.set(bytes);
      return longer;
    });
    await disk.remove(`/data/plain-0/${last}.timeindex`);
    await disk.remove("/data/plain-0/00000000000000001400.snapshot");
    const findings = await verify(disk, "plain-0", false);
    assert.ok(findings.length >= 2);
    assert.deepEqual(
      findings.filter(({ severity }) => severity !== "note"),
      [],
    );
    assert.ok(findings.some(({ message }) => /the next start cuts this torn tail/.test(message)));
  });

  test("but below the recovery point a torn tail is damage", async () => {
    const disk = await kafkaDataDirectory();
    await change(disk, `/data/plain-0/${last}.log`, (bytes) => bytes.subarray(0, bytes.length - 10));
    const damage = (await verify(disk, "plain-0", false)).filter(({ severity }) => severity === "damage");
    assert.ok(damage.length > 0);
  });
});

test("strange files and the leavings of a compaction are noted", async () => {
  const disk = await kafkaDataDirectory();
  await writeFile(disk, "/data/keyed-0/notes.txt", Uint8Array.of(1));
  await writeFile(disk, "/data/keyed-0/00000000000000000000.log.cleaned", Uint8Array.of(1));
  const findings = await verify(disk, "keyed-0");
  assert.deepEqual(
    new Set(findings.map(({ severity, file }) => `${severity} ${file}`)),
    new Set(["note keyed-0/00000000000000000000.log.cleaned", "note keyed-0/notes.txt"]),
  );
});
