import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type Listener,
  type Transport,
  TransportError,
} from "@samsa/base";
import { VirtualClock } from "@samsa/simulation";
import * as fc from "fast-check";

import { type ConnectionOptions } from "./connection-options.ts";

const LOOPBACK: Address = { host: "127.0.0.1", port: 0 };
/** More than the buffers of a socket hold on any system. */
const MUCH = 32 * 1024 * 1024;

/** What every Transport does. @param copiesData whether the ends that connect copy what they are given */
export function transportSuite(
  name: string,
  make: (options: ConnectionOptions) => Transport,
  { copiesData = false }: { readonly copiesData?: boolean } = {},
): void {
  describe(name, () => {
    let clock: VirtualClock;
    let handlerErrors: { readonly error: unknown; readonly connection: Connection }[];
    let transport: Transport;
    let listeners: Listener[];
    let ends: TestEnd[];

    beforeEach(() => {
      clock = new VirtualClock();
      handlerErrors = [];
      listeners = [];
      ends = [];
      transport = make({
        clock,
        highWaterMarkBytes: 100_000,
        lingerMs: 5000,
        onHandlerError: (error, connection) => handlerErrors.push({ error, connection }),
      });
    });
    afterEach(async () => {
      for (const end of ends) end.connection.destroy();
      await Promise.all([...ends.map((end) => end.closed), ...listeners.map((listener) => listener.close())]);
      assert.equal(clock.pendingTimers, 0, "every timer was cancelled");
      for (const end of ends) assert.equal(end.closeCount, 1, "onClose came once");
    });

    interface Pair {
      readonly client: TestEnd;
      readonly server: TestEnd;
      readonly listener: Listener;
    }

    async function listen(accept: (end: TestEnd) => void = () => {}): Promise<Listener> {
      const listener = await transport.listen(LOOPBACK, (connection) => {
        const end = new TestEnd();
        end.connection = connection;
        ends.push(end);
        accept(end);
        return end;
      });
      listeners.push(listener);
      return listener;
    }

    async function connect(address: Address): Promise<TestEnd> {
      const end = new TestEnd(copiesData);
      end.connection = await transport.connect(address, end);
      ends.push(end);
      return end;
    }

    async function pair(): Promise<Pair> {
      const { promise: accepted, resolve } = deferred<TestEnd>();
      const listener = await listen(resolve);
      const client = await connect(listener.address);
      return { client, server: await accepted, listener };
    }

    /** Bytes sent on another connection and back: the network had its turns. */
    async function roundTrips(count: number): Promise<void> {
      const { client, server } = await pair();
      for (let i = 0; i < count; i++) {
        client.connection.write([bytes(1)]);
        await server.receives(i + 1);
        server.connection.write([bytes(1)]);
        await client.receives(i + 1);
      }
    }

    test("carries bytes both ways, in order, however they are cut", async () => {
      const { client, server } = await pair();
      const script = fc.array(fc.tuple(fc.boolean(), fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 })));
      await fc.assert(
        fc.asyncProperty(script, async (writes) => {
          client.forget();
          server.forget();
          const sent = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
          for (const [isClient, chunks] of writes) {
            (isClient ? client : server).connection.write(chunks);
            (isClient ? sent.client : sent.server).push(...chunks);
          }
          assert.deepEqual(await server.receives(byteCount(sent.client)), Buffer.concat(sent.client));
          assert.deepEqual(await client.receives(byteCount(sent.server)), Buffer.concat(sent.server));
        }),
        { numRuns: 50 },
      );
    });

    test("tells each end its own address and the other's", async () => {
      const { client, server, listener } = await pair();
      assert.ok(listener.address.port > 0);
      assert.deepEqual(server.connection.localAddress, listener.address);
      assert.deepEqual(client.connection.remoteAddress, listener.address);
      assert.deepEqual(client.connection.localAddress, server.connection.remoteAddress);
      assert.notEqual(client.connection.localAddress.port, listener.address.port);
    });

    test("gives each listener that asks for port 0 a port of its own", async () => {
      const [one, two] = [await listen(), await listen()];
      assert.notEqual(one.address.port, two.address.port);
    });

    test("refuses a port that is listened to: EADDRINUSE", async () => {
      const { address } = await listen();
      await rejectsWith(
        "EADDRINUSE",
        transport.listen(address, () => new TestEnd()),
      );
    });

    test("refuses to connect where nobody listens: ECONNREFUSED", async () => {
      const listener = await listen();
      await listener.close();
      await rejectsWith("ECONNREFUSED", transport.connect(listener.address, new TestEnd()));
    });

    for (const port of [-1, 65_536, 1.5, Number.NaN]) {
      test(`refuses ${port} as a port`, async () => {
        await rejectsWith("EINVAL", transport.connect({ host: "127.0.0.1", port }, new TestEnd()));
        await rejectsWith(
          "EINVAL",
          transport.listen({ host: "127.0.0.1", port }, () => new TestEnd()),
        );
      });
    }

    test("reaches a listener on every interface by name and by address", async () => {
      for (const host of ["0.0.0.0", ""]) {
        const listener = await transport.listen({ host, port: 0 }, (connection) => {
          const end = new TestEnd();
          end.connection = connection;
          ends.push(end);
          return end;
        });
        listeners.push(listener);
        for (const name of ["127.0.0.1", "localhost"]) await connect({ host: name, port: listener.address.port });
      }
    });

    test("keeps open connections when the listener closes, and frees its port at once", async () => {
      const { client, server, listener } = await pair();
      await listener.close();
      await listener.close();
      const again = await transport.listen(listener.address, () => new TestEnd());
      listeners.push(again);
      client.connection.write([text("still here")]);
      assert.equal(String(await server.receives(10)), "still here");
    });

    test("a writer is told once when its chunks have left, and may change them then", async () => {
      const { client, server } = await pair();
      const chunks = [new Uint8Array(10).fill(1), new Uint8Array(300_000).fill(2), new Uint8Array(0)];
      let taken = 0;
      await new Promise<void>((resolve) => {
        client.connection.write(chunks, () => {
          taken++;
          for (const chunk of chunks) chunk.fill(9);
          resolve();
        });
      });
      const received = await server.receives(300_010);
      assert.deepEqual([received[0], received[9], received[10], received.at(-1)], [1, 1, 2, 2]);
      assert.equal(taken, 1);
    });

    test("asks a writer to wait above the high-water mark, and calls when all has left", async () => {
      const { client, server } = await pair();
      assert.equal(client.connection.write([bytes(1000)]), true);
      server.connection.pause();
      assert.equal(client.connection.write([bytes(MUCH)]), false);
      assert.ok(client.connection.bufferedBytes > 0);
      assert.equal(client.drainCount, 0);
      server.connection.resume();
      await client.drained;
      assert.equal(client.connection.bufferedBytes, 0);
      assert.equal(client.drainCount, 1);
      await server.receives(1000 + MUCH);
      assert.equal(client.connection.write([bytes(1000)]), true);
    });

    test("calls a writer that went on regardless when the last of it has left, and not before", async () => {
      const { client, server } = await pair();
      client.onDrained = () => assert.equal(client.connection.bufferedBytes, 0);
      server.connection.pause();
      for (let i = 0; i < 5; i++) {
        assert.equal(client.connection.write([bytes(MUCH / 4)]), false);
        await roundTrips(1);
      }
      server.connection.resume();
      await client.drained;
      assert.deepEqual(handlerErrors, []);
      assert.equal(client.drainCount, 1);
    });

    test("stops reading while paused, so that the writer is held back", async () => {
      const { client, server } = await pair();
      server.connection.pause();
      client.connection.write([bytes(MUCH)]);
      await roundTrips(20);
      assert.ok(server.receivedBytes <= 1024 * 1024, `${server.receivedBytes} bytes came through`);
      assert.ok(client.connection.bufferedBytes > 0);
      assert.equal(client.drainCount, 0);
      server.connection.resume();
      await server.receives(MUCH);
      await client.drained;
    });

    test("can be paused and resumed by the handler at every piece", async () => {
      const { client, server } = await pair();
      server.onBytes = () => {
        server.connection.pause();
        setImmediate(() => server.connection.resume());
      };
      client.connection.write([bytes(1_000_000)]);
      await server.receives(1_000_000);
    });

    test("gives the receiver bytes of its own, to keep and to overwrite", async () => {
      const { client, server } = await pair();
      const sent = bytes(500_000);
      const pieces: Uint8Array[] = [];
      server.onBytes = (piece) => {
        for (const earlier of pieces)
          assert.ok(
            earlier.every((byte) => byte === 0xee),
            "a later piece wrote over it",
          );
        pieces.push(piece.fill(0xee));
      };
      client.connection.write([sent]);
      await server.receives(sent.length);
      assert.deepEqual(sent, bytes(500_000));
    });

    test("ends when all that was written has arrived, with an error on neither side", async () => {
      const { client, server } = await pair();
      const sent = bytes(8_000_000);
      client.connection.write([sent.subarray(0, 10)]);
      client.connection.write([sent.subarray(10)]);
      client.connection.end();
      client.connection.end();
      assert.deepEqual(await server.receives(sent.length), Buffer.from(sent));
      assert.equal(await server.closed, undefined);
      assert.equal(await client.closed, undefined);
    });

    test("delivers to the one that ends nothing more", async () => {
      const { client, server } = await pair();
      client.connection.end();
      server.connection.write([bytes(200_000)]);
      await Promise.all([client.closed, server.closed]);
      assert.equal(client.receivedBytes, 0);
    });

    test("ends cleanly while it is paused itself", async () => {
      const { client, server } = await pair();
      client.connection.pause();
      server.connection.write([bytes(1000)]);
      client.connection.write([text("last words")]);
      client.connection.end();
      client.connection.pause();
      assert.equal(String(await server.receives(10)), "last words");
      assert.equal(await client.closed, undefined);
    });

    test("gives up after the linger time on a peer that takes nothing", async () => {
      const { client, server } = await pair();
      server.connection.pause();
      client.connection.write([bytes(MUCH)]);
      client.connection.end();
      clock.advance(4999);
      await roundTrips(5);
      assert.equal(client.closeCount, 0);
      clock.advance(1);
      const error = await client.closed;
      assert.ok(error instanceof TransportError);
      assert.equal(error.code, "ETIMEDOUT");
      server.connection.resume();
      await server.closed;
    });

    test("tells the owner why it destroyed, and the peer that it is over", async () => {
      const { client, server } = await pair();
      const reason = new Error("a frame too long");
      client.connection.destroy(reason);
      client.connection.destroy(new Error("a second thought"));
      assert.equal(await client.closed, reason);
      await server.closed;
    });

    test("shows a peer that vanishes before it took everything as an error or as an end, but never twice", async () => {
      const { client, server } = await pair();
      server.connection.pause();
      client.connection.write([bytes(MUCH)]);
      await roundTrips(3);
      server.connection.destroy();
      assert.equal(await server.closed, undefined);
      const error = await client.closed;
      assert.ok(error instanceof TransportError);
      assert.match(error.code, /^(ECONNRESET|EPIPE)$/);
    });

    test("does nothing once closed", async () => {
      const { client, server } = await pair();
      server.connection.end();
      await Promise.all([client.closed, server.closed]);
      for (const { connection } of [client, server]) {
        connection.write([bytes(10)]);
        connection.pause();
        connection.resume();
        connection.end();
        connection.destroy(new Error("too late"));
        assert.equal(connection.bufferedBytes, 0);
      }
      await roundTrips(2);
    });

    test("never calls a handler from within a call to its connection", async () => {
      const { client, server } = await pair();
      client.onBytes = () => {
        client.connection.write([bytes(200_000)]);
        client.connection.pause();
        client.connection.resume();
        client.connection.end();
        client.connection.destroy();
      };
      server.connection.write([bytes(10)]);
      await Promise.all([client.closed, server.closed]);
      assert.equal(client.deepest, 1);
      assert.equal(server.deepest, 1);
    });

    describe("destroys one connection and no other when", () => {
      const broken = new Error("the handler broke");
      const cases: { readonly why: string; readonly act: (pair: Pair) => void }[] = [
        {
          why: "onData throws",
          act: ({ client, server }) => {
            server.onBytes = thrower(broken);
            client.connection.write([bytes(1)]);
          },
        },
        {
          why: "onDrain throws",
          act: ({ server }) => {
            server.onDrained = thrower(broken);
            server.connection.write([bytes(MUCH)]);
          },
        },
        {
          why: "onClose throws",
          act: ({ client, server }) => {
            server.onClosed = thrower(broken);
            client.connection.end();
          },
        },
      ];
      for (const { why, act } of cases) {
        test(why, async () => {
          const { client, server, listener } = await pair();
          const bystander = await connect(listener.address);
          act({ client, server, listener });
          await Promise.all([client.closed, server.closed]);
          assert.equal(handlerErrors.length, 1);
          assert.equal(handlerErrors[0]?.error, broken);
          assert.equal(handlerErrors[0]?.connection, server.connection);
          assert.equal(bystander.closeCount, 0);
          await connect(listener.address);
        });
      }

      test("accept throws", async () => {
        const { client } = await pair();
        const listener = await transport.listen(LOOPBACK, thrower(broken));
        listeners.push(listener);
        const refused = await connect(listener.address);
        await refused.closed;
        assert.equal(handlerErrors[0]?.error, broken);
        assert.equal(client.closeCount, 0);
      });

      test("something is thrown that is no error", async () => {
        const { client, server } = await pair();
        server.onBytes = () => {
          throw "a string"; // oxlint-disable-line no-throw-literal
        };
        client.connection.write([bytes(1)]);
        assert.equal((await server.closed)?.message, "a string");
      });
    });

    test("takes what is written and ended within accept", async () => {
      const listener = await listen((end) => {
        end.connection.write([text("go away")]);
        end.connection.end();
      });
      const client = await connect(listener.address);
      assert.equal(String(await client.receives(7)), "go away");
      assert.equal(await client.closed, undefined);
    });

    test("takes a destroy within accept", async () => {
      const listener = await listen((end) => end.connection.destroy());
      const client = await connect(listener.address);
      await client.closed;
    });
  });
}

/** A handler that remembers, and that can be waited for. */
export class TestEnd implements ConnectionHandler {
  readonly copiesData: boolean;
  connection!: Connection;
  onBytes: (bytes: Uint8Array) => void = () => {};
  onDrained: () => void = () => {};
  onClosed: () => void = () => {};
  receivedBytes = 0;
  drainCount = 0;
  closeCount = 0;
  /** How many calls were ever under way at once. */
  deepest = 0;
  readonly closed: Promise<Error | undefined>;
  readonly drained: Promise<void>;
  #depth = 0;
  #pieces: Uint8Array[] = [];
  #waiting: {
    readonly count: number;
    readonly resolve: (bytes: Buffer) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  readonly #resolveClosed: (error: Error | undefined) => void;
  readonly #resolveDrained: () => void;

  constructor(copiesData = false) {
    this.copiesData = copiesData;
    ({ promise: this.closed, resolve: this.#resolveClosed } = deferred<Error | undefined>());
    ({ promise: this.drained, resolve: this.#resolveDrained } = deferred<void>());
  }

  /** All that came so far, once it is `count` bytes or more. */
  receives(count: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count, resolve, reject });
      this.#settle();
    });
  }

  forget(): void {
    this.receivedBytes = 0;
    this.#pieces = [];
  }

  onData(bytes: Uint8Array): void {
    this.#enter(() => {
      assert.equal(this.closeCount, 0, "onData after onClose");
      this.receivedBytes += bytes.length;
      this.#pieces.push(new Uint8Array(bytes));
      this.#settle();
      this.onBytes(bytes);
    });
  }

  onDrain(): void {
    this.#enter(() => {
      assert.equal(this.closeCount, 0, "onDrain after onClose");
      this.drainCount++;
      this.#resolveDrained();
      this.onDrained();
    });
  }

  onClose(error?: Error): void {
    this.#enter(() => {
      this.closeCount++;
      this.#resolveClosed(error);
      for (const { count, reject } of this.#waiting) {
        reject(new Error(`closed after ${this.receivedBytes} of ${count} bytes`, { cause: error }));
      }
      this.onClosed();
    });
  }

  #enter(call: () => void): void {
    this.#depth++;
    this.deepest = Math.max(this.deepest, this.#depth);
    try {
      call();
    } finally {
      this.#depth--;
    }
  }

  #settle(): void {
    const still = this.#waiting.filter(({ count }) => count > this.receivedBytes);
    const ready = this.#waiting.filter(({ count }) => count <= this.receivedBytes);
    this.#waiting = still;
    for (const { resolve } of ready) resolve(Buffer.concat(this.#pieces));
  }
}

export async function rejectsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof TransportError, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

function thrower(error: Error): () => never {
  return () => {
    throw error;
  };
}

/** A pattern with a period that no power of two divides, so that pieces out of order show. */
function bytes(count: number): Uint8Array {
  const pattern = new Uint8Array(count);
  for (let i = 0; i < count; i++) pattern[i] = i % 251;
  return pattern;
}

function text(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}

function byteCount(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

/** Promise.withResolvers came with Node 22. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
