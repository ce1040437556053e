import type { Clock } from "@samsa/base";
import type { BrokerConfig, ClientQuotasImage } from "@samsa/metadata";
import { EMPTY_IMAGE } from "@samsa/metadata";
import type { MetadataCache } from "../metadata-cache.ts";
import type { QuotaClient } from "./client-quota-limits.ts";
import { ClientQuotaLimits } from "./client-quota-limits.ts";
import { ClientQuotaManager } from "./client-quota-manager.ts";
import { ControllerMutationQuotaManager } from "./controller-mutation-quota.ts";
import type { RateWindowConfig } from "./rate-window.ts";

export interface QuotaManagersOptions {
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly clock: Clock;
}

/** The quotas of clients that this broker enforces, as the metadata has them now. */
export class QuotaManagers {
  readonly produce: ClientQuotaManager; // bytes of Produce requests
  readonly fetch: ClientQuotaManager; // bytes of Fetch responses
  readonly request: ClientQuotaManager; // percent of the event loop
  readonly controllerMutation: ControllerMutationQuotaManager; // partitions made and removed
  readonly #metadata: MetadataCache;
  readonly #clock: Clock;
  #image: ClientQuotasImage | undefined;
  #limits = new ClientQuotaLimits(EMPTY_IMAGE.clientQuotas);

  constructor({ config, metadata, clock }: QuotaManagersOptions) {
    this.#metadata = metadata;
    this.#clock = clock;
    const limits = () => this.limits;
    const window = quotaWindow(config);
    this.produce = new ClientQuotaManager({ key: "producer_byte_rate", window, limits });
    this.fetch = new ClientQuotaManager({ key: "consumer_byte_rate", window, limits });
    this.request = new ClientQuotaManager({
      key: "request_percentage",
      window,
      limits,
      maxThrottleMs: window.sampleMs, // as Kafka: a slow request is not held against its client for long
    });
    this.controllerMutation = new ControllerMutationQuotaManager({
      window: controllerQuotaWindow(config),
      limits,
      nowMs: () => clock.monotonicMs(),
    });
  }

  get limits(): ClientQuotaLimits {
    const { clientQuotas } = this.#metadata.image;
    if (clientQuotas !== this.#image) {
      this.#image = clientQuotas;
      this.#limits = new ClientQuotaLimits(clientQuotas);
    }
    return this.#limits;
  }

  /** Counts the time that a request has taken of the event loop (KIP-124). */
  recordRequestTime(client: QuotaClient, spentMs: number): number {
    if (!this.request.isEnabled) return 0;
    return this.request.record(client, spentMs / 10, this.#clock.monotonicMs()); // 1 s is 100 percent of a second
  }

  recordProduce(client: QuotaClient, bytes: number): number {
    return this.produce.isEnabled ? this.produce.record(client, bytes, this.#clock.monotonicMs()) : 0;
  }
}

/** `quota.window.*`: how most quotas are measured. */
export function quotaWindow(config: BrokerConfig): RateWindowConfig {
  return {
    samples: config.number("quota.window.num"),
    sampleMs: config.number("quota.window.size.seconds") * 1000,
  };
}

function controllerQuotaWindow(config: BrokerConfig): RateWindowConfig {
  return {
    samples: config.number("controller.quota.window.num"),
    sampleMs: config.number("controller.quota.window.size.seconds") * 1000,
  };
}
