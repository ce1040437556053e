import type { Uuid } from "@samsa/base";

/** A topic as groups see it. The same object as long as nothing of it changes. */
export interface GroupTopic {
  readonly id: Uuid;
  readonly name: string;
  readonly partitionCount: number;
  /** The failure zones in which a partition has replicas, as often as it has replicas there. */
  racks(partition: number): readonly string[];
}

/** The topics of the cluster, as they are now. */
export interface GroupTopics {
  readonly version: number; // offset of the metadata
  readonly names: Iterable<string>;
  topic(name: string): GroupTopic | undefined;
  topicById(id: Uuid): GroupTopic | undefined;
}

/** What changed about topics. */
export interface GroupTopicsChange {
  /** Created, deleted, grown, or on other racks. */
  readonly names: ReadonlySet<string>;
  /** Some are new or gone: regular expressions may match otherwise. */
  readonly haveOtherNames: boolean;
}

export const NO_TOPICS: GroupTopics = { version: -1, names: [], topic: () => undefined, topicById: () => undefined };
