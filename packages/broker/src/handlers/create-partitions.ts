import { CreatePartitionsRequest } from "@samsa/protocol/messages/create-partitions-request";
import {
  createCreatePartitionsResponseCreatePartitionsTopicResult,
  CreatePartitionsResponse,
} from "@samsa/protocol/messages/create-partitions-response";
import type { ApiHandler } from "../api-handler.ts";

/** CreatePartitions 0-3 (KIP-195). v2 is flexible. Answered when the new partitions have leaders here. */
export const createPartitions: ApiHandler<CreatePartitionsRequest, CreatePartitionsResponse> = {
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  handle: (request, _context, { controller }) => controller.createPartitions(request),
  refuse: (request, errorCode, errorMessage) =>
    CreatePartitionsResponse.create({
      results: request.topics.map(({ name }) =>
        createCreatePartitionsResponseCreatePartitionsTopicResult({ name, errorCode, errorMessage }),
      ),
    }),
};
