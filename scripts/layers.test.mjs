/** Proves the import table of the design (layers/table.mjs) for every source file, and that the proof would notice. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { readModule } from "./layers/module-facts.mjs";
import { isTestFile, violations } from "./layers/rules.mjs";
import { EXCEPTIONS, LAYERS } from "./layers/table.mjs";
import { filesBelow, readJson, ROOT, workspaces } from "./lib/paths.mjs";

/** @typedef {import("./lib/paths.mjs").Workspace} Workspace */

const packages = workspaces();
const names = packages.map(({ folder, manifest }) => ({ folder, name: manifest.name }));

describe("the table", () => {
  test("has a line for every package", () => {
    assert.deepEqual(
      packages.map(({ folder }) => folder).filter((folder) => LAYERS[folder] === undefined),
      [],
    );
  });

  const order = Object.keys(LAYERS);
  for (const [position, folder] of order.entries()) {
    test(`lets ${folder} import only from the lines above it`, () => {
      const above = new Set(order.slice(0, position));
      assert.deepEqual(
        LAYERS[folder]?.imports.filter((other) => !above.has(other)),
        [],
      );
    });
  }
});

describe("the exceptions", () => {
  for (const [file, { reaches }] of Object.entries(EXCEPTIONS)) {
    test(`${file} still reaches what it was granted`, () => {
      const { imports, globals, ambient } = readModule(file, readFileSync(join(ROOT, "packages", file), "utf8"));
      const reached = new Set([...imports, ...globals, ...ambient]);
      assert.deepEqual(
        reaches.filter((thing) => !reached.has(thing)),
        [],
      );
    });
  }
});

for (const workspace of packages) {
  describe(`packages/${workspace.folder}`, () => {
    test(`${workspace.folder} reaches only what the table allows`, () => {
      const found = sourceFiles(workspace).flatMap((file) =>
        violations(file, names).map((violation) => `packages/${file.folder}/${file.path} ${violation}`),
      );
      assert.deepEqual(found, []);
    });

    const { shipped, tests } = importedPackages(workspace);

    test(`${workspace.folder} depends on exactly the packages it imports`, () => {
      assert.deepEqual(workspaceNames(workspace.manifest.dependencies), shipped);
    });

    test(`${workspace.folder} has in devDependencies exactly the packages that only its tests import`, () => {
      const onlyTests = tests.filter((name) => !shipped.includes(name));
      assert.deepEqual(workspaceNames(workspace.manifest.devDependencies), onlyTests);
    });

    test(`${workspace.folder} is compiled after exactly the packages it imports`, () => {
      const imported = names
        .filter(({ name }) => shipped.includes(name) || tests.includes(name))
        .map(({ folder }) => folder);
      assert.deepEqual(referencedFolders(workspace), imported.toSorted());
    });

    test(`${workspace.folder} is compiled by the root's tsc -b, and by the settings of the root`, () => {
      assert.ok(referencedFolders({ path: ROOT }).includes(workspace.folder), "not in the references of tsconfig.json");
      const { extends: base } = /** @type {{ extends: string }} */ (readJson(join(workspace.path, "tsconfig.json")));
      assert.equal(base, "../../tsconfig.base.json");
    });

    test(`${workspace.folder} names exact versions, and for its neighbours the one version of all`, () => {
      const { version } = /** @type {{ version: string }} */ (readJson(join(ROOT, "package.json")));
      const { manifest } = workspace;
      assert.equal(manifest.version, version);
      const wanted = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };
      for (const [name, range] of Object.entries(wanted)) {
        const isNeighbour = names.some((other) => other.name === name);
        if (isNeighbour) assert.equal(range, version, name);
        else assert.match(range, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name);
      }
    });
  });
}

test("samsa depends on what the packages in its bundle need of others, in the same versions", () => {
  const cli = workspaces().find(({ manifest }) => manifest.name === "samsa");
  assert.ok(cli !== undefined);
  const bundled = workspaces().filter(({ folder }) => folder !== "simulation");
  for (const kind of /** @type {const} */ (["dependencies", "optionalDependencies"])) {
    const needed = Object.assign({}, ...bundled.map(({ manifest }) => manifest[kind] ?? {}));
    for (const [name, version] of Object.entries(needed)) {
      if (names.every((ours) => ours.name !== name)) assert.equal(cli.manifest[kind]?.[name], version, name);
    }
  }
});

describe("the proof", () => {
  const cases = [
    { folder: "base", text: `import "node:util";`, why: "imports node:util" },
    {
      folder: "base",
      text: `export const x = Buffer.alloc(1);`,
      why: "uses Buffer, which is not part of the language",
    },
    { folder: "base", text: `export const x = process.pid;`, why: "uses process, which is not part of the language" },
    { folder: "base", text: `export type X = Buffer;`, why: "speaks of Buffer, a type that only Node has" },
    { folder: "base", text: `import { x } from "zod"; x();`, why: "imports zod from the registry" },
    {
      folder: "log",
      text: `import type { Disk } from "@samsa/io"; export type D = Disk;`,
      why: "imports @samsa/io, which does not lie below it",
    },
    {
      folder: "log",
      text: `export type D = import("@samsa/broker").D;`,
      why: "imports @samsa/broker, which does not lie below it",
    },
    {
      folder: "log",
      text: `export const x = () => import("@samsa/io");`,
      why: "imports @samsa/io, which does not lie below it",
    },
    {
      folder: "log",
      text: `export const x = (y: string) => import(y);`,
      why: "imports what only the running program knows",
    },
    {
      folder: "log",
      text: `export const x = Date.now();`,
      why: "uses Date.now instead of the Clock or Random it is handed",
    },
    {
      folder: "log",
      text: `export const x = new Date();`,
      why: "uses new Date() instead of the Clock or Random it is handed",
    },
    {
      folder: "log",
      text: `const { random } = Math; random();`,
      why: "uses { … } = Math instead of the Clock or Random it is handed",
    },
    {
      folder: "metadata",
      text: `globalThis.x = 1;`,
      why: "uses globalThis instead of the Clock or Random it is handed",
    },
    {
      folder: "replication",
      text: `setTimeout(() => {}, 1);`,
      why: "uses setTimeout, which is not part of the language",
    },
    {
      folder: "client",
      text: `setTimeout(() => {}, 1);`,
      why: "uses setTimeout instead of the Clock or Random it is handed",
    },
    { folder: "server", text: `import { connect } from "node:net"; connect(1);`, why: "imports node:net" },
    { folder: "cli", text: `import "node:timers/promises";`, why: "imports node:timers/promises" },
    { folder: "protocol", text: `import { load } from "./load.ts"; load("node:fs");`, why: "imports node:fs" },
    {
      folder: "log",
      text: `import { x } from "@samsa/protocol/src/x.ts"; x();`,
      why: "imports @samsa/protocol/src/x.ts, which is no entry of @samsa/protocol",
    },
    {
      folder: "log",
      text: `import { x } from "../../protocol/src/x.ts"; x();`,
      why: "imports ../../protocol/src/x.ts, which lies outside its src",
    },
    {
      folder: "log",
      text: `import { x } from "./index.ts"; x();`,
      why: "imports ./index.ts, the package's own entry, instead of the file that defines the thing",
    },
    {
      folder: "log",
      text: `import { x } from "./x.test.ts"; x();`,
      why: "imports ./x.test.ts, which is there for tests only",
    },
    { folder: "log", text: `export { x } from "./x.ts";`, why: "re-exports; only src/index.ts does" },
    { folder: "log", text: `import { x } from "./x.ts"; export { x };`, why: "re-exports; only src/index.ts does" },
    { folder: "log", text: `export default 1;`, why: "has a default export" },
    { folder: "attic", text: ``, why: "packages/attic is not in scripts/layers/table.mjs" },
  ];
  for (const { folder, text, why } of cases) {
    test(`refuses in ${folder}: ${text}`, () => {
      assert.deepEqual(violations({ folder, path: "src/example.ts", text }, names), [why]);
    });
  }

  const innocent = [
    {
      folder: "base",
      text: `export class X { process = 1; setTimeout() { return this.process; } }`,
      why: "members are no globals",
    },
    {
      folder: "base",
      text: `export const x = ({ process }: { process: number }) => process;`,
      why: "a parameter is no global",
    },
    {
      folder: "base",
      text: `// Date.now()\nexport const x = "Math.random() import('node:fs')";`,
      why: "comments and strings do nothing",
    },
    {
      folder: "log",
      text: `import { Uuid } from "@samsa/base"; export const x = (u: Uuid) => u;`,
      why: "base lies below log",
    },
    {
      folder: "log",
      text: `import { M } from "@samsa/protocol/messages/fetch-request"; M();`,
      why: "messages are entries",
    },
    {
      folder: "log",
      text: `export const x = new Date(0).toISOString();`,
      why: "a date that is told its time reads no clock",
    },
    {
      folder: "io",
      text: `import { connect } from "node:net"; setTimeout(connect, Date.now());`,
      why: "io is the door",
    },
  ];
  for (const { folder, text, why } of innocent) {
    test(`lets pass in ${folder}, for ${why}`, () => {
      assert.deepEqual(violations({ folder, path: "src/example.ts", text }, names), []);
    });
  }

  test("lets a test use the real world", () => {
    const text = `import { test } from "node:test"; import { nodeDisk } from "@samsa/io"; test("x", () => nodeDisk(Date.now()));`;
    assert.deepEqual(violations({ folder: "log", path: "src/example.test.ts", text }, names), []);
  });
});

/**
 * Generated files are source like any other here.
 *
 * @param {Workspace} workspace
 */
function sourceFiles({ folder, path }) {
  return filesBelow(join(path, "src"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ folder, path: `src/${file}`, text: readFileSync(join(path, "src", file), "utf8") }));
}

/**
 * The neighbours a package imports in what it ships, and those it imports in its tests.
 *
 * @param {Workspace} workspace
 * @returns {{ shipped: string[], tests: string[] }}
 */
function importedPackages(workspace) {
  const shipped = /** @type {Set<string>} */ (new Set());
  const tests = /** @type {Set<string>} */ (new Set());
  for (const { path, text } of sourceFiles(workspace)) {
    for (const specifier of readModule(path, text).imports) {
      const target = names.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
      if (target === undefined || target.folder === workspace.folder) continue;
      (isTestFile(path) ? tests : shipped).add(target.name);
    }
  }
  return { shipped: [...shipped].toSorted(), tests: [...tests].toSorted() };
}

/**
 * @param {Record<string, string> | undefined} dependencies
 * @returns {string[]}
 */
function workspaceNames(dependencies) {
  return Object.keys(dependencies ?? {})
    .filter((name) => names.some((other) => other.name === name))
    .toSorted();
}

/**
 * @param {{ path: string }} folder one with a tsconfig.json
 * @returns {string[]}
 */
function referencedFolders({ path }) {
  const file = join(path, "tsconfig.json");
  if (!existsSync(file)) return [];
  const { references = [] } = /** @type {{ references?: { path: string }[] }} */ (readJson(file));
  return references.map((reference) => basename(reference.path)).toSorted();
}
