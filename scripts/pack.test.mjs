/**
 * What users get: packs `samsa` and the packages it needs, installs the tarballs in an empty folder with install scripts off,
 * and starts a broker from there. It needs the registry, or npm's cache, for the packages of others.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readJson, workspaces } from "./lib/paths.mjs";
import { npmCommand, run } from "./lib/run.mjs";

/**
 * @typedef {import("./lib/paths.mjs").Workspace} Workspace
 * @typedef {{ name: string, filename: string, files: { path: string }[] }} Tarball
 */

const packages = closureOf("samsa");
const folder = mkdtempSync(join(tmpdir(), "samsa-pack-"));
const home = join(folder, "home");
/** @type {Tarball[]} */
let tarballs = [];

describe("the packages as they are published", () => {
  before(async () => {
    tarballs = await pack();
    await install();
  });
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

  test("hold their compiled entries, and neither sources nor tests", () => {
    assert.deepEqual(
      tarballs.map(({ name }) => name).toSorted(),
      packages.map(({ manifest }) => manifest.name),
    );
    const wrong = tarballs.flatMap(({ name, files }) => {
      const paths = files.map(({ path }) => path);
      const strange = paths.filter((path) => /\.test\.|^src\/|^dist\/testing\/|\.tsbuildinfo$/.test(path));
      const missing = entriesOf(name).filter((entry) => !paths.includes(entry));
      return [...strange.map((path) => `${name} ships ${path}`), ...missing.map((path) => `${name} lacks ${path}`)];
    });
    assert.deepEqual(wrong, []);
  });

  test("install without an install script anywhere in the tree, and from nowhere but the registry", () => {
    const lock = /** @type {{ packages: Record<string, { hasInstallScript?: boolean, resolved?: string }> }} */ (
      readJson(join(home, "package-lock.json"))
    );
    const installed = Object.entries(lock.packages).filter(([path]) => path !== "");
    assert.ok(installed.length >= packages.length);
    for (const [path, { hasInstallScript, resolved }] of installed) {
      assert.notEqual(hasInstallScript, true, `${path} has an install script`);
      // npm leaves `resolved` out when it is told to; where it says one, it is a tarball of the registry or one of ours.
      if (resolved !== undefined) assert.match(resolved, /^(https?:\/\/\S+|file:\S+)\.tgz$/, path);
    }
  });

  for (const name of packages.map(({ manifest }) => manifest.name).filter((each) => each.startsWith("@"))) {
    test(`${name} can be imported from another folder`, async () => {
      const program = `const entry = await import(${JSON.stringify(name)}); process.exit(Object.keys(entry).length > 0 ? 0 : 3);`;
      const { code, output } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: home });
      assert.equal(code, 0, output);
    });
  }

  test("start a broker that answers and stops cleanly", async () => {
    const broker = startBroker();
    try {
      const port = await broker.port;
      const apiKeys = await supportedApiKeys(port);
      const [PRODUCE, FETCH, API_VERSIONS] = [0, 1, 18];
      for (const key of [PRODUCE, FETCH, API_VERSIONS]) assert.ok(apiKeys.includes(key), `does not serve API ${key}`);
      if (process.platform === "win32") return; // there a signal is always the end, and no code tells of it
      broker.child.kill("SIGTERM");
      const [code, signal] = await broker.exit;
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, broker.output());
    } finally {
      if (broker.child.exitCode === null && broker.child.signalCode === null) broker.child.kill("SIGKILL");
    }
  });
});

/**
 * A package of the workspace and all of the workspace it needs, in order of name.
 *
 * @param {string} root
 * @returns {Workspace[]}
 */
function closureOf(root) {
  const all = new Map(workspaces().map((workspace) => [workspace.manifest.name, workspace]));
  const found = /** @type {Map<string, Workspace>} */ (new Map());
  const visit = (/** @type {string} */ name) => {
    const workspace = all.get(name);
    if (workspace === undefined || found.has(name)) return;
    found.set(name, workspace);
    for (const dependency of Object.keys(workspace.manifest.dependencies ?? {})) visit(dependency);
  };
  visit(root);
  return [...found.values()].toSorted((a, b) => (a.manifest.name < b.manifest.name ? -1 : 1));
}

/** @returns {Promise<Tarball[]>} */
async function pack() {
  const selection = packages.flatMap(({ manifest }) => ["--workspace", manifest.name]);
  const output = await npm(["pack", "--json", "--pack-destination", folder, ...selection]);
  const json = /** @type {unknown} */ (JSON.parse(output.slice(output.search(/^[[{]/m))));
  // An array up to npm 11, an object by name after it.
  return /** @type {Tarball[]} */ (Object.values(/** @type {object} */ (json)));
}

async function install() {
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), JSON.stringify({ name: "somebody-else", private: true }));
  const files = tarballs.map(({ filename }) => join(folder, filename));
  await npm(["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", ...files], home);
}

/**
 * @param {readonly string[]} args
 * @param {string} [cwd]
 * @returns {Promise<string>} what it said
 */
async function npm(args, cwd) {
  // `npm test` tells its children about this workspace; a user's npm knows nothing of it.
  const told =
    /^(npm_package_|npm_lifecycle_|npm_config_(local_prefix|workspace|workspaces|ignore_scripts)$|INIT_CWD$)/i;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !told.test(name)));
  const { code, output } = await run(...npmCommand([...args, "--loglevel=error"]), {
    env,
    ...(cwd !== undefined && { cwd }),
  });
  assert.equal(code, 0, `npm ${args[0]} failed:\n${output}`);
  return output;
}

/**
 * The files that `exports` and `bin` of a package point at, save for patterns.
 *
 * @param {string} name
 * @returns {string[]}
 */
function entriesOf(name) {
  const workspace = packages.find(({ manifest }) => manifest.name === name);
  assert.ok(workspace !== undefined);
  const manifest = /** @type {{ exports?: object, bin?: object }} */ (readJson(join(workspace.path, "package.json")));
  const text = JSON.stringify([manifest.exports ?? {}, manifest.bin ?? {}]);
  return [...text.matchAll(/"\.\/([^"*]+\.(?:js|ts))"/g)].flatMap((match) => match[1] ?? []);
}

function startBroker() {
  const command = join(home, "node_modules/.bin/samsa");
  const args = ["start", "--port", "0", "--data-dir", join(folder, "data")];
  const child =
    process.platform === "win32"
      ? spawn(process.execPath, [join(home, "node_modules/samsa/bin/samsa.js"), ...args], { cwd: home })
      : spawn(command, args, { cwd: home });
  let output = "";
  /** @type {Promise<[number | null, string | null]>} */
  const exit = new Promise((resolve) => child.on("close", (code, signal) => resolve([code, signal])));
  /** @type {Promise<number>} */
  const port = new Promise((resolve, reject) => {
    const listen = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString("utf8");
      const match = /127\.0\.0\.1:(\d+)/.exec(output);
      if (match !== null) resolve(Number(match[1]));
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("error", reject);
    void exit.then(([code]) => reject(new Error(`ended with code ${code} before it was ready:\n${output}`)));
  });
  return { child, exit, port, output: () => output };
}

/**
 * Asks a broker which APIs it serves, by hand: ApiVersions version 0 with request header version 1.
 *
 * @param {number} port
 * @returns {Promise<number[]>}
 */
async function supportedApiKeys(port) {
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt16BE(18, 4); // API key
  request.writeInt16BE(0, 6); // version
  request.writeInt32BE(4711, 8); // correlation id
  request.writeInt16BE(-1, 12); // no client id
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    socket.write(request);
    const response = await readFrame(socket);
    assert.equal(response.readInt32BE(0), 4711, "correlation id");
    assert.equal(response.readInt16BE(4), 0, "error code");
    const ENTRY_BYTES = 6; // key, lowest and highest version
    return Array.from({ length: response.readInt32BE(6) }, (_, index) =>
      response.readInt16BE(10 + index * ENTRY_BYTES),
    );
  } finally {
    socket.destroy();
  }
}

/**
 * @param {import("node:net").Socket} socket
 * @returns {Promise<Buffer>} what follows the length
 */
async function readFrame(socket) {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, /** @type {Buffer} */ (chunk)]);
    if (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0))
      return bytes.subarray(4, 4 + bytes.readInt32BE(0));
  }
  throw new Error("the broker closed the connection before it answered");
}
