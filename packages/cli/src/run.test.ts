import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { samsaProgram } from "./program.ts";

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

for (const command of [[], ["topic"], ["cluster", "features", "upgrade"]]) {
  const line = ["samsa", ...command].join(" ");
  test(`${line} --help goes to stdout`, async () => {
    const { exitCode, stdout, stderr } = await samsa(...command, "--help");
    assert.equal(exitCode, 0);
    assert.equal(stderr, "");
    assert.match(stdout, new RegExp(`Usage: ${line}`));
  });
}

function* commandsOf(command: Command, path: string): Generator<readonly [path: string, command: Command]> {
  yield [path, command];
  for (const sub of command.commands) yield* commandsOf(sub, `${path} ${sub.name()}`);
}

for (const [line, command] of commandsOf(
  samsaProgram(() => {}),
  "samsa",
)) {
  test(`${line} --help has a description and examples of itself`, () => {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    assert.notEqual(command.description(), "");
    assert.match(help, /Examples:\n {2}.*samsa /);
    const examples = help.slice(help.indexOf("Examples:"));
    assert.ok(examples.includes(line), examples);
  });
}

/** Those whose output no JSON could be. All others have `--json`. */
const WITHOUT_JSON: Readonly<Record<string, string>> = {
  "samsa start": "runs until it is stopped; its log is JSON where no terminal is",
  "samsa produce": "takes records, and its answer is the exit code",
  "samsa completion": "its output is a script for a shell",
};

for (const [line, command] of commandsOf(
  samsaProgram(() => {}),
  "samsa",
)) {
  if (command.commands.length > 0) continue;
  const why = WITHOUT_JSON[line];
  test(`${line} takes ${why === undefined ? "--json" : `no --json: ${why}`}`, () => {
    const shown = command.createHelp().visibleOptions(command);
    assert.equal(
      shown.some(({ long }) => long === "--json"),
      why === undefined,
    );
  });
}

test("what has no --json is a command", () => {
  const lines = Array.from(
    commandsOf(
      samsaProgram(() => {}),
      "samsa",
    ),
    ([line]) => line,
  );
  for (const line of Object.keys(WITHOUT_JSON)) assert.ok(lines.includes(line), line);
});

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
  { args: ["topic", "create"], says: /missing required argument 'name'/, why: "a topic without a name" },
  { args: ["topic", "creat", "a"], says: /Did you mean create/, why: "an unknown subcommand" },
  { args: ["produce"], says: /the topic is missing/, why: "no topic" },
  { args: ["produce", "-k", "orders"], says: /-k took "orders"/, why: "a topic taken for a separator" },
  { args: ["produce", "t", "--acks", "2"], says: /Allowed choices are 0, 1, all/, why: "acks that do not exist" },
  { args: ["produce", "t", "-f", "/nowhere/words.txt"], says: /cannot be read/, why: "a file that is not there" },
  { args: ["produce", "t", "-X", "lingerrr.ms=1"], says: /did you mean linger\.ms/, why: "an unknown property" },
  { args: ["consume", "t", "-o", "middle"], says: /no place to begin/, why: "an offset that is none" },
  { args: ["consume", "t", "-f", "%q"], says: /means nothing in a format/, why: "an unknown token" },
  { args: ["consume", "t", "--json", "-f", "%s"], says: /one of them/, why: "two formats" },
  {
    args: ["completion", "tcsh"],
    says: /Allowed choices are bash, zsh, fish/,
    why: "a shell of which we know nothing",
  },
  { args: ["log", "verfy"], says: /Did you mean verify/, why: "an unknown subcommand of log" },
  { args: ["log", "dump"], says: /which file\?/, why: "no file to dump" },
  { args: ["log", "dump", "--print-datalog", "a.log"], says: /Did you mean --print-data-log/, why: "an unknown flag" },
  { args: ["topic", "list", "-b", "a:b:c"], says: /is no server/, why: "a server that is none" },
];
for (const { args, says, why } of mistakes) {
  test(`exits 2 and keeps stdout empty for ${why}: samsa ${args.join(" ")}`, async () => {
    const { exitCode, stdout, stderr } = await samsa(...args);
    assert.match(stderr, says);
    assert.equal(exitCode, 2);
    assert.equal(stdout, "");
  });
}

test("exits 3 where nothing listens, with what to do", async () => {
  const commands = [
    ["topic", "list"],
    ["topic", "create", "t"],
    ["consume", "t"],
  ];
  const outcomes = await Promise.all(commands.map((args) => samsa(...args, "-b", "127.0.0.1:1")));
  for (const { exitCode, stdout, stderr } of outcomes) {
    assert.match(stderr, /cannot connect: .*127\.0\.0\.1:1: connection refused/);
    assert.match(stderr, /start a broker here/);
    assert.equal(exitCode, 3);
    assert.equal(stdout, "");
  }
});
