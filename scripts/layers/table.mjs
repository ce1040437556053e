/**
 * What each package may reach. This is the table of the design, in its order: a package imports only from the lines above its
 * own. `npm test` and `npm run check` hold every source file against it (layers.test.mjs).
 *
 * @typedef {object} Layer
 * @property {readonly string[]} imports folders under packages/
 * @property {readonly string[] | "any"} node modules of Node, without `node:`
 * @property {boolean} pure sees only the language itself: no global of Node or of the browser, no package from the registry. That
 *   is what makes base run in a browser, and what makes deciding code replay from a seed
 * @property {boolean} ambient may read clocks, draw randomness and set timers; everybody else is handed a Clock and a Random
 */

const PURE = { node: [], pure: true, ambient: false };

// Below replication, controller and coordinator: every package that decides, and what it decides about.
const METADATA_AND_BELOW = ["base", "protocol", "security", "log", "metadata"];
const ALL_ABOVE_BROKER_BUT_IO = [...METADATA_AND_BELOW, "raft", "controller", "replication", "coordinator"];

// What a program that people start or embed needs beside the ports: its arguments, its configuration file, its streams, a
// temporary folder. docs/decisions/0006 says why this is not in io.
const COMPOSITION_ROOT = ["events", "fs", "fs/promises", "os", "path", "process", "readline/promises", "url", "util"];

/** @type {Readonly<Record<string, Layer>>} */
export const LAYERS = {
  base: { ...PURE, imports: [] },
  protocol: { imports: ["base"], node: ["zlib"], pure: false, ambient: false },
  io: { imports: ["base"], node: "any", pure: false, ambient: true },
  security: { imports: ["base", "protocol"], node: ["crypto"], pure: false, ambient: false },
  log: { ...PURE, imports: ["base", "protocol"] },
  raft: { ...PURE, imports: ["base", "protocol"] },
  metadata: { ...PURE, imports: ["base", "protocol"] },
  controller: { ...PURE, imports: [...METADATA_AND_BELOW, "raft"] },
  replication: { ...PURE, imports: METADATA_AND_BELOW },
  coordinator: { ...PURE, imports: METADATA_AND_BELOW },
  broker: { ...PURE, imports: ALL_ABOVE_BROKER_BUT_IO },
  client: {
    imports: ["base", "protocol", "io", "security"],
    node: ["diagnostics_channel"],
    pure: false,
    ambient: false,
  },
  streams: { imports: ["base", "client"], node: [], pure: false, ambient: false },
  server: {
    imports: [...ALL_ABOVE_BROKER_BUT_IO, "io", "broker", "client", "streams"],
    node: COMPOSITION_ROOT,
    pure: false,
    ambient: false,
  },
  // Ambient for its progress lines: they are talk on a terminal, and nothing is decided by them.
  cli: { imports: ["base", "client", "server"], node: [...COMPOSITION_ROOT, "v8"], pure: false, ambient: true },
  console: { imports: ["base"], node: [], pure: false, ambient: true },
  simulation: {
    imports: [...ALL_ABOVE_BROKER_BUT_IO, "io", "broker", "client", "streams", "server", "cli"],
    node: "any",
    pure: false,
    ambient: false,
  },
};

/**
 * Single files that may reach further than their package, by path below packages/, and why.
 *
 * @type {Readonly<Record<string, { readonly reaches: readonly string[], readonly why: string }>>}
 */
export const EXCEPTIONS = {
  "coordinator/src/group/consumer/topic-regex.ts": {
    reaches: ["re2js"],
    why: "regular expressions that clients bring, matched in linear time: an engine in plain JavaScript that reaches nothing itself",
  },
  "protocol/src/compression/optional-package.ts": {
    reaches: ["node:module"],
    why: "a native binary may be missing on a platform, and an import that fails takes its module along; require() does not",
  },
  "server/src/logger.ts": {
    reaches: ["node:module"],
    why: "pino is loaded by the first line that it writes, and a line is written at once: require() can, an import cannot",
  },
  "protocol/src/compression/zstd-wasm.ts": {
    reaches: ["node:fs", "globalThis"],
    why: "loads code, the WebAssembly of a package of the registry, once and before any data; not through the Disk port, which is for data",
  },
};

/** What tests may import beside what their package may: the real world, and the one under a seed. */
export const DOUBLES = ["io", "simulation"];

/** Entries beside the package's name that may be imported from other packages. */
export const DEEP_ENTRIES = [/^@samsa\/protocol\/messages\/[a-z0-9-]+$/];
