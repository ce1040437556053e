import { readFileSync } from "node:fs";

/** The version of Samsa, from the package that is running. */
export function samsaVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
