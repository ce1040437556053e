/**
 * package-lock.json, as far as it is read here.
 *
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {string} [resolved]
 * @property {string} [integrity]
 * @property {string} [license]
 * @property {boolean} [dev]
 * @property {boolean} [link]
 * @property {boolean} [optional]
 * @property {boolean} [hasInstallScript]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 * @property {Record<string, string>} [optionalDependencies]
 *
 * @typedef {{ packages: Record<string, LockEntry> }} PackageLock
 */

/**
 * Optional dependencies that the lock names and has no entry for.
 *
 * @param {PackageLock} lock
 * @returns {{ name: string, version: string, by: string }[]} `by` is the path of the entry that asks for it
 */
export function missingFromLock({ packages }) {
  return Object.entries(packages).flatMap(([by, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => packages[`node_modules/${name}`] === undefined)
      .filter(([name]) => packages[`${by}/node_modules/${name}`] === undefined)
      .map(([name, version]) => ({ name, version, by })),
  );
}
