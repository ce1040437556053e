import assert from "node:assert/strict";
import type { AddressInfo, Server as PlainServer, Socket } from "node:net";
import { createServer as createPlainServer } from "node:net";
import { createServer, type Server, type TlsOptions } from "node:tls";
import { after, describe, test } from "node:test";

import { type Address, type ConnectionHandler, TransportError } from "@samsa/base";

import { TEST_CERTIFICATE, TEST_KEY } from "./testing/certificate.ts";
import { TcpTransport } from "./tcp-transport.ts";
import type { TlsClientOptions } from "./tls-client.ts";

const CREDENTIALS = { cert: TEST_CERTIFICATE, key: TEST_KEY };
const IGNORE: ConnectionHandler = { onData: () => {}, onDrain: () => {}, onClose: () => {} };

const servers: (Server | PlainServer)[] = [];
const sockets = new Set<Socket>();

async function listen(server: Server | PlainServer): Promise<Address> {
  servers.push(server);
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => {});
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** A server that says everything back. */
function echo(options: TlsOptions = {}): Promise<Address> {
  const server = createServer({ ...CREDENTIALS, ...options }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  return listen(server);
}

async function roundTrip(address: Address, tls: TlsClientOptions, bytes: Uint8Array): Promise<Uint8Array> {
  const transport = new TcpTransport({ tls });
  const received: Uint8Array[] = [];
  let end = (): void => {};
  const answer = new Promise<Uint8Array>((resolve, reject) => {
    const handler: ConnectionHandler = {
      onData(chunk) {
        received.push(chunk);
        const all = Buffer.concat(received);
        if (all.length >= bytes.length) resolve(all);
      },
      onDrain: () => {},
      onClose: (error) => reject(error ?? new Error("closed")),
    };
    transport.connect(address, handler).then((connection) => {
      const half = bytes.length >> 1;
      end = () => connection.destroy();
      connection.write([bytes.subarray(0, half), bytes.subarray(half)]);
    }, reject);
  });
  return await answer.finally(() => end());
}

describe("TLS", () => {
  after(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  test("bytes arrive as they were sent, more than a record of TLS holds", async () => {
    const address = await echo();
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index * 7);
    const back = await roundTrip(address, { ca: TEST_CERTIFICATE }, bytes);
    assert.deepEqual(Buffer.compare(back, bytes), 0);
  });

  test("a certificate of an authority that nobody knows is refused, unless everything is taken", async () => {
    const address = await echo();
    await assert.rejects(new TcpTransport({ tls: {} }).connect(address, IGNORE), (error) => {
      assert.ok(error instanceof TransportError);
      assert.match(error.message, /^TLS with 127\.0\.0\.1:\d+: self-signed certificate/);
      return true;
    });
    await roundTrip(address, { rejectUnauthorized: false }, Uint8Array.of(1, 2));
  });

  test("a certificate of another host is refused, unless hosts do not matter", async () => {
    const address = await echo();
    const tls = { ca: TEST_CERTIFICATE, servername: "kafka.example" };
    await assert.rejects(new TcpTransport({ tls }).connect(address, IGNORE), /kafka\.example/);
    await roundTrip(address, { ...tls, checkHostname: false }, Uint8Array.of(1, 2));
  });

  test("a server that asks who we are is told", async () => {
    const address = await echo({ requestCert: true, rejectUnauthorized: true, ca: TEST_CERTIFICATE });
    const ca = TEST_CERTIFICATE;
    await assert.rejects(roundTrip(address, { ca }, Uint8Array.of(1, 2)));
    assert.equal((await roundTrip(address, { ca, ...CREDENTIALS }, Uint8Array.of(1, 2))).length, 2);
  });

  test("a server that does not speak TLS, or says nothing, is given up on", async () => {
    const rude = createPlainServer((socket) => {
      socket.once("data", () => socket.end("I speak no TLS, and never will"));
    });
    const address = await listen(rude);
    await assert.rejects(new TcpTransport({ tls: {} }).connect(address, IGNORE), TransportError);
    const silent = await listen(createPlainServer());
    await assert.rejects(new TcpTransport({ tls: {} }).connect(silent, IGNORE, { timeoutMs: 50 }), {
      code: "ETIMEDOUT",
    });
  });
});
