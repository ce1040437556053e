import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import { createFetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import { SeededRandom } from "@samsa/simulation";
import { fetchTopics } from "../testing/fetch-requests.ts";
import type { FetchAnswer, FetchContext } from "./fetch-context.ts";
import { fetchContext } from "./fetch-context.ts";
import { nextSessionEpoch } from "./fetch-session.ts";
import { FetchSessionCache } from "./fetch-session-cache.ts";

type Topics = Readonly<Record<string, readonly number[]>>;
type Wanted = Partial<Pick<FetchRequest, "sessionId" | "sessionEpoch" | "replicaId">> & {
  readonly topics?: Topics;
  readonly forget?: Topics;
  readonly offset?: number;
  readonly version?: number;
};

/** A broker's cache with a client that asks it. */
class Scene {
  readonly cache = new FetchSessionCache({ maxSessions: 10, random: new SeededRandom(1) });

  context({ topics = {}, forget = {}, offset = 0, version = 12, ...wanted }: Wanted): FetchContext | ErrorCode {
    const forgottenTopicsData = Object.entries(forget).map(([topic, partitions]) => ({
      topic,
      topicId: ZERO_UUID,
      partitions,
    }));
    const request = FetchRequest.create({ topics: fetchTopics(topics, offset), forgottenTopicsData, ...wanted });
    return fetchContext(request, version, this.cache, 0);
  }

  /** What is read, and what is answered when every partition holds `data`. */
  fetch(wanted: Wanted, data: Partial<FetchResponsePartitionData> = {}) {
    const context = this.context(wanted);
    assert.ok(typeof context === "object", "the fetch was refused");
    const read = context.wishes.map(({ topic, request }) => `${topic}-${request.partition}@${request.fetchOffset}`);
    return { read, ...told(answer(context, data)) };
  }

  /** Opens a session on the topics; returns its id. */
  open(topics: Topics, version = 12): number {
    return this.fetch({ topics, sessionEpoch: 0, version }).sessionId;
  }
}

function answer(context: FetchContext, data: Partial<FetchResponsePartitionData> = {}): FetchAnswer {
  const fetched = context.wishes.map((wish) => {
    const partitionIndex = wish.request.partition;
    return {
      wish,
      data: createFetchResponsePartitionData({ highWatermark: 0, records: null, ...data, partitionIndex }),
    };
  });
  return context.answer(fetched, 0);
}

function told({ errorCode, sessionId, partitions }: FetchAnswer) {
  return { errorCode, sessionId, told: partitions.map(({ wish, data }) => `${wish.topic}-${data.partitionIndex}`) };
}

test("a fetch without a session is answered whole", () => {
  const scene = new Scene();
  const { sessionId, read } = scene.fetch({ topics: { orders: [0, 1] }, sessionEpoch: -1 });
  assert.deepEqual([sessionId, read, scene.cache.size], [0, ["orders-0@0", "orders-1@0"], 0]);
});

test("in a session, only what is new to the client is told", () => {
  const scene = new Scene();
  const sessionId = scene.open({ orders: [0], users: [3] });
  const quiet = scene.fetch({ sessionId, sessionEpoch: 1 });
  assert.deepEqual([quiet.read, quiet.told], [["orders-0@0", "users-3@0"], []]);
  assert.deepEqual(scene.fetch({ sessionId, sessionEpoch: 2 }, { highWatermark: 7 }).told, ["orders-0", "users-3"]);
  assert.deepEqual(scene.fetch({ sessionId, sessionEpoch: 3 }, { highWatermark: 7 }).told, []);
});

const news: readonly { readonly what: string; readonly data: Partial<FetchResponsePartitionData> }[] = [
  { what: "records", data: { records: new Uint8Array(1) } },
  { what: "another high watermark", data: { highWatermark: 1 } },
  { what: "another log start offset", data: { logStartOffset: 1 } },
  { what: "an error", data: { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, highWatermark: -1 } },
  { what: "a nearer replica", data: { preferredReadReplica: 2 } },
  { what: "a diverging log", data: { divergingEpoch: { epoch: 1, endOffset: 5 } } },
];
for (const { what, data } of news) {
  test(`in a session, ${what} is told`, () => {
    const scene = new Scene();
    const sessionId = scene.open({ orders: [0] });
    assert.deepEqual(scene.fetch({ sessionId, sessionEpoch: 1 }, data).told, ["orders-0"]);
  });
}

test("after an error the partition is told again when it is well", () => {
  const scene = new Scene();
  const sessionId = scene.open({ orders: [0] });
  scene.fetch({ sessionId, sessionEpoch: 1 }, { errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
  assert.deepEqual(scene.fetch({ sessionId, sessionEpoch: 2 }).told, ["orders-0"]);
});

test("who was given records is read last in the next fetch", () => {
  const scene = new Scene();
  const sessionId = scene.open({ orders: [0, 1] });
  const context = scene.context({ sessionId, sessionEpoch: 1 });
  assert.ok(typeof context === "object");
  const [first] = context.wishes;
  assert.ok(first !== undefined);
  context.answer([{ wish: first, data: createFetchResponsePartitionData({ records: new Uint8Array(9) }) }], 0);
  assert.deepEqual(scene.fetch({ sessionId, sessionEpoch: 2 }).read, ["orders-1@0", "orders-0@0"]);
});

test("a session takes up new partitions and new offsets, and forgets", () => {
  const scene = new Scene();
  const sessionId = scene.open({ orders: [0, 1] });
  const changed = scene.fetch({
    sessionId,
    sessionEpoch: 1,
    topics: { orders: [1, 2] },
    offset: 5,
    forget: { orders: [0] },
  });
  assert.deepEqual(changed.read, ["orders-1@5", "orders-2@5"]);
  assert.deepEqual(changed.told, ["orders-2"]);
});

test("a session that has forgotten everything ends", () => {
  const scene = new Scene();
  const sessionId = scene.open({ orders: [0] });
  const last = scene.fetch({ sessionId, sessionEpoch: 1, forget: { orders: [0] } });
  assert.deepEqual([last.sessionId, last.read, scene.cache.size], [0, [], 0]);
});

test("a partition that is named twice is read once, with the last wish", () => {
  const topics = [...fetchTopics({ orders: [0] }, 1), ...fetchTopics({ orders: [0] }, 2)];
  const request = FetchRequest.create({ topics });
  const context = fetchContext(request, 12, new Scene().cache, 0);
  assert.ok(typeof context === "object");
  assert.deepEqual(
    context.wishes.map((wish) => wish.request.fetchOffset),
    [2],
  );
});

test("a full fetch that names a session ends it", () => {
  for (const sessionEpoch of [0, -1]) {
    const scene = new Scene();
    const sessionId = scene.open({ orders: [0] });
    scene.fetch({ sessionId, sessionEpoch, topics: { orders: [0] } });
    assert.equal(scene.cache.get(sessionId), undefined);
  }
});

test("what a session does not expect is refused", () => {
  const scene = new Scene();
  const sessionId = scene.open({ orders: [0] });
  assert.equal(scene.context({ sessionId: sessionId + 1, sessionEpoch: 1 }), ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
  assert.equal(scene.context({ sessionId: 0, sessionEpoch: 1 }), ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
  assert.equal(scene.context({ sessionId, sessionEpoch: 2 }), ErrorCode.INVALID_FETCH_SESSION_EPOCH);
  assert.equal(scene.context({ sessionId, sessionEpoch: 1, version: 13 }), ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR);
  assert.equal(typeof scene.context({ sessionId, sessionEpoch: 1 }), "object");
});

test("a fetch that waited while the session went on elsewhere is refused", () => {
  const scene = new Scene();
  const sessionId = scene.open({ orders: [0] });
  const waiting = scene.context({ sessionId, sessionEpoch: 1 });
  assert.ok(typeof waiting === "object");
  scene.fetch({ sessionId, sessionEpoch: 2 });
  const late = told(answer(waiting, { records: new Uint8Array(3) }));
  assert.deepEqual(late, { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId, told: [] });
});

test("after the largest epoch comes 1", () => {
  assert.deepEqual([nextSessionEpoch(1), nextSessionEpoch(2 ** 31 - 1)], [2, 1]);
});
