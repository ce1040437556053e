import type { Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import { recordBatches } from "@samsa/protocol";
import { createFetchRequestFetchPartition, FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type { ProduceResponsePartitionProduceResponse } from "@samsa/protocol/messages/produce-response";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import type { RawClient } from "./raw-client.ts";

export interface ProduceOptions {
  readonly topic: string;
  readonly topicId?: Uuid;
  readonly partition?: number;
  readonly acks?: number;
  readonly version?: number;
}

export function produceRequest(
  records: Uint8Array | null,
  { topic, topicId = ZERO_UUID, partition = 0, acks = -1 }: ProduceOptions,
): ProduceRequest {
  return ProduceRequest.create({
    acks,
    timeoutMs: 30_000,
    topicData: [{ name: topic, topicId, partitionData: [{ index: partition, records }] }],
  });
}

/** Produces to one partition and returns what it was answered. */
export async function produce(
  client: RawClient,
  records: Uint8Array | null,
  options: ProduceOptions,
): Promise<ProduceResponsePartitionProduceResponse> {
  const request = produceRequest(records, options);
  const response = await client.request(ProduceRequest, ProduceResponse, options.version ?? 12, request);
  const partition = response.responses[0]?.partitionResponses[0];
  if (partition === undefined) throw new Error("the response names no partition");
  return partition;
}

export interface FetchOptions {
  readonly topic: string;
  readonly topicId?: Uuid;
  readonly partition?: number;
  readonly offset?: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly partitionMaxBytes?: number;
  readonly currentLeaderEpoch?: number;
  readonly lastFetchedEpoch?: number;
  readonly isolationLevel?: number;
  readonly version?: number;
}

export function fetchRequest({
  topic,
  topicId = ZERO_UUID,
  partition = 0,
  offset = 0,
  maxWaitMs = 0,
  minBytes = 1,
  maxBytes = 50 << 20,
  partitionMaxBytes = 1 << 20,
  currentLeaderEpoch = -1,
  lastFetchedEpoch = -1,
  isolationLevel = 0,
}: FetchOptions): FetchRequest {
  const wish = createFetchRequestFetchPartition({
    partition,
    fetchOffset: offset,
    partitionMaxBytes,
    currentLeaderEpoch,
    lastFetchedEpoch,
  });
  return FetchRequest.create({
    maxWaitMs,
    minBytes,
    maxBytes,
    isolationLevel,
    topics: [{ topic, topicId, partitions: [wish] }],
  });
}

/** Fetches one partition and returns what it was answered. */
export async function fetch(client: RawClient, options: FetchOptions): Promise<FetchResponsePartitionData> {
  const request = fetchRequest(options);
  return partitionOf(await client.request(FetchRequest, FetchResponse, options.version ?? 12, request));
}

export function partitionOf(response: FetchResponse): FetchResponsePartitionData {
  const partition = response.responses[0]?.partitions[0];
  if (partition === undefined) throw new Error(`the response names no partition: error ${response.errorCode}`);
  return partition;
}

/** The records of a fetched partition as `offset:value`. */
export function recordsOf({ records }: FetchResponsePartitionData): readonly string[] {
  const found: string[] = [];
  const decoder = new TextDecoder();
  for (const batch of recordBatches(records ?? new Uint8Array(0))) {
    for (const record of batch.records()) found.push(`${record.offset}:${decoder.decode(record.value ?? undefined)}`);
  }
  return found;
}
