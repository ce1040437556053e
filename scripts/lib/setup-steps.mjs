import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.mjs";
import { removeStaleOutput } from "./dist.mjs";
import { withLock } from "./lock.mjs";
import { readJson, ROOT, workspaces } from "./paths.mjs";
import { npmCommand, run } from "./run.mjs";

// Inside node_modules, so that it goes when they go: `npm ci` empties the folder before it fills it.
const STAMP = join(ROOT, "node_modules/.samsa-setup");
const LOCK = join(ROOT, ".cache/setup.lock");
const SLOW_MS = 1_000;

const REGISTRY_UNREACHABLE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED)\b/;

/** A failure that has been explained; its message is all that is shown. */
class SetupError extends Error {}

/**
 * Installs, generates and builds what is missing or old.
 *
 * @param {{ isBuilding: boolean }} options
 * @returns {Promise<number>} the exit code
 */
export async function setup({ isBuilding }) {
  try {
    await withLock(LOCK, () => prepare(isBuilding), {
      onWait: (owner) => say(`waiting for ${owner}, which is preparing this checkout too`),
    });
    return 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return 1;
  }
}

/** @param {boolean} isBuilding */
async function prepare(isBuilding) {
  if (!isInstalled()) await step("installing dependencies with npm ci", install);
  await step("generating the protocol's messages", generate);
  if (isBuilding) await step("building", build);
  if (isBuilding) await step("bundling the command line", bundle);
}

/**
 * Runs one step, and talks about it only when it takes more than a second.
 *
 * @param {string} title
 * @param {() => Promise<void>} work
 */
async function step(title, work) {
  const started = Date.now();
  let told = false;
  const timer = setTimeout(() => {
    told = true;
    say(`${title} ...`);
  }, SLOW_MS);
  try {
    await work();
  } finally {
    clearTimeout(timer);
  }
  if (told) say(`${title}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** @returns {boolean} whether node_modules holds what package-lock.json asks for */
function isInstalled() {
  const digest = lockDigest();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === digest) return true;
  // No stamp: the first time, or somebody ran `npm install` by hand. In the second case there is nothing to do but to remember.
  if (!matchesLock()) return false;
  writeFileSync(STAMP, digest);
  return true;
}

/** @returns {string} of what decides the contents of node_modules; the platform decides which native binaries are in it */
function lockDigest() {
  return createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .update(`${process.platform} ${process.arch}`)
    .digest("hex");
}

/**
 * Compares the lock with the one npm leaves in node_modules about what it has installed. Optional packages may be missing there
 * (they are other platforms' binaries); everything else must be there in the same version.
 *
 * @returns {boolean}
 */
function matchesLock() {
  const installedPath = join(ROOT, "node_modules/.package-lock.json");
  if (!existsSync(installedPath)) return false;
  const wanted = lockedPackages(join(ROOT, "package-lock.json"));
  const installed = lockedPackages(installedPath);
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith("node_modules/")) return true;
    const found = installed[path];
    if (found === undefined) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, integrity?: string, optional?: boolean }>}
 */
function lockedPackages(path) {
  return /** @type {{ packages: ReturnType<typeof lockedPackages> }} */ (readJson(path)).packages;
}

async function install() {
  rmSync(STAMP, { force: true });
  // Development dependencies by name: with NODE_ENV=production npm would leave the compiler out.
  const { code, output } = await run(
    ...npmCommand(["ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"]),
  );
  if (code === 0) {
    writeFileSync(STAMP, lockDigest());
    return;
  }
  const complaint = output.replace(/\n[^\n]*Clean install a project[^]*/, ""); // what follows is npm's usage
  if (REGISTRY_UNREACHABLE.test(output)) {
    throw new SetupError(
      `npm could not reach the registry, and node_modules does not have what package-lock.json asks for.\n\n${indent(complaint)}\n\n` +
        "       Connect to the network and run the same command again. Behind a proxy: npm config set proxy http://HOST:PORT\n" +
        "       With a mirror: npm config set registry URL. On a machine without a network, copy node_modules from a machine\n" +
        "       with the same operating system and processor where `npm start` has worked.",
    );
  }
  if (output.includes("in sync")) {
    throw new SetupError(
      `a package.json asks for something that package-lock.json does not hold.\n\n${indent(complaint)}\n\n` +
        "       Run npm run lock, and commit package-lock.json.",
    );
  }
  throw new SetupError(`npm ci failed with exit code ${code}:\n\n${indent(complaint)}`);
}

async function generate() {
  await runNode([join(ROOT, "scripts/generate-messages.mjs")], "the generator of the protocol's messages failed");
}

async function build() {
  // The compiler trusts its own notes (tsbuildinfo) about what it wrote; they are wrong once somebody has deleted from dist.
  for (const { path } of workspaces()) removeStaleOutput(path);
  const pretty = process.stderr.isTTY ? ["--pretty"] : [];
  await runNode([join(ROOT, "node_modules/typescript/bin/tsc"), "-b", ...pretty], "the build failed");
}

/**
 * @param {string[]} args
 * @param {string} failure what to say when it fails
 */
async function runNode(args, failure) {
  const { code, output } = await run(process.execPath, args);
  if (code !== 0) throw new SetupError(`${failure} (exit code ${code}):\n\n${indent(output)}`);
}

/** @param {string} text */
function indent(text) {
  return text.trimEnd().replaceAll(/^/gm, "  ");
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`samsa: ${text}\n`);
}
