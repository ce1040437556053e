import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, parseUuid, ZERO_UUID } from "@samsa/base";
import type { ReplicaKey } from "./voter-set.ts";

/** What a replica may never forget: the epoch, and whom it voted for or follows in it. */
export interface ElectionState {
  readonly epoch: number;
  readonly leaderId: number | undefined;
  readonly votedKey: ReplicaKey | undefined;
  /** Kept only before kraft.version 1, for people to read. */
  readonly voterIds?: readonly number[];
}

const NOBODY = -1;

/**
 * The file `quorum-state`: one line of JSON. Version 0 goes with kraft.version 0 and names the voters, version 1 goes with
 * kraft.version 1 and names the directory that was voted for (KIP-853).
 */
export function encodeQuorumState(state: ElectionState, kraftVersion: number): Uint8Array {
  const leaderId = state.leaderId ?? NOBODY;
  const votedId = state.votedKey?.id ?? NOBODY;
  const json =
    kraftVersion === 0
      ? {
          clusterId: "",
          leaderId,
          leaderEpoch: state.epoch,
          votedId,
          appliedOffset: 0,
          currentVoters: (state.voterIds ?? []).map((voterId) => ({ voterId })),
          data_version: 0,
        }
      : {
          leaderId,
          leaderEpoch: state.epoch,
          votedId,
          votedDirectoryId: state.votedKey?.directoryId ?? ZERO_UUID,
          data_version: 1,
        };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** @throws KafkaError CORRUPT_MESSAGE when this is no quorum state: guessing an epoch could elect two leaders */
export function decodeQuorumState(bytes: Uint8Array): ElectionState {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw corrupt("no JSON");
  }
  if (typeof json !== "object" || json === null) throw corrupt("no object");
  const fields = new Map<string, unknown>(Object.entries(json));
  const integer = (name: string): number => {
    const value = fields.get(name) ?? NOBODY;
    if (typeof value === "number" && Number.isInteger(value) && value >= NOBODY && value <= 0x7fffffff) return value;
    throw corrupt(`${name} is no id or epoch`);
  };
  const version = integer("data_version");
  if (version !== 0 && version !== 1) throw corrupt(`data_version ${version} is unknown`);
  const epoch = integer("leaderEpoch");
  if (epoch < 0) throw corrupt("leaderEpoch is missing");
  const [leaderId, votedId] = [integer("leaderId"), integer("votedId")];
  const directoryId = directory(fields.get("votedDirectoryId"));
  return {
    epoch,
    leaderId: leaderId === NOBODY ? undefined : leaderId,
    votedKey: votedId === NOBODY ? undefined : { id: votedId, directoryId },
    ...(version === 0 ? { voterIds: voterIds(fields.get("currentVoters")) } : {}),
  };
}

function directory(value: unknown): Uuid {
  if (value === undefined) return ZERO_UUID;
  if (typeof value !== "string") throw corrupt("votedDirectoryId is no id");
  return parseUuid(value);
}

function voterIds(value: unknown): number[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw corrupt("currentVoters is no list");
  return value.map((voter: unknown) => {
    const id = typeof voter === "object" && voter !== null && "voterId" in voter ? voter.voterId : undefined;
    if (typeof id === "number" && Number.isInteger(id)) return id;
    throw corrupt("currentVoters names no id");
  });
}

function corrupt(problem: string): KafkaError {
  return new KafkaError(ErrorCode.CORRUPT_MESSAGE, `the quorum state is damaged: ${problem}`);
}
