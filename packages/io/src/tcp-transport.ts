import { lookup } from "node:dns/promises";
import net, { type AddressInfo, type Server, type Socket } from "node:net";

import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type Listener,
  type Transport,
  TransportError,
} from "@samsa/base";

import { BusyPolling } from "./busy-polling.ts";
import {
  type ConnectionOptions,
  type ConnectionSettings,
  connectionSettings,
  runHandler,
  warn,
} from "./connection-options.ts";
import { TcpConnection } from "./tcp-connection.ts";
import { type SharedRead } from "./shared-read.ts";
import { dial, SOCKET_OPTIONS } from "./tcp-dial.ts";
import { secure, type TlsClientOptions } from "./tls-client.ts";
import { bareHost, checkPort, formatAddress, toTransportError } from "./transport-errors.ts";

export interface TcpTransportOptions extends ConnectionOptions {
  /** Connections the system may hold for a listener before we accept them. Default 511; Linux caps it at `somaxconn`. */
  readonly backlog?: number;
  /** For a connect that names no timeout of its own; name lookup included. Default 10 s, as `socket.connection.setup.timeout.ms`. */
  readonly connectTimeoutMs?: number;
  /** Addresses of a name, in the order to try them. Default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  /** Speaks TLS on the connections made, not on those accepted. Default: bytes as they are. */
  readonly tls?: TlsClientOptions;
  /** How long after bytes of an accepted connection the event loop looks for more without sleeping, which takes a core. Default 0: not at all. */
  readonly busyPollMs?: number;
  /** Told that an incoming connection could not be taken, for want of descriptors say. Default: a process warning. */
  readonly onAcceptError?: (error: TransportError) => void;
}

/** TCP. An empty host listens on every interface. */
export class TcpTransport implements Transport {
  readonly #settings: ConnectionSettings;
  readonly #backlog: number;
  readonly #connectTimeoutMs: number;
  readonly #lookup: (host: string) => Promise<readonly string[]>;
  readonly #onAcceptError: (error: TransportError) => void;
  readonly #tls: TlsClientOptions | undefined;
  readonly #polling: BusyPolling | undefined;

  constructor(options: TcpTransportOptions = {}) {
    this.#settings = connectionSettings(options);
    this.#backlog = options.backlog ?? 511;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
    this.#lookup = options.lookup ?? systemLookup;
    this.#onAcceptError = options.onAcceptError ?? warn;
    this.#tls = options.tls;
    this.#polling = options.busyPollMs ? new BusyPolling(options.busyPollMs) : undefined;
  }

  listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
    return new Promise((resolve, reject) => {
      checkPort(address);
      const server = net.createServer(SOCKET_OPTIONS, (socket) => this.#accept(socket, accept));
      const where = `cannot listen on ${formatAddress(address)}`;
      server.once("error", (error) => reject(toTransportError(error, where)));
      server.listen({ host: bareHost(address.host), port: address.port, backlog: this.#backlog }, () => {
        server.removeAllListeners("error");
        const bound = server.address() as AddressInfo;
        const listening: Address = { host: bound.address, port: bound.port };
        server.on("error", (error) => {
          this.#onAcceptError(toTransportError(error, `cannot accept on ${formatAddress(listening)}`));
        });
        resolve(new TcpListener(server, listening));
      });
    });
  }

  async connect(
    address: Address,
    handler: ConnectionHandler,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Connection> {
    checkPort(address);
    const timeoutMs = options.timeoutMs ?? this.#connectTimeoutMs;
    const { clock } = this.#settings;
    return new Promise((resolve, reject) => {
      let cancelDial = (): void => {};
      let timedOut = false;
      const timer = clock.setTimer(timeoutMs, () => {
        timedOut = true;
        cancelDial();
        reject(new TransportError("ETIMEDOUT", `no connection to ${formatAddress(address)} within ${timeoutMs} ms`));
      });
      const failed = (error: TransportError): void => {
        timer.cancel();
        reject(error);
      };
      const tls = this.#tls;
      const secured = (socket: Socket, read: SharedRead | undefined): void => {
        if (tls === undefined) return connected(socket, read);
        cancelDial = () => socket.destroy();
        secure(socket, bareHost(address.host), tls, (error, overTls) => {
          if (timedOut) overTls.destroy();
          else if (error === undefined) connected(overTls, undefined);
          else failed(error);
        });
      };
      const connected = (socket: Socket, read: SharedRead | undefined): void => {
        timer.cancel();
        const connection = new TcpConnection(socket, this.#settings, { gathers: false, read });
        connection.attach(handler);
        resolve(connection);
      };
      const start = async (): Promise<void> => {
        try {
          const addresses = await this.#addressesOf(bareHost(address.host));
          if (timedOut) return;
          const sharesReads = tls === undefined && handler.copiesData === true;
          cancelDial = dial(addresses, address.port, { clock, sharesReads }, { connected: secured, failed });
        } catch (error) {
          failed(toTransportError(error, `cannot connect to ${formatAddress(address)}`));
        }
      };
      void start();
    });
  }

  async #addressesOf(host: string): Promise<readonly string[]> {
    if (net.isIP(host) !== 0) return [host];
    try {
      const addresses = await this.#lookup(host);
      if (addresses.length > 0) return addresses;
    } catch (error) {
      throw toTransportError(error, `cannot resolve ${host}`);
    }
    throw new TransportError("ENOTFOUND", `cannot resolve ${host}: it has no address`);
  }

  #accept(socket: Socket, accept: (connection: Connection) => ConnectionHandler): void {
    const connection = new TcpConnection(socket, this.#settings, { gathers: true, polling: this.#polling });
    // Gone between the system's accept and ours: nobody needs to hear of it.
    if (socket.remoteAddress === undefined) return connection.destroy();
    runHandler(this.#settings, connection, () => connection.attach(accept(connection)));
  }
}

class TcpListener implements Listener {
  readonly address: Address;
  readonly #server: Server;
  #closed: Promise<void> | undefined;

  constructor(server: Server, address: Address) {
    this.#server = server;
    this.address = address;
  }

  close(): Promise<void> {
    // The callback of `server.close` waits until the last connection is gone. The port itself is free at once.
    this.#closed ??= new Promise((resolve) => {
      this.#server.close();
      setImmediate(resolve);
    });
    return this.#closed;
  }
}

async function systemLookup(host: string): Promise<readonly string[]> {
  const addresses = await lookup(host, { all: true, verbatim: true });
  return addresses.map(({ address }) => address);
}
