import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantError } from "@samsa/base";
import fc from "fast-check";
import { CompletedPositions } from "./completed-positions.ts";

test("what may be committed is the lowest offset that is not done, as a list that is searched has it", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("begin" as const), gap: fc.nat(3) }), // compaction leaves gaps
    fc.record({ kind: fc.constant("complete" as const), pick: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const positions = new CompletedPositions();
      const model: { readonly offset: number; isDone: boolean }[] = [];
      let next = 0;
      for (const one of steps) {
        if (one.kind === "begin") {
          next += one.gap;
          positions.begin(next);
          model.push({ offset: next, isDone: false });
          next++;
        } else {
          const picked = model[one.pick % Math.max(1, model.length)];
          if (picked !== undefined) {
            picked.isDone = true;
            positions.complete(picked.offset);
          }
        }
        const lowest = Math.min(next, ...model.filter(({ isDone }) => !isDone).map(({ offset }) => offset));
        assert.equal(positions.committable(next), lowest);
        assert.ok(model.every(({ offset, isDone }) => isDone || offset >= positions.committable(next)));
      }
    }),
  );
});

test("records handed over in another order than that of their offsets are a mistake of ours", () => {
  const positions = new CompletedPositions();
  positions.begin(5);
  assert.throws(() => positions.begin(5), InvariantError);
});
