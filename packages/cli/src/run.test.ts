import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function samsa(...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const outcome = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (outcome.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (outcome.stderr += text));
  const exitCode = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  return { exitCode, ...outcome };
}

for (const command of [[], ["start"]]) {
  const line = ["samsa", ...command].join(" ");
  test(`${line} --help goes to stdout, with examples`, async () => {
    const { exitCode, stdout, stderr } = await samsa(...command, "--help");
    assert.equal(exitCode, 0);
    assert.equal(stderr, "");
    assert.match(stdout, new RegExp(`Usage: ${line}`));
    assert.match(stdout, /Examples:\n {2}samsa /);
  });
}

test("--version is data", async () => {
  const { exitCode, stdout } = await samsa("--version");
  assert.equal(exitCode, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

const mistakes = [
  { args: ["strat"], says: /Did you mean start/, why: "an unknown command" },
  { args: ["start", "--prot", "1"], says: /Did you mean --port/, why: "an unknown option" },
  { args: ["start", "--port", "70000"], says: /0 to 65535/, why: "a port out of range" },
  { args: ["start", "--brokers", "3"], says: /one broker for the time being/, why: "more than one broker" },
  { args: ["start", "-X", "num.partitions"], says: /key=value/, why: "a property without a value" },
  { args: ["start", "--config", "/nowhere/server.properties"], says: /cannot be read/, why: "a missing file" },
];
for (const { args, says, why } of mistakes) {
  test(`exits 2 and keeps stdout empty for ${why}: samsa ${args.join(" ")}`, async () => {
    const { exitCode, stdout, stderr } = await samsa(...args);
    assert.match(stderr, says);
    assert.equal(exitCode, 2);
    assert.equal(stdout, "");
  });
}
