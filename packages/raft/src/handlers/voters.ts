import { ErrorCode, ERRORS, ZERO_UUID } from "@samsa/base";
import { ControlRecordType } from "@samsa/protocol";
import type { ControlRecord } from "@samsa/protocol";
import {
  AddRaftVoterRequest,
  createAddRaftVoterRequestListener,
} from "@samsa/protocol/messages/add-raft-voter-request";
import { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import type { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import {
  createUpdateRaftVoterRequestKRaftVersionFeature,
  createUpdateRaftVoterRequestListener,
  UpdateRaftVoterRequest,
} from "@samsa/protocol/messages/update-raft-voter-request";
import {
  createUpdateRaftVoterResponseCurrentLeader,
  UpdateRaftVoterResponse,
} from "@samsa/protocol/messages/update-raft-voter-response";
import type { Destination } from "../effects.ts";
import type { RaftCore } from "../raft-core.ts";
import type { SentRequest } from "../request-manager.ts";
import type { LeaderState } from "../states/leader-state.ts";
import type { VoterChange } from "../voter-change.ts";
import type { Endpoint, ReplicaKey, VoterNode, VoterSet } from "../voter-set.ts";
import { isSameReplica } from "../voter-set.ts";
import { handleCommonResponse } from "./common-response.ts";
import { checkLeaderEpoch, advanceLeaderHighWatermark } from "./fetch.ts";
import { isOurCluster, leaderIdAndEpoch } from "./envelope.ts";

/** Whoever fetched up to the leader's end within this time has caught up. */
const CAUGHT_UP_MS = 3_600_000;

interface Refusal {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string;
}

/** AddRaftVoter, versions 0-1 (KIP-853): 1 may ask for an answer before the commit (KIP-1186). */
export function handleAddVoterRequest(core: RaftCore, requestId: number, request: AddRaftVoterRequest): void {
  const refusal = addVoter(core, requestId, request);
  if (refusal !== undefined) answerAdd(core, requestId, refusal);
}

function addVoter(core: RaftCore, requestId: number, request: AddRaftVoterRequest): Refusal | undefined {
  const { leader } = core;
  const refusal = refuseChange(core, request.clusterId);
  if (refusal !== undefined || leader === undefined) return refusal ?? notLeader();
  const key = { id: request.voterId, directoryId: request.voterDirectoryId };
  if (key.id < 0 || key.directoryId === ZERO_UUID) return invalid("Add voter request didn't include a valid voter");
  const endpoint = endpointNamed(core, request.listeners);
  if (endpoint === undefined) {
    const named = request.listeners.map(({ name, host, port }) => `ListenerName(${name})=${host}/<unresolved>:${port}`);
    return invalid(
      `Add voter request didn't include the endpoint (Endpoints(endpoints={${named.join(", ")}})) for the default listener ` +
        `ListenerName(${core.options.listenerName})`,
    );
  }
  if (core.voterSet.hasId(key.id)) {
    const errorMessage = `The voter id for ${replicaText(key)} is already part of the set of voters ${votersText(core)}.`;
    return { errorCode: ErrorCode.DUPLICATE_VOTER, errorMessage };
  }
  core.voterChange = {
    kind: "add",
    epoch: leader.epoch,
    requestId,
    deadlineMs: core.now + Math.max(0, Math.min(request.timeoutMs, core.config.requestTimeoutMs * 30)),
    voter: { key, endpoints: endpoints(request.listeners), kraftVersions: { min: 0, max: 0 } },
    ackWhenCommitted: request.ackWhenCommitted,
    step: { kind: "api-versions", correlationId: undefined },
  };
  return undefined;
}

/** The leader asks the new voter what it knows. Tried again until the request's time is over. */
export function sendApiVersionsRequest(core: RaftCore): void {
  const change = core.voterChange;
  if (change?.kind !== "add" || change.step.kind !== "api-versions" || change.step.correlationId !== undefined) return;
  const endpoint = endpointNamed(core, change.voter.endpoints);
  if (endpoint === undefined) return;
  const destination: Destination = { nodeId: change.voter.key.id, host: endpoint.host, port: endpoint.port };
  const message = ApiVersionsRequest.create({ clientSoftwareName: "samsa", clientSoftwareVersion: "raft" });
  const correlationId = core.send(destination, { api: "ApiVersions", message });
  if (correlationId !== undefined) change.step = { kind: "api-versions", correlationId };
}

/** @returns whether the request should be tried again after a pause */
export function handleApiVersionsResponse(core: RaftCore, sent: SentRequest, response: ApiVersionsResponse): boolean {
  const change = core.voterChange;
  const { leader } = core;
  if (leader === undefined || change?.kind !== "add" || change.step.kind !== "api-versions") return false;
  if (change.step.correlationId !== sent.correlationId) return false;
  const refuse = (errorCode: ErrorCode, errorMessage: string): boolean => {
    core.voterChange = undefined;
    answerAdd(core, change.requestId, { errorCode, errorMessage });
    return false;
  };
  if (response.errorCode !== ErrorCode.NONE) {
    const error = ERRORS.get(response.errorCode)?.name ?? String(response.errorCode);
    // The words are Kafka's.
    return refuse(
      ErrorCode.REQUEST_TIMED_OUT,
      `Aborted add voter operation for since API_VERSIONS returned an error ${error}`,
    );
  }
  const feature = response.supportedFeatures.find(({ name }) => name === "kraft.version");
  const kraftVersions = { min: feature?.minVersion ?? 0, max: feature?.maxVersion ?? 0 };
  const { kraftVersion } = core.partition;
  if (kraftVersion < kraftVersions.min || kraftVersion > kraftVersions.max) {
    return refuse(ErrorCode.INVALID_REQUEST, `the new voter does not support kraft.version ${kraftVersion}`);
  }
  const lastCaughtUpMs = leader.replica(change.voter.key)?.lastCaughtUpMs ?? -1;
  if (lastCaughtUpMs < 0 || core.now - lastCaughtUpMs > CAUGHT_UP_MS) {
    return refuse(ErrorCode.REQUEST_TIMED_OUT, "the new voter has not caught up with the leader");
  }
  if (core.voterSet.hasId(change.voter.key.id)) return refuse(ErrorCode.DUPLICATE_VOTER, "the node votes already");
  const offset = appendVoters(core, leader, core.voterSet.withAdded({ ...change.voter, kraftVersions }));
  change.step = { kind: "commit", offset, isAnswered: !change.ackWhenCommitted };
  if (!change.ackWhenCommitted) answerAdd(core, change.requestId, { errorCode: ErrorCode.NONE, errorMessage: "" });
  advanceLeaderHighWatermark(core, leader);
  return false;
}

/** RemoveRaftVoter, version 0 (KIP-853). A leader that is removed leads until the removal is committed. */
export function handleRemoveVoterRequest(core: RaftCore, requestId: number, request: RemoveRaftVoterRequest): void {
  const refusal = removeVoter(core, requestId, request);
  if (refusal !== undefined) answerRemove(core, requestId, refusal);
}

function removeVoter(core: RaftCore, requestId: number, request: RemoveRaftVoterRequest): Refusal | undefined {
  const { leader } = core;
  const refusal = refuseChange(core, request.clusterId);
  if (refusal !== undefined || leader === undefined) return refusal ?? notLeader();
  const key = { id: request.voterId, directoryId: request.voterDirectoryId };
  if (key.id < 0 || key.directoryId === ZERO_UUID) return invalid("Remove voter request didn't include a valid voter");
  // Kafka refuses to remove the last one as if it were not there.
  const isRemovable = core.voterSet.size > 1 && core.voterSet.nodes.some((node) => isSameReplica(node.key, key));
  if (!isRemovable) {
    const errorMessage = `Cannot remove voter ${replicaText(key)} from the set of voters ${votersText(core)}`;
    return { errorCode: ErrorCode.VOTER_NOT_FOUND, errorMessage };
  }
  const offset = appendVoters(core, leader, core.voterSet.without(key));
  const deadlineMs = core.now + core.config.requestTimeoutMs;
  core.voterChange = { kind: "remove", epoch: leader.epoch, requestId, deadlineMs, voterId: key.id, offset };
  advanceLeaderHighWatermark(core, leader);
  return undefined;
}

/** UpdateRaftVoter, version 0 (KIP-853): a voter has other addresses, or knows other versions, than its record says. */
export function handleUpdateVoterRequest(core: RaftCore, requestId: number, request: UpdateRaftVoterRequest): void {
  const errorCode = updateVoter(core, requestId, request);
  if (errorCode !== undefined) answerUpdate(core, requestId, errorCode);
}

function updateVoter(core: RaftCore, requestId: number, request: UpdateRaftVoterRequest): ErrorCode | undefined {
  const { leader } = core;
  if (!isOurCluster(core, request.clusterId)) return ErrorCode.INCONSISTENT_CLUSTER_ID;
  const errorCode = checkLeaderEpoch(core, request.currentLeaderEpoch);
  if (errorCode !== ErrorCode.NONE || leader === undefined) return errorCode;
  const refusal = refuseChange(core, request.clusterId);
  if (refusal !== undefined) return refusal.errorCode;
  const key = { id: request.voterId, directoryId: request.voterDirectoryId };
  if (endpointNamed(core, request.listeners) === undefined) return ErrorCode.INVALID_REQUEST;
  const { minSupportedVersion: min, maxSupportedVersion: max } = request.kRaftVersionFeature;
  if (core.partition.kraftVersion < min || core.partition.kraftVersion > max) return ErrorCode.INVALID_UPDATE_VERSION;
  if (!core.voterSet.nodes.some((node) => isSameReplica(node.key, key))) return ErrorCode.VOTER_NOT_FOUND;
  const node: VoterNode = { key, endpoints: endpoints(request.listeners), kraftVersions: { min, max } };
  const offset = appendVoters(core, leader, core.voterSet.withUpdated(node));
  const deadlineMs = core.now + core.config.requestTimeoutMs;
  core.voterChange = { kind: "update", epoch: leader.epoch, requestId, deadlineMs, offset };
  advanceLeaderHighWatermark(core, leader);
  return undefined;
}

/** A change may begin when this leader has committed something, and no other change is under way: sets then overlap. */
function refuseChange(core: RaftCore, clusterId: string | null): Refusal | undefined {
  const { leader, partition } = core;
  if (!isOurCluster(core, clusterId)) {
    const errorMessage = `The given id "${clusterId}" doesn't match the cluster id "${core.options.clusterId}"`;
    return { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID, errorMessage };
  }
  if (leader === undefined || core.shutdown !== undefined) return notLeader();
  if (partition.kraftVersion < 1) {
    const errorMessage = "Cluster doesn't support changing the voters: kraft.version is 0.";
    return { errorCode: ErrorCode.UNSUPPORTED_VERSION, errorMessage };
  }
  if (core.mutations.overlapsVoterChanges) return undefined;
  if (leader.highWatermark === undefined) {
    return { errorCode: ErrorCode.REQUEST_TIMED_OUT, errorMessage: "the leader has not committed anything yet" };
  }
  if (core.voterChange !== undefined || partition.votersOffset >= leader.highWatermark) {
    const errorMessage = "Request timed out waiting for leader to handle previous voter change request";
    return { errorCode: ErrorCode.REQUEST_TIMED_OUT, errorMessage };
  }
  return undefined;
}

/** The change under way ends with its commit, its time, or this leader's epoch. */
export function advanceVoterChange(core: RaftCore): void {
  const { leader, voterChange: change } = core;
  if (change === undefined) return;
  if (leader === undefined || change.epoch !== leader.epoch) {
    finish(core, change, { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, errorMessage: "the leader has changed" });
    return;
  }
  const offset = change.kind === "add" ? commitOffset(change) : change.offset;
  if (offset !== undefined && offset < core.log.highWatermark) {
    finish(core, change, { errorCode: ErrorCode.NONE, errorMessage: "" });
    // Its successor is chosen by those who still vote.
    if (!core.voterSet.isVoter(core.localKey)) core.resign();
  } else if (core.now >= change.deadlineMs) {
    finish(core, change, {
      errorCode: ErrorCode.REQUEST_TIMED_OUT,
      errorMessage: "the change is not committed in time",
    });
  }
}

function commitOffset(change: VoterChange & { kind: "add" }): number | undefined {
  return change.step.kind === "commit" ? change.step.offset : undefined;
}

function finish(core: RaftCore, change: VoterChange, outcome: Refusal): void {
  core.voterChange = undefined;
  switch (change.kind) {
    case "add":
      if (change.step.kind === "commit" && change.step.isAnswered) return;
      answerAdd(core, change.requestId, outcome);
      return;
    case "remove":
      answerRemove(core, change.requestId, outcome);
      return;
    case "update":
      answerUpdate(core, change.requestId, outcome.errorCode);
  }
}

function appendVoters(core: RaftCore, leader: LeaderState, voters: VoterSet): number {
  core.drain(leader);
  const record: ControlRecord = { type: ControlRecordType.KRAFT_VOTERS, value: voters.toRecord() };
  return core.appendControl(leader, [record]);
}

function answerAdd(core: RaftCore, requestId: number, { errorCode, errorMessage }: Refusal): void {
  const message = AddRaftVoterResponse.create({ errorCode, errorMessage: textOf(errorCode, errorMessage) });
  core.answer(requestId, { api: "AddRaftVoter", message });
}

function answerRemove(core: RaftCore, requestId: number, { errorCode, errorMessage }: Refusal): void {
  const message = RemoveRaftVoterResponse.create({ errorCode, errorMessage: textOf(errorCode, errorMessage) });
  core.answer(requestId, { api: "RemoveRaftVoter", message });
}

function answerUpdate(core: RaftCore, requestId: number, errorCode: ErrorCode): void {
  const endpoint = core.leaderEndpoint;
  const message = UpdateRaftVoterResponse.create({
    errorCode,
    currentLeader: createUpdateRaftVoterResponseCurrentLeader({
      ...leaderIdAndEpoch(core),
      host: endpoint?.host ?? "",
      port: endpoint?.port ?? 0,
    }),
  });
  core.answer(requestId, { api: "UpdateRaftVoter", message });
}

function textOf(errorCode: ErrorCode, errorMessage: string): string | null {
  return errorCode === ErrorCode.NONE ? null : errorMessage;
}

function notLeader(): Refusal {
  return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, errorMessage: "this node does not lead the quorum" };
}

function invalid(errorMessage: string): Refusal {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage };
}

/** As Kafka's messages name a replica. */
function replicaText({ id, directoryId }: ReplicaKey): string {
  return `ReplicaKey(id=${id}, directoryId=${directoryId})`;
}

function votersText(core: RaftCore): string {
  return `[${core.voterSet.nodes.map(({ key }) => replicaText(key)).join(", ")}]`;
}

function endpoints(listeners: readonly Endpoint[]): Endpoint[] {
  return listeners.map(({ name, host, port }) => ({ name, host, port }));
}

function endpointNamed(core: RaftCore, listeners: readonly Endpoint[]): Endpoint | undefined {
  return listeners.find(({ name }) => name === core.options.listenerName);
}

// ---- the voter's side ----

/** A voter whose record is not as it is says so to the leader. @returns whether it asked */
export function maybeSendUpdateVoter(core: RaftCore, destination: Destination): boolean {
  const { state } = core.quorum;
  if (state.kind !== "follower" || core.now < state.updateVoterDeadlineMs || core.partition.kraftVersion < 1)
    return false;
  const node = core.voterSet.node(core.localKey.id);
  if (node === undefined) return false;
  const { min, max } = core.supportedKRaftVersions;
  const isCurrent =
    JSON.stringify(node.endpoints) === JSON.stringify(endpoints(core.options.endpoints)) &&
    node.kraftVersions.min === min &&
    node.kraftVersions.max === max;
  if (isCurrent) {
    state.updateVoterDeadlineMs = core.now + core.config.fetchTimeoutMs;
    return false;
  }
  const message = UpdateRaftVoterRequest.create({
    clusterId: core.options.clusterId,
    currentLeaderEpoch: core.epoch,
    voterId: core.localKey.id,
    voterDirectoryId: core.localKey.directoryId,
    listeners: core.options.endpoints.map((each) => createUpdateRaftVoterRequestListener(each)),
    kRaftVersionFeature: createUpdateRaftVoterRequestKRaftVersionFeature({
      minSupportedVersion: min,
      maxSupportedVersion: max,
    }),
  });
  if (core.send(destination, { api: "UpdateRaftVoter", message }) === undefined) return false;
  state.updateVoterDeadlineMs = core.now + core.config.fetchTimeoutMs;
  return true;
}

export function handleUpdateVoterResponse(core: RaftCore, response: UpdateRaftVoterResponse): boolean {
  const { leaderId, leaderEpoch, host, port } = response.currentLeader;
  const endpoint = host === "" ? undefined : { name: core.options.listenerName, host, port };
  return handleCommonResponse(core, { errorCode: response.errorCode, leaderId, leaderEpoch, endpoint }) === "failed";
}

/** An observer that wants to vote asks the leader, first to forget the directory it had before (KIP-1186). @returns whether it asked */
export function maybeSendAutoJoin(core: RaftCore, destination: Destination): boolean {
  const { canBecomeVoter, clusterId, endpoints: own } = core.options;
  if (!core.config.autoJoin || !canBecomeVoter || core.now < core.autoJoinDeadlineMs) return false;
  if (core.partition.kraftVersion < 1 || core.voterSet.isVoter(core.localKey)) return false;
  const former = core.voterSet.node(core.localKey.id);
  const { id: voterId, directoryId: voterDirectoryId } = core.localKey;
  const request =
    former !== undefined
      ? ({
          api: "RemoveRaftVoter",
          message: RemoveRaftVoterRequest.create({ clusterId, voterId, voterDirectoryId: former.key.directoryId }),
        } as const)
      : ({
          api: "AddRaftVoter",
          message: AddRaftVoterRequest.create({
            clusterId,
            timeoutMs: core.config.requestTimeoutMs,
            voterId,
            voterDirectoryId,
            listeners: own.map((each) => createAddRaftVoterRequestListener(each)),
            // The answer would wait for a commit that needs this node's next fetch, which waits for the answer.
            ackWhenCommitted: false,
          }),
        } as const);
  if (core.send(destination, request) === undefined) return false;
  core.autoJoinDeadlineMs = core.now + core.config.fetchTimeoutMs;
  return true;
}
