import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type Listener,
  type Transport,
  TransportError,
} from "@samsa/base";

import { type ConnectionOptions, connectionSettings, runHandler } from "./connection-options.ts";
import { MemoryConnection, type MemoryConnectionSettings } from "./memory-connection.ts";
import { bareHost, checkPort, formatAddress } from "./transport-errors.ts";

export interface MemoryTransportOptions extends ConnectionOptions {
  /** The most that one `onData` brings. Default 64 KiB; 1 shows whether a parser copes with any cut. */
  readonly readBytes?: number;
}

const FIRST_EPHEMERAL_PORT = 49_152;
const LAST_PORT = 65_535;
const EVERY_HOST = "";

/**
 * A network inside the process: what listens on one MemoryTransport is reached over the same one. Names are not resolved, a
 * listener answers to the host it was given; loopback has its usual names, and an empty host or `0.0.0.0` or `::` takes them all.
 */
export class MemoryTransport implements Transport {
  readonly #settings: MemoryConnectionSettings;
  readonly #listeners = new Set<MemoryListener>();
  #nextPort = FIRST_EPHEMERAL_PORT;

  constructor(options: MemoryTransportOptions = {}) {
    this.#settings = { ...connectionSettings(options), readBytes: options.readBytes ?? 64 * 1024 };
  }

  async listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
    checkPort(address);
    const host = canonicalHost(address.host);
    const port = address.port === 0 ? this.#ephemeralPort() : address.port;
    for (const other of this.#listeners) {
      if (other.port !== port || !(other.host === host || other.host === EVERY_HOST || host === EVERY_HOST)) continue;
      throw new TransportError("EADDRINUSE", `cannot listen on ${formatAddress(address)}: address already in use`);
    }
    const bound = { host: bareHost(address.host), port };
    const listener = new MemoryListener(host, bound, accept, () => this.#listeners.delete(listener));
    this.#listeners.add(listener);
    return listener;
  }

  async connect(address: Address, handler: ConnectionHandler): Promise<Connection> {
    checkPort(address);
    await nextTurn();
    const listener = this.#listenerAt(address);
    if (listener === undefined) {
      throw new TransportError("ECONNREFUSED", `cannot connect to ${formatAddress(address)}: connection refused`);
    }
    const serverAddress = { host: bareHost(address.host), port: address.port };
    const clientAddress = { host: "127.0.0.1", port: this.#ephemeralPort() };
    const [client, server] = MemoryConnection.pair(clientAddress, serverAddress, this.#settings);
    runHandler(this.#settings, server, () => server.attach(listener.accept(server)));
    client.attach(handler);
    return client;
  }

  #listenerAt(address: Address): MemoryListener | undefined {
    const host = canonicalHost(address.host);
    for (const listener of this.#listeners) {
      if (listener.port === address.port && (listener.host === host || listener.host === EVERY_HOST)) return listener;
    }
    return undefined;
  }

  #ephemeralPort(): number {
    const taken = new Set(Array.from(this.#listeners, ({ port }) => port));
    for (let tries = FIRST_EPHEMERAL_PORT; tries <= LAST_PORT; tries++) {
      const port = this.#nextPort;
      this.#nextPort = port < LAST_PORT ? port + 1 : FIRST_EPHEMERAL_PORT;
      if (!taken.has(port)) return port;
    }
    throw new TransportError("EADDRNOTAVAIL", "every ephemeral port has its listener");
  }
}

class MemoryListener implements Listener {
  readonly host: string;
  readonly address: Address;
  readonly accept: (connection: Connection) => ConnectionHandler;
  readonly #forget: () => void;

  constructor(
    host: string,
    address: Address,
    accept: (connection: Connection) => ConnectionHandler,
    forget: () => void,
  ) {
    this.host = host;
    this.address = address;
    this.accept = accept;
    this.#forget = forget;
  }

  get port(): number {
    return this.address.port;
  }

  async close(): Promise<void> {
    this.#forget();
  }
}

function canonicalHost(host: string): string {
  const bare = bareHost(host).toLowerCase();
  if (bare === "localhost" || bare === "::1") return "127.0.0.1";
  return bare === "0.0.0.0" || bare === "::" ? EVERY_HOST : bare;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
