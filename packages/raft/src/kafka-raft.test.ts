import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { readControlRecord, RecordBatch, RecordBatchBuilder } from "@samsa/protocol";
import {
  BeginQuorumEpochRequest,
  createBeginQuorumEpochRequestPartitionData,
  createBeginQuorumEpochRequestTopicData,
} from "@samsa/protocol/messages/begin-quorum-epoch-request";
import {
  createDescribeQuorumRequestPartitionData,
  createDescribeQuorumRequestTopicData,
  DescribeQuorumRequest,
} from "@samsa/protocol/messages/describe-quorum-request";
import {
  createEndQuorumEpochRequestPartitionData,
  createEndQuorumEpochRequestReplicaInfo,
  createEndQuorumEpochRequestTopicData,
  EndQuorumEpochRequest,
} from "@samsa/protocol/messages/end-quorum-epoch-request";
import {
  createFetchRequestFetchPartition,
  createFetchRequestFetchTopic,
  createFetchRequestReplicaState,
  FetchRequest,
} from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import {
  createFetchResponseEpochEndOffset,
  createFetchResponseFetchableTopicResponse,
  createFetchResponseLeaderIdAndEpoch,
  createFetchResponsePartitionData,
  FetchResponse,
} from "@samsa/protocol/messages/fetch-response";
import { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import {
  createVoteRequestPartitionData,
  createVoteRequestTopicData,
  VoteRequest,
} from "@samsa/protocol/messages/vote-request";
import type { VoteRequestPartitionData } from "@samsa/protocol/messages/vote-request";
import {
  createVoteResponsePartitionData,
  createVoteResponseTopicData,
  VoteResponse,
} from "@samsa/protocol/messages/vote-response";
import type { RaftEffect } from "./effects.ts";
import { CLUSTER_ID, directoryOf, TestReplica, voterSetOf } from "./testing/quorum.ts";

const TOPIC = "__cluster_metadata";

function voteRequest(fields: Partial<VoteRequestPartitionData>, clusterId: string | null = CLUSTER_ID): VoteRequest {
  const partition = createVoteRequestPartitionData({ replicaId: 2, replicaDirectoryId: directoryOf(2), ...fields });
  const topics = [createVoteRequestTopicData({ topicName: TOPIC, partitions: [partition] })];
  return VoteRequest.create({ clusterId, voterId: 1, topics });
}

function ask(replica: TestReplica, fields: Partial<VoteRequestPartitionData>): { error: number; isGranted: boolean } {
  replica.ask({ api: "Vote", message: voteRequest(fields) });
  const answer = replica.effects.find((effect) => effect.kind === "answer");
  const message = answer?.response.api === "Vote" ? answer.response.message : undefined;
  const partition = message?.topics[0]?.partitions[0];
  return {
    error: message?.errorCode !== 0 ? (message?.errorCode ?? -1) : (partition?.errorCode ?? -1),
    isGranted: partition?.voteGranted ?? false,
  };
}

function grant(replica: TestReplica, epoch: number, leaderId = -1): void {
  for (const { correlationId } of replica.sent("Vote").slice(0, 1)) {
    const partition = createVoteResponsePartitionData({ leaderId, leaderEpoch: epoch, voteGranted: true });
    const topics = [createVoteResponseTopicData({ topicName: TOPIC, partitions: [partition] })];
    replica.step({
      kind: "response",
      correlationId,
      response: { api: "Vote", message: VoteResponse.create({ topics }) },
    });
  }
}

/** Elects it, through a pre-vote and a vote of one other. */
function elect(replica: TestReplica): void {
  replica.wait(1000);
  grant(replica, 0);
  grant(replica, 1);
}

function follow(replica: TestReplica, leaderId: number, epoch: number): void {
  const partition = createBeginQuorumEpochRequestPartitionData({ leaderId, leaderEpoch: epoch });
  const topics = [createBeginQuorumEpochRequestTopicData({ topicName: TOPIC, partitions: [partition] })];
  const message = BeginQuorumEpochRequest.create({ clusterId: CLUSTER_ID, topics });
  replica.ask({ api: "BeginQuorumEpoch", message });
}

function fetch(replica: TestReplica, id: number, epoch: number, fetchOffset: number, lastFetchedEpoch: number): void {
  const partition = createFetchRequestFetchPartition({
    currentLeaderEpoch: epoch,
    fetchOffset,
    lastFetchedEpoch,
    replicaDirectoryId: directoryOf(id),
    partitionMaxBytes: 1000,
  });
  const message = FetchRequest.create({
    replicaState: createFetchRequestReplicaState({ replicaId: id }),
    maxWaitMs: 500,
    topics: [createFetchRequestFetchTopic({ topic: TOPIC, partitions: [partition] })],
  });
  replica.ask({ api: "Fetch", message });
}

function answerFetch(replica: TestReplica, fields: Partial<FetchResponsePartitionData>): void {
  const [sent] = replica.sent("Fetch");
  assert.ok(sent !== undefined, "it fetches");
  const partitions = [createFetchResponsePartitionData({ currentLeader: leader(2, 1), ...fields })];
  const message = FetchResponse.create({
    responses: [createFetchResponseFetchableTopicResponse({ topic: TOPIC, partitions })],
  });
  replica.step({ kind: "response", correlationId: sent.correlationId, response: { api: "Fetch", message } });
}

function leader(leaderId: number, leaderEpoch: number): FetchResponsePartitionData["currentLeader"] {
  return createFetchResponseLeaderIdAndEpoch({ leaderId, leaderEpoch });
}

function batch(baseOffset: number, epoch: number): Uint8Array {
  const builder = new RecordBatchBuilder({ baseOffset, partitionLeaderEpoch: epoch });
  builder.append({ timestamp: 1, value: new Uint8Array(3) });
  return builder.build();
}

const committed = (effects: readonly RaftEffect[]): number | undefined =>
  effects.findLast((effect) => effect.kind === "high-watermark")?.offset;

describe("a sole voter", () => {
  const alone = (): TestReplica => new TestReplica({ voters: voterSetOf(1) });

  test("leads at once: the epoch is on the platter before its first record", () => {
    const replica = alone();
    assert.equal(replica.raft.state, "leader");
    assert.equal(replica.raft.epoch, 1);
    const kinds = replica.kinds().filter((kind) => kind !== "leader-changed");
    assert.deepEqual(kinds, ["write-quorum-state", "write-quorum-state", "append"]);
  });

  test("begins its epoch with a leader change, and has committed what its disk has synced", () => {
    const replica = alone();
    const append = replica.effects.find((effect) => effect.kind === "append");
    const [record] = new RecordBatch(append?.bytes ?? new Uint8Array()).records();
    const change = record === undefined ? undefined : readControlRecord(record);
    assert.equal(change?.type, 2);
    assert.equal(committed(replica.effects), undefined);
    assert.equal(committed(replica.sync()), 1);
  });

  test("appends at the offsets it said, urgent records at once and others after they have lingered", () => {
    const replica = alone();
    replica.sync();
    const urgent = replica.raft.append(1, [new Uint8Array(1), new Uint8Array(1)], replica.time, true);
    assert.equal(urgent.lastOffset, 2);
    assert.deepEqual(
      urgent.effects.map(({ kind }) => kind),
      ["append"],
    );
    const lingering = replica.raft.append(1, [new Uint8Array(1)], replica.time);
    assert.deepEqual([lingering.lastOffset, lingering.effects.length, replica.raft.endOffset], [3, 0, 4]);
    assert.deepEqual(
      replica.wait(25).map(({ kind }) => kind),
      ["append"],
    );
  });

  test("takes the next epoch when it is started again", () => {
    const quorumState = { epoch: 7, leaderId: 1, votedKey: undefined };
    assert.equal(new TestReplica({ voters: voterSetOf(1), quorumState }).raft.epoch, 8);
  });

  test("refuses records for an epoch that it does not lead", () => {
    const replica = alone();
    assert.throws(() => replica.raft.append(2, [new Uint8Array(1)], replica.time), {
      codeName: "NOT_LEADER_OR_FOLLOWER",
    });
  });
});

describe("a vote", () => {
  test("is on the platter before it is said, and is given once an epoch", () => {
    const replica = new TestReplica();
    assert.deepEqual(ask(replica, { replicaEpoch: 5 }), { error: 0, isGranted: true });
    const kinds = replica.kinds();
    assert.ok(
      kinds.indexOf("answer") > kinds.lastIndexOf("write-quorum-state") && kinds.includes("write-quorum-state"),
    );
    assert.deepEqual(replica.raft.votedKey, { id: 2, directoryId: directoryOf(2) });
    assert.deepEqual(ask(replica, { replicaEpoch: 5, replicaId: 3, replicaDirectoryId: directoryOf(3) }), {
      error: 0,
      isGranted: false,
    });
    assert.deepEqual(ask(replica, { replicaEpoch: 5 }), { error: 0, isGranted: true });
  });

  test("is remembered after a restart", () => {
    const quorumState = { epoch: 5, leaderId: undefined, votedKey: { id: 3, directoryId: directoryOf(3) } };
    const replica = new TestReplica({ quorumState });
    assert.equal(ask(replica, { replicaEpoch: 5 }).isGranted, false);
    assert.equal(ask(replica, { replicaEpoch: 6 }).isGranted, true);
  });

  test("that was asked before an election counts for nothing: it moves no epoch and is not written down", () => {
    const replica = new TestReplica();
    assert.deepEqual(ask(replica, { replicaEpoch: 0, preVote: true }), { error: 0, isGranted: true });
    assert.ok(!replica.kinds().includes("write-quorum-state"));
  });

  test("is not given to a log that is behind", () => {
    const log = { endOffset: 10, epochs: [{ epoch: 3, startOffset: 0 }] };
    const quorumState = { epoch: 3, leaderId: undefined, votedKey: undefined };
    const behind = [
      { lastOffset: 9, lastOffsetEpoch: 3 },
      { lastOffset: 50, lastOffsetEpoch: 2 },
    ];
    for (const fields of behind) {
      assert.equal(ask(new TestReplica({ log, quorumState }), { replicaEpoch: 4, ...fields }).isGranted, false);
    }
    const equal = { replicaEpoch: 4, lastOffset: 10, lastOffsetEpoch: 3 };
    assert.equal(ask(new TestReplica({ log, quorumState }), equal).isGranted, true);
  });

  test("by one that hears its leader is not given, be it asked before or in the election", () => {
    const replica = new TestReplica();
    follow(replica, 2, 1);
    answerFetch(replica, { highWatermark: 0, records: new Uint8Array() });
    const other = { replicaId: 3, replicaDirectoryId: directoryOf(3) };
    assert.equal(ask(replica, { ...other, replicaEpoch: 1, preVote: true }).isGranted, false);
    assert.equal(ask(replica, { ...other, replicaEpoch: 1 }).isGranted, false);
  });

  const refused = [
    { fields: { replicaEpoch: 5, lastOffset: -1 }, error: ErrorCode.INVALID_REQUEST, why: "a negative offset" },
    { fields: { replicaEpoch: 5, lastOffsetEpoch: 5 }, error: ErrorCode.INVALID_REQUEST, why: "records of its epoch" },
    { fields: { replicaEpoch: 5, replicaId: -1 }, error: ErrorCode.INVALID_REQUEST, why: "no id" },
    { fields: { replicaEpoch: 1 }, error: ErrorCode.FENCED_LEADER_EPOCH, why: "an old epoch" },
    {
      fields: { replicaEpoch: 5, voterDirectoryId: directoryOf(9) },
      error: ErrorCode.INVALID_VOTER_KEY,
      why: "another directory's vote",
    },
    { fields: { replicaEpoch: 5, partitionIndex: 1 }, error: ErrorCode.INVALID_REQUEST, why: "another partition" },
  ];
  for (const { fields, error, why } of refused) {
    test(`is refused to one with ${why}`, () => {
      const quorumState = { epoch: 2, leaderId: undefined, votedKey: undefined };
      assert.deepEqual(ask(new TestReplica({ quorumState }), fields), { error, isGranted: false });
    });
  }

  test("of another cluster is refused", () => {
    const replica = new TestReplica();
    replica.ask({ api: "Vote", message: voteRequest({ replicaEpoch: 5 }, "another") });
    const answer = replica.effects.find((effect) => effect.kind === "answer");
    assert.equal(
      answer?.response.api === "Vote" && answer.response.message.errorCode,
      ErrorCode.INCONSISTENT_CLUSTER_ID,
    );
    assert.equal(replica.raft.epoch, 0);
  });
});

describe("an election", () => {
  test("begins with the question whether there would be votes, and with an epoch only when there would", () => {
    const replica = new TestReplica();
    replica.wait(1000);
    assert.equal(replica.raft.state, "prospective");
    assert.deepEqual([replica.raft.epoch, replica.sent("Vote").length], [0, 2]);
    grant(replica, 0);
    assert.deepEqual([replica.raft.state, replica.raft.epoch], ["candidate", 1]);
    assert.deepEqual(replica.kinds().slice(0, 2), ["write-quorum-state", "leader-changed"]);
    grant(replica, 1);
    assert.equal(replica.raft.state, "leader");
    assert.equal(replica.sent("BeginQuorumEpoch").length, 2);
  });

  test("may go without the question where a voter does not know it", () => {
    const replica = new TestReplica();
    replica.wait(1000);
    const [{ correlationId } = { correlationId: -1 }] = replica.sent("Vote");
    replica.step({ kind: "no-response", correlationId, isUnsupported: true });
    assert.equal(replica.raft.state, "candidate");
  });

  test("is not held by one that led the epoch before it was started again, until the others had their turn", () => {
    const replica = new TestReplica({ quorumState: { epoch: 4, leaderId: 1, votedKey: undefined } });
    assert.equal(replica.raft.state, "resigned");
    replica.wait(1000);
    assert.deepEqual([replica.raft.state, replica.raft.epoch], ["prospective", 5]);
  });

  test("is held at once by the first successor of a leader that resigns, later by the second", () => {
    for (const { order, delayMs } of [
      { order: [1, 3], delayMs: 0 },
      { order: [3, 1], delayMs: 40 },
    ]) {
      const replica = new TestReplica();
      follow(replica, 2, 1);
      const preferredCandidates = order.map((candidateId) => createEndQuorumEpochRequestReplicaInfo({ candidateId }));
      const partition = createEndQuorumEpochRequestPartitionData({ leaderId: 2, leaderEpoch: 1, preferredCandidates });
      const topics = [createEndQuorumEpochRequestTopicData({ topicName: TOPIC, partitions: [partition] })];
      replica.ask({ api: "EndQuorumEpoch", message: EndQuorumEpochRequest.create({ topics }) });
      if (delayMs > 0) {
        assert.equal(replica.raft.state, "follower");
        replica.wait(delayMs);
      }
      assert.equal(replica.raft.state, "prospective");
    }
  });
});

describe("a leader", () => {
  test("has committed what a majority has synced, itself included, and not before a record of its own epoch is", () => {
    const log = { endOffset: 10, epochs: [{ epoch: 1, startOffset: 0 }] };
    const replica = new TestReplica({ log, quorumState: { epoch: 1, leaderId: undefined, votedKey: undefined } });
    replica.wait(1000);
    grant(replica, 1);
    grant(replica, 2);
    assert.equal(replica.raft.state, "leader");
    const append = replica.effects.find((effect) => effect.kind === "append");
    assert.equal(append?.baseOffset, 10);
    fetch(replica, 2, 2, 10, 1); // everything of the epoch before, on all of two
    assert.equal(replica.raft.highWatermark, 0);
    fetch(replica, 2, 2, 11, 2); // the leader change too, but not on the leader's own platter
    assert.equal(replica.raft.highWatermark, 0);
    replica.step({ kind: "log-durable", endOffset: 11, truncationCount: 0 });
    assert.equal(replica.raft.highWatermark, 11);
  });

  test("tells a follower where its log went another way", () => {
    const replica = new TestReplica();
    elect(replica);
    fetch(replica, 2, 1, 7, 0);
    const answer = replica.effects.find((effect) => effect.kind === "answer");
    const data = answer?.response.api === "Fetch" ? answer.response.message.responses[0]?.partitions[0] : undefined;
    assert.deepEqual([data?.divergingEpoch.epoch, data?.divergingEpoch.endOffset], [0, 0]);
  });

  test("holds a fetch that brings nothing until there is something, or until its time is over", () => {
    const replica = new TestReplica();
    elect(replica);
    fetch(replica, 2, 1, 1, 1);
    assert.deepEqual(replica.kinds(), []);
    const { effects } = replica.raft.append(1, [new Uint8Array(1)], replica.time, true);
    assert.deepEqual(
      effects.map(({ kind }) => kind),
      ["append", "answer-fetch"],
    );
    fetch(replica, 3, 1, 2, 1);
    assert.ok(!replica.kinds().includes("answer"));
    assert.ok(replica.wait(500).some(({ kind }) => kind === "answer"));
  });

  test("resigns when no majority fetches any more", () => {
    const replica = new TestReplica();
    elect(replica);
    replica.wait(2000);
    fetch(replica, 3, 1, 1, 1);
    replica.wait(2999);
    assert.equal(replica.raft.state, "leader");
    replica.wait(1);
    assert.equal(replica.raft.state, "resigned");
    assert.equal(replica.sent("EndQuorumEpoch").length, 2);
  });

  test("follows a leader of a later epoch, and refuses the fetches that waited", () => {
    const replica = new TestReplica();
    elect(replica);
    fetch(replica, 2, 1, 1, 1);
    follow(replica, 3, 2);
    assert.equal(replica.raft.state, "follower");
    const fetched = replica.effects.flatMap((effect) =>
      effect.kind === "answer" && effect.response.api === "Fetch" ? [effect.response.message] : [],
    );
    assert.deepEqual(
      fetched.map(({ responses }) => responses[0]?.partitions[0]?.errorCode),
      [ErrorCode.FENCED_LEADER_EPOCH],
    );
  });

  test("is told of another leader of its own epoch, and does not believe it", () => {
    const replica = new TestReplica();
    elect(replica);
    follow(replica, 3, 1);
    assert.equal(replica.raft.state, "leader");
  });

  test("changes no voters where kraft.version is 0", () => {
    const replica = new TestReplica({ voters: voterSetOf(1) });
    replica.sync();
    replica.ask({
      api: "RemoveRaftVoter",
      message: RemoveRaftVoterRequest.create({ clusterId: CLUSTER_ID, voterId: 1 }),
    });
    const answer = replica.effects.find((effect) => effect.kind === "answer");
    const code = answer?.response.api === "RemoveRaftVoter" ? answer.response.message.errorCode : undefined;
    assert.equal(code, ErrorCode.UNSUPPORTED_VERSION);
  });

  test("describes the quorum: who votes, who watches, how far they are", () => {
    const replica = new TestReplica();
    elect(replica);
    fetch(replica, 2, 1, 1, 1);
    fetch(replica, 9, 1, 1, 1);
    const partitions = [createDescribeQuorumRequestPartitionData({ partitionIndex: 0 })];
    const topics = [createDescribeQuorumRequestTopicData({ topicName: TOPIC, partitions })];
    replica.ask({ api: "DescribeQuorum", message: DescribeQuorumRequest.create({ topics }) });
    const answer = replica.effects.find((effect) => effect.kind === "answer");
    const data =
      answer?.response.api === "DescribeQuorum" ? answer.response.message.topics[0]?.partitions[0] : undefined;
    assert.deepEqual([data?.leaderId, data?.leaderEpoch, data?.highWatermark], [1, 1, -1]);
    assert.deepEqual(
      data?.currentVoters.map((voter) => [voter.replicaId, voter.logEndOffset]),
      [
        [1, 1],
        [2, 1],
        [3, -1],
      ],
    );
    assert.deepEqual(
      data?.observers.map(({ replicaId }) => replicaId),
      [9],
    );
  });
});

describe("a follower", () => {
  function follower(): TestReplica {
    const replica = new TestReplica();
    follow(replica, 2, 1);
    return replica;
  }

  test("fetches on when its disk has what it fetched, and not before", () => {
    const replica = follower();
    answerFetch(replica, { highWatermark: 0, records: batch(0, 1) });
    assert.deepEqual(replica.kinds(), ["append"]);
    replica.sync();
    assert.deepEqual(replica.kinds(), ["send Fetch"]);
  });

  test("takes for committed what the leader says, as far as its own disk goes", () => {
    const replica = follower();
    answerFetch(replica, { highWatermark: 9, records: batch(0, 1) });
    assert.equal(committed(replica.effects), undefined);
    assert.equal(committed(replica.sync()), 1);
  });

  const strange = [
    { records: batch(5, 1), why: "does not continue its log" },
    { records: batch(0, 2), why: "is of an epoch that the leader does not have" },
    { records: batch(0, 1).map((byte, at) => (at === 70 ? byte ^ 1 : byte)), why: "is damaged" },
  ];
  for (const { records, why } of strange) {
    test(`takes nothing that ${why}, and asks again after a pause`, () => {
      const replica = follower();
      answerFetch(replica, { highWatermark: 0, records });
      assert.deepEqual(replica.kinds(), []);
      replica.wait(20);
      assert.deepEqual(replica.kinds(), ["send Fetch"]);
    });
  }

  test("cuts its log where the leader's went another way", () => {
    const log = { endOffset: 10, epochs: [{ epoch: 1, startOffset: 0 }] };
    const replica = new TestReplica({ log, quorumState: { epoch: 1, leaderId: undefined, votedKey: undefined } });
    follow(replica, 2, 2);
    const divergingEpoch = createFetchResponseEpochEndOffset({ epoch: 1, endOffset: 4 });
    answerFetch(replica, { currentLeader: leader(2, 2), divergingEpoch });
    assert.deepEqual(replica.kinds(), ["truncate", "send Fetch"]);
    assert.equal(replica.raft.endOffset, 4);
  });

  test("stops rather than cut what is committed", () => {
    const replica = follower();
    answerFetch(replica, { highWatermark: 1, records: batch(0, 1) });
    replica.sync();
    const divergingEpoch = createFetchResponseEpochEndOffset({ epoch: 0, endOffset: 0 });
    assert.throws(() => answerFetch(replica, { divergingEpoch }), /below the high watermark/);
  });

  test("calls an election when the leader does not answer for the fetch timeout", () => {
    const replica = follower();
    replica.wait(1999);
    assert.equal(replica.raft.state, "follower");
    replica.wait(1);
    assert.equal(replica.raft.state, "prospective");
  });

  test("an answer that comes twice, or after its time, is passed over", () => {
    const replica = follower();
    const [sent] = replica.sent("Fetch");
    answerFetch(replica, { highWatermark: 0, records: batch(0, 1) });
    const message = FetchResponse.create({ errorCode: ErrorCode.UNKNOWN_SERVER_ERROR });
    replica.step({ kind: "response", correlationId: sent?.correlationId ?? -1, response: { api: "Fetch", message } });
    assert.deepEqual(replica.kinds(), []);
  });
});

test("a node that does not vote never stands, and looks for the leader", () => {
  const replica = new TestReplica({ id: 7 });
  assert.deepEqual(replica.kinds(), ["send Fetch"]);
  for (let time = 0; time < 60; time++) {
    replica.wait(1000);
    assert.equal(replica.raft.state, "unattached");
  }
});
