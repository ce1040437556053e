import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCollisionChars, isInternalTopic, topicNamesCollide } from "./topic-name.ts";

test("a period and an underscore are the same where names collide", () => {
  assert.ok(topicNamesCollide("a.b", "a_b"));
  assert.ok(topicNamesCollide("a.b_c", "a_b.c"));
  assert.ok(!topicNamesCollide("a.b", "a-b"));
  assert.ok(hasCollisionChars("a.b") && hasCollisionChars("a_b") && !hasCollisionChars("a-b"));
});

test("the topics of the coordinators are internal, the metadata log is not", () => {
  assert.ok(isInternalTopic("__consumer_offsets") && isInternalTopic("__transaction_state"));
  assert.ok(isInternalTopic("__share_group_state") && !isInternalTopic("__cluster_metadata"));
});
