import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { OffsetForLeaderEpochRequest } from "@samsa/protocol/messages/offset-for-leader-epoch-request";
import { OffsetForLeaderEpochResponse } from "@samsa/protocol/messages/offset-for-leader-epoch-response";
import { produce } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

async function endOfEpoch(client: RawClient, leaderEpoch: number, currentLeaderEpoch = -1, version = 4, partition = 0) {
  const request = OffsetForLeaderEpochRequest.create({
    replicaId: -1,
    topics: [{ topic: "orders", partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }],
  });
  const { topics } = await client.request(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, version, request);
  const found = topics[0]?.partitions[0];
  if (found === undefined) throw new Error("the response names no partition");
  return [found.errorCode, found.leaderEpoch, found.endOffset];
}

for (let version = 2; version <= 4; version++) {
  test(`OffsetForLeaderEpoch ${version} tells where the records of an epoch end`, async () => {
    const disk = new MemoryDisk();
    {
      await using broker = await startTestBroker({ disk });
      await broker.createTopic("orders");
      for (const value of ["a", "b"]) await produce(broker.client, batchOf([value]), { topic: "orders" });
      assert.deepEqual(await endOfEpoch(broker.client, 0, -1, version), [ErrorCode.NONE, 0, 2]);
    }
    await using broker = await startTestBroker({ disk }); // leads under a later epoch
    await produce(broker.client, batchOf(["c"]), { topic: "orders" });
    assert.deepEqual(await endOfEpoch(broker.client, 0, -1, version), [ErrorCode.NONE, 0, 2]);
    const [errorCode, leaderEpoch, endOffset] = await endOfEpoch(broker.client, 1, -1, version);
    assert.deepEqual([errorCode, endOffset], [ErrorCode.NONE, leaderEpoch === 1 ? 3 : 2]);
  });
}

const cases = [
  { what: "an epoch that is to come is not known", leaderEpoch: 7, answer: [ErrorCode.NONE, -1, -1] },
  { what: "the epoch the caller believes in is right", leaderEpoch: 0, current: 0, answer: [ErrorCode.NONE, 0, 1] },
  {
    what: "the caller knows a later leader",
    leaderEpoch: 0,
    current: 3,
    answer: [ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1],
  },
  {
    what: "a partition that is not there",
    leaderEpoch: 0,
    partition: 4,
    answer: [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1],
  },
];
for (const { what, leaderEpoch, current, partition, answer } of cases) {
  test(what, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic("orders");
    await produce(broker.client, batchOf(["a"]), { topic: "orders" });
    assert.deepEqual(await endOfEpoch(broker.client, leaderEpoch, current, 4, partition), answer);
  });
}
