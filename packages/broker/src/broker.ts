import type { Clock, Connection, ConnectionHandler, InvariantError, Random } from "@samsa/base";
import type { QuorumController } from "@samsa/controller";
import type { BrokerConfig } from "@samsa/metadata";
import type { ReplicaManager } from "@samsa/replication";
import { API_ENDPOINTS } from "./api-endpoints.ts";
import { AutoTopicCreation } from "./auto-topic-creation.ts";
import { ClientConnection } from "./client-connection.ts";
import { FetchSessionCache } from "./fetch-session/fetch-session-cache.ts";
import type { Logger } from "./logger.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import { ProducerIdManager } from "./producer-id-manager.ts";
import { RequestDispatcher } from "./request-dispatcher.ts";

/** How long a stop waits for clients to take their last answers. */
const DRAIN_TIMEOUT_MS = 2000;

export interface BrokerOptions {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly brokerEpoch: number;
  readonly kraftVersion: number;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly replicas: ReplicaManager;
  readonly controller: QuorumController;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A promise of our own code was broken; the process must stop. */
  readonly onFatal: (error: InvariantError) => void;
}

/** The request side of a node: connections come in, requests go to their handlers. */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #dispatcher: RequestDispatcher;
  readonly #connections = new Set<ClientConnection>();
  #whenEmpty: (() => void) | undefined;
  #isDraining = false;

  constructor(options: BrokerOptions) {
    const { config, controller, nodeId, brokerEpoch, random } = options;
    this.#options = options;
    this.#dispatcher = new RequestDispatcher(API_ENDPOINTS, {
      ...options,
      autoTopicCreation: new AutoTopicCreation({ config, createTopics: (request) => controller.createTopics(request) }),
      producerIds: new ProducerIdManager(() => controller.allocateProducerIds(nodeId, brokerEpoch)),
      fetchSessions: new FetchSessionCache({
        maxSessions: config.number("max.incremental.fetch.session.cache.slots"),
        random,
      }),
      servedApis: API_ENDPOINTS.map(({ advertised }) => advertised),
    });
  }

  /** Serves a client that came in by the named listener. */
  accept(connection: Connection, listenerName: string): ConnectionHandler {
    const client = new ClientConnection({
      connection,
      dispatcher: this.#dispatcher,
      listenerName,
      maxRequestBytes: this.#options.config.number("socket.request.max.bytes"),
      logger: this.#options.logger,
      onClose: (closed) => this.#forget(closed),
      onFatal: this.#options.onFatal,
    });
    if (this.#isDraining) connection.destroy();
    else this.#connections.add(client);
    return client;
  }

  /** Answers what was started and closes every connection; a client that does not take its answers is cut off. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(DRAIN_TIMEOUT_MS, () => {
        for (const client of this.#connections) client.close();
      });
      this.#whenEmpty = () => {
        timer.cancel();
        resolve();
      };
      for (const client of this.#connections) client.drain();
    });
  }

  #forget(client: ClientConnection): void {
    this.#connections.delete(client);
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }
}
