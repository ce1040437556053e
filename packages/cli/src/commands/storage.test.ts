import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Kafka } from "@samsa/client";
import { startBroker } from "@samsa/server";

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "samsa-storage-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk";
const properties = path.join(folder, "server.properties");
const [first, second] = [path.join(folder, "a"), path.join(folder, "b")];
writeFileSync(
  properties,
  [
    "process.roles=broker,controller",
    "node.id=4",
    "listeners=PLAINTEXT://127.0.0.1:9092,QUORUM://:9093",
    "controller.listener.names=QUORUM",
    `log.dirs=${first},${second}`,
  ].join("\n"),
);

function samsa(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "storage", ...args], {
    cwd: folder,
    encoding: "utf8",
    timeout: 30_000,
  });
  return { exitCode: status, stdout, stderr };
}

describe("samsa storage", () => {
  test("info says what is missing before there is anything", () => {
    const { exitCode, stdout } = samsa("info", "-c", properties);
    assert.equal(exitCode, 1);
    assert.equal(stdout, `Found problems:\n  ${first} does not exist\n  ${second} does not exist\n\n`);
  });

  test("format says what it does, in the words of StorageTool, and info whose it is", () => {
    const { exitCode, stdout } = samsa("format", "-t", CLUSTER_ID, "-c", properties, "-s", "-r", "4.0");
    assert.equal(exitCode, 0);
    assert.match(stdout, /^Bootstrap metadata: BootstrapMetadata\(records=\[.*'metadata\.version', featureLevel=25\)/);
    assert.match(stdout, /metadataVersionLevel=25, source=format command\)\n/);
    assert.ok(stdout.includes(`Formatting dynamic metadata voter directory ${first} with metadata.version 4.0-IV3.\n`));
    assert.ok(stdout.endsWith(`Formatting data directory ${second} with metadata.version 4.0-IV3.\n`));
    assert.match(readFileSync(path.join(second, "meta.properties"), "utf8"), /node\.id=4\n.*\n.*\ncluster\.id=MkU3/);
    const info = samsa("info", "-c", properties, "--json");
    assert.equal(info.exitCode, 0);
    const { metadata } = JSON.parse(info.stdout) as { metadata: Record<string, string> };
    assert.deepEqual([metadata["cluster.id"], metadata["node.id"]], [CLUSTER_ID, "4"]);
  });

  test("a cluster knows users from its first moment that were named when it was formatted", async () => {
    const directory = path.join(folder, "scram");
    const salt = Buffer.from("salt").toString("base64");
    const salted = Buffer.from("0".repeat(32)).toString("base64");
    const { exitCode, stderr } = samsa(
      "format",
      "--data-dir",
      directory,
      "-S",
      'SCRAM-SHA-512=[name=ada,password="with, commas",iterations=8192]',
      "-S",
      `SCRAM-SHA-256=[name=bob,salt=${salt},saltedpassword=${salted}]`,
    );
    assert.deepEqual([exitCode, stderr], [0, ""]);
    const broker = await startBroker({ port: 0, dataDir: directory });
    try {
      await using kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
      const users = await kafka.admin().describeUserScramCredentials();
      assert.deepEqual(users.get("ada"), [{ mechanism: "SCRAM-SHA-512", iterations: 8192 }]);
      assert.deepEqual(users.get("bob"), [{ mechanism: "SCRAM-SHA-256", iterations: 4096 }]);
    } finally {
      await broker.close();
    }
  });

  test("format leaves alone what is formatted, and refuses what is of another cluster", () => {
    const again = samsa("format", "-t", CLUSTER_ID, "-c", properties, "-s");
    assert.equal(again.exitCode, 1);
    assert.match(again.stderr, /Log directory .*a is already formatted\. Use --ignore-formatted .*\n {2}whose it is:/);
    const ignored = samsa("format", "-t", CLUSTER_ID, "-c", properties, "-s", "-g");
    assert.deepEqual([ignored.exitCode, ignored.stdout], [0, "All of the log directories are already formatted.\n"]);
    const other = samsa("format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", properties, "-s", "-g");
    assert.equal(other.exitCode, 1);
    assert.match(
      other.stderr,
      /Invalid cluster\.id in: .*Expected MkU3OEVBNTcwNTJENDM2Qg, but read MkU3OEVBNTcwNTJENDM2Qk/,
    );
  });

  test("a directory that was formatted is the one that a broker serves, and its log is sound", async () => {
    const formatted = samsa("format", "--data-dir", "served", "-t", CLUSTER_ID);
    assert.equal(formatted.exitCode, 0, formatted.stderr);
    const dataDir = path.join(folder, "served");
    await using broker = await startBroker({ port: 0, dataDir });
    assert.equal(broker.clusterId, CLUSTER_ID);
    assert.match(samsa("format", "--data-dir", "served", "-t", CLUSTER_ID).stderr, /is already formatted/);
  });

  test("each random id is another", () => {
    const ids = [samsa("random-uuid").stdout, samsa("random-uuid").stdout];
    for (const id of ids) assert.match(id, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}\n$/);
    assert.notEqual(ids[0], ids[1]);
    const { uuid } = JSON.parse(samsa("random-uuid", "--json").stdout) as { uuid: string };
    assert.match(`${uuid}\n`, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}\n$/);
  });

  const mistakes = [
    {
      args: ["-c", properties],
      code: 2,
      says: /you must specify one of the following: --standalone, --initial-controllers/,
    },
    { args: ["-c", properties, "-s", "-N"], code: 2, says: /exclude each other/ },
    { args: ["-c", "/nowhere/server.properties", "-s"], code: 2, says: /cannot be read/ },
    { args: ["-c", properties, "-s", "--data-dir", "x"], code: 2, says: /use one of them/ },
    {
      args: ["--data-dir", "x", "-f", "nope=1"],
      code: 1,
      says: /Unsupported feature: nope\. Supported features are: eligible/,
    },
    {
      args: ["--data-dir", "x", "-f", "group.version=9"],
      code: 1,
      says: /No feature:group\.version with feature level 9/,
    },
    { args: ["--data-dir", "x", "-f", "kraft.version=0"], code: 1, says: /Cannot set kraft\.version to 0/ },
    {
      args: ["--data-dir", "x", "-r", "9.9"],
      code: 1,
      says: /Unknown metadata\.version '9\.9'\. Supported .*: 3\.3-IV3, /,
    },
    {
      args: ["--data-dir", "x", "-r", "4.0", "-f", "metadata.version=20"],
      code: 1,
      says: /Use --release-version instead/,
    },
    { args: ["--data-dir", "x", "-S", "ada:secret"], code: 1, says: /--add-scram wants SCRAM-SHA-256=\[name=ada/ },
    {
      args: ["--data-dir", "x", "-S", "SCRAM-SHA-512=[name=ada]"],
      code: 1,
      says: /one of 'password' or 'saltedpassword'/,
    },
    {
      args: ["--data-dir", "x", "-r", "3.4", "-S", "SCRAM-SHA-512=[name=ada,password=x]"],
      code: 1,
      says: /SCRAM is only supported in metadata\.version 3\.5-IV2 or later/,
    },
    {
      args: ["--data-dir", "x", "-I", "1@localhost:9093"],
      code: 1,
      says: /is no controller: id@hostname:port:directory/,
    },
  ];
  for (const { args, code, says } of mistakes) {
    test(`makes nothing and ends with ${code}: format ${args.join(" ").replace(folder, "")}`, () => {
      const { exitCode, stdout, stderr } = samsa("format", ...args);
      assert.match(stderr, says);
      assert.deepEqual([exitCode, stdout], [code, ""]);
      assert.equal(existsSync(path.join(folder, "x")), false);
    });
  }
});
