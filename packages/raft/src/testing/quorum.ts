import type { Uuid } from "@samsa/base";
import { uuidFromBytes } from "@samsa/base";
import type { Random } from "@samsa/base";
import type { RaftEffect, RaftInput, RaftTime } from "../effects.ts";
import type { ElectionState } from "../election-state.ts";
import { KafkaRaft } from "../kafka-raft.ts";
import type { RaftConfig } from "../raft-config.ts";
import { DEFAULT_RAFT_CONFIG } from "../raft-config.ts";
import type { RecoveredRaftLog } from "../raft-log.ts";
import type { RaftRequest } from "../raft-messages.ts";
import { VoterSet } from "../voter-set.ts";

export const LISTENER = "CONTROLLER";
export const CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw";

export function directoryOf(id: number): Uuid {
  const bytes = new Uint8Array(16);
  bytes[15] = id;
  return uuidFromBytes(bytes);
}

export function voterSetOf(...ids: readonly number[]): VoterSet {
  return new VoterSet(
    ids.map((id) => ({
      key: { id, directoryId: directoryOf(id) },
      endpoints: [{ name: LISTENER, host: "node", port: id }],
      kraftVersions: { min: 0, max: 1 },
    })),
  );
}

/** Always the same: an election timeout is exactly that. */
const noChance: Random = { uint32: () => 0, fill: (bytes) => bytes.fill(0) };

export interface TestReplicaOptions {
  readonly id?: number;
  readonly voters?: VoterSet;
  readonly log?: Partial<RecoveredRaftLog>;
  readonly quorumState?: ElectionState;
  readonly config?: Partial<RaftConfig>;
}

/** One replica, a clock that the test moves, and the effects of its last step. */
export class TestReplica {
  readonly raft: KafkaRaft;
  effects: readonly RaftEffect[];
  nowMs = 0;
  #nextRequestId = 1;

  constructor(options: TestReplicaOptions = {}) {
    const { id = 1, voters = voterSetOf(1, 2, 3), log, quorumState, config } = options;
    this.raft = new KafkaRaft(
      {
        localKey: { id, directoryId: directoryOf(id) },
        clusterId: CLUSTER_ID,
        endpoints: [{ name: LISTENER, host: "node", port: id }],
        listenerName: LISTENER,
        staticVoters: voters,
        canBecomeVoter: true,
        config: { ...DEFAULT_RAFT_CONFIG, ...config },
        random: noChance,
      },
      {
        log: { logStartOffset: 0, endOffset: 0, epochs: [], snapshots: [], ...log },
        controlRecords: [],
        quorumState,
      },
      this.time,
    );
    this.effects = this.raft.start();
  }

  get time(): RaftTime {
    return { nowMs: this.nowMs, wallMs: 1_700_000_000_000 + this.nowMs };
  }

  step(input: RaftInput): readonly RaftEffect[] {
    return (this.effects = this.raft.step(input, this.time));
  }

  wait(ms: number): readonly RaftEffect[] {
    this.nowMs += ms;
    return this.step({ kind: "tick" });
  }

  ask(request: RaftRequest): readonly RaftEffect[] {
    return this.step({ kind: "request", requestId: this.#nextRequestId++, request });
  }

  /** Says that the disk has everything. */
  sync(): readonly RaftEffect[] {
    const appends = this.effects.filter((effect) => effect.kind === "append");
    const last = appends.at(-1);
    if (last === undefined) return this.effects;
    return this.step({ kind: "log-durable", endOffset: last.endOffset, truncationCount: last.truncationCount });
  }

  kinds(): readonly string[] {
    return this.effects.map((effect) => (effect.kind === "send" ? `send ${effect.request.api}` : effect.kind));
  }

  /** What it sent of this kind, in order. */
  sent(api: RaftRequest["api"]): readonly (RaftEffect & { kind: "send" })[] {
    return this.effects.flatMap((effect) => (effect.kind === "send" && effect.request.api === api ? [effect] : []));
  }
}
