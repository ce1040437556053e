import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { completionScript, SHELLS } from "./completion.ts";
import { samsaProgram } from "./program.ts";

const program = samsaProgram(() => {});

/** What bash offers for a line whose last word is being typed. */
function completed(...words: string[]): string[] {
  const script = `${completionScript("bash", program)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _samsa; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  assert.equal(stderr, "");
  return stdout.split("\n").filter((line) => line !== "");
}

describe("completion in bash", () => {
  const cases = [
    { line: ["samsa", "to"], offers: ["topic"] },
    { line: ["samsa", "topic", "cr"], offers: ["create"] },
    { line: ["samsa", "topic", "create", "orders", "--part"], offers: ["--partitions"] },
    { line: ["samsa", "topic", "create", "orders", "--j"], offers: ["--json"] },
    { line: ["samsa", "produce", "t", "-z", "z"], offers: ["zstd"] },
    { line: ["samsa", "produce", "t", "--acks", ""], offers: ["0", "1", "all"] },
    { line: ["samsa", "log", "dump", "--cluster"], offers: ["--cluster-metadata-decoder"] },
    { line: ["samsa", "start", "--config", ""], offers: [] }, // a file: bash's own completion
    { line: ["samsa", "nonsense", "top"], offers: ["topic"] },
  ];
  for (const { line, offers } of cases) {
    test(`${line.join(" ")}▏ offers ${offers.join(", ") || "file names"}`, () => {
      assert.deepEqual(completed(...line), offers);
    });
  }
});

for (const shell of SHELLS) {
  test(`the script for ${shell} knows every command and option, and no hidden one`, () => {
    const script = completionScript(shell, program);
    for (const word of ["segments", "random-uuid", "consume", "completion"]) assert.ok(script.includes(word), word);
    const isolation = shell === "fish" ? "-l isolation -x -a 'read_uncommitted read_committed'" : "--isolation";
    assert.ok(script.includes(isolation));
    assert.ok(!script.includes("max-message-size"));
  });
}
