import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MemoryTransport } from "./memory-transport.ts";
import { rejectsWith, TestEnd, transportSuite } from "./transport.test.suite.ts";

transportSuite("MemoryTransport", (options) => new MemoryTransport(options));

describe("MemoryTransport", () => {
  test("keeps listeners apart by host, whatever their names", async () => {
    const network = new MemoryTransport();
    const accepted: string[] = [];
    for (const host of ["broker-1", "broker-2"]) {
      await network.listen({ host, port: 9092 }, () => {
        accepted.push(host);
        return new TestEnd();
      });
    }
    await network.connect({ host: "Broker-2", port: 9092 }, new TestEnd());
    assert.deepEqual(accepted, ["broker-2"]);
    await rejectsWith("ECONNREFUSED", network.connect({ host: "broker-3", port: 9092 }, new TestEnd()));
    await rejectsWith("ECONNREFUSED", new MemoryTransport().connect({ host: "broker-1", port: 9092 }, new TestEnd()));
  });

  test("lets a listener on every interface and another not share a port", async () => {
    const network = new MemoryTransport();
    await network.listen({ host: "localhost", port: 9092 }, () => new TestEnd());
    for (const host of ["0.0.0.0", "::", "", "127.0.0.1", "[::1]"]) {
      await rejectsWith(
        "EADDRINUSE",
        network.listen({ host, port: 9092 }, () => new TestEnd()),
      );
    }
  });

  test("holds onDrain back when more was written before it could come", async () => {
    const network = new MemoryTransport({ highWaterMarkBytes: 10 });
    const server = new TestEnd();
    const { address } = await network.listen({ host: "127.0.0.1", port: 0 }, () => server);
    const client = new TestEnd();
    client.connection = await network.connect(address, client);
    server.onBytes = () => {
      if (server.receivedBytes === 10) client.connection.write([new Uint8Array(5)]);
    };
    client.onDrained = () => assert.equal(client.connection.bufferedBytes, 0);
    client.connection.write([new Uint8Array(10)]);
    await client.drained;
    assert.equal(server.receivedBytes, 15);
    assert.equal(client.drainCount, 1);
    client.connection.destroy();
    await server.closed;
  });

  test("cuts the stream where it is told to", async () => {
    const network = new MemoryTransport({ readBytes: 3 });
    const server = new TestEnd();
    const pieces: number[] = [];
    server.onBytes = (bytes) => pieces.push(bytes.length);
    const { address } = await network.listen({ host: "127.0.0.1", port: 0 }, () => server);
    const client = await network.connect(address, new TestEnd());
    client.write([new Uint8Array(2), new Uint8Array(6)]);
    await server.receives(8);
    assert.deepEqual(pieces, [3, 3, 2]);
    client.destroy();
    await server.closed;
  });
});
