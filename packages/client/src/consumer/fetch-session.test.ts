import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import fc from "fast-check";
import type { SessionRequest, Wanted } from "./fetch-session.ts";
import { FetchSession } from "./fetch-session.ts";

function wanted(offsets: Readonly<Record<string, number>>, topicId = "AAAAAAAAAAAAAAAAAAAAAQ"): Wanted[] {
  return Object.entries(offsets).map(([name, fetchOffset]) => ({
    name,
    topic: "t",
    topicId: topicId as Uuid,
    partition: Number(name),
    fetchOffset,
    currentLeaderEpoch: 1,
    lastFetchedEpoch: -1,
    partitionMaxBytes: 100,
  }));
}

function told({ sessionEpoch, topics, forgottenTopicsData }: SessionRequest): unknown {
  return {
    epoch: sessionEpoch,
    added: topics.flatMap(({ partitions }) => partitions.map(({ partition, fetchOffset }) => [partition, fetchOffset])),
    forgotten: forgottenTopicsData.flatMap(({ partitions }) => partitions),
  };
}

test("after the first request only what changed is told", () => {
  const session = new FetchSession();
  assert.deepEqual(told(session.next(wanted({ 0: 5, 1: 5 }))), {
    epoch: 0,
    added: [
      [0, 5],
      [1, 5],
    ],
    forgotten: [],
  });
  session.onResponse(ErrorCode.NONE, 77);
  assert.deepEqual(told(session.next(wanted({ 0: 5, 1: 9 }))), { epoch: 1, added: [[1, 9]], forgotten: [] });
  session.onResponse(ErrorCode.NONE, 77);
  assert.deepEqual(told(session.next(wanted({ 1: 9, 2: 0 }))), { epoch: 2, added: [[2, 0]], forgotten: [0] });
  assert.equal(session.final().sessionId, 77);
});

test("a broker that does what it is told has what is wanted, after any number of requests", () => {
  const offsets = fc.dictionary(fc.constantFrom("0", "1", "2", "3", "4"), fc.nat(2));
  fc.assert(
    fc.property(fc.array(offsets, { maxLength: 12 }), (requests) => {
      const session = new FetchSession();
      const broker = new Map<number, number>();
      for (const request of requests) {
        const { topics, forgottenTopicsData } = session.next(wanted(request));
        for (const { partitions } of forgottenTopicsData) for (const partition of partitions) broker.delete(partition);
        for (const { partitions } of topics) {
          for (const { partition, fetchOffset } of partitions) broker.set(partition, fetchOffset);
        }
        const expected = Object.entries(request).map(([name, offset]) => [Number(name), offset] as const);
        assert.deepEqual(broker, new Map(expected));
        session.onResponse(ErrorCode.NONE, 77);
      }
    }),
  );
});

test("a topic that was deleted and made again is forgotten under its old id", () => {
  const session = new FetchSession();
  session.next(wanted({ 0: 5 }));
  session.onResponse(ErrorCode.NONE, 77);
  const request = session.next(wanted({ 0: 0 }, "AAAAAAAAAAAAAAAAAAAAAg"));
  assert.deepEqual(told(request), { epoch: 1, added: [[0, 0]], forgotten: [0] });
  assert.equal(request.forgottenTopicsData[0]?.topicId, "AAAAAAAAAAAAAAAAAAAAAQ");
  assert.equal(request.topics[0]?.topicId, "AAAAAAAAAAAAAAAAAAAAAg");
});

test("a broker without sessions is told everything each time", () => {
  const session = new FetchSession();
  session.next(wanted({ 0: 5 }));
  session.onResponse(ErrorCode.NONE, 0);
  assert.deepEqual(told(session.next(wanted({ 0: 5 }))), { epoch: 0, added: [[0, 5]], forgotten: [] });
});

test("a session that is lost or in doubt begins anew with everything, under its id while the broker may have it", () => {
  const session = new FetchSession();
  session.next(wanted({ 0: 5 }));
  session.onResponse(ErrorCode.NONE, 77);
  session.onFailure();
  let request = session.next(wanted({ 0: 5 }));
  assert.deepEqual([request.sessionId, told(request)], [77, { epoch: 0, added: [[0, 5]], forgotten: [] }]);
  assert.equal(session.onResponse(ErrorCode.FETCH_SESSION_ID_NOT_FOUND, 0), false);
  request = session.next(wanted({ 0: 5 }));
  assert.deepEqual([request.sessionId, request.sessionEpoch], [0, 0]);
  assert.equal(session.onResponse(ErrorCode.INVALID_FETCH_SESSION_EPOCH, 0), true); // twice: not at once again
});
