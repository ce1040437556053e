#!/usr/bin/env node
/**
 * Makes mistakes that other implementations of transactions have made, one at a time in a copy of what is built, and looks whether
 * the simulation of transactions finds them (scripts/lib/transaction-mutations.mjs):
 *
 *     node scripts/mutate-transactions.mjs [--only late-end,one-epoch] [--seeds 200] [--minutes 5]
 *
 * After a build (`npm run build`). It ends with a table; the exit status is 1 when a mistake was not found in so many seeds, nor in
 * so much time.
 */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { programOptions } from "./lib/options.mjs";
import { ROOT } from "./lib/paths.mjs";
import { applyPatch, TRANSACTION_MUTATIONS } from "./lib/transaction-mutations.mjs";

const SIMULATION = "scripts/simulate-transactions.mjs";

const values = programOptions({
  only: { type: "string" },
  seeds: { type: "string", default: "200" },
  minutes: { type: "string", default: "5" },
});
const names = values.only?.split(",");
const mutations = TRANSACTION_MUTATIONS.filter(({ name }) => names === undefined || names.includes(name));

const copy = mkdtempSync(join(tmpdir(), "samsa-mutants-"));
process.once("exit", () => rmSync(copy, { recursive: true, force: true }));
copyBuilt();
console.log("| mistake | like | found after | by |\n| --- | --- | --- | --- |");
for (const { name, like, patches } of mutations) {
  const originals = new Map(patches.map(({ file }) => [file, readFileSync(join(copy, "packages", file), "utf8")]));
  for (const patch of patches) {
    const path = join(copy, "packages", patch.file);
    writeFileSync(path, applyPatch(readFileSync(path, "utf8"), patch));
  }
  const found = await simulate();
  if (found === undefined) process.exitCode = 1;
  const after = found === undefined ? "**not found**" : `${found.seeds} seed${found.seeds === 1 ? "" : "s"}`;
  console.log(`| ${name} | ${like} | ${after} | ${found?.by ?? ""} |`);
  for (const [file, text] of originals) writeFileSync(join(copy, "packages", file), text);
}

/** What is built, beside the dependencies it has. */
function copyBuilt() {
  mkdirSync(join(copy, "node_modules/@samsa"), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (name !== "@samsa" && !name.startsWith(".")) {
      symlinkSync(join(ROOT, "node_modules", name), join(copy, "node_modules", name), "junction");
    }
  }
  for (const folder of readdirSync(join(ROOT, "packages"))) {
    const manifest = join(ROOT, "packages", folder, "package.json");
    if (!existsSync(manifest)) continue;
    for (const part of ["package.json", "dist"]) {
      const from = join(ROOT, "packages", folder, part);
      if (existsSync(from)) cpSync(from, join(copy, "packages", folder, part), { recursive: true });
    }
    const { name } = JSON.parse(readFileSync(manifest, "utf8"));
    const link = join(copy, "node_modules", name);
    rmSync(link, { recursive: true, force: true });
    symlinkSync(join(copy, "packages", folder), link, "junction");
  }
  for (const part of [SIMULATION, "scripts/lib"]) cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(copy, "package.json"));
}

/** @returns {Promise<{ seeds: number, by: string } | undefined>} undefined: all seeds passed */
async function simulate() {
  const args = [SIMULATION, "--stop-at-failure", "--seeds", values.seeds, "--minutes", values.minutes];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  let isLate = false;
  const timer = setTimeout(
    () => {
      isLate = true;
      child.kill("SIGKILL");
    },
    (Number(values.minutes) + 1) * 60_000,
  );
  const code = await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  if (code === 0) return undefined;
  const [, seed, why] = /^seed (\d+): (.*)/m.exec(said) ?? [];
  if (isLate || seed === undefined)
    throw new Error(`the simulation ${isLate ? "hung" : "failed"}:\n${said.slice(-3000)}`);
  return { seeds: Number(seed), by: (why ?? "").slice(0, 160).replaceAll("|", "/") };
}
