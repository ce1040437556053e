import type { ErrorCode, KafkaError } from "@samsa/base";
import { ProtocolError } from "@samsa/base";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import type { Cluster } from "../cluster/cluster.ts";
import { api } from "../connection/api.ts";
import { BrokerError, toKafkaError } from "../errors.ts";
import type { BackoffOptions } from "../retry.ts";
import { backoffDelayMs } from "../retry.ts";
import type { TransactionManager } from "./transaction-manager.ts";

const INIT_PRODUCER_ID = api(InitProducerIdRequest, InitProducerIdResponse);
const NEVER = Number.POSITIVE_INFINITY;

/** Asks any broker for the id of a producer without transactions, one call at a time and again after failures. */
export class ProducerIdCall {
  readonly #cluster: Cluster;
  readonly #manager: TransactionManager;
  readonly #backoff: BackoffOptions;
  readonly #onFailure: (error: KafkaError) => void;
  readonly #onDone: () => void;
  #isUnderWay = false;
  #attempts = 0;
  #retryAtMs = 0;

  /** @param on done: it ended, for better or worse; the manager knows by then */
  constructor(
    cluster: Cluster,
    manager: TransactionManager,
    backoff: BackoffOptions,
    on: { readonly failure: (error: KafkaError) => void; readonly done: () => void },
  ) {
    this.#cluster = cluster;
    this.#manager = manager;
    this.#backoff = backoff;
    this.#onFailure = on.failure;
    this.#onDone = on.done;
  }

  /** Begins unless it is under way or was in vain a moment ago. @returns when to ask again (monotonic) */
  begin(nowMs: number): number {
    if (this.#isUnderWay) return NEVER;
    if (nowMs < this.#retryAtMs) return this.#retryAtMs;
    this.#isUnderWay = true;
    this.#call()
      .then(
        () => {
          this.#attempts = 0;
        },
        (thrown: unknown) => {
          const error = toKafkaError(thrown);
          if (!error.isRetriable && !(error instanceof ProtocolError)) this.#manager.fail(error);
          this.#onFailure(error);
          const { clock, random } = this.#cluster.options;
          this.#retryAtMs = clock.monotonicMs() + backoffDelayMs(this.#backoff, this.#attempts++, random);
        },
      )
      .finally(() => {
        this.#isUnderWay = false;
        this.#onDone();
      });
    return NEVER;
  }

  async #call(): Promise<void> {
    const connection = await this.#cluster.anyConnection();
    const request = InitProducerIdRequest.create({ transactionalId: null, transactionTimeoutMs: 0x7fffffff });
    const { errorCode, producerId, producerEpoch } = await connection.send(INIT_PRODUCER_ID, request);
    if (errorCode !== 0) {
      const what = `InitProducerId to ${connection.address}`;
      throw new BrokerError(errorCode as ErrorCode, what, null, connection.address);
    }
    this.#manager.onProducerId(producerId, producerEpoch);
  }
}
