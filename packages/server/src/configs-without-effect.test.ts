import assert from "node:assert/strict";
import { test } from "node:test";
import { CONFIGS_WITHOUT_EFFECT } from "./configs-without-effect.ts";
import { startTestBroker } from "./testing/test-broker.ts";

test("no key stands twice in the table", () => {
  const keys = CONFIGS_WITHOUT_EFFECT.flatMap((group) => group.keys);
  assert.equal(new Set(keys).size, keys.length);
});

test("a key without effect that is set is named once, with the reason", async () => {
  await using broker = await startTestBroker({ properties: { "num.io.threads": "4", "num.partitions": "2" } });
  const warnings = broker.logged.filter(({ message }) => message === "configuration keys that have no effect here");
  assert.deepEqual(
    warnings.map(({ level, facts }) => [level, Object.values(facts)]),
    [["warn", [["num.io.threads"]]]],
  );
});

test("a broker whose keys all count warns of none", async () => {
  await using broker = await startTestBroker({ properties: { "num.partitions": "2" } });
  assert.ok(broker.logged.every(({ message }) => !message.includes("configuration keys")));
});
