import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import type { Address, Listener } from "@samsa/base";
import { bareHost, checkPort, formatAddress, toTransportError } from "./transport-errors.ts";

/** Pages are small and asked for every few seconds; more than this is no monitoring. */
const MAX_CONNECTIONS = 64;
const IDLE_MS = 5000;
const REQUEST_TIMEOUT_MS = 10_000;

export interface HttpPage {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The page at a path (without its query), or undefined where there is none. What it throws is answered with 500. */
export type HttpPages = (path: string) => HttpPage | undefined | Promise<HttpPage | undefined>;

/**
 * Serves pages to be read, over plain HTTP: GET and HEAD alone, nothing of a request but its path is looked at.
 * @throws TransportError as Transport.listen
 */
export function listenHttp(address: Address, pages: HttpPages): Promise<Listener> {
  return new Promise((resolve, reject) => {
    checkPort(address);
    const { createServer } = process.getBuiltinModule("node:http"); // now, for most brokers serve no pages
    const server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: IDLE_MS },
      (request, response) => void answer(request, response, pages),
    );
    server.maxConnections = MAX_CONNECTIONS;
    server.once("error", (error) => reject(toTransportError(error, `cannot listen on ${formatAddress(address)}`)));
    server.listen({ host: bareHost(address.host), port: address.port }, () => {
      server.removeAllListeners("error");
      server.on("error", () => {}); // one connection that could not be taken; its client sees it
      server.unref(); // watching a process does not keep it alive
      resolve(new HttpListener(server));
    });
  });
}

class HttpListener implements Listener {
  readonly address: Address;
  readonly #server: Server;
  #closed: Promise<void> | undefined;

  constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    this.#server = server;
  }

  /** Ends every connection; the port is free afterwards. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
    return this.#closed;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, pages: HttpPages): Promise<void> {
  request.resume(); // a body is nobody's business here
  const { status, contentType, body } = await pageOf(request, pages);
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(status === 405 && { allow: "GET, HEAD" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function pageOf({ method, url = "/" }: IncomingMessage, pages: HttpPages): Promise<HttpPage> {
  if (method !== "GET" && method !== "HEAD") return text(405, "only GET and HEAD\n");
  try {
    const path = url.split("?", 1)[0] ?? "/";
    return (await pages(path)) ?? text(404, "there is nothing here\n");
  } catch (error) {
    return text(500, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function text(status: number, body: string): HttpPage {
  return { status, contentType: "text/plain; charset=utf-8", body };
}
