import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { AssignorCase, JoinedMember } from "../../testing/assignor-cases.ts";
import { assignorCase, ASSIGNORS } from "../../testing/assignor-cases.ts";
import { decodeSubscription, encodeAssignment } from "./consumer-protocol.ts";
import type { MemberAssignment, PartitionAssignor } from "./partition-assignor.ts";

// compat/golden/assignments.mjs captured them from Java's assignors.
const digests = readFileSync(new URL("../../../test-fixtures/assignments/digests.txt", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => line.split(" "));

function assign({ topics, members }: AssignorCase, assignor: PartitionAssignor): ReadonlyMap<string, MemberAssignment> {
  return assignor.assign(
    topics,
    members.map(({ memberId, groupInstanceId, subscriptions }) => {
      const bytes = subscriptions.get(assignor.name) ?? new Uint8Array();
      return { memberId, groupInstanceId, ...decodeSubscription(bytes) };
    }),
  );
}

function topicsOf({ subscriptions }: JoinedMember, { name }: PartitionAssignor): readonly string[] {
  return decodeSubscription(subscriptions.get(name) ?? new Uint8Array()).topics;
}

function digestOf({ members }: AssignorCase, given: ReadonlyMap<string, MemberAssignment>): string {
  const hash = createHash("sha256");
  for (const { memberId } of members) {
    const bytes = encodeAssignment(given.get(memberId) ?? { partitions: [] });
    hash.update(`${memberId}=${Buffer.from(bytes).toString("hex")}\n`);
  }
  return hash.digest().subarray(0, 6).toString("base64url");
}

/** Where Java's assignor throws, or gives a member what it does not read. */
const FAULTS = new Set(["fails", "unread"]);

test("there are a thousand groups that no assignor of Java's trips over", () => {
  assert.ok(digests.filter((line) => !line.some((digest) => FAULTS.has(digest))).length >= 1000);
});

for (const [index, assignor] of ASSIGNORS.entries()) {
  test(`${assignor.name} gives a thousand groups, byte for byte, what Java's assignor gives them`, () => {
    const differing = digests.flatMap((expected, number) => {
      const group = assignorCase(number);
      const digest = expected[index] ?? "";
      return FAULTS.has(digest) || digestOf(group, assign(group, assignor)) === digest ? [] : [number];
    });
    assert.deepEqual(differing, []);
  });

  test(`${assignor.name} gives each partition that somebody reads to one who reads it, or while it moves to none`, () => {
    for (let number = 0; number < 1100; number += 3) {
      const group = assignorCase(number);
      const given = assign(group, assignor);
      const seen = new Set<string>();
      for (const member of group.members) {
        const topics = topicsOf(member, assignor);
        for (const { topic, partition } of given.get(member.memberId)?.partitions ?? []) {
          assert.ok(topics.includes(topic) && !seen.has(`${topic}-${partition}`), `${number}: ${topic}-${partition}`);
          seen.add(`${topic}-${partition}`);
        }
      }
      const reads = new Set(group.members.flatMap((one) => topicsOf(one, assignor)));
      const wanted = Array.from(group.topics, ([name, { partitionCount }]) => (reads.has(name) ? partitionCount : 0));
      const total = wanted.reduce((sum, count) => sum + count, 0);
      const mayWait = assignor.rebalanceProtocols.includes("cooperative");
      assert.ok(seen.size === total || mayWait, `${number}: ${seen.size} of ${total}`);
    }
  });
}
