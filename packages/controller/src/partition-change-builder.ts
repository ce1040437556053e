import type { Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import type { MetadataRecordOf, PartitionRegistration } from "@samsa/metadata";
import { LeaderRecoveryState, metadataRecord, NO_LEADER, NO_LEADER_CHANGE } from "@samsa/metadata";

export interface PartitionChange {
  readonly topicId: Uuid;
  readonly partitionId: number;
  readonly partition: PartitionRegistration;
  /** The ISR to have; the present one when left out. */
  readonly targetIsr?: readonly number[];
  /** The replicas to have in the end; those that are to come and to go are replicas as well until all is copied. */
  readonly reassignment?: Reassignment;
  /** A broker that stopped without having flushed: it may lack records and leaves the ELR (KIP-966). */
  readonly uncleanShutdownBroker?: number | undefined;
  /** The first replica shall lead although another one does and may. */
  readonly prefersFirst?: boolean;
  readonly isElrEnabled: boolean;
  readonly minIsr: number;
  /** Whether a replica outside ISR and ELR may lead when nobody else can. */
  readonly mayElectUnclean: boolean;
  /** Whether a broker may lead: not fenced, not shutting down. */
  readonly isAcceptableLeader: (brokerId: number) => boolean;
  readonly recordVersion: number;
}

/** Where a partition is to be moved (KIP-455). */
export interface Reassignment {
  readonly replicas: readonly number[];
  readonly addingReplicas: readonly number[];
  readonly removingReplicas: readonly number[];
  /** The directory of each of `replicas`. */
  readonly directories: readonly Uuid[];
}

/**
 * The record that brings a partition to its target ISR, with a leader if one can be had; undefined when nothing changes.
 *
 * Who leads: the present leader while it may; else the first replica in ISR or ELR; else, when both are empty, the last known
 * leader; else any replica, if unclean elections are allowed. The latter two begin as RECOVERING, for records may be missing.
 *
 *   ISR {1}  ── 1 is fenced ──▶  ISR {}, ELR {1}, last known {1}  ── 1 returns clean ──▶   ISR {1}
 *                                            └── 1 returns unclean: ELR {} ──▶ last known ──▶ ISR {1}, RECOVERING
 */
export function partitionChangeRecord(given: PartitionChange): MetadataRecordOf<"PartitionChangeRecord"> | undefined {
  const before = given.partition;
  const { isElrEnabled } = given;
  const { isr: targetIsr, ...reassigned } = completeReassignment(given);
  const change: PartitionChange = { ...given, partition: { ...before, ...reassigned } };
  let isr = withoutUnclean(change, targetIsr);
  // Without ELR nobody else would know which replicas hold everything: the last member stays although it cannot lead.
  if (isr.length === 0 && !isElrEnabled) isr = before.isr;
  let elr = isElrEnabled ? eligible(change, isr) : [];
  const election = electLeader(change, isr, elr);
  if (election.isUnclean) {
    isr = [election.leader];
    elr = [];
  } else if (elr.includes(election.leader)) {
    isr = [...isr, election.leader];
    elr = isElrEnabled ? eligible(change, isr) : [];
  }
  const leader = election.leader === before.leader ? NO_LEADER_CHANGE : election.leader;
  const lastKnownElr = lastKnown(change, isr, election.leader);
  const leaderRecoveryState =
    election.isUnclean && before.leaderRecoveryState !== LeaderRecoveryState.RECOVERING
      ? LeaderRecoveryState.RECOVERING
      : undefined;

  const { replicas, addingReplicas, removingReplicas, directories } = reassigned;
  const hasNewReplicas = replicas.join() !== before.replicas.join();
  const changes = {
    isr: sameMembers(isr, before.isr) ? null : isr,
    replicas: hasNewReplicas ? replicas : null,
    directories: hasNewReplicas && change.recordVersion >= 1 ? directories : null,
    addingReplicas: sameMembers(addingReplicas, before.addingReplicas) ? null : addingReplicas,
    removingReplicas: sameMembers(removingReplicas, before.removingReplicas) ? null : removingReplicas,
    eligibleLeaderReplicas: sameMembers(elr, before.elr) ? null : elr,
    lastKnownElr: sameMembers(lastKnownElr, before.lastKnownElr) ? null : lastKnownElr,
  };
  if (leader === NO_LEADER_CHANGE && Object.values(changes).every((each) => each === null)) return undefined;
  const { topicId, partitionId, recordVersion } = change;
  return metadataRecord(
    "PartitionChangeRecord",
    { topicId, partitionId, leader, leaderRecoveryState, ...changes },
    recordVersion,
  );
}

/** Replicas and ISR as they are to be: when all that come are in sync, those that go are gone. */
function completeReassignment({ partition, targetIsr, reassignment = partition }: PartitionChange) {
  const { replicas, addingReplicas, removingReplicas, directories } = reassignment;
  const isr = targetIsr ?? partition.isr;
  const staying = isr.filter((id) => !removingReplicas.includes(id));
  const isMoving = addingReplicas.length > 0 || removingReplicas.length > 0;
  if (!isMoving || staying.length === 0 || !addingReplicas.every((id) => isr.includes(id))) {
    return { replicas, addingReplicas, removingReplicas, directories, isr };
  }
  const kept = replicas.filter((id) => !removingReplicas.includes(id));
  return {
    replicas: kept,
    addingReplicas: [],
    removingReplicas: [],
    directories: kept.map((id) => directories[replicas.indexOf(id)] ?? ZERO_UUID),
    isr: staying,
  };
}

function electLeader(
  change: PartitionChange,
  isr: readonly number[],
  elr: readonly number[],
): { readonly leader: number; readonly isUnclean: boolean } {
  const { partition, isAcceptableLeader } = change;
  const isValid = (id: number): boolean => (isr.includes(id) || elr.includes(id)) && isAcceptableLeader(id);
  const [preferred] = partition.replicas;
  if (change.prefersFirst === true && preferred !== undefined && isValid(preferred)) {
    return { leader: preferred, isUnclean: false };
  }
  if (isValid(partition.leader)) return { leader: partition.leader, isUnclean: false };
  const clean = partition.replicas.find(isValid);
  if (clean !== undefined) return { leader: clean, isUnclean: false };

  const [lastLeader, ...others] = partition.lastKnownElr;
  const isLastLeaderKnown = change.isElrEnabled && lastLeader !== undefined && others.length === 0;
  if (isLastLeaderKnown && isr.length === 0 && elr.length === 0 && isAcceptableLeader(lastLeader)) {
    return { leader: lastLeader, isUnclean: true };
  }
  const unclean = change.mayElectUnclean ? partition.replicas.find(isAcceptableLeader) : undefined;
  return unclean === undefined ? { leader: NO_LEADER, isUnclean: false } : { leader: unclean, isUnclean: true };
}

/** Those that leave an ISR which is too small hold all that was committed, until something is committed without them. */
function eligible(change: PartitionChange, isr: readonly number[]): readonly number[] {
  const { partition } = change;
  if (isr.length >= Math.min(change.minIsr, partition.replicas.length)) return [];
  const candidates = new Set([...partition.elr, ...partition.isr]);
  return withoutUnclean(change, [...candidates]).filter((id) => !isr.includes(id) && partition.replicas.includes(id));
}

function lastKnown(change: PartitionChange, isr: readonly number[], leader: number): readonly number[] {
  const { partition } = change;
  if (!change.isElrEnabled) return [];
  if (leader !== NO_LEADER) return [];
  const becomesEmpty = isr.length === 0 && partition.isr.length > 0;
  return becomesEmpty && partition.leader !== NO_LEADER ? [partition.leader] : partition.lastKnownElr;
}

function withoutUnclean(change: PartitionChange, ids: readonly number[]): readonly number[] {
  return ids.filter((id) => id !== change.uncleanShutdownBroker);
}

function sameMembers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
