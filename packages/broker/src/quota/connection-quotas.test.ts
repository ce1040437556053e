import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionLimits } from "./connection-quotas.ts";
import { ConnectionQuotas } from "./connection-quotas.ts";

const WINDOW = { samples: 11, sampleMs: 1000 };
const NO_LIMITS = { maxConnections: Infinity, maxCreationRate: Infinity };
const LIMITS: ConnectionLimits = {
  maxConnections: 100,
  maxConnectionsPerIp: 2,
  maxConnectionsPerIpOverrides: new Map([["10.0.0.9", 3]]),
  maxCreationRate: Infinity,
  creationRateOf: () => undefined,
  ofListener: () => NO_LIMITS,
};
const L = "PLAINTEXT";

test("an address has as many connections as it may have, and one more when one has gone", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const kinds = () => quotas.admit("10.0.0.1", L, LIMITS, 0).kind;
  assert.deepEqual([kinds(), kinds(), kinds()], ["admitted", "admitted", "too-many"]);
  quotas.release("10.0.0.1", L);
  assert.equal(kinds(), "admitted");
  assert.equal(quotas.total, 2);
});

test("an address may have a number of its own", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const kinds = Array.from({ length: 4 }, () => quotas.admit("10.0.0.9", L, LIMITS, 0).kind);
  assert.deepEqual(kinds, ["admitted", "admitted", "admitted", "too-many"]);
});

test("there is a slot while fewer than max.connections are open", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  quotas.admit("10.0.0.1", L, LIMITS, 0);
  assert.equal(quotas.hasSlot(L, { ...LIMITS, maxConnections: 1 }), false);
  quotas.release("10.0.0.1", L);
  assert.equal(quotas.hasSlot(L, { ...LIMITS, maxConnections: 1 }), true);
});

test("an address that connects too often is not let in, and such an attempt does not count", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const limits: ConnectionLimits = { ...LIMITS, maxConnectionsPerIp: 1000, creationRateOf: () => 1 };
  for (let count = 0; count < 10; count++) assert.equal(quotas.admit("10.0.0.1", L, limits, 0).kind, "admitted");
  for (let count = 0; count < 5; count++) {
    assert.deepEqual(quotas.admit("10.0.0.1", L, limits, 0), { kind: "too-often", throttleMs: 1000 });
  }
  assert.equal(quotas.admit("10.0.0.2", L, limits, 0).kind, "admitted");
  assert.equal(quotas.admit("10.0.0.1", L, limits, 11_000).kind, "admitted");
});

test("connections over all are spread over time, and wait for one sample at most", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const limits = { ...LIMITS, maxCreationRate: 2 };
  for (let count = 0; count < 20; count++) assert.equal(quotas.throttleMs(L, limits, 0), 0);
  assert.equal(quotas.throttleMs(L, limits, 0), 500);
  for (let count = 0; count < 10; count++) quotas.throttleMs(L, limits, 0);
  assert.equal(quotas.throttleMs(L, limits, 0), 1000);
});

test("a listener has limits of its own, and the others go on", () => {
  const quotas = new ConnectionQuotas(WINDOW);
  const own = { maxConnections: 1, maxCreationRate: 2 };
  const limits: ConnectionLimits = { ...LIMITS, ofListener: (name) => (name === L ? own : NO_LIMITS) };
  quotas.admit("10.0.0.1", L, limits, 0);
  assert.deepEqual([quotas.hasSlot(L, limits), quotas.hasSlot("OTHER", limits)], [false, true]);
  quotas.release("10.0.0.1", L);
  assert.equal(quotas.hasSlot(L, limits), true);
  for (let count = 0; count < 20; count++) assert.equal(quotas.throttleMs(L, limits, 0), 0);
  assert.deepEqual([quotas.throttleMs(L, limits, 0), quotas.throttleMs("OTHER", limits, 0)], [500, 0]);
});
