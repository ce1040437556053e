import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { topicNameProblem } from "@samsa/protocol";
import fc from "fast-check";
import { logDeleteDirName, logDirName, logStrayDirName, parseLogDirName } from "./topic-partition.ts";
import { SeededRandom } from "./testing/ports.ts";

describe("the folder of a partition", () => {
  const topic = fc.stringMatching(/^[a-zA-Z0-9._-]{1,249}$/).filter((name) => topicNameProblem(name) === undefined);
  const partition = fc.nat(0x7fffffff);

  test("has a name that tells its topic and partition", () => {
    fc.assert(
      fc.property(topic, partition, (topic, partition) => {
        const name = logDirName({ topic, partition });
        assert.deepEqual(parseLogDirName(name), { topic, partition, state: "current" });
      }),
    );
  });

  test("keeps partition and state when it is on its way out, within the length of a file name", () => {
    fc.assert(
      fc.property(topic, partition, fc.nat(), (topic, partition, seed) => {
        const random = new SeededRandom(seed);
        for (const [name, state] of [
          [logDeleteDirName({ topic, partition }, random), "deleted"],
          [logStrayDirName({ topic, partition }, random), "stray"],
        ] as const) {
          assert.ok(name.length <= 255);
          assert.match(name, /\.[0-9a-f]{32}-(delete|stray)$/);
          const parsed = parseLogDirName(name);
          if (name.startsWith(`${topic}-`)) assert.deepEqual(parsed, { topic, partition, state });
        }
      }),
    );
  });

  for (const name of ["", "a", "a-", "-1", "a-01", "a-4294967296", "lost+found", "a b-1", "a-x", ".-0"]) {
    test(`is not called ${JSON.stringify(name)}`, () => assert.equal(parseLogDirName(name), undefined));
  }
});
