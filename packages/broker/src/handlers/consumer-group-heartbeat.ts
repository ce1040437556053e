import { ErrorCode, KafkaError } from "@samsa/base";
import { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

const GROUP_VERSION_FEATURE = "group.version";
const CONSUMER_PROTOCOL = "consumer";

/**
 * ConsumerGroupHeartbeat 0-1 (KIP-848): joins, subscribes, acknowledges and leaves in one. v1 subscribes by regular expression, and
 * the member makes its id by itself (KIP-1082). Answered when what it brought about is on the disk.
 */
export const consumerGroupHeartbeat: ApiHandler<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse> = {
  request: ConsumerGroupHeartbeatRequest,
  response: ConsumerGroupHeartbeatResponse,
  handle(request, { apiVersion, clientId, clientAddress }, services) {
    if (!isConsumerProtocolEnabled(services)) throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION);
    // The slash is how Java prints an address, and so how Kafka's tools show it.
    const context = { apiVersion, clientId: clientId ?? "", clientHost: `/${clientAddress.host}` };
    return services.groups.consumerGroupHeartbeat(request, context);
  },
  refuse: (_request, errorCode, errorMessage) => ConsumerGroupHeartbeatResponse.create({ errorCode, errorMessage }),
};

/** The cluster has agreed on it, and this broker is not told otherwise. */
export function isConsumerProtocolEnabled({ metadata, config }: BrokerServices): boolean {
  const level = metadata.image.features.finalizedLevels.get(GROUP_VERSION_FEATURE) ?? 0;
  return level >= 1 && config.list("group.coordinator.rebalance.protocols").includes(CONSUMER_PROTOCOL);
}
