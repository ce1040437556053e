import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionLimits } from "./connection-quotas.ts";
import { ConnectionQuotas } from "./connection-quotas.ts";

const WINDOW = { samples: 11, sampleMs: 1000 };
const LIMITS: ConnectionLimits = {
  maxConnections: 100,
  maxConnectionsPerIp: 2,
  maxConnectionsPerIpOverrides: new Map([["10.0.0.9", 3]]),
  maxCreationRate: Infinity,
  creationRateOf: () => undefined,
};

test("an address has as many connections as it may have, and one more when one has gone", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const kinds = () => quotas.admit("10.0.0.1", LIMITS, 0).kind;
  assert.deepEqual([kinds(), kinds(), kinds()], ["admitted", "admitted", "too-many"]);
  quotas.release("10.0.0.1");
  assert.equal(kinds(), "admitted");
  assert.equal(quotas.total, 2);
});

test("an address may have a number of its own", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const kinds = Array.from({ length: 4 }, () => quotas.admit("10.0.0.9", LIMITS, 0).kind);
  assert.deepEqual(kinds, ["admitted", "admitted", "admitted", "too-many"]);
});

test("there is a slot while fewer than max.connections are open", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  quotas.admit("10.0.0.1", LIMITS, 0);
  assert.equal(quotas.hasSlot({ ...LIMITS, maxConnections: 1 }), false);
  quotas.release("10.0.0.1");
  assert.equal(quotas.hasSlot({ ...LIMITS, maxConnections: 1 }), true);
});

test("an address that connects too often is not let in, and such an attempt does not count", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const limits: ConnectionLimits = { ...LIMITS, maxConnectionsPerIp: 1000, creationRateOf: () => 1 };
  for (let count = 0; count < 10; count++) assert.equal(quotas.admit("10.0.0.1", limits, 0).kind, "admitted");
  for (let count = 0; count < 5; count++) {
    assert.deepEqual(quotas.admit("10.0.0.1", limits, 0), { kind: "too-often", throttleMs: 1000 });
  }
  assert.equal(quotas.admit("10.0.0.2", limits, 0).kind, "admitted");
  assert.equal(quotas.admit("10.0.0.1", limits, 11_000).kind, "admitted");
});

test("connections over all are spread over time, and wait for one sample at most", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const limits = { ...LIMITS, maxCreationRate: 2 };
  for (let count = 0; count < 20; count++) assert.equal(quotas.throttleMs(limits, 0), 0);
  assert.equal(quotas.throttleMs(limits, 0), 500);
  for (let count = 0; count < 10; count++) quotas.throttleMs(limits, 0);
  assert.equal(quotas.throttleMs(limits, 0), 1000);
});
