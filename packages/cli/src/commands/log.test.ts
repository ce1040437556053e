import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { RunningBroker } from "@samsa/server";
import { startBroker } from "@samsa/server";

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
const LOG = "orders-0/00000000000000000000.log";

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function samsa(cwd: string, ...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const outcome = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (outcome.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (outcome.stderr += text));
  const exitCode = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  return { exitCode, ...outcome };
}

async function produceOrders(folder: string, { bootstrapServers }: RunningBroker): Promise<void> {
  const server = ["-b", bootstrapServers];
  const lines = Array.from({ length: 20 }, (_, n) => `k${n}\tv${n}\n`).join("");
  writeFileSync(path.join(folder, "orders.txt"), lines);
  const created = await samsa(folder, "topic", "create", "orders", "--partitions", "2", ...server);
  assert.equal(created.exitCode, 0, created.stderr);
  const produced = await samsa(folder, "produce", "orders", "-p", "0", "-f", "orders.txt", ...server, "-k");
  assert.equal(produced.exitCode, 0, produced.stderr);
}

describe("samsa log, over a directory that a broker left", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "samsa-log-"));
    const broker = await startBroker({ port: 0, dataDir: path.join(folder, "samsa-data") });
    try {
      await produceOrders(folder, broker);
      const { exitCode, stderr } = await samsa(folder, "log", "verify");
      assert.equal(exitCode, 1);
      assert.match(stderr, /a broker runs on samsa-data \(.+\)\n.*stop it first/);
      const meanwhile = await samsa(folder, "log", "segments", "orders-0");
      assert.match(meanwhile.stderr, /the ends of logs move meanwhile/);
      assert.equal(meanwhile.exitCode, 0);
    } finally {
      await broker.close();
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("segments shows what there is, as a table and as JSON", async () => {
    const { exitCode, stdout, stderr } = await samsa(folder, "log", "segments", "orders");
    assert.equal(exitCode, 0);
    assert.equal(stderr, "");
    assert.match(stdout, /^orders-0: log start 0, log end 20, high watermark 20, recovery point 20, /);
    assert.match(stdout, /\n {2}BASE OFFSET {2}LAST OFFSET {2}STATE .*\n {2}0 +19 +active /);
    assert.match(stdout, /\norders-1: log start 0, log end 0, /);
    const json = await samsa(folder, "log", "segments", "samsa-data/orders-0", "--json");
    const partition = JSON.parse(json.stdout) as { logEndOffset: number; segments: { records: number }[] };
    assert.equal(partition.logEndOffset, 20);
    assert.equal(partition.segments[0]?.records, 20);
  });

  test("dump prints records, and as JSON what a program wants", async () => {
    const text = await samsa(folder, "log", "dump", `samsa-data/${LOG}`, "--print-data-log");
    assert.equal(text.exitCode, 0);
    assert.match(text.stdout, /^Dumping samsa-data\/orders-0.*\nLog starting offset: 0\nbaseOffset: 0 /);
    assert.match(text.stdout, /\n\| offset: 19 CreateTime: \d+ keySize: 3 valueSize: 3 .* key: k19 payload: v19\n$/);
    const json = await samsa(
      folder,
      "log",
      "dump",
      "--json",
      "--cluster-metadata-decoder",
      "--files",
      "samsa-data/__cluster_metadata-0/00000000000000000000.log",
    );
    const items = json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; payload?: string });
    assert.ok(
      items.some(({ kind, payload }) => kind === "record" && payload?.includes('"type":"TOPIC_RECORD"') === true),
    );
  });

  test("verify finds the directory sound, then a flipped bit with its place", async () => {
    const sound = await samsa(folder, "log", "verify", "samsa-data");
    assert.deepEqual([sound.exitCode, sound.stdout], [0, ""]);
    assert.match(sound.stderr, /samsa-data is sound: 3 partitions, /);
    const file = path.join(folder, "samsa-data", LOG);
    const bytes = readFileSync(file);
    const damaged = Buffer.from(bytes);
    damaged[70] = (damaged[70] ?? 0) ^ 1;
    writeFileSync(file, damaged);
    const text = await samsa(folder, "log", "verify", "--data-dir", "samsa-data");
    const json = await samsa(folder, "log", "verify", "--json");
    writeFileSync(file, bytes);
    assert.equal(text.exitCode, 1);
    assert.match(text.stdout, /^damage: orders-0\/0{20}\.log, position 0, offset 0: .*CRC/);
    assert.match(text.stderr, /samsa-data: 1 damaged/);
    const [finding, summary] = json.stdout.split("\n").map((line) => JSON.parse(line || "null") as unknown);
    assert.equal((finding as { severity: string }).severity, "damage");
    assert.equal((summary as { summary: { isSound: boolean } }).summary.isSound, false);
  });

  test("verify tells of a checkpoint that a complete stop had left, and of damage to that of the metadata", async () => {
    const directory = path.join(folder, "samsa-data");
    const cases = [
      ["recovery-point-offset-checkpoint", "", /it is missing or empty after a complete stop/],
      ["__cluster_metadata-0/recovery-point-offset-checkpoint", "0\n9\n", /9 entries are announced, 0 are there/],
    ] as const;
    for (const [name, content, says] of cases) {
      const file = path.join(directory, name);
      const whole = readFileSync(file);
      writeFileSync(file, content);
      const { exitCode, stdout } = await samsa(folder, "log", "verify");
      writeFileSync(file, whole);
      assert.equal(exitCode, 1);
      assert.match(stdout, new RegExp(`^repairable: ${name}: ${says.source}\n$`));
    }
  });

  const mistakes = [
    { args: ["segments", "nowhere/"], says: /nowhere\/: no such folder\n.*is the name right/ },
    {
      args: ["segments", "ordres"],
      says: /samsa-data has neither a topic nor a partition ordres\n {2}the topics there are: {2}__cluster_metadata orders/,
    },
    { args: ["segments", "--data-dir", "samsa-data/meta.properties"], says: /is a file, and a folder is wanted/ },
    { args: ["verify", "nowhere"], says: /nowhere: no such folder/ },
    { args: ["dump", "samsa-data/orders-0"], says: /is a folder; a dump is of files/ },
    { args: ["dump", "samsa-data/missing.log"], says: /missing\.log: no such file/ },
    { args: ["dump", "samsa-data/.lock2"], says: /no such file/ },
  ];
  for (const { args, says } of mistakes) {
    test(`ends with 1 and says what is there: samsa log ${args.join(" ")}`, async () => {
      const { exitCode, stdout, stderr } = await samsa(folder, "log", ...args);
      assert.match(stderr, says);
      assert.deepEqual([exitCode, stdout], [1, ""]);
    });
  }

  test("an empty folder and one of other things are told apart", async () => {
    const empty = await mkdtemp(path.join(folder, "empty-"));
    assert.match((await samsa(empty, "log", "segments", ".")).stderr, /\. is empty/);
    writeFileSync(path.join(empty, "notes.txt"), "");
    assert.match((await samsa(empty, "log", "segments", ".")).stderr, /\. holds no partitions, but notes\.txt/);
    assert.match(
      (await samsa(empty, "log", "dump", "notes.txt")).stderr,
      /the name says nothing of what is in the file/,
    );
    assert.match((await samsa(empty, "log", "verify")).stderr, /samsa-data: no such folder/);
  });
});
