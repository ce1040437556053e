import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, workspaces } from "./paths.mjs";

const OUTPUT = /(\.d\.ts\.map|\.d\.ts|\.js\.map|\.js)$/;
const BUILD_INFO = "tsconfig.tsbuildinfo";

/**
 * Brings a package's dist in line with its src where the compiler does not: removes what was compiled from a source that is gone
 * (a deleted test would run for ever), and makes the compiler write all of it again when some of its output is missing.
 *
 * @param {string} packagePath
 */
export function removeStaleOutput(packagePath) {
  const dist = join(packagePath, "dist");
  const sources = new Set(sourcesOf(packagePath));
  const written = new Set();
  for (const file of filesBelow(dist)) {
    const stem = file.replace(OUTPUT, "");
    if (stem === file) continue;
    if (sources.has(stem)) written.add(file);
    else rmSync(join(dist, file));
  }
  if ([...sources].some((stem) => !written.has(`${stem}.js`))) rmSync(join(dist, BUILD_INFO), { force: true });
}

/**
 * The compiled tests of all packages that have a source, in order of package and file.
 *
 * @returns {{ path: string, source: string }[]} absolute path of the compiled file; the source's path from the root, with `/`
 */
export function compiledTests() {
  return workspaces().flatMap(({ folder, path }) =>
    sourcesOf(path)
      .filter((stem) => stem.endsWith(".test"))
      .map((stem) => ({ path: join(path, "dist", `${stem}.js`), source: `packages/${folder}/src/${stem}.ts` })),
  );
}

/**
 * @param {string} packagePath
 * @returns {string[]} without `.ts`, relative to src
 */
function sourcesOf(packagePath) {
  const src = join(packagePath, "src");
  if (!existsSync(src)) return [];
  return filesBelow(src)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .map((file) => file.slice(0, -".ts".length));
}
