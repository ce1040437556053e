import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import fc from "fast-check";
import type { TransactionalOffsetCommit } from "./group-coordinator-shard.ts";
import { codeOf, GroupHarness, settle, TEST_CONFIG } from "../testing/group-harness.ts";
import { OffsetManager } from "./offset-manager.ts";

const { offsetsRetentionMs, offsetsRetentionCheckIntervalMs } = TEST_CONFIG;

interface CommitOptions {
  readonly producerId?: number;
  readonly memberId?: string;
  readonly generationId?: number;
  readonly groupInstanceId?: string | null;
  readonly topic?: string;
}

function commitInTransaction({ coordinator }: GroupHarness, offset: number, options: CommitOptions = {}) {
  const { producerId = 7, memberId = "", generationId = -1, groupInstanceId = null, topic = "orders" } = options;
  const commit: TransactionalOffsetCommit = {
    groupId: "g",
    memberId,
    generationId,
    groupInstanceId,
    offsets: [{ topic, partition: 0, offset, leaderEpoch: -1, topicId: ZERO_UUID, metadata: null }],
    transaction: { producerId, producerEpoch: 0, verification: undefined },
  };
  return coordinator.commitTransactionalOffsets(commit);
}

function end({ coordinator }: GroupHarness, isCommitted: boolean, producerId = 7): Promise<void> {
  const marker = { producerId, producerEpoch: 0, coordinatorEpoch: 0, isCommitted, transactionVersion: 1 };
  return coordinator.completeTransaction(0, marker);
}

async function isPending({ coordinator }: GroupHarness): Promise<boolean> {
  const { isPending: pending } = await coordinator.fetchOffsets("g");
  return pending("orders", 0);
}

test("offsets in a transaction are seen when it commits, and until then the partition is unstable", async () => {
  const harness = await GroupHarness.start();
  await harness.commit("", -1, 3);
  assert.deepEqual(await commitInTransaction(harness, 9), [ErrorCode.NONE]);
  assert.deepEqual([await harness.committed(), await isPending(harness)], [3, true]);
  await end(harness, true);
  assert.deepEqual([await harness.committed(), await isPending(harness)], [9, false]);
});

test("offsets in a transaction are forgotten when it aborts", async () => {
  const harness = await GroupHarness.start();
  await harness.commit("", -1, 3);
  await commitInTransaction(harness, 9);
  await end(harness, false);
  assert.deepEqual([await harness.committed(), await isPending(harness)], [3, false]);
});

test("an answer speaks of offsets and transactions at one moment, though a marker comes before it leaves", async () => {
  const harness = await GroupHarness.start();
  await harness.commit("", -1, 3);
  harness.log.isHeld = true;
  const committing = commitInTransaction(harness, 9);
  const fetching = harness.coordinator.fetchOffsets("g");
  const ending = end(harness, true);
  harness.log.commit();
  await Promise.all([committing, ending]);
  const { offsets, isPending: pending } = await fetching;
  assert.equal(offsets.get("orders")?.get(0)?.offset, 3);
  assert.equal(pending("orders", 0), true, "else the reader would take the offset of before for the newest");
});

for (const isCommitted of [true, false]) {
  test(`what is in a transaction survives a crash and is then ${isCommitted ? "committed" : "aborted"}`, async () => {
    const harness = await GroupHarness.start();
    await commitInTransaction(harness, 9);
    await harness.crash();
    assert.deepEqual([await harness.committed(), await isPending(harness)], [undefined, true]);
    await end(harness, isCommitted);
    await harness.crash();
    assert.equal(await harness.committed(), isCommitted ? 9 : undefined);
    assert.equal(await isPending(harness), false);
  });
}

test("a commit that was made outside after the one of the transaction stays, as compaction would leave it", async () => {
  const harness = await GroupHarness.start();
  await commitInTransaction(harness, 9);
  await harness.commit("", -1, 20);
  await end(harness, true);
  assert.equal(await harness.committed(), 20);
});

test("a marker that the log refuses ends nothing, and its error is told", async () => {
  const harness = await GroupHarness.start();
  await commitInTransaction(harness, 9);
  harness.log.refusal = new KafkaError(ErrorCode.TRANSACTION_COORDINATOR_FENCED);
  assert.equal(await codeOf(end(harness, true)), ErrorCode.TRANSACTION_COORDINATOR_FENCED);
  assert.deepEqual([await harness.committed(), await isPending(harness)], [undefined, true]);
});

test("a write that the log refuses for its transaction leaves nothing pending", async () => {
  const harness = await GroupHarness.start();
  harness.log.refusal = new KafkaError(ErrorCode.INVALID_TXN_STATE);
  assert.equal(await codeOf(commitInTransaction(harness, 9)), ErrorCode.INVALID_TXN_STATE);
  assert.equal(await isPending(harness), false);
});

const member = { ids: [""], generation: 1 };
const fencing: {
  what: string;
  options: (joined: typeof member) => CommitOptions;
  code: ErrorCode;
}[] = [
  {
    what: "a member of this generation commits",
    options: ({ ids: [memberId = ""], generation }) => ({ memberId, generationId: generation }),
    code: ErrorCode.NONE,
  },
  {
    what: "a member of the generation before is refused (KIP-447)",
    options: ({ ids: [memberId = ""], generation }) => ({ memberId, generationId: generation - 1 }),
    code: ErrorCode.ILLEGAL_GENERATION,
  },
  {
    what: "somebody who is no member any more is refused",
    options: ({ generation }) => ({ memberId: "gone", generationId: generation }),
    code: ErrorCode.UNKNOWN_MEMBER_ID,
  },
  {
    what: "a static member that is not known is refused",
    options: ({ ids: [memberId = ""], generation }) => ({ memberId, generationId: generation, groupInstanceId: "x" }),
    code: ErrorCode.UNKNOWN_MEMBER_ID,
  },
  { what: "a producer of before KIP-447, which knows no members, commits", options: () => ({}), code: ErrorCode.NONE },
];
for (const { what, options, code } of fencing) {
  test(`in a group with members, ${what}`, async () => {
    const harness = await GroupHarness.start();
    const joined = await harness.stable(1, { sessionTimeoutMs: 1_800_000 });
    const answer = await commitInTransaction(harness, 9, options({ ...joined, ids: [...joined.ids] })).catch(
      (error: unknown) => [(error as KafkaError).code],
    );
    assert.deepEqual(answer, [code]);
  });
}

test("a member of a group that there is not is refused, and who is no member makes it", async () => {
  const harness = await GroupHarness.start();
  const commit = commitInTransaction(harness, 9, { memberId: "m", generationId: 4 });
  assert.equal(await codeOf(commit), ErrorCode.ILLEGAL_GENERATION);
  await commitInTransaction(harness, 9);
  assert.equal(await harness.state(), "Empty");
});

test("a group does not expire while a transaction holds offsets of it", async () => {
  const harness = await GroupHarness.start();
  await commitInTransaction(harness, 9);
  harness.clock.advance(offsetsRetentionMs + 2 * offsetsRetentionCheckIntervalMs);
  await settle();
  await end(harness, true);
  assert.equal(await harness.committed(), 9);
});

for (const { what, remove } of [
  { what: "deleted", remove: ({ coordinator }: GroupHarness) => coordinator.deleteGroup("g") },
  {
    what: "read no more because its topic is gone",
    remove: async ({ coordinator }: GroupHarness) => coordinator.onTopicsDeleted(new Set(["orders"])),
  },
  {
    what: "told to forget the partition",
    remove: ({ coordinator }: GroupHarness) => coordinator.deleteOffsets("g", [{ topic: "orders", partition: 0 }]),
  },
]) {
  test(`what a transaction would have committed is forgotten when the group is ${what}`, async () => {
    const harness = await GroupHarness.start();
    await commitInTransaction(harness, 9);
    await remove(harness);
    await settle();
    assert.equal(await isPending(harness), false);
    await end(harness, true);
    assert.equal(await harness.committed(), undefined);
    await harness.crash();
    assert.equal(await harness.committed(), undefined);
  });
}

test("any log of commits, transactions and tombstones yields the same before and after compaction", () => {
  type Record = { producerId: number; partition: number; offset: number | null } | { end: number; commit: boolean };
  const record: fc.Arbitrary<Record> = fc.oneof(
    fc.record({
      producerId: fc.constantFrom(-1, 1, 2),
      partition: fc.integer({ min: 0, max: 1 }),
      offset: fc.option(fc.nat(1000), { freq: 6 }),
    }),
    fc.record({ end: fc.constantFrom(1, 2), commit: fc.boolean() }),
  );
  const load = (records: readonly Record[]): string => {
    const manager = new OffsetManager();
    for (const one of records) {
      if ("end" in one) manager.endTransaction(one.end, one.commit);
      else {
        const key = { group: "g", topic: "t", partition: one.partition };
        const value =
          one.offset === null
            ? null
            : {
                offset: one.offset,
                leaderEpoch: -1,
                metadata: "",
                commitTimestamp: 0,
                expireTimestamp: -1,
                topicId: ZERO_UUID,
              };
        manager.replay(key, value, value === null ? -1 : one.producerId);
      }
    }
    return JSON.stringify([0, 1].map((p) => [manager.offset("g", "t", p)?.offset, manager.isPending("g", "t", p)]));
  };
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40 }), (records) => {
      assert.equal(load(compacted(records)), load(records));
    }),
  );

  /**
   * What the cleaner leaves: up to the first open transaction, records of aborted ones go, and those with a later one of the same
   * key that counts.
   */
  function compacted(records: readonly Record[]): readonly Record[] {
    const fate = records.map((one, index) => {
      if ("end" in one) return "marker";
      if (one.producerId === -1 || one.offset === null) return "committed";
      const ended = records.slice(index).find((later) => "end" in later && later.end === one.producerId);
      if (ended === undefined) return "open";
      return "commit" in ended && ended.commit ? "committed" : "aborted";
    });
    const firstOpen = fate.indexOf("open");
    const end = firstOpen < 0 ? records.length : firstOpen;
    const isLater = (one: Record, index: number): boolean =>
      records.some((later, at) => {
        const isSameKey = !("end" in one) && !("end" in later) && later.partition === one.partition;
        return at > index && at < end && isSameKey && fate[at] === "committed";
      });
    return records.filter((one, index) => {
      if (index >= end || fate[index] === "marker") return true;
      return fate[index] !== "aborted" && !isLater(one, index);
    });
  }
});
