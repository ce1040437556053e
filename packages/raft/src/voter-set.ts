import type { Uuid } from "@samsa/base";
import { assert, ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import {
  createVotersRecordEndpoint,
  createVotersRecordKRaftVersionFeature,
  createVotersRecordVoter,
  VotersRecord,
} from "@samsa/protocol/messages/voters-record";

/** A replica is a node and the directory that holds its log: a node with a new disk is another replica (KIP-853). */
export interface ReplicaKey {
  readonly id: number;
  /** ZERO_UUID when unknown. */
  readonly directoryId: Uuid;
}

export interface Endpoint {
  /** Name of the listener. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export interface SupportedKRaftVersions {
  readonly min: number;
  readonly max: number;
}

export interface VoterNode {
  readonly key: ReplicaKey;
  readonly endpoints: readonly Endpoint[];
  readonly kraftVersions: SupportedKRaftVersions;
}

/** One replica for each key: `1:AAAA…`. */
export function replicaText({ id, directoryId }: ReplicaKey): string {
  return `${id}:${directoryId}`;
}

export function isSameReplica(one: ReplicaKey, other: ReplicaKey): boolean {
  return one.id === other.id && one.directoryId === other.directoryId;
}

/** Who votes. Never changed: changes make new sets. */
export class VoterSet {
  static readonly EMPTY = new VoterSet([]);
  /** In order of their ids. */
  readonly nodes: readonly VoterNode[];
  readonly #byId: ReadonlyMap<number, VoterNode>;

  constructor(nodes: readonly VoterNode[]) {
    this.nodes = nodes.toSorted((one, other) => one.key.id - other.key.id);
    this.#byId = new Map(this.nodes.map((node) => [node.key.id, node]));
    assert(this.#byId.size === nodes.length, "a node votes once");
  }

  /** @throws KafkaError INVALID_REQUEST for a record that names a node twice */
  static fromRecord(record: VotersRecord): VoterSet {
    const ids = new Set(record.voters.map(({ voterId }) => voterId));
    if (ids.size !== record.voters.length) {
      throw new KafkaError(ErrorCode.INVALID_REQUEST, "a record of the voters names a node twice");
    }
    return new VoterSet(
      record.voters.map(({ voterId, voterDirectoryId, endpoints, kRaftVersionFeature }) => ({
        key: { id: voterId, directoryId: voterDirectoryId },
        endpoints: endpoints.map(({ name, host, port }) => ({ name, host, port })),
        kraftVersions: { min: kRaftVersionFeature.minSupportedVersion, max: kRaftVersionFeature.maxSupportedVersion },
      })),
    );
  }

  toRecord(): VotersRecord {
    return VotersRecord.create({
      voters: this.nodes.map(({ key, endpoints, kraftVersions: { min, max } }) =>
        createVotersRecordVoter({
          voterId: key.id,
          voterDirectoryId: key.directoryId,
          endpoints: endpoints.map((endpoint) => createVotersRecordEndpoint(endpoint)),
          kRaftVersionFeature: createVotersRecordKRaftVersionFeature({
            minSupportedVersion: min,
            maxSupportedVersion: max,
          }),
        }),
      ),
    });
  }

  get size(): number {
    return this.nodes.length;
  }

  /** So many are more than half. */
  get majority(): number {
    return Math.floor(this.size / 2) + 1;
  }

  hasId(id: number): boolean {
    return this.#byId.has(id);
  }

  node(id: number): VoterNode | undefined {
    return this.#byId.get(id);
  }

  /** Whether this replica votes. Voters that were configured have no directory: any of the node's will do. */
  isVoter(key: ReplicaKey): boolean {
    const directoryId = this.#byId.get(key.id)?.key.directoryId;
    return directoryId !== undefined && (directoryId === ZERO_UUID || directoryId === key.directoryId);
  }

  isOnlyVoter(key: ReplicaKey): boolean {
    return this.size === 1 && this.isVoter(key);
  }

  endpoint(id: number, listenerName: string): Endpoint | undefined {
    return this.#byId.get(id)?.endpoints.find(({ name }) => name === listenerName);
  }

  withAdded(node: VoterNode): VoterSet {
    assert(!this.hasId(node.key.id), "the node votes already");
    return new VoterSet([...this.nodes, node]);
  }

  without(key: ReplicaKey): VoterSet {
    assert(this.isVoter(key), "who does not vote cannot be removed");
    return new VoterSet(this.nodes.filter((node) => node.key.id !== key.id));
  }

  withUpdated(node: VoterNode): VoterSet {
    assert(this.isVoter(node.key), "who does not vote cannot be updated");
    return new VoterSet(this.nodes.map((each) => (each.key.id === node.key.id ? node : each)));
  }
}
