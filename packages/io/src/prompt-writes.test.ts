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

test("after a write that was stuck nothing is written at once for a hundred times as long", () => {
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

test("a slow write that is alone for a hundred times as long changes nothing", () => {
  let nowMs = 1000;
  const prompt = new PromptWrites(() => nowMs);
  for (let i = 0; i < 3; i++) {
    prompt.took(4);
    assert.equal(prompt.areGood(LITTLE), true);
    nowMs += 400;
  }
});

test("after two slow writes in a row nothing is written at once for a hundred times as long as both", () => {
  let nowMs = 1000;
  const prompt = new PromptWrites(() => nowMs);
  prompt.took(4);
  nowMs += 399;
  prompt.took(3);
  assert.equal(prompt.areGood(LITTLE), false);
  nowMs += 699;
  assert.equal(prompt.areGood(LITTLE), false);
  nowMs += 1;
  assert.equal(prompt.areGood(LITTLE), true);
  prompt.took(4);
  assert.equal(prompt.areGood(LITTLE), true, "the next one is the first again");
});
