import { ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";
import { GROUP_METADATA_TOPIC_NAME, TRANSACTION_STATE_TOPIC_NAME } from "@samsa/metadata";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import type { FindCoordinatorResponseCoordinator } from "@samsa/protocol/messages/find-coordinator-response";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import type { RequestContext } from "../request-context.ts";

const GROUP = 0;
const TRANSACTION = 1;
const SHARE = 2;
const FIRST_VERSION_WITH_MANY_KEYS = 4;

/**
 * FindCoordinator 0-6. v1 has key types and messages; v3 is flexible; v4 takes many keys (KIP-699); v6 knows share groups
 * (KIP-932). The first to look for a coordinator has its topic made. Share groups have none yet.
 */
export const findCoordinator: ApiHandler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  request: FindCoordinatorRequest,
  response: FindCoordinatorResponse,

  async handle(request, context, services) {
    const isMany = context.apiVersion >= FIRST_VERSION_WITH_MANY_KEYS;
    const keys = isMany ? request.coordinatorKeys : [request.key];
    const coordinators: FindCoordinatorResponseCoordinator[] = [];
    for (const key of keys) {
      try {
        coordinators.push(await find(key, request.keyType, context, services));
      } catch (error) {
        coordinators.push(refusedKey(key, errorCodeOf(error), error instanceof Error ? error.message : String(error)));
      }
    }
    const [only] = coordinators;
    return FindCoordinatorResponse.create(isMany || only === undefined ? { coordinators } : only);
  },

  refuse: ({ coordinatorKeys }, errorCode, message) =>
    FindCoordinatorResponse.create({
      ...refusedKey("", errorCode, message),
      coordinators: coordinatorKeys.map((key) => refusedKey(key, errorCode, message)),
    }),
};

async function find(
  key: string,
  keyType: number,
  { listenerName }: RequestContext,
  services: BrokerServices,
): Promise<FindCoordinatorResponseCoordinator> {
  const { metadata } = services;
  const { topicName, create, partitionFor } = coordinatorOf(keyType, services);
  if (metadata.topic(topicName) === undefined) {
    const code = await create();
    if (code !== ErrorCode.NONE) throw new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  }
  const leader = metadata.topic(topicName)?.partitions.get(partitionFor(key))?.leader;
  const broker = leader === undefined ? undefined : metadata.broker(leader, listenerName);
  if (broker === undefined) throw new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  const { nodeId, host, port } = broker;
  return { key, errorCode: ErrorCode.NONE, errorMessage: "", nodeId, host, port };
}

interface CoordinatorTopic {
  readonly topicName: string;
  readonly create: () => Promise<ErrorCode>;
  readonly partitionFor: (key: string) => number;
}

function coordinatorOf(keyType: number, { groups, transactions, internalTopics }: BrokerServices): CoordinatorTopic {
  switch (keyType) {
    case GROUP:
      return {
        topicName: GROUP_METADATA_TOPIC_NAME,
        create: () => internalTopics.createOffsetsTopic(),
        partitionFor: (groupId) => groups.partitionFor(groupId),
      };
    case TRANSACTION:
      return {
        topicName: TRANSACTION_STATE_TOPIC_NAME,
        create: () => internalTopics.createTransactionStateTopic(),
        partitionFor: (transactionalId) => transactions.partitionFor(transactionalId),
      };
    case SHARE:
      throw new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, "this broker coordinates no share groups yet");
    default:
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `there is no key type ${keyType}`);
  }
}

function refusedKey(key: string, errorCode: ErrorCode, errorMessage: string): FindCoordinatorResponseCoordinator {
  return { key, errorCode, errorMessage, nodeId: -1, host: "", port: -1 };
}
