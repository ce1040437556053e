import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { codeOf, GroupHarness, settle } from "../testing/group-harness.ts";
import { javaHashCode, partitionForKey } from "./partition-for-key.ts";

test("an answer waits until its records are committed, and so does every reader of what they changed", async () => {
  const harness = await GroupHarness.start();
  harness.log.isHeld = true;
  const answered = new Set<string>();
  const commit = harness.commit("", -1, 7).then(() => answered.add("commit"));
  const fetch = harness.committed().then((offset) => answered.add(`fetch ${offset}`));
  await settle();
  assert.equal(answered.size, 0);
  harness.log.commit();
  await Promise.all([commit, fetch]);
  assert.deepEqual(answered, new Set(["fetch 7", "commit"]));
});

test("a commit is answered with its own write and need not wait for younger ones", async () => {
  const harness = await GroupHarness.start();
  harness.log.isHeld = true;
  const first = harness.commit("", -1, 1);
  const second = harness.commit("", -1, 2);
  harness.log.commit(1);
  assert.deepEqual(await first, [ErrorCode.NONE]);
  harness.log.commit(1);
  assert.deepEqual(await second, [ErrorCode.NONE]);
});

test("unloading with a write pending answers everyone who waits NOT_COORDINATOR, and the state comes back by replay", async () => {
  const harness = await GroupHarness.start();
  await harness.commit("", -1, 5);
  harness.log.isHeld = true;
  const waiting = [codeOf(harness.commit("", -1, 6)), codeOf(harness.join({ groupInstanceId: "static" }))];
  await settle();
  harness.coordinator.unload(0);
  assert.deepEqual(await Promise.all(waiting), [ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR]);
  assert.equal(await codeOf(harness.committed()), ErrorCode.NOT_COORDINATOR);
  assert.equal(harness.clock.pendingTimers, 0);
  harness.log.commit(); // the disk is late, and nobody is there to be told
  harness.log.isHeld = false;
  await harness.lead();
  assert.equal(await harness.committed(), 6);
});

test("while a partition is loaded its groups are refused, save the heartbeats of their members", async () => {
  const harness = await GroupHarness.start();
  await harness.commit("", -1, 5);
  let open: () => void = () => undefined;
  harness.log.loadGate = new Promise((resolve) => (open = resolve));
  harness.coordinator.unload(0);
  await harness.lead();
  assert.equal(await codeOf(harness.commit("", -1, 6)), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  assert.equal(await codeOf(harness.coordinator.listGroups()), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  assert.equal(await codeOf(harness.heartbeat("member", 1)), ErrorCode.NONE);
  open();
  await settle();
  assert.equal(await harness.committed(), 5);
});

test("a write that fails takes back what it changed", async () => {
  const harness = await GroupHarness.start();
  await harness.commit("", -1, 5);
  harness.log.isHeld = true;
  const lost = codeOf(harness.commit("", -1, 6));
  await settle();
  harness.log.fail();
  assert.equal(await lost, ErrorCode.NOT_COORDINATOR);
  harness.log.isHeld = false;
  await settle();
  assert.equal(await harness.committed(), 5);
  assert.equal(harness.problems.length, 1);
});

test("records that the log refuses change nothing, and the next ones are taken", async () => {
  const harness = await GroupHarness.start();
  harness.log.refusal = new KafkaError(ErrorCode.MESSAGE_TOO_LARGE);
  assert.equal(await codeOf(harness.commit("", -1, 6)), ErrorCode.UNKNOWN_SERVER_ERROR);
  assert.equal(await harness.committed(), undefined);
  assert.deepEqual(await harness.commit("", -1, 7), [ErrorCode.NONE]);
});

test("a partition whose log cannot be read coordinates nothing, and says so", async () => {
  const harness = await GroupHarness.start();
  harness.log.loadGate = Promise.reject(new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR));
  await harness.lead();
  assert.equal(await codeOf(harness.committed()), ErrorCode.NOT_COORDINATOR);
  assert.equal(harness.problems.length, 1);
});

for (const { key, hash, why } of [
  { key: "", hash: 0, why: "an empty name" },
  { key: "hello", hash: 99_162_322, why: "plain text" },
  { key: "polygenelubricants", hash: -0x8000_0000, why: "the text whose hash has no positive counterpart" },
]) {
  test(`hashes ${JSON.stringify(key)} as Java does: ${why}`, () => {
    assert.equal(javaHashCode(key), hash);
    assert.equal(partitionForKey(key, 50), hash === -0x8000_0000 ? 0 : hash % 50);
  });
}
