import { type Address, TransportError } from "@samsa/base";

export function toTransportError(error: unknown, what: string): TransportError {
  if (error instanceof TransportError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TransportError(codeOf(error), `${what}: ${message}`, { cause: error });
}

/** Ports arrive from configuration and from other brokers' metadata, so a bad one is an error and no assertion. */
export function checkPort(address: Address): void {
  const { port } = address;
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new TransportError("EINVAL", `${formatAddress(address)}: a port is a number from 0 to 65535`);
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `[::1]` as it stands in a listener's address, without the brackets that only tell it from its port. */
export function bareHost(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
}
