import type { ErrorCode } from "@samsa/base";
import { RecordBatch } from "@samsa/protocol";
import type { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import {
  createProduceResponsePartitionProduceResponse,
  ProduceResponse,
} from "@samsa/protocol/messages/produce-response";
import type { TestBed } from "./client-test.ts";
import { text } from "./client-test.ts";
import type { Intercepted, Received } from "./fake-cluster.ts";

/** The values that have come to rest in a partition. */
export function valuesOf(bed: TestBed, topic: string, partition: number): (string | null)[] {
  return bed.cluster.partition(topic, partition).batches.flatMap((bytes) => {
    const values: (string | null)[] = [];
    for (const { value } of new RecordBatch(bytes).records()) values.push(text(value));
    return values;
  });
}

/** Refuses all of a produce request. */
export function refusal(code: ErrorCode, message: string | null = null): (received: Received) => Intercepted {
  return ({ request }) => ({
    answer: ProduceResponse.create({
      responses: (request as ProduceRequest).topicData.map(({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: partitionData.map(({ index }) =>
          createProduceResponsePartitionProduceResponse({ index, errorCode: code, errorMessage: message }),
        ),
      })),
    }),
  });
}
