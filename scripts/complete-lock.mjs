/**
 * Adds to package-lock.json what npm leaves out of it: entries for the binaries of other platforms, when the registry it was run against
 * does not serve them, or when node_modules was there already (npm/cli#4828). `npm ci` refuses a lock that lacks one, also on
 * platforms that never install it. Run by `npm run lock`; package-lock.test.mjs says when it is needed.
 *
 * The entries have no integrity, because nothing was downloaded. All the rest stays as npm wrote it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { missingFromLock } from "./lib/package-lock.mjs";
import { ROOT } from "./lib/paths.mjs";

// As the makers of such packages name them: oxlint's `binding-linux-x64-gnu`, tsgolint's `darwin-arm64`.
const PLATFORM =
  /(?<os>aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(?<cpu>arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/;
const LIBC = new Map([
  ["gnu", "glibc"],
  ["musl", "musl"],
]);

/** What runs anywhere and is installed nowhere: no processor is a `wasm32`. */
const ANY_SYSTEM = { os: "any", cpu: "wasm32", abi: undefined };

const path = join(ROOT, "package-lock.json");
const lock = /** @type {import("./lib/package-lock.mjs").PackageLock} */ (JSON.parse(readFileSync(path, "utf8")));
const missing = missingFromLock(lock);
for (const { name, version, by } of missing) {
  const { os, cpu, abi } = name.endsWith("-wasm32-wasi") ? ANY_SYSTEM : (PLATFORM.exec(name)?.groups ?? {});
  if (os === undefined || cpu === undefined) throw new Error(`${name}: cannot tell its platform by its name`);
  const libc = LIBC.get(abi ?? "");
  const { dev, license } = lock.packages[by] ?? {};
  lock.packages[`node_modules/${name}`] = {
    version,
    cpu: [cpu],
    ...(dev === true && { dev }),
    ...(libc !== undefined && { libc: [libc] }),
    ...(license !== undefined && { license }),
    optional: true,
    ...(os !== "any" && { os: [os] }),
  };
}
if (missing.length > 0) {
  const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, "en"));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
}
process.stderr.write(`samsa: ${missing.length} entries added to package-lock.json\n`);
