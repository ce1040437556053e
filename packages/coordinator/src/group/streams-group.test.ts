import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import {
  createStreamsGroupTopologyValueSubtopology,
  StreamsGroupTopologyValue,
} from "@samsa/protocol/messages/streams-group-topology-value";
import { OffsetCommitValue } from "@samsa/protocol/messages/offset-commit-value";
import { StreamsGroupCurrentMemberAssignmentValue } from "@samsa/protocol/messages/streams-group-current-member-assignment-value";
import { StreamsGroupMemberMetadataValue } from "@samsa/protocol/messages/streams-group-member-metadata-value";
import { StreamsGroupMetadataValue } from "@samsa/protocol/messages/streams-group-metadata-value";
import { StreamsGroupTargetAssignmentMemberValue } from "@samsa/protocol/messages/streams-group-target-assignment-member-value";
import { StreamsGroupTargetAssignmentMetadataValue } from "@samsa/protocol/messages/streams-group-target-assignment-metadata-value";
import { NO_PRODUCER_ID, RecordBatchBuilder } from "@samsa/protocol";
import * as fc from "fast-check";
import { codeOf, GroupHarness } from "../testing/group-harness.ts";
import { compacted } from "../testing/compacted-log.ts";
import type { GroupRecord } from "./group-records.ts";
import { GROUP_RECORD_SERDE } from "./group-records.ts";

const key = { groupId: "app" };
const member = { groupId: "app", memberId: "a" };
const tasks = [{ subtopologyId: "0", partitions: [0, 1], assignmentEpochs: [2, 2] }];
const subtopologies = [
  createStreamsGroupTopologyValueSubtopology({
    subtopologyId: "0",
    sourceTopics: ["orders"],
    stateChangelogTopics: [],
  }),
];

const OFFSET: GroupRecord = {
  kind: "offset-commit",
  key: { group: "app", topic: "orders", partition: 0 },
  value: OffsetCommitValue.create({ offset: 5, metadata: "", commitTimestamp: 0 }),
};
const OF_GROUP: readonly GroupRecord[] = [
  {
    kind: "streams-group-metadata",
    key,
    value: StreamsGroupMetadataValue.create({ epoch: 2, validatedTopologyEpoch: 1 }),
  },
  { kind: "streams-group-topology", key, value: StreamsGroupTopologyValue.create({ epoch: 1, subtopologies }) },
  {
    kind: "streams-group-target-assignment-metadata",
    key,
    value: StreamsGroupTargetAssignmentMetadataValue.create({ assignmentEpoch: 2 }),
  },
];
const OF_MEMBER: readonly GroupRecord[] = [
  {
    kind: "streams-group-member-metadata",
    key: member,
    value: StreamsGroupMemberMetadataValue.create({ clientId: "c", topologyEpoch: 1, processId: "p" }),
  },
  {
    kind: "streams-group-target-assignment-member",
    key: member,
    value: StreamsGroupTargetAssignmentMemberValue.create({
      activeTasks: [{ subtopologyId: "0", partitions: [0, 1] }],
    }),
  },
  {
    kind: "streams-group-current-member-assignment",
    key: member,
    value: StreamsGroupCurrentMemberAssignmentValue.create({ memberEpoch: 2, state: 1, activeTasks: tasks }),
  },
];
const NOT_VALIDATED: GroupRecord = {
  kind: "streams-group-metadata",
  key,
  value: StreamsGroupMetadataValue.create({ epoch: 2 }),
};
const UNRELEASED: GroupRecord = {
  kind: "streams-group-current-member-assignment",
  key: member,
  value: StreamsGroupCurrentMemberAssignmentValue.create({ memberEpoch: 2, state: 3, activeTasks: tasks }),
};
const MEMBER_GONE = OF_MEMBER.toReversed().map((record) => ({ ...record, value: null }));

/** A coordinator that finds these records. */
async function loaded(records: readonly GroupRecord[]): Promise<GroupHarness> {
  const harness = await GroupHarness.start({ offsetsRetentionMs: 1_000, offsetsRetentionCheckIntervalMs: 500 });
  const batch = new RecordBatchBuilder({ compressionType: "none", producerId: NO_PRODUCER_ID });
  for (const record of records) batch.append({ timestamp: 0, ...GROUP_RECORD_SERDE.encode(record) });
  await harness.log.append(batch.build()).committed();
  await harness.crash();
  return harness;
}

const LISTED = { groupId: "app", type: "streams", protocolType: "streams" };

test("a streams group loads from its records in any order that compaction leaves", async () => {
  const all = [OFFSET, ...OF_GROUP, ...OF_MEMBER];
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(all, { minLength: all.length }), async (records) => {
      const harness = await loaded(records);
      assert.deepEqual(await harness.coordinator.listGroups(), [{ ...LISTED, state: "Stable" }]);
      assert.equal((await harness.coordinator.fetchOffsets("app")).offsets.get("orders")?.get(0)?.offset, 5);
      assert.deepEqual(harness.problems, []);
    }),
    { numRuns: 30 },
  );
});

test("its records are read as they were written", () => {
  for (const record of [...OF_GROUP, ...OF_MEMBER, ...MEMBER_GONE]) {
    const stored = GROUP_RECORD_SERDE.encode(record);
    const read = GROUP_RECORD_SERDE.decode(stored.key, stored.value);
    assert.ok(read !== undefined);
    assert.deepEqual([read.kind, read.key, read.value === null], [record.kind, record.key, record.value === null]);
    assert.deepEqual(GROUP_RECORD_SERDE.encode(read), stored);
  }
});

const STATES: readonly { readonly records: readonly GroupRecord[]; readonly state: string }[] = [
  { records: OF_GROUP, state: "Empty" },
  { records: [...OF_GROUP.filter(({ kind }) => kind !== "streams-group-topology"), ...OF_MEMBER], state: "NotReady" },
  { records: [...OF_GROUP, ...OF_MEMBER, NOT_VALIDATED], state: "NotReady" },
  { records: [...OF_GROUP.slice(0, 2), ...OF_MEMBER], state: "Assigning" },
  { records: [...OF_GROUP, ...OF_MEMBER, UNRELEASED], state: "Reconciling" },
  { records: [...OF_GROUP, ...OF_MEMBER.slice(0, 2)], state: "Reconciling" },
  { records: [...OF_GROUP, ...OF_MEMBER], state: "Stable" },
  { records: [...OF_GROUP, ...OF_MEMBER, ...MEMBER_GONE], state: "Empty" },
];
for (const { records, state } of STATES) {
  test(`a streams group is ${state} after ${records.map(({ kind, value }) => (value === null ? `no ${kind}` : kind)).join(", ")}`, async () => {
    const harness = await loaded(records);
    assert.deepEqual(await harness.coordinator.listGroups(), [{ ...LISTED, state }]);
  });
}

test("nobody else takes its name, and while it has members nothing of it is changed", async () => {
  const { coordinator, problems } = await loaded([OFFSET, ...OF_GROUP, ...OF_MEMBER]);
  assert.equal(await codeOf(coordinator.describeGroup("app")), ErrorCode.GROUP_ID_NOT_FOUND);
  assert.equal(await codeOf(coordinator.describeConsumerGroup("app")), ErrorCode.GROUP_ID_NOT_FOUND);
  assert.equal(await codeOf(coordinator.deleteGroup("app")), ErrorCode.NON_EMPTY_GROUP);
  assert.deepEqual(await coordinator.deleteOffsets("app", [{ topic: "orders", partition: 0 }]), [
    ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
  ]);
  assert.deepEqual(problems, []);
});

test("when it is deleted nothing of it is left, however the log is compacted", async () => {
  const harness = await loaded([OFFSET, ...OF_GROUP, ...OF_MEMBER, ...MEMBER_GONE]);
  await harness.coordinator.deleteGroup("app");
  assert.deepEqual(await harness.coordinator.listGroups(), []);
  harness.log = compacted(harness.log, () => false);
  assert.deepEqual(harness.log.batches, []);
});

test("its offsets are kept while the application reads their topics, and the group goes with the last of them", async () => {
  const harness = await loaded([OFFSET, ...OF_GROUP]);
  harness.clock.advance(5_000);
  assert.equal((await harness.coordinator.listGroups()).length, 1, "orders is read");
  const other = await loaded([OFFSET, ...OF_GROUP.filter(({ kind }) => kind !== "streams-group-topology")]);
  other.clock.advance(5_000);
  assert.deepEqual(await other.coordinator.listGroups(), []);
});
