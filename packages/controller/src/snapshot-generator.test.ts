import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { readWholeFile } from "@samsa/log";
import { decodeSnapshot, imageRecords, parseSnapshotFileName } from "@samsa/metadata";
import {
  CreateTopicsRequest,
  createCreateTopicsRequestCreatableTopic as topicOf,
} from "@samsa/protocol/messages/create-topics-request";
import { VirtualClock } from "@samsa/simulation";
import { METADATA_LOG_FOLDER } from "./metadata-log-recovery.ts";
import type { QuorumController } from "./quorum-controller.ts";
import { registration } from "./testing/contexts.ts";
import type { Node, NodeOptions } from "./testing/quorums.ts";
import { DIRECTORY, startNode } from "./testing/quorums.ts";

const FOLDER = `${DIRECTORY}/${METADATA_LOG_FOLDER}`;

async function start(options: NodeOptions): Promise<Node> {
  const node = await startNode(options);
  const { brokerEpoch } = await node.controller.registerBroker(registration(1));
  await node.controller.unfenceBroker(1, brokerEpoch);
  return node;
}

async function create(controller: QuorumController, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    const topics = [topicOf({ name: `topic-${index}`, numPartitions: 3, replicationFactor: 1 })];
    const { topics: answers } = await controller.createTopics(CreateTopicsRequest.create({ topics }));
    assert.equal(answers[0]?.errorCode, 0);
  }
}

/** End offsets of the snapshots in the folder, that of formatting left out. */
async function snapshots(disk: Disk): Promise<number[]> {
  const ids = (await disk.list(FOLDER)).map(({ name }) => parseSnapshotFileName(name)?.endOffset ?? 0);
  return ids.filter((endOffset) => endOffset > 0).sort((one, other) => one - other);
}

function contents(controller: QuorumController): unknown {
  return [...imageRecords(controller.image)].filter(({ type }) => type !== "RegisterControllerRecord");
}

test("so many bytes of the log make a snapshot, and the next start begins with it", async () => {
  const { controller, disk, failures } = await start({ disk: new MemoryDisk(), snapshotBytes: 2000 });
  await create(controller, 0, 20);
  await controller.close();
  const ends = await snapshots(disk);
  assert.ok(ends.length >= 2, `there are snapshots: ${ends.join()}`);

  const last = ends.at(-1) ?? 0;
  const { lastContainedOffset } = controller.image.provenance;
  assert.ok(last <= lastContainedOffset + 1);
  const names = (await disk.list(FOLDER)).map(({ name }) => name);
  const name = names.find((each) => each.endsWith(".checkpoint") && Number(each.slice(0, 20)) === last) ?? "";
  const snapshot = decodeSnapshot((await readWholeFile(disk, `${FOLDER}/${name}`)) ?? new Uint8Array());
  assert.equal(snapshot.kraftVersion, 1);
  assert.equal(snapshot.voters?.voters[0]?.voterId, 1);

  const again = await startNode({ disk });
  assert.deepEqual(contents(again.controller), contents(controller));
  assert.deepEqual([...failures, ...again.failures], []);
  await create(again.controller, 20, 22);
  await again.controller.close();
});

test("what is too much for the retention goes: the oldest snapshots, and the log before them", async () => {
  const log = { maxRetentionBytes: 1, segmentBytes: 4000 };
  const node = await start({ disk: new MemoryDisk(), snapshotBytes: 2000, log });
  await create(node.controller, 0, 40);
  await node.controller.close();
  assert.equal((await snapshots(node.disk)).length, 1);
  assert.deepEqual(node.failures, []);
  for (let count = 0; count < 2; count++) {
    const again = await startNode({ disk: node.disk, log, snapshotBytes: 2000 });
    assert.deepEqual(contents(again.controller), contents(node.controller));
    await again.controller.close();
    assert.deepEqual(again.failures, []);
  }
});

test("an hour makes a snapshot when there is anything new", async () => {
  const clock = new VirtualClock();
  const { controller, disk } = await start({ disk: new MemoryDisk(), clock });
  await create(controller, 0, 1);
  clock.advance(3_599_999);
  await settle();
  assert.deepEqual(await snapshots(disk), []);
  clock.advance(1);
  await settle();
  assert.equal((await snapshots(disk)).length, 1);
  clock.advance(3_600_000);
  await settle();
  assert.equal((await snapshots(disk)).length, 1);
  await controller.close();
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
