import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RaftViolation } from "./raft-invariants.ts";
import type { RaftSimulationOptions } from "./raft-simulation.ts";
import { simulateRaft } from "./raft-simulation.ts";

const voters = (seed: number): number => (seed % 2 === 0 ? 3 : 5);

test("quorums of three and five keep their promises, whatever happens, and get on afterwards", () => {
  const seen = { crashes: 0, leaders: 0, snapshots: 0, voterChanges: 0 };
  for (let seed = 1; seed <= 32; seed++) {
    const report = simulateRaft({ seed, voters: voters(seed), observers: 2, events: 3000 });
    assert.ok(report.committedOffset > 0);
    seen.crashes += report.faults.crash;
    seen.leaders += report.leaders;
    seen.snapshots += report.snapshotsInstalled;
    seen.voterChanges += report.voterChanges;
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `there were ${what}`);
});

test("the same seed gives the same run", () => {
  const options = { seed: 12, voters: 3, observers: 2, events: 2000 };
  assert.deepEqual(simulateRaft(options), simulateRaft(options));
});

describe("a mistake made on purpose is found", () => {
  const mistakes: { mutation: keyof NonNullable<RaftSimulationOptions["mutations"]>; seed: number }[] = [
    { mutation: "ignoresLogOfCandidate", seed: 1 },
    { mutation: "commitsOlderEpochs", seed: 126 },
    { mutation: "truncatesCommitted", seed: 4 },
    { mutation: "ignoresDivergence", seed: 1 },
    { mutation: "fetchesBeforeSync", seed: 1 },
    { mutation: "countsUnsyncedLeader", seed: 19 },
    { mutation: "overlapsVoterChanges", seed: 314 },
    { mutation: "skipsQuorumStateSync", seed: 52 },
    { mutation: "forgetsQuorumState", seed: 9 },
  ];
  for (const { mutation, seed } of mistakes) {
    test(mutation, () => {
      const options = { seed, voters: voters(seed), observers: 2, events: 5000 };
      simulateRaft(options); // without it, all is well
      assert.throws(() => simulateRaft({ ...options, mutations: { [mutation]: true } }), RaftViolation);
    });
  }
});
