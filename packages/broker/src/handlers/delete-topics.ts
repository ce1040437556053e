import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import {
  createDeleteTopicsResponseDeletableTopicResult,
  DeleteTopicsResponse,
} from "@samsa/protocol/messages/delete-topics-response";
import type { ApiHandler } from "../api-handler.ts";

/** DeleteTopics 1-6. v4 is flexible; v5 answers messages; v6 takes ids as well as names (KIP-516). */
export const deleteTopics: ApiHandler<DeleteTopicsRequest, DeleteTopicsResponse> = {
  request: DeleteTopicsRequest,
  response: DeleteTopicsResponse,
  handle: (request, _context, { controller }) => controller.deleteTopics(request),
  refuse: (request, errorCode, errorMessage) => {
    const named = [...request.topics, ...request.topicNames.map((name) => ({ name }))];
    return DeleteTopicsResponse.create({
      responses: named.map((topic) =>
        createDeleteTopicsResponseDeletableTopicResult({ ...topic, errorCode, errorMessage }),
      ),
    });
  },
};
