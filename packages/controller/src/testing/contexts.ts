import type { Random, Uuid } from "@samsa/base";
import { uuidFromBytes } from "@samsa/base";
import type { MetadataImage, MetadataRecord } from "@samsa/metadata";
import { BrokerConfig, EMPTY_IMAGE, MetadataLoader, SUPPORTED_FEATURES } from "@samsa/metadata";
import { SeededRandom } from "@samsa/simulation";
import { activate } from "../activation.ts";
import type { BrokerRegistrationRequest } from "../broker-lifecycle.ts";
import { registerBroker, unfenceBroker } from "../broker-lifecycle.ts";
import type { ControllerContext, ControllerResult } from "../controller-result.ts";
import { bootstrapRecords } from "@samsa/metadata";

export const uuid = (n: number): Uuid => uuidFromBytes(new Uint8Array(16).fill(n));

/** A cluster in which decisions take effect at once: no log, no waiting. */
export class DecidedCluster {
  readonly config: BrokerConfig;
  readonly random: Random;
  /** Everything that was decided. */
  readonly records: MetadataRecord[] = [];
  readonly #loader = new MetadataLoader();
  #image: MetadataImage = EMPTY_IMAGE;

  constructor(properties: Readonly<Record<string, string>> = {}, seed = 1) {
    this.config = BrokerConfig.of({ "node.id": "1", ...properties });
    this.random = new SeededRandom(seed);
    this.apply((context) => activate(context, bootstrapRecords(), undefined));
  }

  get image(): MetadataImage {
    return this.#image;
  }

  get context(): ControllerContext {
    return { image: this.#image, config: this.config, random: this.random, nextOffset: this.#loader.nextOffset };
  }

  apply<T>(decide: (context: ControllerContext) => ControllerResult<T>): T {
    const { records, response } = decide(this.context);
    if (records.length > 0) {
      this.records.push(...records);
      this.#loader.load({ records, baseOffset: this.#loader.nextOffset, epoch: 1, timestampMs: 0 });
      this.#image = this.#loader.take().image;
    }
    return response;
  }

  /** Registers and unfences a broker. */
  addBroker(id: number, overrides: Partial<BrokerRegistrationRequest> = {}): number {
    const { brokerEpoch } = this.apply((context) => registerBroker(context, registration(id, overrides)));
    this.apply((context) => unfenceBroker(context, id, brokerEpoch));
    return brokerEpoch;
  }
}

export function registration(
  id: number,
  overrides: Partial<BrokerRegistrationRequest> = {},
): BrokerRegistrationRequest {
  return {
    brokerId: id,
    incarnationId: uuid(100 + id),
    listeners: [{ name: "PLAINTEXT", host: "127.0.0.1", port: 9092, securityProtocol: 0 }],
    supportedFeatures: SUPPORTED_FEATURES,
    rack: null,
    directories: [uuid(id)],
    previousBrokerEpoch: -1,
    ...overrides,
  };
}
