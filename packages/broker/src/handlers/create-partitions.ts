import { CreatePartitionsRequest } from "@samsa/protocol/messages/create-partitions-request";
import {
  createCreatePartitionsResponseCreatePartitionsTopicResult,
  CreatePartitionsResponse,
} from "@samsa/protocol/messages/create-partitions-response";
import type { ApiHandler } from "../api-handler.ts";
import { refusalMessage, withinTimeout } from "../request-deadline.ts";

/** From it on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599); before they are only held back. */
const FIRST_VERSION_WITH_STRICT_QUOTA = 3;

/** CreatePartitions 0-3 (KIP-195). v2 is flexible. Answered when the new partitions have leaders here. */
export const createPartitions: ApiHandler<CreatePartitionsRequest, CreatePartitionsResponse> = {
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  async handle(request, context, { controller, quotas, clock }) {
    const quota = quotas.controllerMutation.newQuota(context, context.apiVersion >= FIRST_VERSION_WITH_STRICT_QUOTA);
    const response = await withinTimeout(clock, request.timeoutMs, () =>
      controller.createPartitions(request, quota.record),
    );
    return { ...response, throttleTimeMs: quota.throttleMs() };
  },
  refuse: (request, errorCode, message) =>
    CreatePartitionsResponse.create({
      results: request.topics.map(({ name }) =>
        createCreatePartitionsResponseCreatePartitionsTopicResult({
          name,
          errorCode,
          errorMessage: refusalMessage(errorCode, message),
        }),
      ),
    }),
};
