import { spawn } from "node:child_process";
import { ROOT } from "./paths.mjs";

/**
 * Runs a program from the root of the checkout and collects what it says on both streams, in order of arrival.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ code: number, output: string }>} code is 1 when the program could not start or was killed
 */
export async function run(command, args, options = {}) {
  return await new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    // It must not outlive us: an `npm ci` that goes on would meet the one of the next run in node_modules.
    // npm takes its time over a SIGTERM, and what it leaves behind is cleared away by the next run in any case.
    const end = () => child.kill("SIGKILL");
    process.on("exit", end);
    child.on("close", () => process.off("exit", end));
    /** @type {Buffer[]} */
    const chunks = [];
    child.stdout.on("data", (/** @type {Buffer} */ chunk) => chunks.push(chunk));
    child.stderr.on("data", (/** @type {Buffer} */ chunk) => chunks.push(chunk));
    child.on("error", (error) => resolve({ code: 1, output: `cannot run ${command}: ${error.message}` }));
    child.on("close", (code, signal) => {
      const ending = signal === null ? "" : `\nended by ${signal}\n`;
      resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString("utf8") + ending });
    });
  });
}

/**
 * How to call npm: the one that called us when there is one (then no shell is needed on any system), else the one on the path.
 *
 * @param {readonly string[]} args
 * @returns {[string, string[]]}
 */
export function npmCommand(args) {
  const caller = process.env["npm_execpath"];
  if (caller !== undefined && /npm-cli\.c?js$/.test(caller)) return [process.execPath, [caller, ...args]];
  // Windows has npm as a batch file, which only its shell runs.
  if (process.platform === "win32") return ["cmd.exe", ["/d", "/c", "npm", ...args]];
  return ["npm", [...args]];
}
