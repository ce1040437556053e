import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAULT_KINDS, runWithFault } from "./testing/fault-script.ts";

/** One in so many operations fails here; `node scripts/simulate-log.mjs --faults` takes them all. */
const EVERY = 23;

describe("when an operation of the disk fails, nothing acknowledged is lost and the log says so", () => {
  for (const [index, { name, ...fault }] of FAULT_KINDS.entries()) {
    test(name, async () => {
      let failed = 0;
      for (let nth = 1 + index; ; nth += EVERY) {
        const outcome = await runWithFault({ ...fault, nth }, nth);
        if (outcome.failed === undefined) break;
        failed++;
      }
      assert.ok(failed > 10, `${failed} operations`);
    });
  }

  test("the script does what a log does to a disk", async () => {
    const { operations } = await runWithFault(undefined);
    const done = new Set(
      operations.map(({ kind, path }) => `${kind} ${/[^/]*$/.exec(path)?.[0]?.replace(/^\d+/, "")}`),
    );
    const wanted = [
      "write .log",
      "sync .log",
      "truncate .log",
      "write .index",
      "write .timeindex",
      "write .txnindex",
      "write .snapshot.tmp",
      "rename .snapshot.tmp",
      "write leader-epoch-checkpoint.tmp",
      "write recovery-point-offset-checkpoint.tmp",
      "write replication-offset-checkpoint.tmp",
      "write log-start-offset-checkpoint.tmp",
      "write cleaner-offset-checkpoint.tmp",
      "write partition.metadata.tmp",
      "write .kafka_cleanshutdown.tmp",
      "remove .kafka_cleanshutdown",
      "rename .log.cleaned",
      "rename .log.swap",
      "rename .log",
      "remove .log.deleted",
    ];
    assert.deepEqual(
      wanted.filter((one) => !done.has(one)),
      [],
    );
  });
});
