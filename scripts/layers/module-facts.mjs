import { runInNewContext } from "node:vm";
import { parseSync } from "oxc-parser";

/**
 * What a TypeScript file reaches for, as far as the import table cares.
 *
 * @typedef {object} ModuleFacts
 * @property {string[]} imports every module it names: static, dynamic, in types, in re-exports; and Node's own when a function is
 *   called with their name, for then it is a require() whatever it is called
 * @property {boolean} hasUnreadableImport `import(expression)`, of which nobody can say where it leads
 * @property {boolean} hasReExport
 * @property {boolean} hasDefaultExport
 * @property {string[]} globals names it uses and does not declare, without those of the language
 * @property {string[]} ambient readings of clock and randomness through objects of the language: `Date.now`, `Math.random`
 * @property {string[]} nodeTypes types that only Node has, such as Buffer
 */

/**
 * The parser's tree, as plain as it is walked here.
 *
 * @typedef {{ type: string, [key: string]: unknown }} Node
 */

// A fresh context holds what ECMAScript defines and nothing of Node.
const LANGUAGE = new Set([
  .../** @type {string[]} */ (runInNewContext("Object.getOwnPropertyNames(globalThis)")),
  "arguments",
  // Not of the language, yet the same in every browser and in Node, and without a state.
  "TextDecoder",
  "TextEncoder",
]);

/** Names whose only use is to know the time, to wait, or to draw lots. */
export const AMBIENT_GLOBALS = new Set([
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "crypto",
  "performance",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

const NODE_TYPES = new Set(["Buffer", "NodeJS"]);

// Types are gone when the program runs; only what stands inside these is still there.
const TYPE_WRAPPERS = new Set([
  "TSAsExpression",
  "TSInstantiationExpression",
  "TSNonNullExpression",
  "TSSatisfiesExpression",
  "TSTypeAssertion",
]);

/**
 * @param {string} name of the file, for messages
 * @param {string} source
 * @returns {ModuleFacts}
 */
export function readModule(name, source) {
  const { module, program, errors } = parseSync(name, source);
  if (errors.length > 0) throw new Error(`${name}: ${errors.map((error) => error.message).join("; ")}`);
  const exports = module.staticExports.flatMap((statement) => statement.entries);
  const literals = module.dynamicImports.map(({ moduleRequest }) =>
    /^(["'])([^"']*)\1$/.exec(source.slice(moduleRequest.start, moduleRequest.end))?.at(2),
  );
  const walk = new Walk();
  walk.visit(program);
  const imports = [
    ...module.staticImports.map((statement) => statement.moduleRequest.value),
    ...exports.map((entry) => entry.moduleRequest?.value),
    ...literals,
    ...walk.namedImports,
  ];
  return {
    imports: [...new Set(imports.filter((specifier) => specifier !== undefined))],
    hasUnreadableImport: literals.includes(undefined),
    hasReExport: exports.some((entry) => entry.moduleRequest !== null) || reExportsAnImport(module),
    // A default export has no name of its own, unless it is written `export { x as default }`.
    hasDefaultExport: module.staticExports.some(({ entries }) => entries.some(isDefault)),
    globals: [...walk.used].filter((used) => !walk.declared.has(used) && !LANGUAGE.has(used)).toSorted(),
    ambient: [...walk.ambient].toSorted(),
    nodeTypes: [...walk.nodeTypes].toSorted(),
  };
}

/** @param {import("oxc-parser").StaticExportEntry} entry */
function isDefault({ exportName }) {
  return /** @type {string} */ (exportName.kind) === "Default" || exportName.name === "default";
}

/**
 * `import { a } from "x"; export { a };` is a re-export in two steps.
 *
 * @param {import("oxc-parser").EcmaScriptModule} module
 */
function reExportsAnImport(module) {
  const imported = new Set(
    module.staticImports.flatMap(({ entries }) => entries.map((entry) => entry.localName.value)),
  );
  return module.staticExports.some(({ entries }) =>
    entries.some((entry) => entry.localName.name !== null && imported.has(entry.localName.name)),
  );
}

/**
 * One walk over a file. Scopes are not followed: a name declared anywhere in the file counts as the file's own everywhere in it.
 * A global hidden behind a local of the same name in another function would escape, and so would a reviewer's patience.
 */
class Walk {
  used = /** @type {Set<string>} */ (new Set());
  declared = /** @type {Set<string>} */ (new Set());
  ambient = /** @type {Set<string>} */ (new Set());
  nodeTypes = /** @type {Set<string>} */ (new Set());
  namedImports = /** @type {Set<string>} */ (new Set());

  /** @param {unknown} value */
  visit(value) {
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item);
    } else if (isNode(value)) {
      if (value.type.startsWith("TS") && !TYPE_WRAPPERS.has(value.type)) this.#visitType(value);
      else this.#visitValue(value);
    }
  }

  /** @param {Node} node */
  #visitValue(node) {
    this.#noteDeclarations(node);
    this.#noteReaches(node);
    switch (node.type) {
      case "Identifier":
        this.used.add(String(node["name"]));
        this.visit(node["typeAnnotation"]);
        return;
      case "MemberExpression":
        this.visit(node["object"]);
        if (node["computed"] === true) this.visit(node["property"]);
        return;
      case "Property":
      case "MethodDefinition":
      case "PropertyDefinition":
      case "AccessorProperty":
        this.#visitKeyed(node);
        return;
      case "ImportDeclaration":
      case "ExportAllDeclaration":
      case "BreakStatement":
      case "ContinueStatement":
      case "MetaProperty":
        return;
      case "ExportNamedDeclaration":
        this.visit(node["declaration"]);
        return;
      case "LabeledStatement":
        this.visit(node["body"]);
        return;
      default:
        this.#visitChildren(node);
    }
  }

  /**
   * A member with a name; the name is no reference unless it is computed.
   *
   * @param {Node} node
   */
  #visitKeyed(node) {
    for (const [key, child] of Object.entries(node)) if (key !== "key" || node["computed"] === true) this.visit(child);
  }

  /**
   * Inside a type nothing is a reference that runs, but imports and Node's own types are still facts.
   *
   * @param {Node} node
   */
  #visitType(node) {
    if (node.type === "TSImportType" && isNode(node["source"])) this.namedImports.add(String(node["source"]["value"]));
    if (node.type === "TSTypeReference") {
      let name = /** @type {Node} */ (node["typeName"]);
      while (name.type === "TSQualifiedName") name = /** @type {Node} */ (name["left"]);
      if (NODE_TYPES.has(String(name["name"]))) this.nodeTypes.add(String(name["name"]));
    }
    for (const child of Object.values(node)) this.#visitOnlyTypes(child);
  }

  /** @param {unknown} value */
  #visitOnlyTypes(value) {
    if (Array.isArray(value)) {
      for (const item of value) this.#visitOnlyTypes(item);
    } else if (isNode(value)) {
      if (value.type.startsWith("TS")) this.#visitType(value);
      else for (const child of Object.values(value)) this.#visitOnlyTypes(child);
    }
  }

  /** @param {Node} node */
  #visitChildren(node) {
    for (const child of Object.values(node)) this.visit(child);
  }

  /** @param {Node} node */
  #noteDeclarations(node) {
    switch (node.type) {
      case "VariableDeclarator":
        this.#declare(node["id"]);
        return;
      case "CatchClause":
        this.#declare(node["param"]);
        return;
      case "ClassDeclaration":
      case "ClassExpression":
        this.#declare(node["id"]);
        return;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        this.#declare(node["id"]);
        for (const parameter of /** @type {unknown[]} */ (node["params"])) this.#declare(parameter);
        return;
      case "ImportDeclaration":
        for (const specifier of /** @type {Node[]} */ (node["specifiers"])) this.#declare(specifier["local"]);
        return;
      default:
    }
  }

  /**
   * The names a pattern binds.
   *
   * @param {unknown} pattern
   */
  #declare(pattern) {
    if (!isNode(pattern)) return;
    switch (pattern.type) {
      case "Identifier":
        this.declared.add(String(pattern["name"]));
        return;
      case "AssignmentPattern":
        this.#declare(pattern["left"]);
        return;
      case "RestElement":
        this.#declare(pattern["argument"]);
        return;
      case "ArrayPattern":
        for (const element of /** @type {unknown[]} */ (pattern["elements"])) this.#declare(element);
        return;
      case "ObjectPattern":
        for (const property of /** @type {Node[]} */ (pattern["properties"])) {
          this.#declare(property.type === "Property" ? property["value"] : property);
        }
        return;
      default:
    }
  }

  /** @param {Node} node */
  #noteReaches(node) {
    if (node.type === "MemberExpression") {
      if (isNamed(node["object"], "Date") && isNamed(node["property"], "now")) this.ambient.add("Date.now");
      if (isNamed(node["object"], "Math") && isNamed(node["property"], "random")) this.ambient.add("Math.random");
      if (isNamed(node["object"], "AbortSignal") && isNamed(node["property"], "timeout"))
        this.ambient.add("AbortSignal.timeout");
    }
    if (node.type === "CallExpression") {
      if (isNamed(node["callee"], "Date")) this.ambient.add("Date()");
      const [first] = /** @type {Node[]} */ (node["arguments"]);
      const text = first?.type === "Literal" ? String(first["value"]) : "";
      if (/^node:\w/.test(text)) this.namedImports.add(text);
    }
    if (node.type === "NewExpression" && isNamed(node["callee"], "Date")) {
      if (/** @type {unknown[]} */ (node["arguments"]).length === 0) this.ambient.add("new Date()");
    }
    // By another name they would pass unseen: `const { now } = Date`, `globalThis.setTimeout`.
    if (node.type === "VariableDeclarator" && isNode(node["id"]) && node["id"].type === "ObjectPattern") {
      for (const owner of ["Date", "Math"]) if (isNamed(node["init"], owner)) this.ambient.add(`{ … } = ${owner}`);
    }
    if (isNamed(node, "globalThis")) this.ambient.add("globalThis");
  }
}

/**
 * @param {unknown} value
 * @returns {value is Node}
 */
function isNode(value) {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/**
 * @param {unknown} node
 * @param {string} name
 */
function isNamed(node, name) {
  return isNode(node) && node.type === "Identifier" && node["name"] === name;
}
