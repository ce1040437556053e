import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, ROOT, workspaces } from "./paths.mjs";

const CLI = join(ROOT, "packages/cli");
const BUNDLE = join(CLI, "bundle");
const STAMP = join(BUNDLE, ".made-of");

/**
 * Puts what `samsa` is made of into a few files (docs/decisions/0027): Node opens each module on its own, and eight hundred of them are
 * most of the time of a start. Packages of others stay where they are. Does nothing when the bundle is of what is in dist now.
 */
export async function bundle() {
  const madeOf = digestOfDist();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === madeOf) return;
  rmSync(BUNDLE, { recursive: true, force: true });
  const { build } = await import("rolldown");
  await build({
    input: join(CLI, "dist/main.js"),
    platform: "node",
    external: (id) => !/^[./]/.test(id) && !id.startsWith("@samsa/") && !/^[A-Za-z]:/.test(id),
    logLevel: "warn",
    output: { dir: BUNDLE, format: "esm", sourcemap: true, chunkFileNames: "[name]-[hash].js" },
  });
  writeFileSync(STAMP, madeOf);
}

/** @returns {string} of the compiled files' names, sizes and times */
function digestOfDist() {
  const hash = createHash("sha256").update(readFileSync(join(ROOT, "package-lock.json")));
  for (const { path } of workspaces()) {
    const dist = join(path, "dist");
    for (const file of filesBelow(dist).filter((each) => each.endsWith(".js") && !each.endsWith(".test.js"))) {
      const { size, mtimeMs } = statSync(join(dist, file));
      hash.update(`${path}/${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}
