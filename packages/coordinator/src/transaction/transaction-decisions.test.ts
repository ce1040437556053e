import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { topicPartitions } from "./topic-partitions.ts";
import type { Decision } from "./transaction-decisions.ts";
import {
  addPartitions,
  endTxn,
  fence,
  initProducerId,
  NEEDS_PRODUCER_ID,
  verifyProducer,
} from "./transaction-decisions.ts";
import type { TransactionMetadata } from "./transaction-metadata.ts";
import { newTransactionMetadata } from "./transaction-metadata.ts";
import type { TransactionState } from "./transaction-state.ts";
import { isPrepared, mayFollow, TRANSACTION_STATES } from "./transaction-state.ts";

const NOW = 1_000_000;
const CONTEXT = { nowMs: NOW, transactionVersion: 2, freshProducerId: undefined };
const P0 = topicPartitions([["t", [0]]]);

/** Of producer 7 with epoch 5, before which it had epoch 4. */
function known(state: TransactionState, changes: Partial<TransactionMetadata> = {}): TransactionMetadata {
  return {
    ...newTransactionMetadata(7, NOW - 1000),
    previousProducerId: 7,
    producerEpoch: 5,
    lastProducerEpoch: 4,
    transactionTimeoutMs: 60_000,
    state,
    partitions: state === "Ongoing" || isPrepared(state) ? P0 : new Map(),
    startTimestampMs: NOW - 500,
    clientTransactionVersion: 2,
    ...changes,
  };
}

/** "CONCURRENT_TRANSACTIONS", "NONE", "Ongoing 7/5", "Ongoing 7/5 CONCURRENT_TRANSACTIONS", "needs a producer id". */
function told(decision: Decision | typeof NEEDS_PRODUCER_ID): string {
  if (decision === NEEDS_PRODUCER_ID) return "needs a producer id";
  const { errorCode, next } = decision;
  const name = Object.entries(ErrorCode).find(([, code]) => code === errorCode)?.[0] ?? String(errorCode);
  if (next === undefined) return name;
  const move = `${next.state} ${next.producerId}/${next.producerEpoch}`;
  return errorCode === ErrorCode.NONE ? move : `${move} ${name}`;
}

const RESTING = ["Empty", "CompleteCommit", "CompleteAbort"] as const;
const STATES = ["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"] as const;
const EPOCHS = { older: 4, same: 5, newer: 6 } as const;

/** What Kafka 4.4 answered, or where it could not be asked, what its rules say. PF is PRODUCER_FENCED, ITS INVALID_TXN_STATE. */
const PF = "PRODUCER_FENCED";
const ITS = "INVALID_TXN_STATE";
const CT = "CONCURRENT_TRANSACTIONS";

test("the states follow each other as in Kafka", () => {
  const kafka: Record<TransactionState, readonly TransactionState[]> = {
    Empty: ["Empty", "CompleteCommit", "CompleteAbort"],
    Ongoing: ["Ongoing", "Empty", "CompleteCommit", "CompleteAbort"],
    PrepareCommit: ["Ongoing"],
    PrepareAbort: ["Ongoing", "PrepareEpochFence", "Empty", "CompleteCommit", "CompleteAbort"],
    CompleteCommit: ["PrepareCommit"],
    CompleteAbort: ["PrepareAbort"],
    Dead: ["Empty", "CompleteAbort", "CompleteCommit"],
    PrepareEpochFence: ["Ongoing"],
  };
  for (const to of TRANSACTION_STATES) {
    const before = TRANSACTION_STATES.filter((from) => mayFollow(from, to));
    assert.deepEqual(new Set(before), new Set(kafka[to]), to);
  }
});

const END_V2: Record<(typeof STATES)[number], Record<"commit" | "abort", Record<keyof typeof EPOCHS, string>>> = {
  Empty: {
    commit: { older: PF, same: ITS, newer: PF },
    abort: { older: PF, same: "PrepareAbort 7/6", newer: PF },
  },
  Ongoing: {
    commit: { older: PF, same: "PrepareCommit 7/6", newer: PF },
    abort: { older: PF, same: "PrepareAbort 7/6", newer: PF },
  },
  PrepareCommit: { commit: { older: CT, same: CT, newer: CT }, abort: { older: CT, same: CT, newer: CT } },
  PrepareAbort: { commit: { older: CT, same: CT, newer: CT }, abort: { older: CT, same: CT, newer: CT } },
  CompleteCommit: {
    commit: { older: "NONE", same: ITS, newer: PF },
    abort: { older: ITS, same: "PrepareAbort 7/6", newer: PF },
  },
  CompleteAbort: {
    commit: { older: ITS, same: ITS, newer: PF },
    abort: { older: "NONE", same: "PrepareAbort 7/6", newer: PF },
  },
};

const END_V1: typeof END_V2 = {
  Empty: { commit: { older: PF, same: ITS, newer: PF }, abort: { older: PF, same: ITS, newer: PF } },
  Ongoing: {
    commit: { older: PF, same: "PrepareCommit 7/5", newer: PF },
    abort: { older: PF, same: "PrepareAbort 7/5", newer: PF },
  },
  PrepareCommit: { commit: { older: PF, same: CT, newer: PF }, abort: { older: PF, same: CT, newer: PF } },
  PrepareAbort: { commit: { older: PF, same: CT, newer: PF }, abort: { older: PF, same: CT, newer: PF } },
  CompleteCommit: { commit: { older: PF, same: "NONE", newer: PF }, abort: { older: PF, same: ITS, newer: PF } },
  CompleteAbort: { commit: { older: PF, same: ITS, newer: PF }, abort: { older: PF, same: "NONE", newer: PF } },
};

for (const [version, table] of [
  [2, END_V2],
  [0, END_V1],
] as const) {
  for (const state of STATES) {
    for (const end of ["commit", "abort"] as const) {
      for (const [age, producerEpoch] of Object.entries(EPOCHS) as [keyof typeof EPOCHS, number][]) {
        const expected = table[state][end][age];
        test(`transactions V${version}: ${end} of the ${age} epoch in ${state} is ${expected}`, () => {
          const request = {
            producerId: 7,
            producerEpoch,
            isCommit: end === "commit",
            clientTransactionVersion: version,
          };
          const current = known(state, { clientTransactionVersion: version });
          assert.equal(told(endTxn(current, request, CONTEXT)), expected);
        });
      }
    }
  }
}

for (const state of STATES) {
  for (const [age, producerEpoch] of Object.entries(EPOCHS)) {
    const isFree = !isPrepared(state);
    const expected = isFree ? (age === "same" ? "Ongoing 7/5" : PF) : CT;
    test(`partitions of the ${age} epoch in ${state}: ${expected}`, () => {
      const request = {
        producerId: 7,
        producerEpoch,
        partitions: topicPartitions([["t", [0, 1]]]),
        clientTransactionVersion: 2,
      };
      const decision = addPartitions(known(state), request, NOW);
      assert.equal(told(decision), expected);
      if (decision.next === undefined) return;
      assert.deepEqual([...(decision.next.partitions.get("t") ?? [])], [0, 1]);
      assert.equal(decision.next.startTimestampMs, state === "Ongoing" ? NOW - 500 : NOW);
    });
    const verdict =
      age === "same" ? (isFree ? ErrorCode.NONE : ErrorCode.CONCURRENT_TRANSACTIONS) : ErrorCode.PRODUCER_FENCED;
    test(`a leader asks about the ${age} epoch in ${state}: ${verdict}`, () => {
      assert.equal(verifyProducer(known(state), { producerId: 7, producerEpoch }), verdict);
    });
  }
  test(`another producer id is no part of it in ${state}`, () => {
    const other = { producerId: 8, producerEpoch: 5, partitions: P0, isCommit: true };
    const mapping = "INVALID_PRODUCER_ID_MAPPING";
    const expected = isPrepared(state) ? CT : mapping;
    assert.equal(told(addPartitions(known(state), { ...other, clientTransactionVersion: 2 }, NOW)), expected);
    assert.equal(told(endTxn(known(state), { ...other, clientTransactionVersion: 2 }, CONTEXT)), expected);
    assert.equal(told(endTxn(known(state), { ...other, clientTransactionVersion: 0 }, CONTEXT)), mapping);
    assert.equal(verifyProducer(known(state), other), ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  });
}

test("partitions that are in the transaction already change nothing", () => {
  const request = { producerId: 7, producerEpoch: 5, partitions: P0, clientTransactionVersion: 2 };
  assert.equal(told(addPartitions(known("Ongoing"), request, NOW)), "NONE");
});

test("an id that nobody has begun with knows no transaction", () => {
  const producer = { producerId: 7, producerEpoch: 5 };
  const mapping = "INVALID_PRODUCER_ID_MAPPING";
  const version = { clientTransactionVersion: 2 };
  assert.equal(told(addPartitions(undefined, { ...producer, partitions: P0, ...version }, NOW)), mapping);
  assert.equal(told(endTxn(undefined, { ...producer, isCommit: true, ...version }, CONTEXT)), mapping);
  assert.equal(verifyProducer(undefined, producer), ErrorCode.INVALID_PRODUCER_ID_MAPPING);
});

/** What a producer says it had, and what it is given. */
const INIT: readonly {
  readonly expected?: readonly [producerId: number, epoch: number];
  readonly states: readonly (typeof STATES)[number][];
  readonly is: string;
  readonly why: string;
  readonly changes?: Partial<TransactionMetadata>;
  readonly fresh?: number;
}[] = [
  { states: RESTING, is: "Empty 7/6", why: "a new producer gets the next epoch" },
  { states: RESTING, expected: [7, 5], is: "Empty 7/6", why: "who goes on gets the next epoch" },
  { states: RESTING, expected: [7, 4], is: "Empty 7/5", why: "who asks again gets the same answer" },
  { states: RESTING, expected: [7, 3], is: PF, why: "an older epoch is fenced" },
  { states: RESTING, expected: [7, 6], is: PF, why: "a newer one was never given out" },
  { states: RESTING, expected: [8, 5], is: PF, why: "another producer id has been replaced" },
  { states: ["Ongoing"], is: `PrepareAbort 7/6 ${CT}`, why: "what is open is aborted first" },
  { states: ["Ongoing"], expected: [7, 5], is: `PrepareAbort 7/6 ${CT}`, why: "what is open is aborted first" },
  { states: ["Ongoing"], expected: [8, 5], is: PF, why: "somebody else's transaction is left alone" },
  { states: ["PrepareCommit", "PrepareAbort"], is: CT, why: "the end of before is on its way" },
  { states: ["PrepareCommit", "PrepareAbort"], expected: [8, 1], is: CT, why: "the end of before is on its way" },
  { states: RESTING, is: "needs a producer id", why: "the epochs are used up", changes: { producerEpoch: 32_766 } },
  { states: RESTING, is: "Empty 9/0", why: "a new id begins at 0", changes: { producerEpoch: 32_766 }, fresh: 9 },
  { states: RESTING, is: "Empty 9/0", why: "the last epoch fences", changes: { producerEpoch: 32_767 }, fresh: 9 },
  { states: RESTING, is: "Empty 7/32766", why: "one epoch is left", changes: { producerEpoch: 32_765 } },
  {
    states: RESTING,
    expected: [7, 32_766],
    is: "Empty 9/0",
    why: "who goes on is moved to a new id",
    changes: { producerEpoch: 32_766 },
    fresh: 9,
  },
  {
    states: RESTING,
    expected: [7, 32_766],
    is: "Empty 9/0",
    why: "and asks again",
    changes: { producerId: 9, previousProducerId: 7, producerEpoch: 0, lastProducerEpoch: 32_766 },
  },
  {
    states: RESTING,
    expected: [7, 32_766],
    is: PF,
    why: "the id was moved for somebody else",
    changes: { producerId: 9, previousProducerId: 7, producerEpoch: 0, lastProducerEpoch: -1 },
  },
  {
    states: RESTING,
    expected: [7, 32_765],
    is: PF,
    why: "an old epoch of an exhausted id does not rotate it",
    changes: { producerEpoch: 32_766, lastProducerEpoch: -1 },
  },
  {
    states: ["Ongoing"],
    is: "needs a producer id",
    why: "the epoch that fences is the last one",
    changes: { producerEpoch: 32_766 },
  },
  {
    states: ["Ongoing"],
    is: `PrepareAbort 7/32767 ${CT}`,
    why: "the epoch that fences is the last one",
    changes: { producerEpoch: 32_766 },
    fresh: 9,
  },
];

for (const { expected, states, is, why, changes = {}, fresh } of INIT) {
  for (const state of states) {
    const who = expected === undefined ? "a new producer" : `who had ${expected.join("/")}`;
    test(`${who} begins in ${state} ${JSON.stringify(changes)}: ${is}, ${why}`, () => {
      const producer = expected && { producerId: expected[0], producerEpoch: expected[1] };
      const request = { transactionTimeoutMs: 30_000, expected: producer };
      const decision = initProducerId(known(state, changes), request, { ...CONTEXT, freshProducerId: fresh });
      assert.equal(told(decision), is);
      if (decision === NEEDS_PRODUCER_ID || decision.next?.state !== "Empty") return;
      assert.equal(decision.next.transactionTimeoutMs, 30_000);
      assert.equal(decision.next.startTimestampMs, -1);
      assert.equal(decision.next.partitions.size, 0);
    });
  }
}

test("an id that nobody knows gets a producer id and epoch 0, whatever its producer believes to have had", () => {
  for (const expected of [undefined, { producerId: 3, producerEpoch: 8 }]) {
    const request = { transactionTimeoutMs: 30_000, expected };
    assert.equal(told(initProducerId(undefined, request, CONTEXT)), "needs a producer id");
    const decision = initProducerId(undefined, request, { ...CONTEXT, freshProducerId: 9 });
    assert.equal(told(decision), "Empty 9/0");
  }
});

test("below transaction.version 2 a transaction is fenced with an epoch that its markers carry, and no new id is needed", () => {
  const current = known("Ongoing", { producerEpoch: 32_766 });
  const next = fence(current, { ...CONTEXT, transactionVersion: 1 });
  assert.ok(next !== NEEDS_PRODUCER_ID);
  assert.deepEqual([next.state, next.producerEpoch, next.nextProducerId], ["PrepareAbort", 32_767, -1]);
});

test("whoever was fenced cannot go on from its last epoch", () => {
  for (const transactionVersion of [0, 2]) {
    const next = fence(known("Ongoing"), { ...CONTEXT, transactionVersion });
    assert.ok(next !== NEEDS_PRODUCER_ID);
    const complete = { ...next, state: "CompleteAbort" as const };
    const expected = { producerId: 7, producerEpoch: 5 };
    assert.equal(told(initProducerId(complete, { transactionTimeoutMs: 1, expected }, CONTEXT)), PF);
  }
});

test("the end of the last epoch moves the producer to a new id, and a retry of it is told the same", () => {
  const last = known("Ongoing", { producerEpoch: 32_766 });
  const request = { producerId: 7, producerEpoch: 32_766, isCommit: true, clientTransactionVersion: 2 };
  assert.equal(told(endTxn(last, request, CONTEXT)), "needs a producer id");
  const decision = endTxn(last, request, { ...CONTEXT, freshProducerId: 9 });
  assert.ok(decision !== NEEDS_PRODUCER_ID);
  assert.equal(told(decision), "PrepareCommit 7/32767");
  assert.deepEqual(decision.producer, { producerId: 9, producerEpoch: 0 });
  const complete = known("CompleteCommit", { producerId: 9, previousProducerId: 7, producerEpoch: 0 });
  const retry = endTxn(complete, request, CONTEXT);
  assert.ok(retry !== NEEDS_PRODUCER_ID);
  assert.equal(told(retry), "NONE");
  assert.deepEqual(retry.producer, { producerId: 9, producerEpoch: 0 });
  assert.equal(told(endTxn(complete, { ...request, isCommit: false }, CONTEXT)), ITS);
});

test("while the markers of the last epoch are written, the new id is told to wait and not that it is unknown", () => {
  const prepared = known("PrepareCommit", { producerEpoch: 32_767, nextProducerId: 9 });
  const request = { producerId: 9, producerEpoch: 0, partitions: P0, clientTransactionVersion: 2 };
  assert.equal(told(addPartitions(prepared, request, NOW)), CT);
});

test("the end of an older client's transaction is no retry of one of the epoch before, whose producer is fenced", () => {
  const request = { producerId: 7, producerEpoch: 4, isCommit: false, clientTransactionVersion: 2 };
  assert.equal(told(endTxn(known("CompleteAbort"), request, CONTEXT)), "NONE");
  assert.equal(told(endTxn(known("CompleteAbort", { clientTransactionVersion: 0 }), request, CONTEXT)), PF);
});
