import type { ClassicGroup } from "./classic-group.ts";
import type { ConsumerGroup } from "./consumer/consumer-group.ts";
import type { StreamsGroup } from "./streams-group.ts";

/** A group of a protocol that is not coordinated here yet: known by its name, so that nobody else takes it. */
export interface ForeignGroup {
  readonly type: "share";
  readonly groupId: string;
}

export type CoordinatedGroup = ClassicGroup | ConsumerGroup;
export type Group = CoordinatedGroup | StreamsGroup | ForeignGroup;
export type Groups = Map<string, Group>;

/** Whether none of the protocols that are served here is that of the group. */
export function isForeign(group: Group): group is StreamsGroup | ForeignGroup {
  return group.type === "share" || group.type === "streams";
}
