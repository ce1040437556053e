import type { Address } from "@samsa/base";
import { ConfigurationError } from "../errors.ts";

const DEFAULT_PORT = 9092;

/**
 * Reads `host:port,host:port` or a list of such. IPv6 addresses stand in brackets; a port left out is 9092.
 * @throws ConfigurationError
 */
export function parseBootstrapServers(servers: string | readonly string[]): readonly Address[] {
  const texts = (typeof servers === "string" ? servers.split(",") : servers).map((text) => text.trim());
  const addresses = texts.filter((text) => text !== "").map(parseAddress);
  if (addresses.length === 0) throw new ConfigurationError("bootstrapServers names no server; one is host:port");
  return addresses;
}

function parseAddress(text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:/\s[\]]+))(?::(\d{1,5}))?$/u.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (host === undefined || port < 1 || port > 65535) {
    throw new ConfigurationError(
      `${JSON.stringify(text)} is no server: host:port is wanted, with IPv6 addresses in brackets, as in [::1]:9092`,
    );
  }
  return { host, port };
}
