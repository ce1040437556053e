import { ZERO_UUID } from "@samsa/base";
import type { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { createFetchRequestFetchPartition } from "@samsa/protocol/messages/fetch-request";

/** Wishes by topic and partition, each from offset 0 unless told otherwise. */
export function fetchTopics(
  partitions: Readonly<Record<string, readonly number[]>>,
  fetchOffset = 0,
): FetchRequest["topics"] {
  return Object.entries(partitions).map(([topic, numbers]) => ({
    topic,
    topicId: ZERO_UUID,
    partitions: numbers.map((partition) => createFetchRequestFetchPartition({ partition, fetchOffset })),
  }));
}
