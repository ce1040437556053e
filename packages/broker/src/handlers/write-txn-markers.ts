import { WriteTxnMarkersRequest } from "@samsa/protocol/messages/write-txn-markers-request";
import { WriteTxnMarkersResponse } from "@samsa/protocol/messages/write-txn-markers-response";
import type { ApiHandler } from "../api-handler.ts";
import { writeTxnMarkers as writeMarkers } from "../write-txn-markers.ts";

/**
 * WriteTxnMarkers 1-2, from a transaction coordinator to the leaders of the partitions, and from administrators who end a
 * transaction that hangs (KIP-664). v2 says under which version of transactions the epoch is to be judged (KIP-1228).
 */
export const writeTxnMarkers: ApiHandler<WriteTxnMarkersRequest, WriteTxnMarkersResponse> = {
  request: WriteTxnMarkersRequest,
  response: WriteTxnMarkersResponse,

  handle: async ({ markers }, _context, services) =>
    WriteTxnMarkersResponse.create({ markers: await writeMarkers(markers, services) }),

  refuse: ({ markers }, errorCode) =>
    WriteTxnMarkersResponse.create({
      markers: markers.map(({ producerId, topics }) => ({
        producerId,
        topics: topics.map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
        })),
      })),
    }),
};
