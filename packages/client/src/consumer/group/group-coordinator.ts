import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../../cluster/cluster.ts";
import { CoordinatorType, findCoordinators } from "../../cluster/find-coordinators.ts";
import type { BrokerConnection } from "../../connection/connection.ts";
import { BrokerError } from "../../errors.ts";

/** The broker that coordinates one group, as long as nobody says that it does not. */
export class GroupCoordinator {
  readonly groupId: string;
  readonly #cluster: Cluster;
  #nodeId: number | undefined;
  #finding: Promise<number> | undefined;

  constructor(cluster: Cluster, groupId: string) {
    this.#cluster = cluster;
    this.groupId = groupId;
  }

  /**
   * @param purpose joins wait long for their answers, and nothing overtakes them on a connection: they have one of their own
   * @throws BrokerError, ConnectionError, NoBrokerReachableError
   */
  async connection(purpose?: string): Promise<BrokerConnection> {
    const nodeId = this.#nodeId ?? (await (this.#finding ??= this.#find()));
    try {
      return await this.#cluster.connectionTo(nodeId, purpose);
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** It is another, or cannot be reached. */
  forget(): void {
    this.#nodeId = undefined;
  }

  async #find(): Promise<number> {
    try {
      const { groupId } = this;
      const found = (await findCoordinators(this.#cluster, CoordinatorType.group, [groupId])).get(groupId);
      if (typeof found !== "number") {
        throw found ?? new BrokerError(ErrorCode.COORDINATOR_NOT_AVAILABLE, `FindCoordinator of ${groupId}`);
      }
      this.#nodeId = found;
      return found;
    } finally {
      this.#finding = undefined;
    }
  }
}
