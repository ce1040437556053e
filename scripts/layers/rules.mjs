import { posix } from "node:path";
import { AMBIENT_GLOBALS, readModule } from "./module-facts.mjs";
import { DEEP_ENTRIES, DOUBLES, EXCEPTIONS, LAYERS } from "./table.mjs";

/**
 * @typedef {object} SourceFile
 * @property {string} folder of the package, as in the table
 * @property {string} path below the package's folder, with `/`: `src/varint.ts`
 * @property {string} text
 *
 * @typedef {{ folder: string, name: string }} PackageName
 */

/**
 * What a file does that its package may not, one sentence each.
 *
 * @param {SourceFile} file
 * @param {readonly PackageName[]} packages all of the workspace
 * @returns {string[]}
 */
export function violations({ folder, path, text }, packages) {
  const layer = LAYERS[folder];
  if (layer === undefined) return [`packages/${folder} is not in scripts/layers/table.mjs`];
  const facts = readModule(path, text);
  const isTest = isTestFile(path);
  const isForbidden = (/** @type {string} */ thing) =>
    EXCEPTIONS[`${folder}/${path}`]?.reaches.includes(thing) !== true;
  const imports = facts.imports.filter(isForbidden);
  const globals = facts.globals.filter(isForbidden);
  const ambient = facts.ambient.filter(isForbidden);

  const allowed = new Set(isTest ? [...layer.imports, ...DOUBLES, folder] : layer.imports);
  const found = imports.flatMap((specifier) => refuseImport(specifier, { folder, path, allowed, isTest, packages }));
  if (facts.hasDefaultExport) found.push("has a default export");
  if (facts.hasReExport && path !== "src/index.ts") found.push("re-exports; only src/index.ts does");
  if (isTest) return found;

  if (facts.hasUnreadableImport && layer.pure) found.push("imports what only the running program knows");
  const others = layer.pure ? [] : globals.filter((name) => AMBIENT_GLOBALS.has(name));
  if (layer.pure) found.push(...globals.map((name) => `uses ${name}, which is not part of the language`));
  if (!layer.ambient) {
    found.push(...[...others, ...ambient].map((name) => `uses ${name} instead of the Clock or Random it is handed`));
  }
  if (layer.pure) found.push(...facts.nodeTypes.map((name) => `speaks of ${name}, a type that only Node has`));
  return found;
}

/**
 * @param {string} specifier
 * @param {{ folder: string, path: string, allowed: ReadonlySet<string>, isTest: boolean, packages: readonly PackageName[] }} from
 * @returns {string[]}
 */
function refuseImport(specifier, { folder, path, allowed, isTest, packages }) {
  const layer = LAYERS[folder];
  if (specifier.startsWith(".")) return refuseRelative(specifier, path, isTest);
  if (specifier.startsWith("node:")) {
    const name = specifier.slice("node:".length);
    const isAllowed = isTest || layer?.node === "any" || layer?.node.includes(name) === true;
    return isAllowed ? [] : [`imports ${specifier}`];
  }
  const target = packages.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
  if (target !== undefined) {
    if (!allowed.has(target.folder)) return [`imports ${specifier}, which does not lie below it`];
    const isEntry = specifier === target.name || DEEP_ENTRIES.some((pattern) => pattern.test(specifier));
    return isEntry ? [] : [`imports ${specifier}, which is no entry of ${target.name}`];
  }
  return layer?.pure === true && !isTest ? [`imports ${specifier} from the registry`] : [];
}

/**
 * @param {string} specifier
 * @param {string} path
 * @param {boolean} isTest
 * @returns {string[]}
 */
function refuseRelative(specifier, path, isTest) {
  const target = posix.join(posix.dirname(path), specifier);
  if (!target.startsWith("src/")) return [`imports ${specifier}, which lies outside its src`];
  if (!isTest && isTestFile(target)) return [`imports ${specifier}, which is there for tests only`];
  if (target === "src/index.ts" && !isTest)
    return [`imports ${specifier}, the package's own entry, instead of the file that defines the thing`];
  return [];
}

/**
 * Tests (`x.test.ts`) and what they share (`x.test.suite.ts`, `testing/`): neither is published, and both may reach the world.
 *
 * @param {string} path below the package's folder
 */
export function isTestFile(path) {
  return /\.test\.|^src\/testing\//.test(path);
}
