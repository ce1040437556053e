import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RaftViolation } from "./raft-invariants.ts";
import type { RaftSimulationOptions } from "./raft-simulation.ts";
import { simulateRaft } from "./raft-simulation.ts";

const voters = (seed: number): number => (seed % 2 === 0 ? 3 : 5);

test("quorums of three and five keep their promises, whatever happens, and get on afterwards", () => {
  const seen = { crashes: 0, leaders: 0, snapshots: 0, voterChanges: 0 };
  for (let seed = 1; seed <= 24; seed++) {
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
  const mistakes: { mutation: keyof NonNullable<RaftSimulationOptions["mutations"]>; from: number }[] = [
    { mutation: "ignoresLogOfCandidate", from: 1 },
    { mutation: "commitsOlderEpochs", from: 430 },
    { mutation: "truncatesCommitted", from: 10 },
    { mutation: "ignoresDivergence", from: 1 },
    { mutation: "fetchesBeforeSync", from: 1 },
    { mutation: "countsUnsyncedLeader", from: 1 },
    { mutation: "overlapsVoterChanges", from: 314 },
    { mutation: "skipsQuorumStateSync", from: 136 },
    { mutation: "forgetsQuorumState", from: 9 },
  ];
  for (const { mutation, from } of mistakes) {
    test(mutation, () => {
      // Which of them shows it changes with everything that changes in the quorum.
      const invariants: string[] = [];
      for (let seed = from; seed < from + 80 && invariants.length === 0; seed++) {
        try {
          simulateRaft({ seed, voters: voters(seed), observers: 2, events: 5000, mutations: { [mutation]: true } });
        } catch (error) {
          assert.ok(error instanceof RaftViolation);
          if (error.invariant !== "the quorum gets on") invariants.push(error.invariant);
        }
      }
      assert.equal(invariants.length, 1);
    });
  }
});
