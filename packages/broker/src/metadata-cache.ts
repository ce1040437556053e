import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { BrokerRegistration, MetadataDelta, MetadataImage, MetadataPublisher, TopicImage } from "@samsa/metadata";
import { EMPTY_IMAGE, isAlive } from "@samsa/metadata";

/** A broker as a client of one listener reaches it. */
export interface BrokerEndpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly isFenced: boolean;
}

/**
 * The metadata that clients are shown. It is told of a change after the replica manager, so a topic that is named here has
 * its leader already (otherwise an idempotent producer with two batches in flight can lock up).
 */
export class MetadataCache implements MetadataPublisher {
  readonly name = "MetadataCache";
  #image: MetadataImage = EMPTY_IMAGE;
  readonly #subscribers: ((delta: MetadataDelta, image: MetadataImage) => void)[] = [];

  get image(): MetadataImage {
    return this.#image;
  }

  onMetadataUpdate(delta: MetadataDelta, image: MetadataImage): void {
    this.#image = image;
    for (const subscriber of this.#subscribers) subscriber(delta, image);
  }

  /** Is told of every change from now on, after the cache has it. */
  subscribe(subscriber: (delta: MetadataDelta, image: MetadataImage) => void): void {
    this.#subscribers.push(subscriber);
  }

  topic(name: string): TopicImage | undefined {
    return this.#image.topics.byName.get(name);
  }

  /** @throws KafkaError UNKNOWN_TOPIC_ID */
  topicById(id: Uuid): TopicImage {
    const topic = this.#image.topics.byId.get(id);
    if (topic === undefined) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, `there is no topic with id ${id}`);
    return topic;
  }

  /** Brokers that serve the listener, by id. */
  brokers(listenerName: string, options: { readonly includeFenced?: boolean } = {}): readonly BrokerEndpoint[] {
    const found: BrokerEndpoint[] = [];
    for (const broker of this.#image.cluster.brokers.values()) {
      const endpoint = endpointOf(broker, listenerName);
      if (endpoint !== undefined && (options.includeFenced === true || isAlive(broker))) found.push(endpoint);
    }
    return found.sort((a, b) => a.nodeId - b.nodeId);
  }

  broker(nodeId: number, listenerName: string): BrokerEndpoint | undefined {
    const broker = this.#image.cluster.brokers.get(nodeId);
    return broker === undefined || !isAlive(broker) ? undefined : endpointOf(broker, listenerName);
  }
}

function endpointOf(broker: BrokerRegistration, listenerName: string): BrokerEndpoint | undefined {
  const listener = broker.listeners.get(listenerName);
  if (listener === undefined) return undefined;
  const { host, port } = listener;
  return { nodeId: broker.id, host, port, rack: broker.rack, isFenced: broker.fenced };
}
