import type { Uuid } from "@samsa/base";
import { assert, KafkaError, uuidFromBytes } from "@samsa/base";
import {
  AddRaftVoterRequest,
  createAddRaftVoterRequestListener,
} from "@samsa/protocol/messages/add-raft-voter-request";
import {
  ApiVersionsResponse,
  createApiVersionsResponseSupportedFeatureKey,
} from "@samsa/protocol/messages/api-versions-response";
import { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import type { Endpoint, RaftMutations, RaftRequest, RaftResponse, ReplicaKey, VoterNode } from "@samsa/raft";
import { DEFAULT_RAFT_CONFIG, NO_MUTATIONS, RecordsSnapshotWriter, VoterSet } from "@samsa/raft";
import { SeededRandom } from "../seeded-random.ts";
import { EventQueue } from "./event-queue.ts";
import { RaftInvariants, RaftViolation } from "./raft-invariants.ts";
import { RaftNetwork } from "./raft-network.ts";
import type { WireVersions } from "./raft-wire.ts";
import { requestThroughWire, responseThroughWire } from "./raft-wire.ts";
import type { DriverMutations } from "./simulated-replica.ts";
import { SimulatedReplica } from "./simulated-replica.ts";

export interface RaftSimulationOptions {
  readonly seed: number;
  readonly voters: number;
  readonly observers: number;
  /** So many events with faults; then the network heals, all start, and the quorum has to get on. */
  readonly events: number;
  readonly mutations?: Partial<RaftMutations & DriverMutations>;
}

/** What happened in a run. */
export interface RaftSimulationReport {
  readonly seed: number;
  readonly events: number;
  readonly checks: number;
  readonly virtualMs: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly messages: { readonly sent: number; readonly lost: number; readonly duplicated: number };
  readonly leaders: number;
  readonly committedOffset: number;
  readonly snapshotsInstalled: number;
  readonly voterChanges: number;
}

export type FaultKind =
  | "partition"
  | "one-way partition"
  | "crash"
  | "restart"
  | "young leader crashed"
  | "slow disk"
  | "bad links"
  | "snapshot"
  | "voter change"
  | "stop";

const LISTENER = "CONTROLLER";
const CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw";
const ADMIN = -1;
/** Of virtual time, after everything has healed. */
const MOST_RECOVERY_MS = 120_000;
const MOST_RECOVERY_EVENTS = 400_000;

/** The faults of a quorum in which hardly any leader lives: crashes of young ones, bad links, restarts and recoveries. */
const DOOM = [14, 14, 14, 8, 8, 10, 5, 6];

interface PendingRequest {
  readonly from: SimulatedReplica | undefined;
  readonly incarnation: number;
  readonly correlationId: number;
}

/** Runs a quorum under a seed, with everything going wrong that may, and watches it. @throws RaftViolation */
export function simulateRaft(options: RaftSimulationOptions): RaftSimulationReport {
  return new RaftSimulation(options).run();
}

class RaftSimulation {
  readonly #options: RaftSimulationOptions;
  readonly #random: SeededRandom;
  readonly #queue = new EventQueue();
  readonly #network: RaftNetwork;
  readonly #invariants = new RaftInvariants();
  readonly #replicas: SimulatedReplica[] = [];
  readonly #requests = new Map<number, PendingRequest>();
  readonly #wire: WireVersions;
  readonly #isDynamic: boolean;
  readonly #faults: Record<FaultKind, number> = {
    partition: 0,
    "one-way partition": 0,
    crash: 0,
    restart: 0,
    "young leader crashed": 0,
    "slow disk": 0,
    "bad links": 0,
    snapshot: 0,
    "voter change": 0,
    stop: 0,
  };
  readonly #areLeadersDoomed: boolean;
  #nextRequestId = 1;
  #nextValue = 1;
  #events = 0;
  #voterChanges = 0;
  #isHealing = false;
  /** So many of the next leaders crash soon after their election. */
  #doomedLeaders = 0;
  #lastLeaderEpoch = 0;

  constructor(options: RaftSimulationOptions) {
    this.#options = options;
    this.#random = new SeededRandom(Math.imul(options.seed, 0x9e3779b1) ^ 0x5a5a5a5a);
    this.#network = new RaftNetwork(this.#queue, new SeededRandom(options.seed ^ 0x3c6ef372));
    this.#isDynamic = options.seed % 3 !== 0;
    this.#areLeadersDoomed = options.seed % 8 === 6;
    // Every eighth quorum speaks in bytes; of those whose voters are configured some in the oldest versions.
    this.#wire = options.seed % 8 !== 0 ? "none" : !this.#isDynamic && options.seed % 16 === 0 ? "oldest" : "latest";
    this.#build();
  }

  run(): RaftSimulationReport {
    for (const replica of this.#replicas) replica.start();
    this.#scheduleFault();
    this.#scheduleAppend();
    while (this.#events < this.#options.events) this.#next();
    this.#heal();
    this.#recover();
    const { sent, lost, duplicated } = this.#network;
    return {
      seed: this.#options.seed,
      events: this.#events,
      checks: this.#invariants.checks,
      virtualMs: this.#queue.nowMs,
      faults: this.#faults,
      messages: { sent, lost, duplicated },
      leaders: this.#invariants.leadersElected,
      committedOffset: this.#invariants.committedEndOffset,
      snapshotsInstalled: this.#replicas.reduce((sum, { snapshotsInstalled }) => sum + snapshotsInstalled, 0),
      voterChanges: this.#voterChanges,
    };
  }

  #build(): void {
    const { voters, observers, mutations } = this.#options;
    const keys: ReplicaKey[] = [];
    for (let id = 1; id <= voters + observers; id++) keys.push({ id, directoryId: directoryOf(id) });
    const nodes: VoterNode[] = keys.slice(0, voters).map(({ id, directoryId }) => ({
      key: { id, directoryId: this.#isDynamic ? directoryId : directoryOf(0) },
      endpoints: endpointsOf(id),
      kraftVersions: { min: 0, max: 1 },
    }));
    const formatted = new VoterSet(nodes);
    const around = {
      queue: this.#queue,
      random: this.#random,
      invariants: this.#invariants,
      mutations: { skipsQuorumStateSync: false, forgetsQuorumState: false, ...mutations },
      replica: (id: number) => this.#replica(id),
      send: this.#send.bind(this),
      answer: this.#answer.bind(this),
    };
    for (const key of keys) {
      const replica = new SimulatedReplica(
        {
          localKey: key,
          clusterId: CLUSTER_ID,
          endpoints: endpointsOf(key.id),
          listenerName: LISTENER,
          staticVoters: this.#isDynamic ? VoterSet.EMPTY : formatted,
          canBecomeVoter: true,
          config: {
            ...DEFAULT_RAFT_CONFIG,
            appendLingerMs: this.#upTo(3) * 10,
            // Some get one batch at a time: much can happen between two of them.
            maxFetchBytes: this.#areLeadersDoomed || (this.#options.seed >> 2) % 2 === 0 ? 1 : 400,
            maxSnapshotChunkBytes: 100,
            autoJoin: this.#isDynamic && this.#options.seed % 5 === 0,
            bootstrapServers: keys.slice(0, voters).map(({ id }) => ({ host: "node", port: id })),
          },
          random: new SeededRandom(this.#random.uint32()),
          mutations: { ...NO_MUTATIONS, ...mutations },
        },
        around,
      );
      replica.isOfOldProtocol = this.#wire === "oldest";
      if (this.#isDynamic && key.id <= voters) format(replica, formatted);
      this.#replicas.push(replica);
    }
  }

  #replica(id: number): SimulatedReplica | undefined {
    return this.#replicas[id - 1];
  }

  #next(): void {
    this.#events++;
    try {
      if (!this.#queue.runNext()) throw new RaftViolation("the quorum gets on", "nothing will ever happen again");
    } catch (error) {
      const where = `seed ${this.#options.seed}, event ${this.#events}, ${Math.round(this.#queue.nowMs)} ms`;
      if (error instanceof RaftViolation) throw new RaftViolation(error.invariant, `${error.message} (${where})`);
      throw new RaftViolation(
        "no assertion fails",
        `${String(error instanceof Error ? error.stack : error)} (${where})`,
      );
    }
    if (this.#doomedLeaders > 0) this.#doom();
  }

  // ---- messages ----

  #send(from: SimulatedReplica, correlationId: number, to: number, request: RaftRequest): void {
    const { incarnation } = from;
    const carried = requestThroughWire(request, this.#wire);
    if (carried === undefined) {
      this.#queue.after(1, () => {
        if (from.incarnation === incarnation) from.step({ kind: "no-response", correlationId, isUnsupported: true });
      });
      return;
    }
    this.#network.send(from.id, to, () => this.#deliver({ from, incarnation, correlationId }, to, carried));
  }

  #deliver(pending: PendingRequest, to: number, request: RaftRequest): void {
    const replica = this.#replica(to);
    if (replica === undefined) return;
    if (!replica.isUp) {
      // The system refuses the connection, or nobody is there to refuse.
      const { from, incarnation, correlationId } = pending;
      if (from === undefined || this.#upTo(2) === 0) return;
      this.#network.send(to, from.id, () => {
        if (from.incarnation === incarnation) from.step({ kind: "no-response", correlationId, isUnsupported: false });
      });
      return;
    }
    const requestId = this.#nextRequestId++;
    this.#requests.set(requestId, pending);
    if (request.api === "ApiVersions") {
      const feature = createApiVersionsResponseSupportedFeatureKey({
        name: "kraft.version",
        minVersion: 0,
        maxVersion: 1,
      });
      const message = ApiVersionsResponse.create({ supportedFeatures: [feature] });
      this.#answer(replica, requestId, { api: "ApiVersions", message });
      return;
    }
    replica.step({ kind: "request", requestId, request });
  }

  #answer(from: SimulatedReplica, requestId: number, response: RaftResponse): void {
    const pending = this.#requests.get(requestId);
    this.#requests.delete(requestId);
    if (pending === undefined) return;
    const { from: asker, incarnation, correlationId } = pending;
    if (asker === undefined) {
      const isDone = response.api === "AddRaftVoter" || response.api === "RemoveRaftVoter";
      if (isDone && response.message.errorCode === 0) this.#voterChanges++;
      return;
    }
    const carried = responseThroughWire(response, this.#wire);
    this.#network.send(from.id, asker.id, () => {
      if (asker.incarnation === incarnation) asker.step({ kind: "response", correlationId, response: carried });
    });
  }

  // ---- work and faults ----

  #scheduleAppend(): void {
    // Where less is written, an event stands for more time, and for more elections.
    const periodMs = this.#options.seed % 2 === 0 ? 60 : 600;
    this.#queue.after(5 + this.#upTo(periodMs), () => {
      for (const replica of this.#replicas) if (replica.raft?.state === "leader") this.#append(replica);
      this.#scheduleAppend();
    });
  }

  #append(replica: SimulatedReplica): void {
    const values: Uint8Array[] = [];
    for (let count = 1 + this.#upTo(3); count > 0; count--) {
      const value = new Uint8Array(8);
      new DataView(value.buffer).setUint32(0, this.#nextValue++);
      values.push(value);
    }
    try {
      replica.append(replica.raft?.epoch ?? 0, values, this.#upTo(2) === 0);
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error; // it stops, or its disk is behind
    }
  }

  #scheduleFault(): void {
    this.#queue.after(20 + this.#upTo(500), () => {
      if (!this.#isHealing) this.#fault();
      this.#scheduleFault();
    });
  }

  #fault(): void {
    const [one, other] = [this.#any(), this.#any()];
    const kind = this.#areLeadersDoomed ? (DOOM[this.#upTo(DOOM.length)] ?? 0) : this.#upTo(15);
    switch (kind) {
      case 0: // two halves
        this.#count("partition");
        this.#network.heal();
        for (const left of this.#replicas) {
          const isLeft = this.#upTo(2) === 0;
          for (const right of this.#replicas) {
            if (isLeft === right.id > left.id) continue;
            this.#network.cut(left.id, right.id);
            this.#network.cut(right.id, left.id);
          }
        }
        return;
      case 1: // one alone, the leader rather than another
        this.#count("partition");
        this.#network.heal();
        this.#isolate(this.#leader() ?? one, true, true);
        return;
      case 2: // hears nobody, or nobody hears it
        this.#count("one-way partition");
        this.#isolate(this.#upTo(2) === 0 ? (this.#leader() ?? one) : one, this.#upTo(2) === 0, false);
        return;
      case 3:
        this.#count("one-way partition");
        this.#network.cut(one.id, other.id);
        return;
      case 4:
      case 5:
        this.#network.heal();
        return;
      case 6:
        this.#crash(this.#leader() ?? one);
        return;
      case 7:
        this.#crash(one);
        if (this.#upTo(3) === 0) for (const replica of this.#replicas) this.#crash(replica); // the whole house
        return;
      case 8:
        for (const replica of this.#replicas) this.#start(replica);
        return;
      case 9:
        this.#count("slow disk");
        one.syncMs = this.#upTo(2) === 0 ? 4 : 50 + this.#upTo(1500);
        return;
      case 10:
        this.#count("bad links");
        this.#network.faults = {
          lossPermille: this.#upTo(300),
          duplicatePermille: this.#upTo(200),
          minDelayMs: 1,
          maxDelayMs: 2 + this.#upTo(this.#upTo(2) === 0 ? 20 : 400),
        };
        return;
      case 11:
        this.#count("snapshot");
        for (const replica of this.#replicas) if (this.#upTo(2) === 0) replica.snapshot(this.#upTo(3) > 0);
        return;
      case 12:
        for (let count = this.#isDynamic ? 1 + this.#upTo(3) : 0; count > 0; count--) {
          this.#queue.after(this.#upTo(60), () => {
            if (!this.#isHealing) this.#changeVoters();
          });
        }
        return;
      case 14:
        this.#doomedLeaders = 1 + this.#upTo(12);
        return;
      case 13: {
        const { raft } = one;
        if (raft === undefined || this.#upTo(2) === 0) return;
        this.#count("stop");
        if (this.#upTo(2) === 0) one.step({ kind: "resign", epoch: raft.epoch });
        else this.#stop(one);
      }
    }
  }

  /** One that has just been elected may not live to see its first commit: what it has told to whom is the question then. */
  #doom(): void {
    const leader = this.#leader();
    const epoch = leader?.raft?.epoch ?? 0;
    if (leader === undefined || epoch <= this.#lastLeaderEpoch || this.#isHealing) return;
    this.#lastLeaderEpoch = epoch;
    this.#doomedLeaders--;
    const { incarnation } = leader;
    this.#queue.after(this.#upTo(this.#upTo(2) === 0 ? 20 : 100), () => {
      if (leader.incarnation !== incarnation || this.#isHealing) return;
      this.#count("young leader crashed");
      this.#crash(leader);
    });
  }

  #stop(replica: SimulatedReplica): void {
    replica.step({ kind: "shutdown", timeoutMs: 1000 });
    const { incarnation } = replica;
    this.#queue.after(2000, () => {
      if (replica.incarnation !== incarnation) return;
      assert(replica.hasShutDown, "a stop comes to its end");
      replica.crash(); // what it said was synced before
      this.#queue.after(this.#upTo(1000), () => this.#start(replica));
    });
  }

  #isolate(replica: SimulatedReplica, isDeaf: boolean, isDumb: boolean): void {
    for (const { id } of this.#replicas) {
      if (isDeaf) this.#network.cut(id, replica.id);
      if (isDumb || !isDeaf) this.#network.cut(replica.id, id);
    }
  }

  #crash(replica: SimulatedReplica): void {
    if (!replica.isUp) return;
    this.#count("crash");
    replica.crash();
    if (this.#upTo(4) > 0) this.#queue.after(this.#upTo(this.#upTo(2) === 0 ? 100 : 4000), () => this.#start(replica));
  }

  #start(replica: SimulatedReplica): void {
    if (replica.isUp) return;
    this.#count("restart");
    replica.start();
  }

  /** Through any replica that believes to lead, be it for the last time. */
  #changeVoters(): void {
    const leaders = this.#replicas.filter(({ raft }) => raft?.state === "leader");
    const leader = leaders[this.#upTo(Math.max(1, leaders.length))];
    const voterSet = leader?.raft?.voterSet;
    if (leader === undefined || voterSet === undefined) return;
    const others = this.#replicas.filter(({ key }) => !voterSet.hasId(key.id));
    const isAdding = others.length > 0 && (voterSet.size <= 1 || this.#upTo(2) === 0);
    const chosen = isAdding
      ? others[this.#upTo(others.length)]?.key
      : voterSet.size > 1
        ? voterSet.nodes[this.#upTo(voterSet.size)]?.key
        : undefined;
    if (chosen === undefined) return;
    this.#count("voter change");
    const { id: voterId, directoryId: voterDirectoryId } = chosen;
    const request: RaftRequest = isAdding
      ? {
          api: "AddRaftVoter",
          message: AddRaftVoterRequest.create({
            clusterId: CLUSTER_ID,
            timeoutMs: 2000,
            voterId,
            voterDirectoryId,
            listeners: endpointsOf(voterId).map((endpoint) => createAddRaftVoterRequestListener(endpoint)),
            ackWhenCommitted: this.#upTo(2) === 0,
          }),
        }
      : {
          api: "RemoveRaftVoter",
          message: RemoveRaftVoterRequest.create({ clusterId: CLUSTER_ID, voterId, voterDirectoryId }),
        };
    this.#deliver({ from: undefined, incarnation: 0, correlationId: ADMIN }, leader.id, request);
  }

  /** Among those who believe to lead, the one of the latest epoch. */
  #leader(): SimulatedReplica | undefined {
    let latest: SimulatedReplica | undefined;
    for (const replica of this.#replicas) {
      if (replica.raft?.state !== "leader") continue;
      if ((latest?.raft?.epoch ?? -1) < replica.raft.epoch) latest = replica;
    }
    return latest;
  }

  #any(): SimulatedReplica {
    const replica = this.#replicas[this.#upTo(this.#replicas.length)];
    assert(replica !== undefined, "there are replicas");
    return replica;
  }

  #upTo(end: number): number {
    return this.#random.uint32() % end;
  }

  #count(fault: FaultKind): void {
    this.#faults[fault]++;
  }

  // ---- the end ----

  #heal(): void {
    this.#isHealing = true;
    this.#network.heal();
    for (const replica of this.#replicas) {
      replica.syncMs = 4;
      this.#start(replica);
    }
  }

  /** With all nodes there and links whole, somebody leads soon, new records are committed, and all replicas have them. */
  #recover(): void {
    const deadlineMs = this.#queue.nowMs + MOST_RECOVERY_MS;
    const target = this.#invariants.committedEndOffset + 20;
    for (let events = 0; events < MOST_RECOVERY_EVENTS && this.#queue.nowMs < deadlineMs; events++) {
      this.#next();
      for (const replica of this.#replicas) this.#start(replica); // those that were stopping when it began
      if (this.#replicas.every(({ appliedOffset }) => appliedOffset >= target)) return;
    }
    const states = this.#replicas.map(
      ({ id, raft, appliedOffset }) =>
        `${id} ${raft?.state} of ${raft?.epoch} at ${appliedOffset}/${raft?.endOffset}, ` +
        `voters ${raft?.voterSet.nodes.map(({ key }) => key.id).join("+")}`,
    );
    const text = `${states.join("; ")}; wanted ${target} (seed ${this.#options.seed})`;
    throw new RaftViolation("the quorum gets on", text);
  }
}

function directoryOf(id: number): Uuid {
  const bytes = new Uint8Array(16);
  bytes[15] = id;
  return uuidFromBytes(bytes);
}

function endpointsOf(id: number): Endpoint[] {
  return [{ name: LISTENER, host: "node", port: id }];
}

/** As `storage format --initial-controllers` leaves it: who votes, in a snapshot of nothing. */
function format({ disk }: SimulatedReplica, voterSet: VoterSet): void {
  const id = { offset: 0, epoch: 0 };
  const writer = new RecordsSnapshotWriter({ id, lastContainedLogTimeMs: 0, kraftVersion: 1, voterSet, nowMs: 0 });
  const bytes = Buffer.concat(writer.freeze());
  disk.addSnapshot(id, new Uint8Array(bytes));
}
