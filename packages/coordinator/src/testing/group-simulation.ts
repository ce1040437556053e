import { ErrorCode, errorCodeOf, ZERO_UUID } from "@samsa/base";
import { SeededRandom } from "@samsa/simulation";
import { GroupHarness, settle, text } from "./group-harness.ts";

const PARTITIONS = 6;
const MEMBERS = 5;

/** What a simulation has come to, so that a test can tell that it went where it should. */
export interface GroupSimulationReport {
  readonly crashes: number;
  readonly generations: number;
  readonly commits: number;
  readonly refusedCommits: number;
  readonly fencedMembers: number;
}

/** A consumer as clients are: it joins, syncs, sends heartbeats and commits, one request at a time. */
interface Consumer {
  readonly name: string;
  readonly instanceId: string | null;
  memberId: string;
  generation: number;
  phase: "out" | "joined" | "synced";
  partitions: readonly number[];
  assignments: Readonly<Record<string, string>>;
  isBusy: boolean;
  stalledUntilMs: number;
  isGone: boolean;
}

/**
 * One group under a seed: members that come, stall and leave, commits, a disk that is late, and a coordinator that crashes and
 * is loaded again. After each step it holds: a partition has one owner in a generation; an offset never goes back below an
 * acknowledged commit; no commit of a generation that is over is accepted. At the end everyone who is left has an assignment,
 * whatever phase the group was in.
 * @throws Error when one of these is untrue
 */
export async function simulateGroup(seed: number, steps: number): Promise<GroupSimulationReport> {
  const simulation = new GroupSimulation(await GroupHarness.start({}, seed), new SeededRandom(seed));
  for (let step = 0; step < steps; step++) await simulation.step();
  await simulation.finish();
  return simulation.report;
}

class GroupSimulation {
  readonly #harness: GroupHarness;
  readonly #random: SeededRandom;
  #consumers: Consumer[] = [];
  readonly #owners = new Map<string, string>(); // generation and partition -> member id
  readonly #acknowledged = new Map<number, number>(); // partition -> offset
  #nextOffset = 1;
  #incarnation = 0;
  #newestGeneration = 0; // that a member of this incarnation was told of
  readonly report = { crashes: 0, generations: 0, commits: 0, refusedCommits: 0, fencedMembers: 0 };

  constructor(harness: GroupHarness, random: SeededRandom) {
    this.#harness = harness;
    this.#random = random;
  }

  async step(): Promise<void> {
    const { log, clock } = this.#harness;
    for (let act = 0; act < 3; act++) this.#act(this.#pick());
    if (this.#isOneIn(2)) this.#commit(this.#pick());
    if (this.#isOneIn(8)) this.#come();
    if (this.#isOneIn(30)) this.#leave(this.#pick());
    if (this.#isOneIn(20)) this.#stall(this.#pick());
    if (this.#isOneIn(20)) log.isHeld = !log.isHeld;
    if (this.#isOneIn(10)) log.isPrompt = !log.isPrompt;
    if (this.#isOneIn(2)) log.commit(this.#random.uint32() % 3);
    if (this.#isOneIn(60)) await this.#crash();
    clock.advance(this.#random.uint32() % 2_000);
    if (!log.isHeld) log.commit();
    await settle();
    await this.#checkOffsets();
  }

  /** No more faults: the group must come to rest, with everybody in it. */
  async finish(): Promise<void> {
    const { log, clock } = this.#harness;
    log.isHeld = false;
    for (const consumer of this.#consumers) consumer.stalledUntilMs = 0;
    if (this.#consumers.length === 0) this.#come();
    for (let round = 0; round < 400; round++) {
      log.commit();
      clock.advance(1_000);
      for (const consumer of this.#consumers) this.#act(consumer);
      await settle();
      await this.#checkOffsets();
      if (await this.#isAtRest()) return;
    }
    throw new Error(`the group is still ${await this.#harness.state()}: ${JSON.stringify(this.#consumers)}`);
  }

  async #isAtRest(): Promise<boolean> {
    const generations = new Set(this.#consumers.map(({ generation }) => generation));
    const owned = this.#consumers.flatMap(({ partitions }) => partitions);
    return (
      this.#consumers.every(({ phase }) => phase === "synced") &&
      generations.size === 1 &&
      new Set(owned).size === PARTITIONS &&
      (await this.#harness.state()) === "Stable"
    );
  }

  #isOneIn(count: number): boolean {
    return this.#random.uint32() % count === 0;
  }

  #pick(): Consumer | undefined {
    return this.#consumers[this.#random.uint32() % Math.max(1, this.#consumers.length)];
  }

  #come(): void {
    if (this.#consumers.length >= MEMBERS) return;
    const number = this.#random.uint32() % 4;
    // Two with one name may be alive at once: one of them is fenced.
    const instanceId = number === 0 ? "static" : null;
    this.#consumers.push({
      name: `consumer-${this.#random.uint32()}`,
      instanceId,
      memberId: "",
      generation: -1,
      phase: "out",
      partitions: [],
      assignments: {},
      isBusy: false,
      stalledUntilMs: 0,
      isGone: false,
    });
  }

  #leave(consumer: Consumer | undefined): void {
    if (consumer === undefined || consumer.isBusy) return;
    this.#remove(consumer);
    const { memberId, instanceId } = consumer;
    const isSaid = memberId !== "" && instanceId === null && this.#random.uint32() % 2 === 0;
    if (!isSaid) return; // it dies without a word, and its session runs out
    const members = [{ memberId, groupInstanceId: null, reason: null }];
    this.#harness.coordinator.leaveGroup("g", members).catch(() => undefined);
  }

  #stall(consumer: Consumer | undefined): void {
    if (consumer !== undefined) {
      consumer.stalledUntilMs = this.#harness.clock.monotonicMs() + (this.#random.uint32() % 40_000);
    }
  }

  async #crash(): Promise<void> {
    this.report.crashes++;
    this.#incarnation++;
    this.#newestGeneration = 0; // a generation that was only announced may be announced again
    const pending = this.#harness.log.pendingAppends;
    await this.#harness.crash(pending === 0 ? 0 : this.#random.uint32() % (pending + 1));
  }

  /** The next thing that a client would do. */
  #act(consumer: Consumer | undefined): void {
    if (consumer === undefined || consumer.isBusy) return;
    if (consumer.stalledUntilMs > this.#harness.clock.monotonicMs()) return;
    if (consumer.phase === "out") this.#join(consumer);
    else if (consumer.phase === "joined") this.#sync(consumer);
    else this.#heartbeat(consumer);
  }

  #join(consumer: Consumer): void {
    consumer.partitions = [];
    const { memberId, instanceId: groupInstanceId } = consumer;
    this.#ask(consumer, this.#harness.join({ memberId, groupInstanceId }), (answer) => {
      if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
        consumer.memberId = answer.memberId;
        return;
      }
      if (answer.errorCode !== ErrorCode.NONE) return this.#refused(consumer, answer.errorCode);
      consumer.memberId = answer.memberId;
      consumer.generation = answer.generationId;
      consumer.phase = "joined";
      this.#newestGeneration = Math.max(this.#newestGeneration, answer.generationId);
      this.report.generations = Math.max(this.report.generations, answer.generationId);
      consumer.assignments = answer.skipAssignment ? {} : assign(answer.members.map((member) => member.memberId));
    });
  }

  #sync(consumer: Consumer): void {
    const { memberId, generation, assignments, instanceId } = consumer;
    this.#ask(consumer, this.#harness.sync(memberId, generation, assignments, instanceId), (answer) => {
      if (answer.errorCode !== ErrorCode.NONE) return this.#refused(consumer, answer.errorCode);
      consumer.phase = "synced";
      consumer.partitions = text(answer.assignment).split(",").filter(Boolean).map(Number);
      for (const partition of consumer.partitions) this.#own(consumer, partition);
    });
  }

  #own({ generation, memberId, instanceId }: Consumer, partition: number): void {
    const key = `${generation}/${partition}`;
    const owner = instanceId ?? memberId; // a static member keeps its partitions under its next id
    const other = this.#owners.get(key);
    if (other !== undefined && other !== owner) throw new Error(`${key} belongs to ${other} and to ${owner}`);
    this.#owners.set(key, owner);
  }

  #heartbeat(consumer: Consumer): void {
    const { memberId, generation, instanceId } = consumer;
    this.#ask(consumer, this.#harness.heartbeat(memberId, generation, instanceId), () => undefined);
  }

  #commit(consumer: Consumer | undefined): void {
    // Also one that is stalled, or was removed without its knowledge: that is the commit that must be refused.
    if (consumer === undefined || consumer.isBusy || consumer.phase !== "synced") return;
    const [partition] = consumer.partitions;
    if (partition === undefined) return;
    const { memberId, instanceId: groupInstanceId } = consumer;
    // Now and then one that was long on its way: the member has joined anew since.
    const generation = this.#isOneIn(6) ? consumer.generation - 1 : consumer.generation;
    const offset = this.#nextOffset++;
    // Whoever has its partitions has a generation that no crash takes back.
    const newest = Math.max(this.#newestGeneration, consumer.generation);
    const offsets = [{ topic: "orders", partition, offset, leaderEpoch: -1, topicId: ZERO_UUID, metadata: null }];
    const commit = {
      groupId: "g",
      apiVersion: 8,
      memberId,
      generationId: generation,
      groupInstanceId,
      retentionTimeMs: -1,
      offsets,
    };
    this.#ask(consumer, this.#harness.coordinator.commitOffsets(commit), () => {
      if (generation < newest) throw new Error(`a commit of generation ${generation} was taken in ${newest}`);
      this.report.commits++;
      this.#acknowledged.set(partition, Math.max(offset, this.#acknowledged.get(partition) ?? 0));
    });
  }

  /** Sends a request; an answer of a coordinator that has crashed since is not heard. */
  #ask<T>(consumer: Consumer, request: Promise<T>, onAnswer: (answer: T) => void): void {
    consumer.isBusy = true;
    const incarnation = this.#incarnation;
    request
      .finally(() => (consumer.isBusy = false))
      .then(
        (answer) => {
          if (incarnation === this.#incarnation && !consumer.isGone) onAnswer(answer);
        },
        (error: unknown) => this.#refused(consumer, errorCodeOf(error)),
      )
      .catch((violation: unknown) => void (this.#violation = violation));
  }

  #violation: unknown;

  #refused(consumer: Consumer, code: number): void {
    if (consumer.phase === "synced") this.report.refusedCommits++;
    if (code === ErrorCode.NOT_COORDINATOR || code === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) return;
    if (code === ErrorCode.FENCED_INSTANCE_ID) {
      this.report.fencedMembers++;
      return this.#remove(consumer);
    }
    if (code === ErrorCode.UNKNOWN_MEMBER_ID) consumer.memberId = "";
    consumer.phase = "out";
    consumer.partitions = [];
  }

  #remove(consumer: Consumer): void {
    consumer.isGone = true;
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
  }

  async #checkOffsets(): Promise<void> {
    if (this.#violation !== undefined) throw this.#violation;
    if (this.#harness.log.pendingAppends > 0) return; // the answer would wait
    const expected = new Map(this.#acknowledged);
    for (const [partition, offset] of expected) {
      const committed = (await this.#harness.committed("orders", partition)) ?? -1;
      if (committed < offset) throw new Error(`partition ${partition} went back from ${offset} to ${committed}`);
    }
  }
}

/** Partitions in turn, as a comma-separated list for each member. */
function assign(memberIds: readonly string[]): Readonly<Record<string, string>> {
  const lists = memberIds.map((_, index) =>
    Array.from({ length: PARTITIONS }, (_, partition) => partition).filter(
      (partition) => partition % memberIds.length === index,
    ),
  );
  return Object.fromEntries(memberIds.map((memberId, index) => [memberId, (lists[index] ?? []).join(",")]));
}
