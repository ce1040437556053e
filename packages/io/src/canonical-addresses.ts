import { lookup, reverse } from "node:dns/promises";

import { type Address } from "@samsa/base";

/**
 * The names that the addresses of a host have, where the host is only an alias of them: certificates and tickets are made for those.
 * An address that has no name stays as it is. @throws what the system's resolver throws for the host
 */
export async function canonicalAddresses({ host, port }: Address): Promise<readonly Address[]> {
  const found = await lookup(host, { all: true, verbatim: true });
  const names = await Promise.all(found.map(async ({ address }) => await nameOf(address)));
  return [...new Set(names)].map((name) => ({ host: name, port }));
}

async function nameOf(address: string): Promise<string> {
  try {
    return (await reverse(address))[0] ?? address;
  } catch {
    return address;
  }
}
