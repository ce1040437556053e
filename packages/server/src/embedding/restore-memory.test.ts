import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import * as v8 from "node:v8";
import { Broker } from "@samsa/broker";
import { TcpTransport } from "@samsa/io";
import { UnifiedLog } from "@samsa/log";
import { ReplicaManager } from "@samsa/replication";
import { startBroker } from "../start-broker.ts";
import { produce } from "../testing/produce-and-fetch.ts";
import { RawClient } from "../testing/raw-client.ts";
import { batchOf } from "../testing/test-broker.ts";

/** What a broker is made of; how many there are in this process is asked of the collector, so nothing else may start one here. */
const PARTS = { Broker, ReplicaManager, UnifiedLog };

const MOST_TURNS = 20;

function alive(): Record<string, number> {
  return Object.fromEntries(Object.entries(PARTS).map(([name, part]) => [name, Number(v8.queryObjects(part))]));
}

for (const dataDir of ["memory", "temporary"]) {
  test(`a restore with dataDir ${dataDir} holds nothing of the broker before it`, async () => {
    await using broker = await startBroker({ port: 0, dataDir });
    await broker.createTopic("orders", { partitions: 2 });
    const snapshot = await broker.snapshot();
    const before = alive();
    for (let round = 0; round < 3; round++) {
      const client = await RawClient.connect(new TcpTransport(), broker);
      await produce(client, batchOf(["later"]), { topic: "orders" });
      await broker.createTopic(`made-later-${round}`);
      await broker.restore(snapshot);
      await client.closed;
    }
    // What the last connection has left in the event loop goes with the next turns.
    for (let turn = 0; turn < MOST_TURNS && Number(v8.queryObjects(Broker)) > 1; turn++) await nextTurn();
    assert.deepEqual(alive(), before);
  });
}
