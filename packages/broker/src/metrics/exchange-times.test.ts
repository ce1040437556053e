import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@samsa/simulation";
import { BrokerMetrics } from "./broker-metrics.ts";
import { ExchangeTimes } from "./exchange-times.ts";

const PRODUCE = 0;
const FETCH = 1;

function begin() {
  const clock = new VirtualClock();
  const metrics = new BrokerMetrics({ clock });
  /** How many of an API were counted, and the sums of their milliseconds. */
  const counted = (apiKey: number) => {
    const { requestQueueTime, responseQueueTime, responseSendTime, totalTime } = metrics.api(apiKey);
    return {
      requests: totalTime.counts.reduce((sum, count) => sum + count, 0),
      sums: [requestQueueTime, responseQueueTime, responseSendTime, totalTime].map(({ sumMs }) => sumMs),
    };
  };
  return { times: new ExchangeTimes(metrics), counted, wait: (ms: number) => clock.advance(ms) };
}

test("a request waits to be started, its answer for its turn, and the system to be able to take it", () => {
  const { times, counted, wait } = begin();
  times.arrived(1);
  wait(1);
  const number = times.started(FETCH);
  wait(10); // is worked on
  times.ready(number);
  wait(100);
  times.turn(true);
  wait(1000);
  assert.equal(counted(FETCH).requests, 0, "an answer on its way is not counted");
  times.onTaken();
  assert.deepEqual(counted(FETCH), { requests: 1, sums: [1, 100, 1000, 1111] });
});

test("an answer that is ready before an earlier one waits for it in the queue of responses", () => {
  const { times, counted, wait } = begin();
  times.arrived(2);
  const [first, second] = [times.started(PRODUCE), times.started(FETCH)];
  times.ready(second);
  wait(7);
  times.ready(first);
  times.turn(true);
  times.turn(true);
  times.onTaken();
  times.onTaken();
  assert.deepEqual(counted(PRODUCE), { requests: 1, sums: [0, 0, 0, 7] });
  assert.deepEqual(counted(FETCH), { requests: 1, sums: [0, 7, 0, 7] });
});

test("what is not answered counts at its turn, between answers that are still on their way", () => {
  const { times, counted, wait } = begin();
  times.arrived(3);
  for (const [apiKey, isAnswered] of [
    [FETCH, true],
    [PRODUCE, false],
    [FETCH, true],
  ] as const) {
    times.ready(times.started(apiKey));
    times.turn(isAnswered);
  }
  assert.equal(counted(PRODUCE).requests, 1);
  wait(5);
  times.onTaken();
  assert.deepEqual(counted(FETCH), { requests: 1, sums: [0, 0, 5, 5] });
  times.onTaken();
  assert.deepEqual(counted(FETCH), { requests: 2, sums: [0, 0, 10, 10] });
});

test("more requests than there was room for keep their moments", () => {
  const { times, counted, wait } = begin();
  for (let i = 0; i < 5; i++) {
    times.arrived(1); // so that the ring does not begin at its start
    times.ready(times.started(PRODUCE));
    times.turn(true);
    times.onTaken();
  }
  for (let i = 0; i < 100; i++) {
    times.arrived(1);
    wait(1);
  }
  for (let i = 0; i < 100; i++) times.ready(times.started(FETCH));
  for (let i = 0; i < 100; i++) times.turn(true);
  for (let i = 0; i < 100; i++) times.onTaken();
  const waited = (100 * 101) / 2;
  assert.deepEqual(counted(FETCH), { requests: 100, sums: [waited, 0, 0, waited] });
});
