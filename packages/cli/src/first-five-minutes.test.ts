import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "samsa-cli-"));
let broker: ChildProcess;
let server = "";
let talk = "";

function run(args: readonly string[], input: string | Buffer = "", env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, SAMSA_BOOTSTRAP_SERVER: server, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {}); // a command that ends early does not read on
  child.stdin.end(input);
  return new Promise<{ exitCode: number | null; stdout: Buffer; stderr: string }>((resolve) => {
    child.on("close", (exitCode) => resolve({ exitCode, stdout: Buffer.concat(stdout), stderr }));
  });
}

before(async () => {
  broker = spawn(process.execPath, [MAIN, "start", "--port", "0"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  server = await new Promise<string>((resolve, reject) => {
    broker.stdout?.on("data", () => reject(new Error("stdout is data, and start has none")));
    broker.stderr?.setEncoding("utf8").on("data", (text: string) => {
      talk += text;
      const ready = /ready on (\S+),/.exec(talk);
      if (ready?.[1] !== undefined && talk.includes("consume greetings")) resolve(ready[1]);
    });
    broker.on("close", () => reject(new Error(`the broker ended: ${talk}`)));
  });
});

after(() => {
  broker.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

test("start says where it listens, where the data is, and what to do next with that address", () => {
  assert.match(talk, /^samsa \d+\.\d+\.\d+ ready on 127\.0\.0\.1:\d+, data in .*samsa-data\n/);
  for (const command of ["topic create greetings", "produce greetings", "consume greetings"]) {
    assert.ok(talk.includes(command), command);
  }
  assert.ok(talk.includes(`--bootstrap-server ${server}`));
  assert.ok(existsSync(path.join(folder, "samsa-data", "meta.properties")));
});

test("a second broker on the port is refused with what to do, and a key that nobody reads is told of", async () => {
  const port = server.split(":")[1] ?? "";
  const { exitCode, stderr, stdout } = await run([
    "start",
    "--port",
    port,
    "--data-dir",
    "memory",
    "-X",
    "num.partition=3",
  ]);
  assert.match(stderr, new RegExp(`port ${port} of 127\\.0\\.0\\.1 is taken`));
  assert.match(stderr, /--port 0/);
  assert.match(stderr, /^num\.partition: there is no such key; did you mean num\.partitions\?$/m);
  assert.deepEqual([exitCode, stdout.length], [1, 0]);
});

for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"]) {
  test(`a file of lines comes back byte for byte with ${compression}`, async () => {
    const topic = `lines-${compression}`;
    const lines = Array.from({ length: 5000 }, (_, i) => `${i} ${"ä".repeat(i % 50)}${i % 7 === 0 ? "\r" : ""}`);
    const file = Buffer.concat([Buffer.from(`${lines.join("\n")}\n\n`), Buffer.of(0xff, 0, 10)]);
    writeFileSync(path.join(folder, topic), file);
    assert.equal((await run(["topic", "create", topic, "--partitions", "1"])).exitCode, 0);
    const produced = await run(["produce", topic, "-f", topic, "-z", compression]);
    assert.deepEqual([produced.exitCode, produced.stdout.length, produced.stderr], [0, 0, ""]);
    const consumed = await run(["consume", topic, "-e"]);
    assert.equal(consumed.exitCode, 0);
    assert.ok(consumed.stdout.equals(file));
  });
}

test("keys, headers, partitions and tombstones come back in a format and as JSON", async () => {
  await run(["topic", "create", "events", "-p", "3"]);
  await run(["produce", "events", "-k", ":", "-H", "from=test", "-Z"], "user100:a\nuser108:b\nuser110:\n");
  const shown = await run(["consume", "events", "-e", "-f", "%t %p %o %k %s %S %h\\n"]);
  // Where Java's producer would have put them.
  assert.deepEqual(shown.stdout.toString().split("\n").toSorted(), [
    "",
    "events 0 0 user108 b 1 from=test",
    "events 1 0 user110  -1 from=test",
    "events 2 0 user100 a 1 from=test",
  ]);
  const json = await run(["consume", "events", "-e", "-p", "1", "--json"]);
  const { key, value, headers } = JSON.parse(json.stdout.toString()) as Record<string, unknown>;
  assert.deepEqual([key, value, headers], ["user110", null, [{ key: "from", value: "test" }]]);
});

test("consume begins where it is told, and stops", async () => {
  await run(["topic", "create", "ten", "-p", "1"]);
  await run(["produce", "ten"], "0\n1\n2\n3\n4\n5\n6\n7\n8\n9");
  const consumed = async (...args: string[]) => (await run(["consume", "ten", "-e", ...args])).stdout.toString();
  assert.equal(await consumed("-o", "7"), "7\n8\n9\n");
  assert.equal(await consumed("-o", "-2"), "8\n9\n");
  assert.equal(await consumed("-o", "end"), "");
  assert.equal(await consumed("-n", "2"), "0\n1\n");
  assert.equal(await consumed("-n", "0"), "");
  assert.equal(await consumed("-o", "@-1h", "-n", "1"), "0\n");
});

test("topics are listed, described and deleted", async () => {
  await run(["topic", "create", "zoo", "-p", "2"]);
  await run(["produce", "zoo", "-p", "1"], "a\nb\n");
  assert.match(
    (await run(["topic", "list"])).stdout.toString(),
    /^NAME +PARTITIONS +REPLICATION-FACTOR\n[^]*^zoo +2 +1$/m,
  );
  const described = (await run(["topic", "describe", "zoo", "--json"])).stdout.toString();
  const { partitions } = JSON.parse(described) as { partitions: { endOffset: number }[] };
  assert.deepEqual(
    partitions.map(({ endOffset }) => endOffset),
    [0, 2],
  );
  assert.equal((await run(["topic", "delete", "zoo"])).exitCode, 0);
  const gone = await run(["topic", "describe", "zoo"]);
  assert.equal(gone.exitCode, 1);
  assert.match(gone.stderr, /UNKNOWN_TOPIC_OR_PARTITION \(3\)/);
  assert.match(gone.stderr, /topic create NAME/);
  assert.equal((await run(["topic", "delete", "zoo", "--if-exists"])).exitCode, 0);
});

test("a topic that is there already is an error, or none when told so", async () => {
  await run(["topic", "create", "twice"]);
  const again = await run(["topic", "create", "twice"]);
  assert.equal(again.exitCode, 1);
  assert.match(again.stderr, /TOPIC_ALREADY_EXISTS \(36\)/);
  assert.equal((await run(["topic", "create", "twice", "--if-not-exists"])).exitCode, 0);
});

test("a line too long for a record is told with its number", async () => {
  const { exitCode, stderr } = await run(
    ["produce", "long", "--max-request-size", "1000"],
    `short\n${"x".repeat(2000)}\n`,
  );
  assert.equal(exitCode, 2);
  assert.match(stderr, /line 2 is longer than 1000 bytes/);
});

test("an interrupted consume ends with 130, with all it had on stdout", async () => {
  await run(["topic", "create", "tail", "-p", "1"]);
  await run(["produce", "tail"], "one\n");
  const child = spawn(process.execPath, [MAIN, "consume", "tail", "-b", server], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [first] = await new Promise<[string]>((resolve) => {
    child.stdout.setEncoding("utf8").once("data", (text: string) => resolve([text]));
  });
  assert.equal(first, "one\n");
  child.kill("SIGINT");
  assert.equal(await new Promise((resolve) => child.on("close", resolve)), 130);
});

test("a signal stops the broker cleanly", async () => {
  broker.kill("SIGTERM");
  assert.equal(await new Promise((resolve) => broker.on("close", resolve)), 0);
  assert.match(talk, /SIGTERM: stopping/);
});
