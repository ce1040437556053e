import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkHistory } from "./check-history.ts";
import type { History, Operation } from "./history.ts";
import { checkCompaction, checkExactlyOnce } from "./state-anomalies.ts";
import { cleanHistory } from "./testing/clean-history.ts";
import { INJECTIONS } from "./testing/inject-anomaly.ts";

const SEEDS = 200;

describe("the checker of histories", () => {
  test("finds nothing in histories without a fault", () => {
    for (let seed = 0; seed < SEEDS; seed++) assert.deepEqual(checkHistory(cleanHistory(seed)), [], `seed ${seed}`);
  });

  test("the histories without a fault have commits, aborts, unknown ends, and reads of all", () => {
    const ends = new Set<string>();
    for (let seed = 0; seed < 20; seed++)
      for (const event of cleanHistory(seed))
        if (event.kind === "operation") ends.add(`${event.transactional} ${event.outcome}`);
    assert.deepEqual([...ends].sort(), [
      "false failed",
      "false ok",
      "false unknown",
      "true failed",
      "true ok",
      "true unknown",
    ]);
  });

  for (const [kind, inject] of Object.entries(INJECTIONS)) {
    test(`finds each injected ${kind}`, () => {
      let injected = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        const history = inject(cleanHistory(seed));
        if (history === undefined) continue;
        injected++;
        const found = checkHistory(history).map((anomaly) => anomaly.kind);
        assert(found.includes(kind as (typeof found)[number]), `seed ${seed} found ${found.join(", ") || "nothing"}`);
      }
      assert(injected > SEEDS / 4, `${injected} of ${SEEDS} histories had a place for it`);
    });
  }

  test("lets the members of a group jump from poll to poll, but not within one", () => {
    const sent = { ...poll(0, []), process: 2, steps: [send("v0", 0), send("v1", 1), send("v2", 2)] };
    assert.deepEqual(kinds([subscribed, sent, poll(1, [0]), poll(2, [2]), poll(3, [1])]), []);
    assert.deepEqual(kinds([subscribed, sent, poll(1, [0]), poll(2, [2, 1])]), ["nonmonotonic-poll"]);
  });

  test("a transaction of an unknown end is committed once a part of it was read", () => {
    const steps = [send("a", 0), send("b", 1)];
    const sent: Operation = { ...poll(0, []), process: 2, transactional: true, outcome: "unknown", steps };
    const read = (value: string, offset: number): Operation => ({
      ...poll(1, []),
      steps: [{ kind: "poll", records: [{ log: "t-0", offset, value }] }],
    });
    assert.deepEqual(kinds([sent, { kind: "drained", log: "t-0" }]), []);
    assert.deepEqual(kinds([sent, read("b", 1), { kind: "drained", log: "t-0" }]), ["lost-write", "torn-transaction"]);
    assert.deepEqual(kinds([sent, read("a", 0), { kind: "drained", log: "t-0" }]), ["unseen", "torn-transaction"]);
  });

  test("an empty history is a clean one", () => assert.deepEqual(checkHistory([]), []));
});

describe("the output of an exactly-once pipeline", () => {
  test("is its input, in any order", () => assert.deepEqual(checkExactlyOnce(["a", "b"], ["b", "a"]), []));
  test("lacks nothing, and has nothing twice or of its own", () => {
    assert.deepEqual(
      checkExactlyOnce(["a", "b"], ["b", "b", "c"]).map(({ detail }) => detail),
      ["a is missing", "b is there 1 times too often", "c is there 1 times too often"],
    );
  });
});

describe("a log after its cleaning", () => {
  const written = [
    { key: "k", value: "1" },
    { key: "k", value: "2" },
    { key: "gone", value: "3" },
    { key: "gone", value: null },
  ];
  test("has the last value of each key", () => {
    assert.deepEqual(checkCompaction(written, [{ key: "k", value: "2" }]), []);
    assert.deepEqual(checkCompaction(written, written), []);
  });
  test("has no older value, and no key that was deleted", () => {
    const left = [
      { key: "k", value: "1" },
      { key: "gone", value: "3" },
    ];
    assert.equal(checkCompaction(written, left).length, 2);
  });
});

const subscribed = { kind: "assigned", process: 1, at: 0, by: "subscribe" } as const;

function send(value: string, offset: number) {
  return { kind: "send", log: "t-0", value, offset } as const;
}

function poll(begin: number, offsets: readonly number[]): Operation {
  const records = offsets.map((offset) => ({ log: "t-0", offset, value: `v${offset}` }));
  const times = { begin, end: begin + 0.5, outcome: "ok", transactional: false } as const;
  return { kind: "operation", process: 1, ...times, steps: [{ kind: "poll", records }] };
}

function kinds(history: History): string[] {
  return checkHistory(history).map(({ kind }) => kind);
}
