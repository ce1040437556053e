import { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import { responseForVersion } from "@samsa/raft";
import type { ApiHandler } from "../api-handler.ts";

/** DescribeQuorum 0-2, as the quorum answers. v1 has fetch times (KIP-836), v2 directories and addresses (KIP-853). */
export const describeQuorum: ApiHandler<DescribeQuorumRequest, DescribeQuorumResponse> = {
  request: DescribeQuorumRequest,
  response: DescribeQuorumResponse,

  async handle(request, { apiVersion }, services) {
    const message = await services.controller.describeQuorum(request);
    const fitting = responseForVersion({ api: "DescribeQuorum", message }, apiVersion);
    return fitting.api === "DescribeQuorum" ? fitting.message : message;
  },

  refuse: (_request, errorCode, errorMessage) => DescribeQuorumResponse.create({ errorCode, errorMessage }),
};
