import type { Uuid } from "@samsa/base";
import type { MetadataRecordOf, PartitionRegistration } from "@samsa/metadata";
import { LeaderRecoveryState, metadataRecord, NO_LEADER, NO_LEADER_CHANGE } from "@samsa/metadata";

export interface PartitionChange {
  readonly topicId: Uuid;
  readonly partitionId: number;
  readonly partition: PartitionRegistration;
  /** The ISR to have; the present one when left out. */
  readonly targetIsr?: readonly number[];
  /** A broker that stopped without having flushed: it may lack records and leaves the ELR (KIP-966). */
  readonly uncleanShutdownBroker?: number | undefined;
  readonly isElrEnabled: boolean;
  readonly minIsr: number;
  /** Whether a replica outside ISR and ELR may lead when nobody else can. */
  readonly mayElectUnclean: boolean;
  /** Whether a broker may lead: not fenced, not shutting down. */
  readonly isAcceptableLeader: (brokerId: number) => boolean;
  readonly recordVersion: number;
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
export function partitionChangeRecord(change: PartitionChange): MetadataRecordOf<"PartitionChangeRecord"> | undefined {
  const { partition, isElrEnabled } = change;
  let isr = withoutUnclean(change, change.targetIsr ?? partition.isr);
  // Without ELR nobody else would know which replicas hold everything: the last member stays although it cannot lead.
  if (isr.length === 0 && !isElrEnabled) isr = partition.isr;
  let elr = isElrEnabled ? eligible(change, isr) : [];
  const election = electLeader(change, isr, elr);
  if (election.isUnclean) {
    isr = [election.leader];
    elr = [];
  } else if (elr.includes(election.leader)) {
    isr = [...isr, election.leader];
    elr = isElrEnabled ? eligible(change, isr) : [];
  }
  const leader = election.leader === partition.leader ? NO_LEADER_CHANGE : election.leader;
  const lastKnownElr = lastKnown(change, isr, election.leader);
  const leaderRecoveryState =
    election.isUnclean && partition.leaderRecoveryState !== LeaderRecoveryState.RECOVERING
      ? LeaderRecoveryState.RECOVERING
      : undefined;

  const hasNewIsr = !sameMembers(isr, partition.isr);
  const hasNewElr = !sameMembers(elr, partition.elr);
  const hasNewLastKnown = !sameMembers(lastKnownElr, partition.lastKnownElr);
  if (leader === NO_LEADER_CHANGE && !hasNewIsr && !hasNewElr && !hasNewLastKnown) return undefined;
  return metadataRecord(
    "PartitionChangeRecord",
    {
      topicId: change.topicId,
      partitionId: change.partitionId,
      isr: hasNewIsr ? isr : null,
      leader,
      leaderRecoveryState,
      eligibleLeaderReplicas: hasNewElr ? elr : null,
      lastKnownElr: hasNewLastKnown ? lastKnownElr : null,
    },
    change.recordVersion,
  );
}

function electLeader(
  change: PartitionChange,
  isr: readonly number[],
  elr: readonly number[],
): { readonly leader: number; readonly isUnclean: boolean } {
  const { partition, isAcceptableLeader } = change;
  const isValid = (id: number): boolean => (isr.includes(id) || elr.includes(id)) && isAcceptableLeader(id);
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
  return withoutUnclean(change, [...candidates]).filter((id) => !isr.includes(id));
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
