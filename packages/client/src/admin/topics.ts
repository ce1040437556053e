import type { KafkaError, Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { CreatePartitionsRequest } from "@samsa/protocol/messages/create-partitions-request";
import { CreatePartitionsResponse } from "@samsa/protocol/messages/create-partitions-response";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import { DeleteTopicsResponse } from "@samsa/protocol/messages/delete-topics-response";
import type { TopicMetadata } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import { BrokerError, ConfigurationError } from "../errors.ts";
import { aName, checkList, checkSlips } from "../options.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf } from "./admin-driver.ts";
import { throwAny } from "./item-results.ts";
import { toController } from "./routes.ts";

const CREATE_TOPICS = api(CreateTopicsRequest, CreateTopicsResponse);
const DELETE_TOPICS = api(DeleteTopicsRequest, DeleteTopicsResponse);
const DELETE_TOPICS_BY_ID = api(DeleteTopicsRequest, DeleteTopicsResponse, { lowestVersion: 6 });
const CREATE_PARTITIONS = api(CreatePartitionsRequest, CreatePartitionsResponse);
const FIRST_DELETE_VERSION_WITH_IDS = 6;
/** The broker's own default, for partitions (KIP-464) and replication. */
const BROKER_DEFAULT = -1;
/** "Not told": from brokers whose answer has no counts. */
const UNKNOWN = -1;

export interface NewTopic {
  readonly name: string;
  /** The broker's `num.partitions` when left out. */
  readonly numPartitions?: number;
  /** The broker's `default.replication.factor` when left out. */
  readonly replicationFactor?: number;
  /** Brokers by partition, the preferred leader first; instead of the two above. */
  readonly assignments?: readonly (readonly number[])[];
  /** Kafka's dotted names. */
  readonly configs?: Readonly<Record<string, string>>;
}

export interface CreatedTopic {
  readonly name: string;
  readonly topicId: Uuid;
  readonly numPartitions: number; // UNKNOWN (-1) from brokers before 2.4
  readonly replicationFactor: number; // the same
}

export interface NewPartitions {
  readonly topic: string;
  /** Partitions that the topic has afterwards, old ones included. */
  readonly count: number;
  /** Brokers of each new partition, the preferred leader first. Default: the controller decides. */
  readonly assignments?: readonly (readonly number[])[];
}

export async function createTopics(
  driver: AdminDriver,
  topics: readonly NewTopic[],
  validateOnly: boolean,
): Promise<readonly CreatedTopic[]> {
  const timeoutMs = driver.timeouts.requestTimeoutMs;
  checkList("admin.createTopics", topics);
  for (const topic of topics) checkNewTopic(topic);
  const results = await driver.items<NewTopic, CreatedTopic>({
    what: "CreateTopics",
    items: topics,
    nameOf: ({ name }) => name,
    route: toController,
    ask: async (connection, some) => {
      const request = CreateTopicsRequest.create({
        topics: some.map(({ name, numPartitions, replicationFactor, assignments = [], configs = {} }) =>
          createCreateTopicsRequestCreatableTopic({
            name,
            numPartitions: numPartitions ?? BROKER_DEFAULT,
            replicationFactor: replicationFactor ?? BROKER_DEFAULT,
            assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
            configs: Object.entries(configs).map(([config, value]) => ({ name: config, value })),
          }),
        ),
        timeoutMs,
        validateOnly,
      });
      const answers = (await connection.send(CREATE_TOPICS, request)).topics;
      return byName(
        some,
        ({ name }) => name,
        answers.map((answer) => [
          answer.name,
          errorOf(answer.errorCode, `topic ${answer.name}`, answer.errorMessage) ?? {
            name: answer.name,
            topicId: answer.topicId,
            numPartitions: answer.numPartitions < 0 ? UNKNOWN : answer.numPartitions,
            replicationFactor: answer.replicationFactor < 0 ? UNKNOWN : answer.replicationFactor,
          },
        ]),
      );
    },
  });
  return results.all();
}

const NEW_TOPIC_FIELDS: readonly (keyof NewTopic)[] = [
  "name",
  "numPartitions",
  "replicationFactor",
  "assignments",
  "configs",
];

/** A count in another field would be the broker's default, and nobody would be told. @throws ConfigurationError */
function checkNewTopic(topic: NewTopic): void {
  const who = "admin.createTopics";
  checkSlips(who, topic, NEW_TOPIC_FIELDS);
  if (aName(topic.name) !== undefined) throw new ConfigurationError(`${who}: name is missing; wanted is a topic's`);
}

/** By name, or by id (KIP-516). */
export async function deleteTopics(
  driver: AdminDriver,
  topics: readonly (string | { readonly topicId: Uuid })[],
): Promise<void> {
  const timeoutMs = driver.timeouts.requestTimeoutMs;
  const results = await driver.items<(typeof topics)[number], true>({
    what: "DeleteTopics",
    items: topics,
    nameOf: (topic) => (typeof topic === "string" ? topic : topic.topicId),
    route: toController,
    ask: async (connection, some) => {
      const hasIds = some.some((topic) => typeof topic !== "string");
      const { responses } = await connection.send(hasIds ? DELETE_TOPICS_BY_ID : DELETE_TOPICS, (version) =>
        version >= FIRST_DELETE_VERSION_WITH_IDS
          ? DeleteTopicsRequest.create({
              topics: some.map((topic) =>
                typeof topic === "string"
                  ? { name: topic, topicId: ZERO_UUID }
                  : { name: null, topicId: topic.topicId },
              ),
              timeoutMs,
            })
          : DeleteTopicsRequest.create({ topicNames: some.filter((topic) => typeof topic === "string"), timeoutMs }),
      );
      const told = new Map<(typeof topics)[number], true | KafkaError>();
      for (const topic of some) {
        const answer = responses.find(({ name, topicId }) =>
          typeof topic === "string" ? name === topic : topicId === topic.topicId,
        );
        if (answer === undefined) continue;
        const name = typeof topic === "string" ? topic : topic.topicId;
        told.set(topic, errorOf(answer.errorCode, `topic ${name}`, answer.errorMessage) ?? true);
      }
      return told;
    },
  });
  for (const topic of topics) {
    const name = typeof topic === "string" ? topic : driver.cluster.metadata.topicName(topic.topicId);
    if (name !== undefined) driver.cluster.metadata.forget(name);
  }
  results.all();
}

export async function createPartitions(
  driver: AdminDriver,
  topics: readonly NewPartitions[],
  validateOnly: boolean,
): Promise<void> {
  const results = await driver.items<NewPartitions, true>({
    what: "CreatePartitions",
    items: topics,
    nameOf: ({ topic }) => topic,
    route: toController,
    ask: async (connection, some) => {
      const request = CreatePartitionsRequest.create({
        topics: some.map(({ topic, count, assignments }) => ({
          name: topic,
          count,
          assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
        })),
        timeoutMs: driver.timeouts.requestTimeoutMs,
        validateOnly,
      });
      const answers = (await connection.send(CREATE_PARTITIONS, request)).results;
      return byName(
        some,
        ({ topic }) => topic,
        answers.map(({ name, errorCode, errorMessage }) => [
          name,
          errorOf(errorCode, `topic ${name}`, errorMessage) ?? (true as const),
        ]),
      );
    },
  });
  for (const { topic } of topics) driver.cluster.metadata.forget(topic);
  results.all();
}

export async function listTopics(driver: AdminDriver, includeInternal: boolean): Promise<readonly TopicMetadata[]> {
  const topics = await driver.call("Metadata", () => driver.cluster.allTopics());
  return topics
    .filter(({ isInternal }) => includeInternal || !isInternal)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export async function describeTopics(driver: AdminDriver, names: readonly string[]): Promise<readonly TopicMetadata[]> {
  const { cluster } = driver;
  checkList("admin.describeTopics", names);
  const errors = await driver.call("Metadata", () => cluster.refreshMetadata(names));
  throwAny(new Map(names.flatMap((name) => (errors.has(name) ? [[name, errors.get(name) as KafkaError]] : []))));
  return names.map((name) => {
    const topic = cluster.metadata.topic(name);
    if (topic === undefined) throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`);
    return topic;
  });
}

/** Answers to the items whose names they have. */
export function byName<Item, T>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  answers: readonly (readonly [name: string, answer: T])[],
): ReadonlyMap<Item, T> {
  const named = new Map(answers);
  const found = new Map<Item, T>();
  for (const item of items) {
    const name = nameOf(item);
    if (named.has(name)) found.set(item, named.get(name) as T);
  }
  return found;
}
