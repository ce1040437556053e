import assert from "node:assert/strict";
import { test } from "node:test";
import { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import {
  createVoteRequestPartitionData,
  createVoteRequestTopicData,
  VoteRequest,
} from "@samsa/protocol/messages/vote-request";
import { RaftDriver } from "./raft-driver.ts";
import type { RaftResponse } from "./raft-messages.ts";
import { CLUSTER_ID, TestReplica, voterSetOf } from "./testing/quorum.ts";

/** A disk whose syncs end when the test says so, and a note of everything that happened, in order. */
class TestPorts {
  readonly happened: string[] = [];
  readonly isHeld: boolean;
  readonly #held: (() => void)[] = [];
  failure: unknown;

  constructor(isHeld: boolean) {
    this.isHeld = isHeld;
  }

  hold(what: string): Promise<void> {
    this.happened.push(`${what} begins`);
    const end = (): void => void this.happened.push(`${what} ends`);
    if (!this.isHeld) return Promise.resolve().then(end);
    return new Promise((resolve) =>
      this.#held.push(() => {
        end();
        resolve();
      }),
    );
  }

  /** Ends what is held, in order, until nothing is. */
  async letGo(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      this.#held.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function start(replica: TestReplica, ports: TestPorts, failing = ""): RaftDriver {
  const { happened } = ports;
  // The effects of its start were taken by the test's replica; the driver gets them here.
  let isFirst = true;
  const { raft } = replica;
  const begin = raft.start.bind(raft);
  raft.start = () => {
    const effects = isFirst ? replica.effects : begin();
    isFirst = false;
    return effects;
  };
  const driver = new RaftDriver({
    raft,
    clock: {
      wallMs: () => 1_700_000_000_000 + replica.nowMs,
      monotonicMs: () => replica.nowMs,
      setTimer: () => ({ cancel: () => undefined }),
    },
    writeQuorumState: () =>
      failing === "quorum-state" ? Promise.reject(new Error("EIO")) : ports.hold("quorum-state"),
    log: {
      append: () => (failing === "append" ? Promise.reject(new Error("EIO")) : ports.hold("append")),
      read: () => new Uint8Array(),
      truncateTo: () => ports.hold("truncate"),
      deleteBefore: () => ports.hold("delete-before"),
      readSnapshot: () => Promise.resolve(undefined),
      writeSnapshotChunk: () => ports.hold("chunk"),
      installSnapshot: () => Promise.resolve(undefined),
    },
    channel: { send: (_id, _to, { api }) => void happened.push(`send ${api}`) },
    listener: {
      onAppend: () => undefined,
      onTruncate: () => undefined,
      onSnapshotInstalled: () => undefined,
      onLeaderChange: () => undefined,
      onHighWatermark: (offset) => void happened.push(`committed to ${offset}`),
    },
    onFailure: (error) => (ports.failure = error),
  });
  driver.start();
  return driver;
}

test("a sole voter has its epoch on the platter before its first record, and the record before it is committed", async () => {
  const ports = new TestPorts(true);
  start(new TestReplica({ voters: voterSetOf(1) }), ports);
  assert.deepEqual(ports.happened, ["quorum-state begins"]);
  await ports.letGo();
  assert.deepEqual(ports.happened, [
    "quorum-state begins",
    "quorum-state ends",
    "quorum-state begins",
    "quorum-state ends",
    "append begins",
    "append ends",
    "committed to 1",
  ]);
});

test("a vote is answered when it is on the platter, whatever else comes meanwhile", async () => {
  const ports = new TestPorts(true);
  const driver = start(new TestReplica(), ports);
  const partition = createVoteRequestPartitionData({ replicaEpoch: 5, replicaId: 2 });
  const topics = [createVoteRequestTopicData({ topicName: "__cluster_metadata", partitions: [partition] })];
  const answers: RaftResponse[] = [];
  const message = VoteRequest.create({ clusterId: CLUSTER_ID, topics });
  void driver.request({ api: "Vote", message }).then((response) => answers.push(response));
  driver.step({ kind: "tick" });
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answers.length, 0);
  await ports.letGo();
  const answer = answers.at(-1);
  assert.equal(answer?.api === "Vote" && answer.message.topics[0]?.partitions[0]?.voteGranted, true);
});

test("appends do not wait for each other's sync, and are committed in order", async () => {
  const ports = new TestPorts(false);
  const driver = start(new TestReplica({ voters: voterSetOf(1) }), ports);
  await ports.letGo();
  for (let count = 0; count < 3; count++) assert.equal(driver.append(1, [new Uint8Array(1)], true), 1 + count);
  assert.deepEqual(ports.happened.slice(-3), ["append begins", "append begins", "append begins"]);
  await driver.close();
  assert.equal(ports.happened.at(-1), "committed to 4");
});

for (const failing of ["quorum-state", "append"]) {
  test(`when ${failing} fails, nothing is done any more`, async () => {
    const ports = new TestPorts(false);
    const driver = start(new TestReplica({ voters: voterSetOf(1) }), ports, failing);
    await ports.letGo();
    assert.match(String(ports.failure), /EIO/);
    assert.ok(!ports.happened.some((each) => each.startsWith("committed")));
    assert.throws(() => driver.append(1, [new Uint8Array(1)], true), { codeName: "NOT_LEADER_OR_FOLLOWER" });
    const message = DescribeQuorumRequest.create();
    await assert.rejects(driver.request({ api: "DescribeQuorum", message }), { codeName: "BROKER_NOT_AVAILABLE" });
  });
}
