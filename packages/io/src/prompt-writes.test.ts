import assert from "node:assert/strict";
import { test } from "node:test";

import { PromptWrites } from "./prompt-writes.ts";

const LITTLE = [new Uint8Array(100)];

test("a little is written at once, and more by a thread", () => {
  const prompt = new PromptWrites(() => 0);
  assert.equal(prompt.areGood([]), true);
  assert.equal(prompt.areGood([new Uint8Array(65_536), new Uint8Array(65_536)]), true);
  assert.equal(prompt.areGood([new Uint8Array(65_536), new Uint8Array(65_537)]), false);
});

test("after a slow write nothing is written at once for a hundred times as long", () => {
  let nowMs = 1000;
  const prompt = new PromptWrites(() => nowMs);
  prompt.took(1.9);
  assert.equal(prompt.areGood(LITTLE), true);
  prompt.took(50);
  assert.equal(prompt.areGood(LITTLE), false);
  nowMs += 4999;
  assert.equal(prompt.areGood(LITTLE), false);
  nowMs += 1;
  assert.equal(prompt.areGood(LITTLE), true);
});
