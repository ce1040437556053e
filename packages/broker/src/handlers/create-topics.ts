import { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import {
  createCreateTopicsResponseCreatableTopicResult,
  CreateTopicsResponse,
} from "@samsa/protocol/messages/create-topics-response";
import type { ApiHandler } from "../api-handler.ts";
import { refusalMessage, withinTimeout } from "../request-deadline.ts";

/** From it on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599); before they are only held back. */
const FIRST_VERSION_WITH_STRICT_QUOTA = 6;

/**
 * CreateTopics 2-7. v4 takes -1 for the broker's defaults (KIP-464); v5 is flexible and answers the configuration (KIP-525);
 * v7 answers the topic id. Answered when the topic has leaders here.
 */
export const createTopics: ApiHandler<CreateTopicsRequest, CreateTopicsResponse> = {
  request: CreateTopicsRequest,
  response: CreateTopicsResponse,
  async handle(request, context, { controller, quotas, clock }) {
    const quota = quotas.controllerMutation.newQuota(context, context.apiVersion >= FIRST_VERSION_WITH_STRICT_QUOTA);
    const response = await withinTimeout(clock, request.timeoutMs, () =>
      controller.createTopics(request, quota.record),
    );
    return { ...response, throttleTimeMs: quota.throttleMs() };
  },
  refuse: (request, errorCode, message) =>
    CreateTopicsResponse.create({
      topics: request.topics.map(({ name }) =>
        createCreateTopicsResponseCreatableTopicResult({
          name,
          errorCode,
          errorMessage: refusalMessage(errorCode, message),
        }),
      ),
    }),
};
