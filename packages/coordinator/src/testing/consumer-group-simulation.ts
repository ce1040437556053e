import assert from "node:assert/strict";
import { ErrorCode, errorCodeOf, ZERO_UUID } from "@samsa/base";
import type { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import { SeededRandom } from "@samsa/simulation";
import { compacted } from "./compacted-log.ts";
import { assignment, GroupHarness, partitionsIn, settle, topicIdOf } from "./group-harness.ts";

const TOPIC = "orders";
const ORDERS = topicIdOf(TOPIC);
const MAX_PARTITIONS = 12;
const MEMBERS = 6;

/** What a simulation has come to, so that a test can tell that it went where it should. */
export interface ConsumerGroupSimulationReport {
  heartbeats: number;
  crashes: number;
  compactions: number;
  epochs: number;
  commits: number;
  refusedCommits: number;
  fencedMembers: number;
  classicJoins: number;
  downgrades: number;
  upgrades: number;
}

export function emptyReport(): ConsumerGroupSimulationReport {
  return {
    heartbeats: 0,
    crashes: 0,
    compactions: 0,
    epochs: 0,
    commits: 0,
    refusedCommits: 0,
    fencedMembers: 0,
    classicJoins: 0,
    downgrades: 0,
    upgrades: 0,
  };
}

/** One that is long on its way: the member may have lost the partition, or itself, meanwhile. */
interface LateCommit {
  readonly client: Client;
  readonly memberId: string;
  readonly epoch: number;
  readonly partition: number;
}

interface Client {
  readonly protocol: "consumer" | "classic";
  readonly instanceId: string | null;
  memberId: string;
  epoch: number; // 0 for who is to join; the generation of a classic one
  phase: "out" | "joined" | "in"; // joined: a classic one that has yet to sync
  assignments: Readonly<Record<string, string>>; // that a classic leader has made
  assignedPartitions: number | undefined; // how many a classic leader knew of then
  readonly held: Set<number>;
  readonly toRevoke: Set<number>;
  mustSayAll: boolean;
  isBusy: boolean;
  stalledUntilMs: number;
  isGone: boolean;
}

/**
 * One group under a seed, with members of both protocols that come, stall, lose answers, leave and die; a topic that grows, a disk
 * that is late, a coordinator that crashes and is loaded again, also from a compacted log. After each step it holds: of the members
 * that are in the group no two have one partition; an offset never goes back below an acknowledged commit; no commit is taken from
 * whom another has followed; a compacted log tells the same as the whole. At the end every partition has an owner and all are at rest.
 * @throws Error when one of these is untrue
 */
export async function simulateConsumerGroup(seed: number, steps: number): Promise<ConsumerGroupSimulationReport> {
  const harness = await GroupHarness.start(
    {
      maxSize: 20,
      consumerMaxSize: 20,
      initialRebalanceDelayMs: 1_000,
      offsetsRetentionCheckIntervalMs: 1_000_000_000,
      consumerGroup: () => ({ sessionTimeoutMs: 20_000, heartbeatIntervalMs: 3_000, assignmentIntervalMs: 500 }),
    },
    seed,
  );
  const simulation = new ConsumerGroupSimulation(harness, new SeededRandom(seed));
  for (let step = 0; step < steps; step++) await simulation.step();
  await simulation.finish();
  return simulation.report;
}

class ConsumerGroupSimulation {
  readonly #harness: GroupHarness;
  readonly #random: SeededRandom;
  readonly report = emptyReport();
  #clients: Client[] = [];
  #partitions = 6;
  #names = 0;
  #nextOffset = 1;
  #isCalm = false;
  #type: string | undefined;
  #violation: unknown;
  readonly #acknowledged = new Map<number, number>(); // partition -> offset
  readonly #owners = new Map<number, Client>(); // who has come to have it last
  readonly #late: LateCommit[] = [];

  constructor(harness: GroupHarness, random: SeededRandom) {
    this.#harness = harness;
    this.#random = random;
  }

  async step(): Promise<void> {
    const { log, clock } = this.#harness;
    for (let act = 0; act < 4; act++) this.#act(this.#pick());
    if (this.#isOneIn(2)) this.#commit(this.#pick());
    if (this.#isOneIn(8)) this.#come();
    if (this.#isOneIn(25)) this.#leave(this.#pick());
    if (this.#isOneIn(25)) this.#stall(this.#pick());
    if (this.#isOneIn(20)) log.isHeld = !log.isHeld;
    if (this.#isOneIn(10)) log.isPrompt = !log.isPrompt;
    if (this.#isOneIn(2)) log.commit(this.#random.uint32() % 3);
    if (this.#isOneIn(80)) this.#grow();
    if (this.#isOneIn(60)) await this.#crash();
    clock.advance(this.#random.uint32() % 2_000);
    if (!log.isHeld) log.commit();
    await settle();
    await this.#check();
  }

  /** No more faults: the group must come to rest, with everybody in it and nothing left over. */
  async finish(): Promise<void> {
    const { log, clock } = this.#harness;
    this.#isCalm = true;
    log.isHeld = false;
    for (const client of this.#clients) client.stalledUntilMs = 0;
    // Two with one name could take the place of one another for ever.
    const statics = this.#clients.filter(({ instanceId }) => instanceId !== null);
    for (const client of statics.slice(1)) this.#remove(client);
    if (this.#clients.length === 0) this.#come();
    for (let round = 0; round < 400; round++) {
      log.commit();
      clock.advance(1_000);
      for (const client of this.#clients) this.#act(client);
      await settle();
      await this.#check();
      if (await this.#isAtRest()) return;
    }
    throw new Error(`the group is still ${JSON.stringify(await this.#group())}: ${JSON.stringify(this.#clients)}`);
  }

  async #isAtRest(): Promise<boolean> {
    const owned = this.#clients.flatMap(({ held }) => [...held]);
    const isSettled = this.#clients.every(({ phase, toRevoke }) => phase === "in" && toRevoke.size === 0);
    const { state, members } = await this.#group();
    const isAll = owned.length === this.#partitions && new Set(owned).size === this.#partitions;
    return isSettled && isAll && state === "Stable" && members.length === this.#clients.length;
  }

  async #group(): Promise<{ readonly state: string; readonly type: string; readonly members: readonly string[] }> {
    const { coordinator } = this.#harness;
    const [listed] = await coordinator.listGroups();
    if (listed === undefined) return { state: "none", type: "none", members: [] };
    const described =
      listed.type === "consumer" ? await coordinator.describeConsumerGroup("g") : await coordinator.describeGroup("g");
    return {
      state: listed.state,
      type: listed.type,
      members: (described?.members ?? []).map(({ memberId }) => memberId),
    };
  }

  #isOneIn(count: number): boolean {
    return this.#random.uint32() % count === 0;
  }

  #pick(): Client | undefined {
    return this.#clients[this.#random.uint32() % Math.max(1, this.#clients.length)];
  }

  #come(): void {
    if (this.#clients.length >= MEMBERS) return;
    const protocol = this.#isOneIn(2) ? "classic" : "consumer";
    this.#clients.push({
      protocol,
      instanceId: this.#isOneIn(4) ? "static" : null, // two with one name may be alive at once
      memberId: protocol === "consumer" ? `member-${++this.#names}` : "",
      epoch: 0,
      phase: "out",
      assignments: {},
      assignedPartitions: undefined,
      held: new Set(),
      toRevoke: new Set(),
      mustSayAll: false,
      isBusy: false,
      stalledUntilMs: 0,
      isGone: false,
    });
  }

  #leave(client: Client | undefined): void {
    if (client === undefined || client.isBusy) return;
    this.#remove(client);
    if (client.phase === "out" || this.#isOneIn(3)) return; // it dies without a word, and its session runs out
    const { memberId, instanceId } = client;
    const { coordinator } = this.#harness;
    if (client.protocol === "classic") {
      const members = [{ memberId, groupInstanceId: instanceId, reason: null }];
      coordinator.leaveGroup("g", members).catch(() => undefined);
      return;
    }
    const memberEpoch = instanceId === null ? -1 : -2;
    this.#harness.consumerHeartbeat({ memberId, instanceId, memberEpoch }).catch(() => undefined);
  }

  #stall(client: Client | undefined): void {
    if (client !== undefined) {
      client.stalledUntilMs = this.#harness.clock.monotonicMs() + (this.#random.uint32() % 50_000);
    }
  }

  #grow(): void {
    if (this.#partitions >= MAX_PARTITIONS) return;
    this.#partitions += 2;
    this.#harness.setTopics({ [TOPIC]: this.#partitions });
  }

  /** Now and then the log has been compacted when it is read; it must tell the same. */
  async #crash(): Promise<void> {
    this.report.crashes++;
    const { log } = this.#harness;
    const pending = log.pendingAppends;
    await this.#harness.crash(pending === 0 ? 0 : this.#random.uint32() % (pending + 1));
    if (this.#isOneIn(2)) return;
    this.report.compactions++;
    const before = await this.#told();
    this.#harness.log = compacted(this.#harness.log, () => this.#isOneIn(2));
    await this.#harness.crash();
    assert.deepEqual(await this.#told(), before, "a compacted log tells the same");
  }

  async #told(): Promise<unknown> {
    const { coordinator } = this.#harness;
    const { type } = await this.#group();
    if (type === "none") return type;
    const sorted = <T extends { readonly memberId: string }>(members: readonly T[]) =>
      members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
    const group =
      type === "consumer" ? await coordinator.describeConsumerGroup("g") : await coordinator.describeGroup("g");
    const { offsets } = await coordinator.fetchOffsets("g");
    const commits = new Map([...(offsets.get(TOPIC) ?? [])].map(([partition, { offset }]) => [partition, offset]));
    return { ...group, members: sorted<{ readonly memberId: string }>(group?.members ?? []), commits };
  }

  /** The next thing that a client would do. */
  #act(client: Client | undefined): void {
    if (client === undefined || client.isBusy) return;
    if (client.stalledUntilMs > this.#harness.clock.monotonicMs()) return;
    if (client.protocol === "consumer") return this.#heartbeat(client);
    if (client.phase === "out") return this.#join(client);
    if (client.phase === "joined") return this.#sync(client);
    // The coordinator does not watch the topics of a classic group: its leader does.
    const { assignedPartitions = this.#partitions } = client;
    if (assignedPartitions < this.#partitions) return this.#join(client);
    const { memberId, epoch, instanceId } = client;
    this.#ask(client, this.#harness.heartbeat(memberId, epoch, instanceId), () => undefined);
  }

  #heartbeat(client: Client): void {
    this.report.heartbeats++;
    if (client.toRevoke.size > 0 && (this.#isCalm || this.#isOneIn(2))) {
      for (const partition of client.toRevoke) client.held.delete(partition);
      client.toRevoke.clear();
    }
    const { memberId, epoch: memberEpoch, instanceId } = client;
    const partitions = [...client.held];
    const topicPartitions = partitions.length === 0 ? [] : [{ topicId: ORDERS, partitions }];
    const all = { rebalanceTimeoutMs: 30_000, subscribedTopicNames: [TOPIC], topicPartitions };
    const said = client.mustSayAll || memberEpoch === 0 ? all : { topicPartitions };
    const request = this.#harness.consumerHeartbeat({ memberId, memberEpoch, instanceId, ...said });
    this.#ask(client, request, (answer) => this.#onHeartbeat(client, answer));
  }

  #onHeartbeat(client: Client, answer: ConsumerGroupHeartbeatResponse): void {
    client.mustSayAll = false;
    client.epoch = answer.memberEpoch;
    client.phase = "in";
    this.report.epochs = Math.max(this.report.epochs, answer.memberEpoch);
    if (answer.assignment === null) return;
    const wanted = new Set(answer.assignment.topicPartitions.flatMap(({ partitions }) => partitions));
    for (const partition of client.held) if (!wanted.has(partition)) client.toRevoke.add(partition);
    for (const partition of wanted) {
      client.toRevoke.delete(partition);
      if (!client.held.has(partition)) this.#own(client, partition);
    }
  }

  #join(client: Client): void {
    this.report.classicJoins++;
    client.held.clear(); // all of it is given up before, as the eager protocol has it
    const { memberId, instanceId: groupInstanceId } = client;
    this.#ask(client, this.#harness.join({ memberId, groupInstanceId }), (answer) => {
      if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
        client.memberId = answer.memberId;
        return;
      }
      if (answer.errorCode !== ErrorCode.NONE) return this.#refused(client, answer.errorCode);
      client.memberId = answer.memberId;
      client.epoch = answer.generationId;
      client.phase = "joined";
      const ids = answer.members.map((member) => member.memberId);
      const isAssigning = answer.leader === answer.memberId && !answer.skipAssignment;
      client.assignments = isAssigning ? this.#assign(ids) : {};
      client.assignedPartitions = isAssigning ? this.#partitions : undefined;
    });
  }

  #assign(memberIds: readonly string[]): Readonly<Record<string, string>> {
    const lists = memberIds.map((_, index) =>
      Array.from({ length: this.#partitions }, (_, partition) => partition).filter(
        (partition) => partition % memberIds.length === index,
      ),
    );
    return Object.fromEntries(memberIds.map((id, index) => [id, assignment({ [TOPIC]: lists[index] ?? [] })]));
  }

  #sync(client: Client): void {
    const { memberId, epoch, assignments, instanceId } = client;
    this.#ask(client, this.#harness.sync(memberId, epoch, assignments, instanceId), (answer) => {
      if (answer.errorCode !== ErrorCode.NONE) return this.#refused(client, answer.errorCode);
      client.phase = "in";
      client.held.clear();
      for (const partition of partitionsIn(answer.assignment)) this.#own(client, partition);
    });
  }

  #own(client: Client, partition: number): void {
    client.held.add(partition);
    this.#owners.set(partition, client);
  }

  #commit(client: Client | undefined): void {
    const at = this.#random.uint32() % 8;
    const late = this.#late[at];
    if (late !== undefined && !late.client.isBusy) {
      this.#late.splice(at, 1);
      const { epoch, held, memberId } = late.client;
      // Commits are fenced by epochs, not by partitions: before it says that it gave one up, a client awaits its commits of that epoch.
      const isAwaited = late.epoch === epoch && late.memberId === memberId && !held.has(late.partition);
      if (!isAwaited) this.#sendCommit(late);
    }
    // Also one that is stalled, or was removed without its knowledge: that is the commit that must be refused.
    if (client === undefined || client.isBusy || client.phase !== "in") return;
    const [partition] = client.held;
    if (partition === undefined) return;
    const { memberId, epoch } = client;
    const commit = { client, memberId, epoch, partition };
    if (this.#isOneIn(4)) this.#late.push(commit);
    else this.#sendCommit(commit);
  }

  #sendCommit({ client, memberId, epoch: generationId, partition }: LateCommit): void {
    const offset = this.#nextOffset++;
    const offsets = [{ topic: TOPIC, partition, offset, leaderEpoch: -1, topicId: ZERO_UUID, metadata: null }];
    const { instanceId: groupInstanceId } = client;
    const who = { groupId: "g", memberId, generationId, groupInstanceId, retentionTimeMs: -1, apiVersion: 9 };
    const isOwner = this.#owners.get(partition) === client;
    const onTaken = (): void => {
      if (!isOwner) throw new Error(`a commit for ${partition} was taken from a past owner`);
      this.report.commits++;
      this.#acknowledged.set(partition, Math.max(offset, this.#acknowledged.get(partition) ?? 0));
    };
    // What it is to do about it the next heartbeat tells.
    const onRefused = (): void => void this.report.refusedCommits++;
    this.#ask(client, this.#harness.coordinator.commitOffsets({ ...who, offsets }), onTaken, onRefused);
  }

  /** Sends a request; now and then the answer is lost on the way. */
  #ask<T>(
    client: Client,
    request: Promise<T>,
    onAnswer: (answer: T) => void,
    onRefused = (code: number): void => this.#refused(client, code),
  ): void {
    client.isBusy = true;
    const isLost = !this.#isCalm && this.#isOneIn(15);
    request
      .finally(() => (client.isBusy = false))
      .then(
        (answer) => {
          if (isLost) client.mustSayAll = true;
          else if (!client.isGone) onAnswer(answer);
        },
        (error: unknown) => onRefused(errorCodeOf(error)),
      )
      .catch((violation: unknown) => void (this.#violation = violation));
  }

  #refused(client: Client, code: number): void {
    client.mustSayAll = true;
    switch (code) {
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      case ErrorCode.UNRELEASED_INSTANCE_ID:
        return;
      case ErrorCode.FENCED_INSTANCE_ID:
        this.report.fencedMembers++;
        return this.#remove(client);
    }
    if (client.phase === "in" && code !== ErrorCode.REBALANCE_IN_PROGRESS) this.report.fencedMembers++;
    if (client.protocol === "classic" && code === ErrorCode.UNKNOWN_MEMBER_ID) client.memberId = "";
    client.phase = "out";
    client.epoch = 0;
    client.held.clear();
    client.toRevoke.clear();
  }

  #remove(client: Client): void {
    client.isGone = true;
    this.#clients = this.#clients.filter((other) => other !== client);
  }

  async #check(): Promise<void> {
    if (this.#violation !== undefined) throw this.#violation;
    if (this.#harness.log.pendingAppends > 0) return; // the answers would wait
    for (const [partition, offset] of new Map(this.#acknowledged)) {
      const committed = (await this.#harness.committed(TOPIC, partition)) ?? -1;
      if (committed < offset) throw new Error(`partition ${partition} went back from ${offset} to ${committed}`);
    }
    const { type, members } = await this.#group();
    if (type === "classic" && this.#type === "consumer") this.report.downgrades++;
    if (type === "consumer" && this.#type === "classic") this.report.upgrades++;
    this.#type = type;
    const owners = new Map<number, string>();
    for (const { memberId, held } of this.#clients) {
      if (!members.includes(memberId)) continue; // it is out, and will be told
      for (const partition of held) {
        const other = owners.get(partition);
        if (other !== undefined) throw new Error(`partition ${partition} belongs to ${other} and to ${memberId}`);
        owners.set(partition, memberId);
      }
    }
  }
}
