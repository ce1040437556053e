import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "@samsa/base";
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from "./consumer-protocol.ts";
import { decodeGeneration, decodeStickyUserData, encodeGeneration, encodeStickyUserData } from "./sticky-user-data.ts";

const subscription = {
  topics: ["a", "b"],
  userData: Uint8Array.of(7),
  ownedPartitions: [
    { topic: "a", partition: 0 },
    { topic: "a", partition: 2 },
    { topic: "b", partition: 1 },
  ],
  generationId: 5,
  rackId: "r1",
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("a subscription is sorted, so that its bytes change only when it does", () => {
  const shuffled = {
    ...subscription,
    topics: subscription.topics.toReversed(),
    ownedPartitions: subscription.ownedPartitions.toReversed(),
  };
  assert.equal(hex(encodeSubscription(shuffled)), hex(encodeSubscription(subscription)));
});

const versions = [
  { version: 0, lost: { ownedPartitions: [], generationId: -1, rackId: null } },
  { version: 1, lost: { generationId: -1, rackId: null } },
  { version: 2, lost: { rackId: null } },
  { version: 3, lost: {} },
];
for (const { version, lost } of versions) {
  test(`version ${version} of a subscription loses ${Object.keys(lost).join(", ") || "nothing"}`, () => {
    assert.deepEqual(decodeSubscription(encodeSubscription(subscription, version)), { ...subscription, ...lost });
  });
}

test("what is newer than we know is read as far as we know it", () => {
  const bytes = new Uint8Array([...encodeSubscription(subscription), 1, 2, 3]);
  bytes[1] = 9;
  assert.deepEqual(decodeSubscription(bytes), subscription);
});

test("an assignment keeps the order of its partitions within a topic", () => {
  const partitions = [3, 1, 2].map((partition) => ({ topic: "a", partition }));
  assert.deepEqual(decodeAssignment(encodeAssignment({ partitions })), { partitions, userData: null });
});

test("no bytes are no assignment", () => {
  assert.deepEqual(decodeAssignment(new Uint8Array()), { partitions: [], userData: null });
});

for (const bytes of [[], [0], [0xff, 0xff], [0, 1, 0x7f, 0xff, 0xff, 0xff], [0, 3, 0, 0, 0, 1, 0, 9, 65]]) {
  test(`${JSON.stringify(bytes)} is no subscription`, () => {
    assert.throws(() => decodeSubscription(Uint8Array.from(bytes)), ProtocolError);
  });
}

const last = { partitions: subscription.ownedPartitions, generationId: 5 };

test("what a sticky member had comes back, with its generation", () => {
  assert.deepEqual(decodeStickyUserData(encodeStickyUserData(last)), { partitions: last.partitions, generation: 5 });
});

test("the first version of a sticky member's bytes has no generation", () => {
  const { partitions, generation } = decodeStickyUserData(encodeStickyUserData(last).subarray(0, -4));
  assert.deepEqual([partitions, generation], [last.partitions, undefined]);
});

test("bytes of somebody else's sticky assignor are no claim", () => {
  for (const bytes of [[1], [0, 0, 0, 9], [0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0], [0x80, 0, 0, 0]]) {
    assert.deepEqual(decodeStickyUserData(Uint8Array.from(bytes)), { partitions: [], generation: -1 });
  }
  assert.deepEqual([null, Uint8Array.of(0), encodeGeneration(6)].map(decodeGeneration), [undefined, -1, 6]);
});
