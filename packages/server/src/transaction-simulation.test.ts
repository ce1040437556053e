import assert from "node:assert/strict";
import { test } from "node:test";
import type { Marks } from "./testing/transaction-simulation.ts";
import { simulateTransactions } from "./testing/transaction-simulation.ts";

const SEEDS = 8;
const STEPS = 200;

test(`${SEEDS} brokers and their transactions keep every promise, whatever dies, is late, or comes twice`, async () => {
  const marks: Marks = new Map();
  for (let seed = 1; seed <= SEEDS; seed++) {
    await simulateTransactions(seed, STEPS, marks).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
  }
  // A simulation in which nothing happens finds nothing.
  const atLeast: Readonly<Record<string, number>> = {
    "transactions committed": 40,
    "transactions aborted": 30,
    "producers that were fenced": 20,
    "producers that died": 10,
    "epochs that were used up at the end of a transaction": 1,
    "epochs that were used up at the beginning of a transaction": 1,
    "writes that came late": 2,
    "ends under an epoch of nobody": 2,
    "starts of a broker": 20,
    "a producer begins in Ongoing": 10,
    "offsets of groups": 8,
  };
  for (const [mark, count] of Object.entries(atLeast)) {
    assert.ok((marks.get(mark) ?? 0) >= count, `${mark}: ${marks.get(mark) ?? 0}`);
  }
});
