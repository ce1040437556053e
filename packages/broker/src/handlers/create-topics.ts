import { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import {
  createCreateTopicsResponseCreatableTopicResult,
  CreateTopicsResponse,
} from "@samsa/protocol/messages/create-topics-response";
import type { ApiHandler } from "../api-handler.ts";

/**
 * CreateTopics 2-7. v4 takes -1 for the broker's defaults (KIP-464); v5 is flexible and answers the configuration (KIP-525);
 * v7 answers the topic id. Answered when the topic has leaders here.
 */
export const createTopics: ApiHandler<CreateTopicsRequest, CreateTopicsResponse> = {
  request: CreateTopicsRequest,
  response: CreateTopicsResponse,
  handle: (request, _context, { controller }) => controller.createTopics(request),
  refuse: (request, errorCode, errorMessage) =>
    CreateTopicsResponse.create({
      topics: request.topics.map(({ name }) =>
        createCreateTopicsResponseCreatableTopicResult({ name, errorCode, errorMessage }),
      ),
    }),
};
