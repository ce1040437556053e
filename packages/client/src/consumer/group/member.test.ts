import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import { SeededRandom } from "@samsa/simulation";
import fc from "fast-check";
import { encodeAssignment, encodeSubscription } from "../assignors/consumer-protocol.ts";
import { rangeAssignor } from "../assignors/range-assignor.ts";
import { cooperativeStickyAssignor } from "../assignors/sticky-assignor.ts";
import type { PartitionAssignor } from "../assignors/partition-assignor.ts";
import { ClassicMember } from "./classic-member.ts";
import { ConsumerMember } from "./consumer-member.ts";
import type { Member, MemberEffect, MemberInput, MemberRequest, MemberResponse } from "./member.ts";

const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAABQ" as Uuid;
const PARTITIONS = [0, 1, 2, 3];
const SUBSCRIBED: MemberInput = { kind: "subscribed", subscription: { topics: ["t"], pattern: undefined } };

const common = {
  groupId: "g",
  groupInstanceId: null,
  rackId: null,
  rebalanceTimeoutMs: 60_000,
  requestTimeoutMs: 30_000,
  backoff: { backoffMs: 100, backoffMaxMs: 1000 },
  random: new SeededRandom(1),
};

function classicMember(assignor: PartitionAssignor, groupInstanceId: string | null = null): Member {
  const session = { sessionTimeoutMs: 45_000, heartbeatIntervalMs: 3000 };
  return new ClassicMember({ ...common, ...session, groupInstanceId, assignors: [assignor] });
}

function consumerMember(): Member {
  return new ConsumerMember({ ...common, serverAssignor: null });
}

const MEMBERS: Record<string, () => Member> = {
  "classic, eager": () => classicMember(rangeAssignor),
  "classic, cooperative": () => classicMember(cooperativeStickyAssignor),
  "classic, static": () => classicMember(cooperativeStickyAssignor, "i"),
  consumer: consumerMember,
};

/** Performs what a member wants as `GroupMembership` does, in whatever order and with whatever outcome somebody chooses. */
class Play {
  readonly member: Member;
  readonly held = new Set<string>();
  readonly log: string[] = [];
  failure: KafkaError | undefined;
  isOver = false;
  nowMs = 0;
  /** What is under way. Changes of partitions are performed one after another, requests in any order. */
  readonly #changes: (() => void)[] = [];
  readonly requests: MemberRequest[] = [];
  readonly #lookups: (() => MemberInput)[] = [];
  #lastChange = 0;

  constructor(member: Member) {
    this.member = member;
  }

  step(input: MemberInput): void {
    if (this.isOver) return;
    for (const effect of this.member.step(input, this.nowMs)) this.#perform(effect);
  }

  #perform(effect: MemberEffect): void {
    switch (effect.kind) {
      case "send":
        this.log.push(effect.request.api);
        this.requests.push(effect.request);
        return;
      case "release":
        return this.#change("released", () => {
          for (const { partition } of effect.partitions) this.held.delete(String(partition));
        });
      case "assign":
        return this.#change("assigned", () => {
          for (const { partition } of effect.added) {
            assert.ok(!this.held.has(String(partition)), `partition ${partition} is assigned twice`);
            this.held.add(String(partition));
          }
        });
      case "describe":
        this.#lookups.push(() => ({
          kind: "described",
          topics: new Map([["t", { partitionCount: PARTITIONS.length }]]),
        }));
        return;
      case "resolve":
        this.#lookups.push(() => ({ kind: "resolved", names: new Map([[TOPIC_ID, "t"]]) }));
        return;
      case "fail":
        this.failure = effect.error;
        return;
      case "left":
      case "unsupported":
        this.isOver = true;
        return;
      case "forget-coordinator":
      case "retry":
        return;
    }
  }

  #change(kind: "released" | "assigned", change: () => void): void {
    const number = ++this.#lastChange;
    this.log.push(kind);
    this.#changes.push(() => {
      change();
      if (number === this.#lastChange) this.step({ kind });
    });
  }

  get isIdle(): boolean {
    return this.#changes.length === 0 && this.requests.length === 0 && this.#lookups.length === 0;
  }

  nextChange(): void {
    this.#changes.shift()?.();
  }

  nextLookup(): void {
    const lookup = this.#lookups.shift();
    if (lookup !== undefined) this.step(lookup());
  }

  tick(): void {
    if (this.member.wakeAtMs === Number.POSITIVE_INFINITY) return;
    this.nowMs = Math.max(this.nowMs, this.member.wakeAtMs);
    this.step({ kind: "tick" });
  }

  answer(respond: (request: MemberRequest) => MemberResponse | KafkaError, index = 0): void {
    const [request] = this.requests.splice(index % Math.max(1, this.requests.length), 1);
    if (request === undefined) return;
    const response = respond(request);
    if (response instanceof KafkaError) this.step({ kind: "unanswered", request, error: response });
    else this.step({ kind: "answered", request, response });
  }

  /** Everything goes well until nothing is left to do. */
  settle(respond: (request: MemberRequest) => MemberResponse | KafkaError): void {
    for (let turns = 0; !this.isIdle; turns++) {
      assert.ok(turns < 1000, `it does not come to rest: ${this.log.slice(-20).join()}`);
      this.nextChange();
      this.nextLookup();
      this.answer(respond);
    }
  }
}

/** A coordinator that is content with everything and assigns these partitions. */
function content(partitions: readonly number[], generationId = 1): (request: MemberRequest) => MemberResponse {
  return (request) => {
    switch (request.api) {
      case "join-group": {
        const subscription = { topics: ["t"], userData: null, ownedPartitions: [], generationId: -1, rackId: null };
        const member = { memberId: "m", groupInstanceId: null, metadata: encodeSubscription(subscription) };
        const protocolName = request.body.protocols[0]?.name ?? "";
        const members = [member];
        return JoinGroupResponse.create({ generationId, memberId: "m", leader: "m", protocolName, members });
      }
      case "sync-group":
        return SyncGroupResponse.create({
          assignment: encodeAssignment({ partitions: partitions.map((partition) => ({ topic: "t", partition })) }),
        });
      case "heartbeat":
        return HeartbeatResponse.create();
      case "leave-group":
        return LeaveGroupResponse.create();
      case "consumer-group-heartbeat":
        return ConsumerGroupHeartbeatResponse.create({
          memberEpoch: Math.max(request.body.memberEpoch, generationId),
          heartbeatIntervalMs: 1000,
          assignment: { topicPartitions: [{ topicId: TOPIC_ID, partitions: [...partitions] }] },
        });
    }
  };
}

for (const [name, make] of Object.entries(MEMBERS)) {
  describe(name, () => {
    test("joins, and owns what it is assigned", () => {
      const play = new Play(make());
      play.step(SUBSCRIBED);
      play.settle(content([0, 2]));
      assert.ok(play.member.isStable);
      assert.deepEqual([...play.held], ["0", "2"]);
      assert.equal(play.member.generationId, 1);
    });

    test("answers of a round that is over change nothing", () => {
      const play = new Play(make());
      play.step(SUBSCRIBED);
      const [old] = play.requests;
      assert.ok(old !== undefined);
      play.settle(content([0]));
      const { state } = play.member;
      play.step({ kind: "answered", request: old, response: content([1, 2, 3], 9)(old) });
      assert.deepEqual([play.member.state, play.member.generationId, [...play.held]], [state, 1, ["0"]]);
    });

    test("expires, gives everything up as lost, and joins again when somebody asks", () => {
      const play = new Play(make());
      play.step(SUBSCRIBED);
      play.settle(content([0, 1]));
      play.step({ kind: "poll-expired" });
      play.settle(content([]));
      assert.deepEqual([play.member.generationId, play.held.size], [-1, 0]);
      play.step({ kind: "polled" });
      play.settle(content([3], 2));
      assert.deepEqual([play.member.generationId, [...play.held]], [2, ["3"]]);
    });

    test("in any order of events nothing is assigned twice, and every phase ends", () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.nat(11), fc.nat(1000)), { maxLength: 150 }), (choices) => {
          const play = new Play(make());
          play.step(SUBSCRIBED);
          for (const [what, number] of choices) disturb(play, what, number);
          if (play.failure === undefined) {
            play.step({ kind: "polled" });
            play.settle(content([0, 1], 49));
            play.step({ kind: "rejoin", reason: "the test ends" });
            for (let beats = 0; beats < 6; beats++) {
              play.settle(content([1, 2], 50));
              play.tick();
            }
            play.settle(content([1, 2], 50));
            assert.deepEqual([play.member.state, [...play.held].toSorted()], [RESTING[name], ["1", "2"]]);
          }
          play.step({ kind: "leave", operation: "leave-group" });
          play.settle(content([]));
          assert.ok(play.isOver, `it is ${play.member.state}`);
        }),
        { numRuns: 400 },
      );
    });
  });
}

test("a static leader that came back does not assign, and sees later that a topic has grown (KIP-814)", () => {
  const play = new Play(classicMember(rangeAssignor, "i"));
  play.step(SUBSCRIBED);
  play.settle((request) => {
    const response = content([0])(request);
    return request.api === "join-group" ? { ...(response as JoinGroupResponse), skipAssignment: true } : response;
  });
  assert.ok(play.member.isStable);
  const { log } = play;
  log.length = 0;
  play.step({ kind: "partition-counts", counts: new Map([["t", 4]]) });
  assert.deepEqual(log, [], "what it is told first is what it is");
  play.step({ kind: "partition-counts", counts: new Map([["t", 5]]) });
  play.settle(content([0, 4], 2));
  assert.deepEqual(log, ["released", "join-group", "sync-group", "assigned"]);
});

const RESTING: Record<string, string> = {
  "classic, eager": "stable",
  "classic, cooperative": "stable",
  "classic, static": "stable",
  consumer: "in-group",
};

/** Errors that a coordinator may answer with at any time and that are no end. */
const PASSING = [
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.FENCED_MEMBER_EPOCH,
];

function disturb(play: Play, what: number, number: number): void {
  switch (what) {
    case 0:
    case 1:
      return play.nextChange();
    case 2:
      return play.nextLookup();
    case 3:
    case 4:
    case 5:
      return play.answer(
        content(
          PARTITIONS.filter((p) => ((number >> p) & 1) === 1),
          1 + (number % 40),
        ),
        number,
      );
    case 6:
      return play.answer((request) => refusal(request, PASSING[number % PASSING.length] ?? 0), number);
    case 7:
      return play.answer(() => new KafkaError(ErrorCode.NETWORK_EXCEPTION, "the connection broke"), number);
    case 8:
      return play.tick();
    case 9:
      return play.step({ kind: number % 2 === 0 ? "poll-expired" : "polled" });
    case 10:
      return play.step({ kind: "rejoin", reason: "a test" });
    default:
      return play.step({
        kind: "disowned",
        error: new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID),
        generationId: play.member.generationId,
      });
  }
}

function refusal(request: MemberRequest, errorCode: number): MemberResponse {
  switch (request.api) {
    case "join-group":
      return JoinGroupResponse.create({ errorCode: errorCode === ErrorCode.FENCED_MEMBER_EPOCH ? 16 : errorCode });
    case "sync-group":
      return SyncGroupResponse.create({ errorCode: errorCode === ErrorCode.FENCED_MEMBER_EPOCH ? 16 : errorCode });
    case "heartbeat":
      return HeartbeatResponse.create({ errorCode: errorCode === ErrorCode.FENCED_MEMBER_EPOCH ? 16 : errorCode });
    case "leave-group":
      return LeaveGroupResponse.create({ errorCode });
    case "consumer-group-heartbeat": {
      const isClassic = errorCode === ErrorCode.ILLEGAL_GENERATION || errorCode === ErrorCode.REBALANCE_IN_PROGRESS;
      return ConsumerGroupHeartbeatResponse.create({
        errorCode: isClassic ? ErrorCode.FENCED_MEMBER_EPOCH : errorCode,
      });
    }
  }
}
