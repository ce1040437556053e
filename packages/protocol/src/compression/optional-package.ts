import { createRequire } from "node:module";

/** Loads what need not be there: packages with a prebuilt binary for some platforms. An import would fail the whole module. */
export const requirePackage = createRequire(import.meta.url);

/** The package, or undefined when it is not installed or has no binary for this platform. */
export function optionalPackage(name: string): unknown {
  try {
    return requirePackage(name);
  } catch {
    return undefined;
  }
}
