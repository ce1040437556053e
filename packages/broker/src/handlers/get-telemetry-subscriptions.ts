import { GetTelemetrySubscriptionsRequest } from "@samsa/protocol/messages/get-telemetry-subscriptions-request";
import { GetTelemetrySubscriptionsResponse } from "@samsa/protocol/messages/get-telemetry-subscriptions-response";
import type { ApiHandler } from "../api-handler.ts";

/** GetTelemetrySubscriptions 0 (KIP-714): which metrics a client is to push, and how often. */
export const getTelemetrySubscriptions: ApiHandler<
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse
> = {
  request: GetTelemetrySubscriptionsRequest,
  response: GetTelemetrySubscriptionsResponse,
  handle: (request, context, { clientMetrics }) => clientMetrics.getSubscriptions(request, context),
  refuse: (_request, errorCode) => GetTelemetrySubscriptionsResponse.create({ errorCode }),
};
