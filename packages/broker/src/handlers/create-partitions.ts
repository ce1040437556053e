import { CreatePartitionsRequest } from "@samsa/protocol/messages/create-partitions-request";
import {
  createCreatePartitionsResponseCreatePartitionsTopicResult,
  CreatePartitionsResponse,
} from "@samsa/protocol/messages/create-partitions-response";
import type { ApiHandler } from "../api-handler.ts";

/** From it on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599); before they are only held back. */
const FIRST_VERSION_WITH_STRICT_QUOTA = 3;

/** CreatePartitions 0-3 (KIP-195). v2 is flexible. Answered when the new partitions have leaders here. */
export const createPartitions: ApiHandler<CreatePartitionsRequest, CreatePartitionsResponse> = {
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  async handle(request, context, { controller, quotas }) {
    const quota = quotas.controllerMutation.newQuota(context, context.apiVersion >= FIRST_VERSION_WITH_STRICT_QUOTA);
    const response = await controller.createPartitions(request, quota.record);
    return { ...response, throttleTimeMs: quota.throttleMs() };
  },
  refuse: (request, errorCode, errorMessage) =>
    CreatePartitionsResponse.create({
      results: request.topics.map(({ name }) =>
        createCreatePartitionsResponseCreatePartitionsTopicResult({ name, errorCode, errorMessage }),
      ),
    }),
};
