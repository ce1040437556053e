import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { RecordBatchBuilder } from "@samsa/protocol";
import { codeOf, GroupHarness, settle, TEST_CONFIG } from "../testing/group-harness.ts";
import type { GroupRecord } from "./group-records.ts";
import { GROUP_RECORD_SERDE } from "./group-records.ts";
import { offsetTombstone } from "./offset-manager.ts";

const { offsetsRetentionMs, offsetsRetentionCheckIntervalMs } = TEST_CONFIG;

function commitRecord(offset: number): GroupRecord {
  const value = { offset, leaderEpoch: -1, metadata: "", commitTimestamp: 0, expireTimestamp: -1, topicId: ZERO_UUID };
  return { kind: "offset-commit", key: { group: "g", topic: "orders", partition: 0 }, value };
}

const groupTombstone: GroupRecord = { kind: "group-metadata", key: { group: "g" }, value: null };

for (const { what, records, offset } of [
  { what: "a tombstone of an offset first", records: [offsetTombstone("g", "orders", 0), commitRecord(3)], offset: 3 },
  { what: "a tombstone of the group first", records: [groupTombstone, commitRecord(4)], offset: 4 },
  { what: "a tombstone last", records: [commitRecord(5), offsetTombstone("g", "orders", 0)], offset: undefined },
  { what: "tombstones alone", records: [groupTombstone, offsetTombstone("g", "orders", 0)], offset: undefined },
]) {
  test(`what compaction has left is loaded: ${what}`, async () => {
    const harness = await GroupHarness.start();
    const batch = new RecordBatchBuilder();
    for (const record of records) batch.append({ timestamp: 0, ...GROUP_RECORD_SERDE.encode(record) });
    harness.log.batches.push(batch.build());
    await harness.lead();
    assert.equal(await harness.committed(), offset);
    assert.equal((await harness.coordinator.listGroups()).length, offset === undefined ? 0 : 1);
  });
}

test("metadata longer than allowed is refused, and the offset with it", async () => {
  const harness = await GroupHarness.start();
  assert.deepEqual(await harness.commit("", -1, 1, "é".repeat(17)), [ErrorCode.OFFSET_METADATA_TOO_LARGE]);
  assert.equal(await harness.committed(), undefined);
});

test("the offset of a simple consumer expires so long after its commit, and its group with it", async () => {
  const harness = await GroupHarness.start();
  await harness.commit("", -1, 1);
  harness.clock.advance(offsetsRetentionMs - offsetsRetentionCheckIntervalMs);
  await settle();
  assert.equal(await harness.committed(), 1);
  harness.clock.advance(2 * offsetsRetentionCheckIntervalMs);
  await settle();
  assert.equal(await harness.committed(), undefined);
  assert.deepEqual(await harness.coordinator.listGroups(), []);
});

test("the offsets of a group with members stay, however old, as long as someone reads the topic", async () => {
  const harness = await GroupHarness.start();
  const { ids, generation } = await harness.stable(1, { sessionTimeoutMs: 1_800_000 });
  const [memberId = ""] = ids;
  await harness.commit(memberId, generation, 1);
  for (let elapsed = 0; elapsed < 2 * offsetsRetentionMs; elapsed += 1_000_000) {
    harness.clock.advance(1_000_000);
    await harness.heartbeat(memberId, generation);
  }
  assert.equal(await harness.committed(), 1);
});

test("an empty group keeps its offsets for the whole retention after the last member has gone", async () => {
  const harness = await GroupHarness.start();
  const { ids, generation } = await harness.stable(1, { sessionTimeoutMs: 1_800_000 });
  const [memberId = ""] = ids;
  await harness.commit(memberId, generation, 1);
  harness.clock.advance(1_700_000);
  await harness.coordinator.leaveGroup("g", [{ memberId, groupInstanceId: null, reason: null }]);
  harness.clock.advance(offsetsRetentionMs - 1);
  await settle();
  assert.equal(await harness.committed(), 1);
  harness.clock.advance(offsetsRetentionCheckIntervalMs + 1);
  await settle();
  assert.equal(await harness.committed(), undefined);
});

test("the group without a name, which very old consumers have, commits, is described and deleted, and its single offsets are not", async () => {
  const { coordinator } = await GroupHarness.start();
  const offsets = [{ topic: "orders", partition: 0, offset: 1, leaderEpoch: -1, topicId: ZERO_UUID, metadata: null }];
  const nobody = { memberId: "", groupInstanceId: null, generationId: -1, apiVersion: 9, retentionTimeMs: -1 };
  assert.deepEqual(await coordinator.commitOffsets({ groupId: "", ...nobody, offsets }), [ErrorCode.NONE]);
  assert.equal((await coordinator.describeGroup("")).state, "Empty");
  assert.equal(
    await codeOf(coordinator.deleteOffsets("", [{ topic: "orders", partition: 0 }])),
    ErrorCode.INVALID_GROUP_ID,
  );
  await coordinator.deleteGroup("");
  assert.deepEqual(await coordinator.listGroups(), []);
});
