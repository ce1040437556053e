import type { Destination } from "./effects.ts";
import { sendFetchRequest } from "./handlers/fetch.ts";
import { sendFetchSnapshotRequest } from "./handlers/fetch-snapshot.ts";
import { sendBeginQuorumEpochRequests, sendEndQuorumEpochRequests } from "./handlers/quorum-epoch.ts";
import { sendVoteRequests } from "./handlers/vote.ts";
import { maybeSendAutoJoin, maybeSendUpdateVoter, sendApiVersionsRequest } from "./handlers/voters.ts";
import type { RaftCore } from "./raft-core.ts";
import type { CandidateState } from "./states/candidate-state.ts";
import type { FollowerState } from "./states/follower-state.ts";
import type { LeaderState } from "./states/leader-state.ts";
import type { ProspectiveState } from "./states/prospective-state.ts";

/** What time brings about: after every input each state does what is due. It may move; then the next state has its turn. */
export function poll(core: RaftCore): void {
  for (let moves = 0; moves < 10; moves++) {
    const { state } = core.quorum;
    switch (state.kind) {
      case "leader":
        pollLeader(core, state);
        break;
      case "follower":
        pollFollower(core, state);
        break;
      case "candidate":
        pollCandidate(core, state);
        break;
      case "prospective":
        pollProspective(core, state);
        break;
      case "unattached":
        if (canStand(core) && core.now >= state.electionDeadlineMs) core.becomeProspective();
        else sendFetchToAnybody(core);
        break;
      case "resigned":
        if (core.now >= state.electionDeadlineMs && core.shutdown === undefined) core.becomeUnattached(state.epoch + 1);
        else sendEndQuorumEpochRequests(core);
        break;
    }
    if (core.quorum.state === state) return;
  }
}

/** When a state will do something by itself. */
export function stateDeadlineMs(core: RaftCore): number {
  const { state } = core.quorum;
  const isAble = canStand(core);
  switch (state.kind) {
    case "leader": {
      const { drainAtMs } = state.accumulator;
      if (!state.needsOthers(core.voterSet)) return drainAtMs;
      return Math.min(state.checkQuorumDeadlineMs, state.beginEpochDeadlineMs, drainAtMs);
    }
    case "follower":
      // Past it, and not able to stand: answers and pauses of requests move it on.
      return core.installing === undefined && state.fetchDeadlineMs > core.now ? state.fetchDeadlineMs : Infinity;
    case "candidate":
      return Math.min(state.electionDeadlineMs, state.backoffDeadlineMs ?? Infinity);
    case "prospective":
      return state.electionDeadlineMs;
    case "unattached":
      return isAble ? state.electionDeadlineMs : Infinity;
    case "resigned":
      return core.shutdown === undefined ? state.electionDeadlineMs : Infinity;
  }
}

/** One whose log is about to be replaced does not know its own end; one that stops wants no office. */
function canStand(core: RaftCore): boolean {
  return core.quorum.mayStand && core.installing === undefined && core.shutdown === undefined;
}

function pollLeader(core: RaftCore, state: LeaderState): void {
  const isAlone = !state.needsOthers(core.voterSet);
  if (core.shutdown !== undefined || (!isAlone && state.isQuorumLost(core.voterSet, core.now))) {
    core.resign();
    return;
  }
  if (core.now >= state.accumulator.drainAtMs) core.drain(state);
  sendApiVersionsRequest(core); // a sole voter too may get company
  if (isAlone) return;
  if (core.now >= state.beginEpochDeadlineMs) state.restartBeginEpoch(core.voterSet, core.now);
  sendBeginQuorumEpochRequests(core);
}

function pollFollower(core: RaftCore, state: FollowerState): void {
  const { leaderId, leaderEndpoint } = state;
  const destination = { nodeId: leaderId, host: leaderEndpoint.host, port: leaderEndpoint.port };
  const isVoter = core.quorum.isVoter;
  const isOver = core.now >= state.fetchDeadlineMs;
  if (isOver && canStand(core)) {
    core.becomeProspective();
    return;
  }
  if (state.fetchingSnapshot !== undefined) {
    sendFetchSnapshotRequest(core, destination);
    if (!isOver) return;
  }
  if (isVoter ? maybeSendUpdateVoter(core, destination) : maybeSendAutoJoin(core, destination)) return;
  // An observer cannot call an election. It asks around whether there is another leader.
  if (isOver && !isVoter) sendFetchToAnybody(core);
  if (state.fetchingSnapshot === undefined) sendFetchRequest(core, destination);
}

function pollCandidate(core: RaftCore, state: CandidateState): void {
  if (state.backoffDeadlineMs !== undefined && core.now >= state.backoffDeadlineMs) standAgain(core);
  else if (core.now >= state.electionDeadlineMs) standAgain(core);
  else sendVoteRequests(core);
}

function standAgain(core: RaftCore): void {
  if (canStand(core)) core.becomeProspective();
  else core.becomeUnattached(core.epoch);
}

function pollProspective(core: RaftCore, state: ProspectiveState): void {
  if (!state.election.isRejected && core.now < state.electionDeadlineMs) {
    sendVoteRequests(core);
    return;
  }
  // The others hear the leader, or each other. Back to where it came from.
  if (state.leaderId !== undefined && state.leaderEndpoint !== undefined) {
    core.becomeFollower(state.epoch, state.leaderId, state.leaderEndpoint);
  } else {
    core.becomeUnattached(state.epoch, state.leaderId);
  }
}

/** Somebody who knows the leader will say so. One question at a time. */
function sendFetchToAnybody(core: RaftCore): void {
  const destinations = bootstrapDestinations(core);
  const ids = destinations.map(({ nodeId }) => nodeId);
  const ready = destinations.filter(({ nodeId }) => core.requests.isReady(nodeId, core.now));
  if (core.requests.hasRequestInFlight(ids) || ready.length === 0) return;
  const destination = ready[core.options.random.uint32() % ready.length];
  if (destination !== undefined) sendFetchRequest(core, destination);
}

/** The configured servers; without them, whoever votes. */
function bootstrapDestinations(core: RaftCore): readonly Destination[] {
  const { bootstrapServers } = core.config;
  if (bootstrapServers.length > 0) {
    return bootstrapServers.map(({ host, port }, index) => ({ nodeId: -2 - index, host, port }));
  }
  return core.voterSet.nodes.flatMap(({ key }) => {
    const destination = key.id === core.localKey.id ? undefined : core.voterDestination(key.id);
    return destination === undefined ? [] : [destination];
  });
}
