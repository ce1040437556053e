import type { VoterSet } from "./voter-set.ts";

/** The votes of one election, among those who voted when it began. */
export class EpochElection {
  readonly voters: VoterSet;
  readonly #granted = new Set<number>();
  readonly #rejected = new Set<number>();

  constructor(voters: VoterSet) {
    this.voters = voters;
  }

  /** A vote, once given, is not taken back; of an answer that comes twice the first one counts. */
  record(voterId: number, isGranted: boolean): void {
    if (!this.voters.hasId(voterId) || this.#granted.has(voterId) || this.#rejected.has(voterId)) return;
    (isGranted ? this.#granted : this.#rejected).add(voterId);
  }

  get isGranted(): boolean {
    return this.#granted.size >= this.voters.majority;
  }

  /** No majority can come together any more. */
  get isRejected(): boolean {
    return this.#rejected.size > this.voters.size - this.voters.majority;
  }

  get grantingVoters(): readonly number[] {
    return [...this.#granted].sort((one, other) => one - other);
  }

  get unrecordedVoters(): readonly number[] {
    return this.voters.nodes.map(({ key }) => key.id).filter((id) => !this.#granted.has(id) && !this.#rejected.has(id));
  }
}
