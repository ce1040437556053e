import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, VirtualClock } from "@samsa/simulation";
import type { Transaction } from "../../producer/transaction.ts";
import type { ConsumerBatch } from "../consumer-record.ts";
import type { ConsumerGroupMetadata } from "../group/member.ts";
import type { TransactionalSource } from "./exactly-once-run.ts";
import { runExactlyOnce } from "./exactly-once-run.ts";

test("offsets are committed as of the generation in which the batch was handed out", async () => {
  let generationId = 7;
  const committedAs: number[] = [];
  const batch = { topic: "t", partition: 0, firstOffset: 3, lastOffset: 4, leaderEpoch: 1 };
  const source: TransactionalSource<Uint8Array, Uint8Array> = {
    assignment: [{ topic: "t", partition: 0 }],
    async *batches() {
      yield await Promise.resolve(batch as ConsumerBatch);
    },
    groupMetadata: () => ({ groupId: "g", generationId, memberId: "m", groupInstanceId: null }),
    committed: async () => await Promise.resolve([undefined]),
    seek() {},
  };
  const transaction = {
    commitOffsets: async (_offsets: unknown, group: ConsumerGroupMetadata) => {
      await Promise.resolve();
      committedAs.push(group.generationId);
    },
    commitOrAbort: async () => await Promise.resolve(),
  } as unknown as Transaction;
  const producer = {
    initTransactions: async () => await Promise.resolve(),
    beginTransaction: async () => await Promise.resolve(transaction),
  };
  const eachBatch = (): void => {
    generationId = 8; // the partitions have been dealt out anew
  };
  const retries = { clock: new VirtualClock(), random: new SeededRandom(1), signal: new AbortController().signal };
  await runExactlyOnce(
    source,
    { deliveryGuarantee: "exactly-once", producer, eachBatch },
    { ...retries, backoffMs: 1, backoffMaxMs: 1 },
  );
  assert.deepEqual(committedAs, [7]);
});
