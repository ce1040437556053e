import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { topicPartitions } from "@samsa/coordinator";
import type { TopicImage } from "@samsa/metadata";
import { VirtualClock } from "@samsa/simulation";
import type { MarkerWriter } from "./transaction-marker-channel.ts";
import { TransactionMarkerChannel } from "./transaction-marker-channel.ts";

const HERE = 1;
/** The leader of each partition of `t`, by its index. */
const LEADERS = [HERE, HERE, 2];

function startChannel() {
  const clock = new VirtualClock();
  const written: string[] = [];
  const partitions = new Map(LEADERS.map((leader, index) => [index, { leader }] as const));
  const write: MarkerWriter = async (markers) => {
    for (const { producerId, topics } of markers) {
      for (const { name, partitionIndexes } of topics) {
        written.push(`${producerId}: ${name}-${partitionIndexes.join(",")}`);
      }
    }
    await Promise.resolve();
    written.push("written");
    return markers.map(({ producerId, topics }) => ({
      producerId,
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode: ErrorCode.NONE })),
      })),
    }));
  };
  const channel = new TransactionMarkerChannel({
    metadata: { topic: (name) => (name === "t" ? ({ partitions } as unknown as TopicImage) : undefined) },
    writerOf: (brokerId) => (brokerId === HERE ? write : undefined),
    clock,
  });
  const ask = async (producerId: number, topic: string, indexes: readonly number[]) => {
    const marker = { producerId, producerEpoch: 0, isCommitted: true, coordinatorEpoch: 0, transactionVersion: 2 };
    const results = await channel.writeMarkers(marker, topicPartitions([[topic, indexes]]));
    return Object.fromEntries(results.get(topic) ?? []);
  };
  return { clock, written, ask };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

test("markers are made in the next turn, when the answers of this one have left", async () => {
  const { clock, written, ask } = startChannel();
  const asked = ask(7, "t", [0, 1]);
  await settle();
  assert.deepEqual(written, []);
  clock.advance(0);
  assert.deepEqual(await asked, { 0: ErrorCode.NONE, 1: ErrorCode.NONE });
  assert.deepEqual(written, ["7: t-0,1", "written"]);
});

test("those of one turn are all made before any is written, so that a log writes them together", async () => {
  const { clock, written, ask } = startChannel();
  const asked = [ask(7, "t", [0]), ask(8, "t", [0])];
  await settle();
  clock.advance(0);
  await Promise.all(asked);
  assert.deepEqual(written, ["7: t-0", "8: t-0", "written", "written"]);
});

test("a partition whose leader is not reached has no result, and one that is no more needs no marker", async () => {
  const { clock, written, ask } = startChannel();
  const asked = [ask(7, "t", [0, 2, 3]), ask(7, "deleted", [0])];
  await settle();
  clock.advance(0);
  assert.deepEqual(await Promise.all(asked), [{ 0: ErrorCode.NONE, 3: ErrorCode.NONE }, { 0: ErrorCode.NONE }]);
  assert.deepEqual(written, ["7: t-0", "written"]);
});
