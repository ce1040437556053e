import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { recordBatches } from "@samsa/protocol";
import { GroupHarness } from "../testing/group-harness.ts";
import { GROUP_RECORD_SERDE } from "./group-records.ts";

/** A partition of `__consumer_offsets` that Apache Kafka 4.4 wrote: a classic group joined, committed and left. */
function kafkaLog(partition: number): Uint8Array {
  const folder = `../../../log/fixtures/dump/offsets/__consumer_offsets-${partition}`;
  return new Uint8Array(readFileSync(new URL(`${folder}/00000000000000000000.log`, import.meta.url)));
}

for (const { partition, records, what } of [
  { partition: 18, records: 4, what: "a classic group" },
  { partition: 32, records: 11, what: "a group of the consumer protocol" },
]) {
  test(`the records of ${what} that Kafka wrote are written again byte for byte`, () => {
    let compared = 0;
    for (const batch of recordBatches(kafkaLog(partition))) {
      for (const { key, value } of batch.records()) {
        const record = key === null ? undefined : GROUP_RECORD_SERDE.decode(key, value);
        if (record === undefined) continue;
        assert.deepEqual(GROUP_RECORD_SERDE.encode(record), { key, value });
        compared++;
      }
    }
    assert.equal(compared, records);
  });
}

test("a group of the consumer protocol that Kafka wrote is loaded: it is empty, and its offset known", async () => {
  const harness = await GroupHarness.start();
  harness.log.batches.push(kafkaLog(32));
  await harness.lead();
  const [group] = await harness.coordinator.listGroups();
  assert.deepEqual(group, { groupId: "g-consumer", protocolType: "consumer", state: "Empty", type: "consumer" });
  const { offsets } = await harness.coordinator.fetchOffsets("g-consumer");
  assert.equal(offsets.get("codec-none")?.get(0)?.offset, 400);
});

test("a partition that Kafka wrote is loaded: its group is empty and its offset known", async () => {
  const harness = await GroupHarness.start();
  harness.log.batches.push(kafkaLog(18));
  await harness.lead();
  const [group] = await harness.coordinator.listGroups();
  assert.deepEqual(group, { groupId: "g-classic", protocolType: "consumer", state: "Empty", type: "classic" });
  const { offsets } = await harness.coordinator.fetchOffsets("g-classic");
  assert.equal(offsets.get("codec-none")?.get(0)?.offset, 400);
});

for (const partition of [32, 43]) {
  test(`a partition with groups of another protocol is loaded without complaint: partition ${partition}`, async () => {
    const harness = await GroupHarness.start();
    harness.log.batches.push(kafkaLog(partition));
    await harness.lead();
    await harness.coordinator.listGroups();
    assert.deepEqual(harness.problems, []);
  });
}
