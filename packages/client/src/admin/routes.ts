import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import type { CoordinatorType } from "../cluster/find-coordinators.ts";
import { findCoordinators } from "../cluster/find-coordinators.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { BrokerError } from "../errors.ts";

/** Whichever broker answers. */
export const ANY = "any";
export type NodeRef = number | typeof ANY;

export interface Located<Item> {
  readonly nodes: ReadonlyMap<NodeRef, readonly Item[]>;
  readonly failures: ReadonlyMap<Item, KafkaError>;
}

/** Where items are asked. */
export interface Route<Item> {
  /** @throws what holds for all items */
  locate(cluster: Cluster, items: readonly Item[]): Promise<Located<Item>>;
  /** These failed there, and may do better elsewhere. */
  forget?(cluster: Cluster, items: readonly Item[]): void;
}

/** Any broker; with KRaft it passes on what the controller must do. */
export const anyBroker = {
  locate<Item>(_cluster: Cluster, items: readonly Item[]): Promise<Located<Item>> {
    return Promise.resolve(all(ANY, items));
  },
};

function all<Item>(node: NodeRef, items: readonly Item[]): Located<Item> {
  return { nodes: new Map([[node, items]]), failures: new Map() };
}

/** The controller, as the metadata have it. */
export const toController = {
  async locate<Item>(cluster: Cluster, items: readonly Item[]): Promise<Located<Item>> {
    if (cluster.metadata.controllerId < 0) await cluster.refreshMetadata([]);
    const { controllerId } = cluster.metadata;
    return all(controllerId < 0 ? ANY : controllerId, items);
  },
  /** Whoever it was, it may not be the controller any more. */
  forget(cluster: Cluster): void {
    cluster.metadata.controllerId = -1;
  },
};

/** The broker that each item names. */
export function toBroker<Item>(nodeOf: (item: Item) => NodeRef): Route<Item> {
  return {
    async locate(cluster, items) {
      const isKnown = (item: Item): boolean => {
        const node = nodeOf(item);
        return node === ANY || cluster.metadata.brokers.has(node);
      };
      if (!items.every((item) => isKnown(item))) await cluster.refreshMetadata([]);
      const failures = new Map<Item, KafkaError>();
      for (const item of items) {
        if (isKnown(item)) continue;
        const there = `there are ${[...cluster.metadata.brokers.keys()].join(", ")}`;
        failures.set(item, new BrokerError(ErrorCode.BROKER_NOT_AVAILABLE, `broker ${nodeOf(item)}`, there));
      }
      return {
        nodes: group(
          items.filter((item) => !failures.has(item)),
          nodeOf,
        ),
        failures,
      };
    },
  };
}

/** The leaders of partitions. */
export function toLeader<Item extends TopicPartition>(): Route<Item> {
  return {
    async locate(cluster, items) {
      const unknown = new Set(items.filter((item) => !hasLeader(cluster, item)).map(({ topic }) => topic));
      const errors = unknown.size === 0 ? new Map<string, KafkaError>() : await cluster.refreshMetadata(unknown);
      const failures = new Map<Item, KafkaError>();
      const located: Item[] = [];
      for (const item of items) {
        const failure = errors.get(item.topic) ?? (hasLeader(cluster, item) ? undefined : noLeader(cluster, item));
        if (failure === undefined) located.push(item);
        else failures.set(item, failure);
      }
      return {
        nodes: group(located, ({ topic, partition }) => cluster.leaderOf(topic, partition)?.leaderId ?? ANY),
        failures,
      };
    },
    forget(cluster, items) {
      for (const { topic } of items) cluster.metadata.forget(topic);
    },
  };
}

function hasLeader(cluster: Cluster, { topic, partition }: TopicPartition): boolean {
  return cluster.leaderOf(topic, partition) !== undefined;
}

function noLeader(cluster: Cluster, { topic, partition }: TopicPartition): KafkaError {
  const name = `${topic}-${partition}`;
  const known = cluster.metadata.topic(topic);
  if (known?.partitions[partition] !== undefined) return new BrokerError(ErrorCode.LEADER_NOT_AVAILABLE, name);
  // Said for good: a partition that somebody adds this moment is the rarer case.
  const have = `the topic has partitions 0 to ${(known?.partitions.length ?? 0) - 1}`;
  return new BrokerError(ErrorCode.INVALID_PARTITIONS, name, have);
}

/** The coordinators of groups or transactions, asked for each time: they move, and administration is rare. */
export function toCoordinator<Item>(keyType: CoordinatorType, keyOf: (item: Item) => string): Route<Item> {
  return {
    async locate(cluster, items) {
      const keys = [...new Set(items.map((item) => keyOf(item)))];
      const found = await findCoordinators(cluster, keyType, keys);
      const failures = new Map<Item, KafkaError>();
      const located: Item[] = [];
      for (const item of items) {
        const node = found.get(keyOf(item));
        if (typeof node === "number") located.push(item);
        else failures.set(item, node ?? new BrokerError(ErrorCode.COORDINATOR_NOT_AVAILABLE, keyOf(item)));
      }
      return { nodes: group(located, (item) => found.get(keyOf(item)) as number), failures };
    },
  };
}

export function group<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const same = groups.get(key);
    if (same === undefined) groups.set(key, [item]);
    else same.push(item);
  }
  return groups;
}
