import type { KafkaError, Uuid } from "@samsa/base";
import type { ErrorCode } from "@samsa/base";
import type { ProduceRequestTopicProduceData } from "@samsa/protocol/messages/produce-request";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type { ProduceResponsePartitionProduceResponse } from "@samsa/protocol/messages/produce-response";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import type { Api } from "../connection/api.ts";
import { api } from "../connection/api.ts";
import { BrokerError, ConnectionError } from "../errors.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import type { TransactionStatus } from "./transaction-state.ts";

export type ProduceAnswer = ProduceResponsePartitionProduceResponse;

export const PRODUCE = api(ProduceRequest, ProduceResponse);
/** From version 12 on a write adds its partition to the transaction (KIP-890), which brokers before transactions V2 do not know. */
const PRODUCE_TRANSACTION_V1 = api(ProduceRequest, ProduceResponse, { highestVersion: 11 });
const PRODUCE_TRANSACTION_V2 = api(ProduceRequest, ProduceResponse, { lowestVersion: 12 });

export function produceApi(transaction: TransactionStatus | undefined): Api<ProduceRequest, ProduceResponse> {
  if (transaction === undefined) return PRODUCE;
  return transaction.isV2 ? PRODUCE_TRANSACTION_V2 : PRODUCE_TRANSACTION_V1;
}

/** Batches of one request, as they are in it. */
export interface TopicBatches {
  readonly name: string;
  readonly topicId: Uuid;
  readonly batches: ProducerBatch[];
}

export function byTopic(batches: readonly ProducerBatch[], idOf: (topic: string) => Uuid): readonly TopicBatches[] {
  const topics: TopicBatches[] = [];
  let known: Map<string, TopicBatches> | undefined; // most requests are of one topic
  let last: TopicBatches | undefined;
  for (const batch of batches) {
    const name = batch.queue.topic;
    if (last?.name !== name) {
      if (last !== undefined) known ??= new Map([[last.name, last]]);
      last = known?.get(name);
    }
    if (last === undefined) {
      last = { name, topicId: idOf(name), batches: [] };
      topics.push(last);
      known?.set(name, last);
    }
    last.batches.push(batch);
  }
  return topics;
}

export function topicData(topics: readonly TopicBatches[]): ProduceRequestTopicProduceData[] {
  return topics.map(({ name, topicId, batches }) => {
    const partitionData = batches.map((batch) => ({ index: batch.queue.partition, records: batch.seal() }));
    return { name, topicId, partitionData };
  });
}

/**
 * What the broker says of each batch, by topic and batch as they are in `topics`; undefined where it says nothing. Brokers may answer in
 * another order than they were asked, though few do.
 */
export function answersOf(
  topics: readonly TopicBatches[],
  { responses }: ProduceResponse,
): readonly (readonly (ProduceAnswer | undefined)[])[] {
  const isInOrder = responses.every((topic, at) => isAbout(topic, topics[at])) && responses.length === topics.length;
  if (isInOrder) return responses.map(({ partitionResponses }) => partitionResponses);
  const answers = new Map<string, ProduceAnswer>();
  for (const topic of responses) {
    // From version 13 on the answer has ids, before that names; the other is empty.
    const name = topic.name === "" ? topics.find(({ topicId }) => topicId === topic.topicId)?.name : topic.name;
    for (const partition of topic.partitionResponses) answers.set(`${name}/${partition.index}`, partition);
  }
  return topics.map(({ name, batches }) => batches.map(({ queue }) => answers.get(`${name}/${queue.partition}`)));
}

function isAbout(
  { name, topicId, partitionResponses }: ProduceResponse["responses"][number],
  asked: TopicBatches | undefined,
): boolean {
  if (asked === undefined || partitionResponses.length !== asked.batches.length) return false;
  if (name === "" ? topicId !== asked.topicId : name !== asked.name) return false;
  return partitionResponses.every(({ index }, at) => index === asked.batches[at]?.queue.partition);
}

/** What a broker's refusal, or its silence, is to the caller. */
export function refusal(address: string, queue: PartitionQueue, answer: ProduceAnswer | undefined): KafkaError {
  const what = `Produce to ${queue.topic}-${queue.partition}`;
  if (answer === undefined) return new ConnectionError(address, `${what}: the answer does not speak of it`);
  const [first] = answer.recordErrors;
  const message = answer.errorMessage ?? first?.batchIndexErrorMessage;
  return new BrokerError(answer.errorCode as ErrorCode, what, message, address);
}
