import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const COMPAT = fileURLToPath(new URL("..", import.meta.url));
const MODULES = join(COMPAT, "node_modules");

/** The clients from npm are pinned in a lock file of their own and are no part of what users install. */
export function installClients() {
  const lock = join(COMPAT, "package-lock.json");
  const mark = join(MODULES, ".package-lock.json");
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs) return;
  process.stderr.write("installing the npm clients into compat/node_modules\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = ["ci", "--workspaces=false", "--ignore-scripts", "--no-audit", "--no-fund"];
  const run = spawnSync(npm, args, { cwd: COMPAT, encoding: "utf8" });
  if (run.status !== 0) throw new Error(`npm ci failed in compat:\n${run.stdout}${run.stderr}`);
}
