import assert from "node:assert/strict";
import { test } from "node:test";

import { BusyPolling } from "./busy-polling.ts";

/** A loop that turns when the test says so; it sleeps when nobody wants its next turn. */
function loopOf(pollMs: number) {
  const wanted: (() => void)[] = [];
  let nowMs = 1000;
  const polling = new BusyPolling(pollMs, { nowMs: () => nowMs, nextTurn: (call) => wanted.push(call) });
  const turnAt = (atMs: number): void => {
    nowMs = atMs;
    for (const call of wanted.splice(0)) call();
  };
  return { polling, turnAt, wants: () => wanted.length };
}

test("nobody keeps a loop awake to which nothing has come", () => {
  assert.equal(loopOf(2).wants(), 0);
});

test("after bytes have come the loop turns for so long, and then sleeps", () => {
  const { polling, turnAt, wants } = loopOf(2);
  polling.bytesCame();
  assert.equal(wants(), 1);
  turnAt(1001.9);
  assert.equal(wants(), 1);
  turnAt(1002);
  assert.equal(wants(), 0);
});

test("what comes meanwhile makes it longer, not more of them", () => {
  const { polling, turnAt, wants } = loopOf(2);
  polling.bytesCame();
  turnAt(1001);
  polling.bytesCame();
  polling.bytesCame();
  assert.equal(wants(), 1);
  turnAt(1002.5);
  assert.equal(wants(), 1);
  turnAt(1003);
  assert.equal(wants(), 0);
});

test("bytes that come to a loop that slept keep it awake again", () => {
  const { polling, turnAt, wants } = loopOf(2);
  polling.bytesCame();
  turnAt(1010);
  assert.equal(wants(), 0);
  polling.bytesCame();
  turnAt(1011);
  assert.equal(wants(), 1);
});
