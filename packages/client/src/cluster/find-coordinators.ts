import type { ErrorCode, KafkaError } from "@samsa/base";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { api } from "../connection/api.ts";
import { BrokerError } from "../errors.ts";
import type { Cluster } from "./cluster.ts";

export const CoordinatorType = { group: 0, transaction: 1, share: 2 } as const;
export type CoordinatorType = (typeof CoordinatorType)[keyof typeof CoordinatorType];

const FIND_COORDINATOR = api(FindCoordinatorRequest, FindCoordinatorResponse);
const FIRST_VERSION_WITH_MANY = 4;

/**
 * Asks any broker who coordinates groups or transactions; what is told becomes part of the metadata.
 * @returns by key the id of the broker, or why there is none
 */
export async function findCoordinators(
  cluster: Cluster,
  keyType: CoordinatorType,
  keys: readonly string[],
): Promise<ReadonlyMap<string, number | KafkaError>> {
  const connection = await cluster.anyConnection();
  const found = new Map<string, number | KafkaError>();
  const take = (key: string, node: { nodeId: number; host: string; port: number; errorCode: number }): void => {
    if (node.errorCode !== 0) {
      found.set(key, new BrokerError(node.errorCode as ErrorCode, `FindCoordinator of ${key}`));
      return;
    }
    const { nodeId, host, port } = node;
    if (!cluster.metadata.brokers.has(nodeId)) cluster.metadata.addBroker({ nodeId, host, port, rack: null });
    found.set(key, nodeId);
  };
  if (connection.versionOf(FIND_COORDINATOR) >= FIRST_VERSION_WITH_MANY) {
    const request = FindCoordinatorRequest.create({ keyType, coordinatorKeys: keys });
    const { coordinators } = await connection.send(FIND_COORDINATOR, request);
    for (const coordinator of coordinators) take(coordinator.key, coordinator);
  } else {
    for (const key of keys) {
      take(key, await connection.send(FIND_COORDINATOR, FindCoordinatorRequest.create({ key, keyType })));
    }
  }
  return found;
}
