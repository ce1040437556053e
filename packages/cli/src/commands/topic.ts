import process from "node:process";
import type { Admin, CreatedTopic, TopicMetadata } from "@samsa/client";
import { ErrorCode, KafkaError, nearestName } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { confirm } from "../confirm.ts";
import { ExitCode } from "../exit-code.ts";
import { hint } from "../hints.ts";
import type { Deed } from "../outcomes.ts";
import { actOnEach } from "../outcomes.ts";
import { addPairs } from "../properties.ts";
import { count } from "../rows.ts";
import { say } from "../talk.ts";
import { table } from "../table.ts";

export interface CreateOptions extends ConnectOptions {
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly config?: readonly string[];
  readonly ifNotExists?: boolean;
  readonly json?: boolean;
}

export async function createTopics(names: readonly string[], options: CreateOptions): Promise<ExitCode> {
  const configs = new Map<string, string>();
  addPairs(configs, options.config ?? [], "--config");
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const create = async (name: string): Promise<Deed> => {
      const topic = {
        name,
        configs: Object.fromEntries(configs),
        ...(options.partitions === undefined ? {} : { numPartitions: options.partitions }),
        ...(options.replicationFactor === undefined ? {} : { replicationFactor: options.replicationFactor }),
      };
      try {
        const [created] = await admin.createTopics([topic]);
        return deedOf(name, created, topic.configs);
      } catch (error) {
        if (error instanceof KafkaError && error.code === ErrorCode.INVALID_CONFIG) {
          await hintAtKeys(error, [...configs.keys()]);
        }
        const exists = error instanceof KafkaError && error.code === ErrorCode.TOPIC_ALREADY_EXISTS;
        if (!exists || options.ifNotExists !== true) throw error;
        return { said: `topic ${name} is there already` };
      }
    };
    return await actOnEach(names, (name) => ({ name, ...NOT_CREATED }), create, options);
  });
}

const NOT_CREATED = { created: false, topicId: null, partitions: null, replicationFactor: null, configs: null };

/** @param configs those that were asked for; the others are the broker's */
function deedOf(name: string, created: CreatedTopic | undefined, configs: Readonly<Record<string, string>>): Deed {
  const told = (number = -1): number | null => (number < 0 ? null : number);
  const partitions = told(created?.numPartitions);
  return {
    said: `created topic ${name}${partitions === null ? "" : ` with ${count(partitions, "partition")}`}`,
    facts: {
      created: true,
      topicId: created?.topicId ?? null,
      partitions,
      replicationFactor: told(created?.replicationFactor),
      configs,
    },
  };
}

/** Of keys that no topic has, the ones that were most likely meant. */
async function hintAtKeys(error: KafkaError, keys: readonly string[]): Promise<void> {
  const { topicConfigNames } = await import("@samsa/server"); // only now: it is large
  const known = topicConfigNames();
  for (const key of keys) {
    const nearest = known.includes(key) ? undefined : nearestName(key, known);
    if (nearest !== undefined) hint(error, `there is no key ${key}; did you mean ${nearest}?`);
  }
}

export interface ListOptions extends ConnectOptions {
  readonly internal?: boolean;
  readonly names?: boolean;
  readonly json?: boolean;
}

export async function listTopics(options: ListOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const topics = await kafka.admin().listTopics({ includeInternal: options.internal ?? false });
    const rows = topics.map((topic) => ({
      name: topic.name,
      partitions: topic.partitions.length,
      replicationFactor: topic.partitions[0]?.replicas.length ?? 0,
      internal: topic.isInternal,
    }));
    if (options.json === true) {
      for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
    } else if (options.names === true) {
      for (const { name } of rows) process.stdout.write(`${name}\n`);
    } else {
      const cells = rows.map((row) => [row.name, String(row.partitions), String(row.replicationFactor)]);
      process.stdout.write(table(["NAME", "PARTITIONS", "REPLICATION-FACTOR"], cells));
    }
    if (rows.length === 0) say("no topics yet; samsa topic create NAME makes one");
    return ExitCode.DONE;
  });
}

export interface DescribeOptions extends ConnectOptions {
  readonly json?: boolean;
}

export async function describeTopics(names: readonly string[], options: DescribeOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const topics =
      names.length === 0
        ? await admin.listTopics()
        : await withTopicNames(admin, names, () => admin.describeTopics(names));
    let failed = 0;
    for (const [index, topic] of topics.entries()) {
      const { partitions, errors } = await describePartitions(admin, topic);
      failed += errors.size;
      if (options.json === true) {
        const { name, topicId, isInternal } = topic;
        process.stdout.write(`${JSON.stringify({ name, topicId, internal: isInternal, partitions })}\n`);
        continue;
      }
      const replicationFactor = topic.partitions[0]?.replicas.length ?? 0;
      const facts = `${count(partitions.length, "partition")}, replication factor ${replicationFactor}, id ${topic.topicId}`;
      process.stdout.write(`${index > 0 ? "\n" : ""}${topic.name}: ${facts}\n`);
      const header = ["PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "START", "END"];
      const rows = partitions.map((partition) => [
        String(partition.partition),
        partition.leader < 0 ? "none" : String(partition.leader),
        String(partition.leaderEpoch),
        partition.replicas.join(","),
        partition.isr.join(","),
        String(partition.startOffset ?? "-"),
        String(partition.endOffset ?? "-"),
      ]);
      process.stdout.write(table(header, rows));
      for (const [name, error] of errors) say(`${name}: ${error.codeName}: ${error.message}`);
    }
    return failed === 0 ? ExitCode.DONE : ExitCode.KAFKA_ERROR;
  });
}

interface DescribedPartition {
  readonly partition: number;
  readonly leader: number; // -1 for none
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly startOffset: number | null; // null without a leader to ask, or when it cannot say
  readonly endOffset: number | null;
}

/** One partition that fails, as on a disk that does, hides nothing of the others. */
async function describePartitions(
  admin: Admin,
  topic: TopicMetadata,
): Promise<{ partitions: readonly DescribedPartition[]; errors: ReadonlyMap<string, KafkaError> }> {
  const led = topic.partitions.filter(({ leaderId }) => leaderId >= 0);
  const queries = (at: "earliest" | "latest") => led.map(({ partition }) => ({ topic: topic.name, partition, at }));
  const [starts, ends] = await Promise.all([
    admin.listOffsetsOf(queries("earliest")),
    admin.listOffsetsOf(queries("latest")),
  ]);
  const partitions = topic.partitions.map((partition) => ({
    partition: partition.partition,
    leader: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicas: partition.replicas,
    isr: partition.isr,
    startOffset: starts.found.get(`${topic.name}-${partition.partition}`)?.offset ?? null,
    endOffset: ends.found.get(`${topic.name}-${partition.partition}`)?.offset ?? null,
  }));
  return { partitions, errors: new Map([...starts.errors, ...ends.errors]) };
}

export interface DeleteOptions extends ConnectOptions {
  readonly ifExists?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export async function deleteTopics(names: readonly string[], options: DeleteOptions): Promise<ExitCode> {
  await confirm(`Delete ${names.join(", ")} and all records in it?`, "nothing was deleted", options);
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const remove = async (name: string): Promise<Deed> => {
      try {
        await withTopicNames(admin, [name], () => admin.deleteTopics([name]));
        return { said: `deleted topic ${name}`, facts: { deleted: true } };
      } catch (error) {
        const isGone = error instanceof KafkaError && error.code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
        if (!isGone || options.ifExists !== true) throw error;
        return { said: `there is no topic ${name}` };
      }
    };
    return await actOnEach(names, (name) => ({ name, deleted: false }), remove, options);
  });
}
