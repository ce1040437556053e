// Running programs: bounded in time, input and output in files or memory, ended by their own pid.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { PATIENCE } from "./harness.mjs";

/**
 * Runs a program to its end.
 *
 * @param options.inputFile read as standard input; else `input` (a string) is
 * @param options.outputFile takes standard output; else it is returned
 * @throws when it cannot start, takes too long, or exits with other than 0 (with what it said)
 */
export async function runProgram(command, args, { inputFile, input = "", outputFile, limitMs = 90_000, env } = {}) {
  const stdin = inputFile === undefined ? "pipe" : openSync(inputFile, "r");
  const stdout = outputFile === undefined ? "pipe" : openSync(outputFile, "w");
  const child = spawn(command, args, { stdio: [stdin, stdout, "pipe"], env: env ?? globalThis.process.env });
  for (const fd of [stdin, stdout]) if (typeof fd === "number") closeSync(fd);
  let out = "";
  let talk = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk) => (out += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk) => (talk = (talk + chunk).slice(-20_000)));
  child.stdin?.on("error", () => {}); // a program may end before it has read everything
  child.stdin?.end(input);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, limitMs * PATIENCE);
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(signal ?? status));
  }).finally(() => clearTimeout(timer));
  const name = [command, ...args].join(" ").slice(0, 300);
  if (late) throw new Error(`${name}\nwas not done after ${(limitMs * PATIENCE) / 1000} s\n${talk}${out.slice(-2000)}`);
  if (code !== 0) throw new Error(`${name}\nended with ${code}\n${talk}${out.slice(-4000)}`);
  return { stdout: out, stderr: talk };
}

export function hasProgram(command, args) {
  return spawnSync(command, args, { stdio: "ignore" }).error === undefined;
}
