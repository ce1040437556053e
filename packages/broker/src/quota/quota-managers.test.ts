import assert from "node:assert/strict";
import { test } from "node:test";
import { BrokerConfig, clientQuotaKey, EMPTY_IMAGE, MetadataDelta } from "@samsa/metadata";
import { VirtualClock } from "@samsa/simulation";
import { MetadataCache } from "../metadata-cache.ts";
import { ANONYMOUS } from "./client-quota-limits.ts";
import { LoopTime } from "./loop-time.ts";
import { QuotaManagers } from "./quota-managers.ts";

const CLIENT = { user: ANONYMOUS, clientId: "app" };

function managers() {
  const clock = new VirtualClock();
  const metadata = new MetadataCache();
  const quotas = new QuotaManagers({ config: BrokerConfig.of({}), metadata, clock });
  const setQuota = (key: string, value: number): void => {
    const entity = [{ entityType: "user", entityName: null }];
    const clientQuotas = EMPTY_IMAGE.clientQuotas.set(clientQuotaKey(entity), {
      entity,
      quotas: new Map([[key, value]]),
    });
    metadata.onMetadataUpdate(new MetadataDelta(EMPTY_IMAGE), { ...EMPTY_IMAGE, clientQuotas });
  };
  return { clock, quotas, setQuota };
}

test("nobody is held back without quotas", () => {
  const { quotas } = managers();
  assert.equal(quotas.recordProduce(CLIENT, 1e12), 0);
  assert.equal(quotas.recordRequestTime(CLIENT, 1e12), 0);
});

test("a request that takes too much of the event loop holds its client back, for one sample at most", () => {
  const { quotas, setQuota, clock } = managers();
  setQuota("request_percentage", 1); // 10 ms of each second
  assert.equal(quotas.recordRequestTime(CLIENT, 100), 0);
  assert.equal(quotas.recordRequestTime(CLIENT, 5), 500);
  assert.equal(quotas.recordRequestTime(CLIENT, 500), 1000);
  clock.advance(20_000);
  assert.equal(quotas.recordRequestTime(CLIENT, 100), 0);
});

test("a quota that is raised counts at once, for what has been used before", () => {
  const { quotas, setQuota } = managers();
  setQuota("producer_byte_rate", 1000);
  assert.equal(quotas.recordProduce(CLIENT, 15_000), 5000);
  setQuota("producer_byte_rate", 2000);
  assert.equal(quotas.recordProduce(CLIENT, 1000), 0);
});

test("clients that are limited in one thing are not in another", () => {
  const { quotas, setQuota } = managers();
  setQuota("consumer_byte_rate", 1);
  assert.equal(quotas.recordProduce(CLIENT, 1e12), 0);
});

test("the time of a request ends where it begins to wait", () => {
  const clock = new VirtualClock();
  const time = new LoopTime(clock);
  clock.advance(3);
  assert.equal(time.spentMs(), 3);
  time.leave();
  clock.advance(50);
  assert.equal(time.spentMs(), 3);
});

test("so many client ids that nobody could remember them all cost a bounded amount", () => {
  const { quotas, setQuota } = managers();
  setQuota("producer_byte_rate", 1);
  for (let id = 0; id < 25_000; id++) quotas.recordProduce({ user: `user-${id}`, clientId: null }, 1);
  assert.ok(quotas.produce.size <= 10_000);
});
