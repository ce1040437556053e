import assert from "node:assert/strict";
import net from "node:net";
import { networkInterfaces } from "node:os";
import { describe, mock, test } from "node:test";

import { type Connection, type Listener, type TransportError } from "@samsa/base";
import { VirtualClock } from "@samsa/simulation";

import { TcpTransport, type TcpTransportOptions } from "./tcp-transport.ts";
import { deferred, rejectsWith, TestEnd, transportSuite } from "./transport.test.suite.ts";

transportSuite("TcpTransport", (options) => new TcpTransport(options));
transportSuite("TcpTransport that reads into shared memory", (options) => new TcpTransport(options), {
  copiesData: true,
});
transportSuite("TcpTransport that polls", (options) => new TcpTransport({ ...options, busyPollMs: 1 }));

describe("TcpTransport", () => {
  const gathering = [
    { side: "server", times: 1, why: "answers all frames of one tick in one writev" },
    { side: "client", times: 2, why: "sends each frame of several chunks in one writev, at once" },
  ] as const;
  for (const { side, times, why } of gathering) {
    test(`the ${side} ${why}`, async () => {
      const { client, server, close } = await pair();
      const [from, to] = side === "client" ? [client, server] : [server, client];
      const prototype = net.Socket.prototype as unknown as { _write(): void; _writev(): void };
      const writev = mock.method(prototype, "_writev");
      const write = mock.method(prototype, "_write");
      from.connection.write([new Uint8Array(4), new Uint8Array(0), new Uint8Array(10)]);
      from.connection.write([new Uint8Array(4), new Uint8Array(20)]);
      const atOnce = writev.mock.callCount();
      await to.receives(38);
      mock.restoreAll();
      assert.equal(writev.mock.callCount(), times);
      assert.equal(atOnce, side === "client" ? times : 0);
      assert.equal(write.mock.callCount(), 0);
      await close();
    });
  }

  test("ends when the peer ends, after what was queued for it has left", async () => {
    const listening = deferred<TestEnd>();
    const transport = new TcpTransport();
    const listener = await listenWith(transport, listening.resolve);
    const peer = net.connect({ ...listener.address, allowHalfOpen: true });
    const server = await listening.promise;
    const answer = new Uint8Array(4_000_000);
    server.onBytes = () => server.connection.write([answer]);
    peer.end("a question, and no more");
    let received = 0;
    for await (const piece of peer) received += (piece as Buffer).length;
    assert.equal(received, answer.length);
    assert.equal(await server.closed, undefined);
    await listener.close();
  });

  test("does not wait for ever on a peer that says FIN and then reads nothing", async () => {
    const clock = new VirtualClock();
    const listening = deferred<TestEnd>();
    const listener = await listenWith(new TcpTransport({ clock, lingerMs: 3000 }), listening.resolve);
    const peer = net.connect({ ...listener.address, allowHalfOpen: true });
    const server = await listening.promise;
    const asked = deferred<void>();
    server.onBytes = () => {
      server.connection.write([new Uint8Array(32 * 1024 * 1024)]);
      asked.resolve();
    };
    peer.end("a question");
    await asked.promise;
    // The peer's FIN is what starts the timer.
    while (clock.pendingTimers === 0) await turn();
    clock.advance(3000);
    assert.equal(((await server.closed) as TransportError).code, "ETIMEDOUT");
    peer.destroy();
    await listener.close();
  });

  test("shows a reset as ECONNRESET", async () => {
    const listening = deferred<TestEnd>();
    const listener = await listenWith(new TcpTransport(), listening.resolve);
    const peer = net.connect(listener.address);
    const server = await listening.promise;
    peer.resetAndDestroy();
    const error = (await server.closed) as TransportError;
    assert.equal(error.code, "ECONNRESET");
    assert.match(error.message, /^127\.0\.0\.1:\d+: /);
    await listener.close();
  });

  for (const host of hasIpv6() ? ["::1", "[::1]"] : []) {
    test(`takes ${host} as a host`, async () => {
      const { client, close } = await pair({}, host);
      assert.equal(client.connection.remoteAddress.host, "::1");
      await close();
    });
  }

  test("shows an IPv4 peer of an IPv6 listener by its IPv4 address", async () => {
    const listening = deferred<TestEnd>();
    const listener = await listenWith(new TcpTransport(), listening.resolve, hasIpv6() ? "::" : "");
    const peer = net.connect({ host: "127.0.0.1", port: listener.address.port });
    const server = await listening.promise;
    assert.equal(server.connection.remoteAddress.host, "127.0.0.1");
    assert.equal(server.connection.localAddress.host, "127.0.0.1");
    peer.destroy();
    await server.closed;
    await listener.close();
  });

  test("refuses to listen on an address that is not ours", async () => {
    const transport = new TcpTransport();
    await rejectsWith(
      "EADDRNOTAVAIL",
      transport.listen({ host: "192.0.2.1", port: 0 }, () => new TestEnd()),
    );
  });

  test("tries the addresses of a name in turn", async () => {
    const { client, close } = await pair({ lookup: async () => ["::1", "127.0.0.1"] }, "127.0.0.1", "broker.test");
    assert.equal(client.connection.remoteAddress.host, "127.0.0.1");
    await close();
  });

  test("says of every address why it failed", async () => {
    const closedPort = await freePort();
    const transport = new TcpTransport({ lookup: async () => ["127.0.0.1", "127.0.0.1"] });
    await assert.rejects(transport.connect({ host: "broker.test", port: closedPort }, new TestEnd()), {
      name: "TransportError",
      code: "ECONNREFUSED",
      message: new RegExp(`127\\.0\\.0\\.1:${closedPort}: .*; .*127\\.0\\.0\\.1:${closedPort}: `),
    });
  });

  test("passes on that a name is not known", async () => {
    const lookup = async (): Promise<never> => {
      throw Object.assign(new Error("getaddrinfo ENOTFOUND broker.test"), { code: "ENOTFOUND" });
    };
    const address = { host: "broker.test", port: 9092 };
    await rejectsWith("ENOTFOUND", new TcpTransport({ lookup }).connect(address, new TestEnd()));
    await rejectsWith("ENOTFOUND", new TcpTransport({ lookup: async () => [] }).connect(address, new TestEnd()));
  });

  test("gives up a connect at its timeout, name lookup included", async () => {
    const clock = new VirtualClock();
    const answer = deferred<readonly string[]>();
    const transport = new TcpTransport({ clock, lookup: () => answer.promise });
    const connecting = transport.connect({ host: "broker.test", port: 9092 }, new TestEnd(), { timeoutMs: 1500 });
    clock.advance(1500);
    await assert.rejects(connecting, {
      code: "ETIMEDOUT",
      message: "no connection to broker.test:9092 within 1500 ms",
    });
    const connect = mock.method(net, "connect");
    answer.resolve(["127.0.0.1"]);
    await turn();
    assert.equal(connect.mock.callCount(), 0);
    mock.restoreAll();
  });

  test("tries the next address beside one that is silent, and keeps the one that answers", async () => {
    const clock = new VirtualClock();
    const { silent, sockets } = silentHost("192.0.2.1");
    const { client, close } = await pair(
      { clock, lookup: async () => ["192.0.2.1", "127.0.0.1"] },
      "127.0.0.1",
      "broker.test",
      async () => {
        await silent;
        clock.advance(250);
      },
    );
    assert.equal(client.connection.remoteAddress.host, "127.0.0.1");
    assert.equal(sockets[0]?.destroyed, true);
    assert.equal(clock.pendingTimers, 0);
    mock.restoreAll();
    await close();
  });

  test("leaves the other addresses alone when the first answers", async () => {
    const clock = new VirtualClock();
    const connect = mock.method(net, "connect");
    const { client, close } = await pair(
      { clock, lookup: async () => ["127.0.0.1", "192.0.2.1"] },
      "127.0.0.1",
      "broker.test",
    );
    assert.equal(clock.pendingTimers, 0);
    assert.equal(connect.mock.callCount(), 1);
    mock.restoreAll();
    assert.equal(client.connection.remoteAddress.host, "127.0.0.1");
    await close();
  });

  test("destroys every attempt when the timeout comes", async () => {
    const clock = new VirtualClock();
    const { silent, sockets } = silentHost("192.0.2.1");
    const transport = new TcpTransport({ clock });
    const connecting = transport.connect({ host: "192.0.2.1", port: 9092 }, new TestEnd());
    await silent;
    clock.advance(10_000);
    await rejectsWith("ETIMEDOUT", connecting);
    assert.equal(sockets[0]?.destroyed, true);
    mock.restoreAll();
  });

  test("reports that a connection could not be accepted, and goes on listening", async () => {
    const errors: TransportError[] = [];
    const servers: net.Server[] = [];
    const { createServer } = net;
    mock.method(net, "createServer", ((...args: Parameters<typeof createServer>) => {
      const server = createServer(...args);
      servers.push(server);
      return server;
    }) as typeof createServer);
    const { close, listener } = await pair({ onAcceptError: (error) => errors.push(error) });
    mock.restoreAll();
    servers[0]?.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }));
    assert.deepEqual(
      errors.map(({ code }) => code),
      ["EMFILE"],
    );
    const peer = net.connect(listener.address);
    await new Promise((resolve) => {
      peer.once("connect", resolve);
    });
    peer.destroy();
    await close();
  });

  test("warns, and lives on, when nobody asked to hear what handlers throw", async () => {
    const warning = new Promise<Error>((resolve) => {
      process.once("warning", resolve);
    });
    const { client, server, close } = await pair();
    server.onBytes = () => {
      throw new RangeError("the handler broke");
    };
    client.connection.write([new Uint8Array(1)]);
    assert.equal((await warning).message, "the handler broke");
    await server.closed;
    await close();
  });

  test("survives an onHandlerError that throws itself", async () => {
    const warning = new Promise<Error>((resolve) => {
      process.once("warning", resolve);
    });
    const { client, server, close } = await pair({
      onHandlerError: () => {
        throw new Error("so did the reporter");
      },
    });
    server.onBytes = () => {
      throw new Error("the handler broke");
    };
    client.connection.write([new Uint8Array(1)]);
    assert.equal((await warning).message, "so did the reporter");
    assert.equal((await server.closed)?.message, "the handler broke");
    await close();
  });
});

interface Pair {
  readonly client: TestEnd;
  readonly server: TestEnd;
  readonly listener: Listener;
  readonly close: () => Promise<void>;
}

async function pair(
  options: TcpTransportOptions = {},
  host = "127.0.0.1",
  dialled = host,
  meanwhile: () => Promise<void> = async () => {},
): Promise<Pair> {
  const transport = new TcpTransport(options);
  const accepted = deferred<TestEnd>();
  const listener = await listenWith(transport, accepted.resolve, host);
  const client = new TestEnd();
  const connecting = transport.connect({ host: dialled, port: listener.address.port }, client);
  await meanwhile();
  client.connection = await connecting;
  const server = await accepted.promise;
  const close = async (): Promise<void> => {
    client.connection.destroy();
    await Promise.all([client.closed, server.closed, listener.close()]);
  };
  return { client, server, listener, close };
}

function listenWith(transport: TcpTransport, accepted: (end: TestEnd) => void, host = "127.0.0.1"): Promise<Listener> {
  return transport.listen({ host, port: 0 }, (connection: Connection) => {
    const end = new TestEnd();
    end.connection = connection;
    accepted(end);
    return end;
  });
}

/** Containers often come without. */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));
}

/** Has sockets to `host` stay silent, as behind a firewall that drops; no packet leaves the machine. */
function silentHost(host: string): { readonly silent: Promise<void>; readonly sockets: readonly net.Socket[] } {
  const asked = deferred<void>();
  const sockets: net.Socket[] = [];
  const { connect } = net;
  mock.method(net, "connect", ((options: net.TcpNetConnectOpts) => {
    if (options.host !== host) return connect(options);
    const socket = new net.Socket();
    sockets.push(socket);
    asked.resolve();
    return socket;
  }) as typeof connect);
  return { silent: asked.promise, sockets };
}

async function freePort(): Promise<number> {
  const listener = await listenWith(new TcpTransport(), () => {});
  await listener.close();
  return listener.address.port;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
