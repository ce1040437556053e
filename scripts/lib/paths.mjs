import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout, without a trailing slash. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/**
 * @typedef {object} Workspace
 * @property {string} folder name of the folder under packages/
 * @property {string} path absolute
 * @property {Manifest} manifest
 */

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [peerDependencies]
 */

/**
 * Every package of the workspace, by folder name.
 *
 * @returns {Workspace[]}
 */
export function workspaces() {
  const parent = join(ROOT, "packages");
  return readdirSync(parent)
    .filter((folder) => existsSync(join(parent, folder, "package.json")))
    .toSorted()
    .map((folder) => {
      const path = join(parent, folder);
      return { folder, path, manifest: /** @type {Manifest} */ (readJson(join(path, "package.json"))) };
    });
}

/**
 * @param {string} path
 * @returns {unknown}
 */
export function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/**
 * Files below a folder, relative to it and with `/`, in order; none when the folder is missing.
 *
 * @param {string} folder absolute
 * @returns {string[]}
 */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .toSorted();
}
