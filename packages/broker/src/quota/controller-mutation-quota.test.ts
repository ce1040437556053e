import assert from "node:assert/strict";
import { test } from "node:test";
import { KafkaError } from "@samsa/base";
import { clientQuotaKey, EMPTY_IMAGE } from "@samsa/metadata";
import { ANONYMOUS, ClientQuotaLimits } from "./client-quota-limits.ts";
import { ControllerMutationQuotaManager } from "./controller-mutation-quota.ts";

function managerAt(clock: { nowMs: number }, perSecond = 1): ControllerMutationQuotaManager {
  const entity = [{ entityType: "user", entityName: null }];
  const quotas = new Map([["controller_mutation_rate", perSecond]]);
  const limits = new ClientQuotaLimits(EMPTY_IMAGE.clientQuotas.set(clientQuotaKey(entity), { entity, quotas }));
  return new ControllerMutationQuotaManager({
    window: { samples: 11, sampleMs: 1000 },
    limits: () => limits,
    nowMs: () => clock.nowMs,
  });
}

const CLIENT = { user: ANONYMOUS, clientId: "admin" };

test("a strict quota lets a burst pass, and the one that overdraws it; then it refuses and says for how long", () => {
  const clock = { nowMs: 0 };
  const manager = managerAt(clock);
  const quota = manager.newQuota(CLIENT, true);
  quota.record(11);
  quota.record(5); // nothing is left, and nothing is owed yet
  assert.equal(quota.throttleMs(), 0);
  assert.throws(() => quota.record(1), KafkaError);
  assert.equal(quota.throttleMs(), 5000);
  clock.nowMs += 5000;
  manager.newQuota(CLIENT, true).record(1);
});

test("a quota that is not strict refuses nothing, and holds the client back", () => {
  const clock = { nowMs: 0 };
  const quota = managerAt(clock, 2).newQuota(CLIENT, false);
  quota.record(22);
  assert.equal(quota.throttleMs(), 0);
  quota.record(10);
  assert.equal(quota.throttleMs(), 5000);
  clock.nowMs += 2000;
  assert.equal(quota.throttleMs(), 3000);
});

test("the time to wait is told in whole milliseconds, whatever the clock says", () => {
  const clock = { nowMs: 0.25 };
  const quota = managerAt(clock, 3).newQuota(CLIENT, false);
  quota.record(34);
  clock.nowMs += 0.5;
  assert.equal(quota.throttleMs(), 333);
});
