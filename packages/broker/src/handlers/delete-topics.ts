import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import {
  createDeleteTopicsResponseDeletableTopicResult,
  DeleteTopicsResponse,
} from "@samsa/protocol/messages/delete-topics-response";
import type { ApiHandler } from "../api-handler.ts";
import { refusalMessage, withinTimeout } from "../request-deadline.ts";

/** From it on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599); before they are only held back. */
const FIRST_VERSION_WITH_STRICT_QUOTA = 5;

/** DeleteTopics 1-6. v4 is flexible; v5 answers messages; v6 takes ids as well as names (KIP-516). */
export const deleteTopics: ApiHandler<DeleteTopicsRequest, DeleteTopicsResponse> = {
  request: DeleteTopicsRequest,
  response: DeleteTopicsResponse,
  async handle(request, context, { controller, quotas, clock }) {
    const quota = quotas.controllerMutation.newQuota(context, context.apiVersion >= FIRST_VERSION_WITH_STRICT_QUOTA);
    const response = await withinTimeout(clock, request.timeoutMs, () =>
      controller.deleteTopics(request, quota.record),
    );
    return { ...response, throttleTimeMs: quota.throttleMs() };
  },
  refuse: (request, errorCode, message) => {
    const errorMessage = refusalMessage(errorCode, message);
    const named = [...request.topics, ...request.topicNames.map((name) => ({ name }))];
    return DeleteTopicsResponse.create({
      responses: named.map((topic) =>
        createDeleteTopicsResponseDeletableTopicResult({ ...topic, errorCode, errorMessage }),
      ),
    });
  },
};
