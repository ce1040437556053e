import type { ClassicGroup } from "./classic-group.ts";
import type { ConsumerGroup } from "./consumer/consumer-group.ts";

/** A group of a protocol that is not coordinated here yet: known by its name, so that nobody else takes it. */
export interface ForeignGroup {
  readonly type: "share" | "streams";
  readonly groupId: string;
}

export type CoordinatedGroup = ClassicGroup | ConsumerGroup;
export type Group = CoordinatedGroup | ForeignGroup;
export type Groups = Map<string, Group>;

export function isForeign(group: Group): group is ForeignGroup {
  return group.type === "share" || group.type === "streams";
}
