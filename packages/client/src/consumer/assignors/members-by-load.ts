import { assert } from "@samsa/base";
import { compareText } from "./consumer-protocol.ts";
import type { GroupMember } from "./partition-assignor.ts";

/** Members, those with the fewest partitions first, and of equals by id. A member is taken out before its load changes. */
export class MembersByLoad {
  readonly #loadOf: (member: GroupMember) => number;
  readonly #members: GroupMember[] = [];

  constructor(loadOf: (member: GroupMember) => number) {
    this.#loadOf = loadOf;
  }

  get first(): GroupMember {
    const [first] = this.#members;
    assert(first !== undefined, "there are members");
    return first;
  }

  get last(): GroupMember {
    const last = this.#members.at(-1);
    assert(last !== undefined, "there are members");
    return last;
  }

  add(member: GroupMember): void {
    this.#members.splice(this.#indexFor(member), 0, member);
  }

  delete(member: GroupMember): void {
    const index = this.#indexFor(member);
    if (this.#members[index] === member) this.#members.splice(index, 1);
  }

  find(isWanted: (member: GroupMember) => boolean): GroupMember | undefined {
    return this.#members.find(isWanted);
  }

  some(holds: (member: GroupMember) => boolean): boolean {
    return this.#members.some(holds);
  }

  #indexFor(member: GroupMember): number {
    const load = this.#loadOf(member);
    let low = 0;
    let high = this.#members.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#members[middle];
      assert(other !== undefined, "the middle lies within");
      const order = this.#loadOf(other) - load || compareText(other.memberId, member.memberId);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
