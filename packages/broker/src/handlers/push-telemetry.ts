import { PushTelemetryRequest } from "@samsa/protocol/messages/push-telemetry-request";
import { PushTelemetryResponse } from "@samsa/protocol/messages/push-telemetry-response";
import type { ApiHandler } from "../api-handler.ts";

/** PushTelemetry 0 (KIP-714): what a client has measured, in OTLP's encoding. */
export const pushTelemetry: ApiHandler<PushTelemetryRequest, PushTelemetryResponse> = {
  request: PushTelemetryRequest,
  response: PushTelemetryResponse,
  handle(request, context, { clientMetrics }) {
    clientMetrics.push(request, context);
    return PushTelemetryResponse.create({});
  },
  refuse: (_request, errorCode) => PushTelemetryResponse.create({ errorCode }),
};
