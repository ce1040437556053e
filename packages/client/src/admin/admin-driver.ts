import { ErrorCode, KafkaError } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import type { Api } from "../connection/api.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import { BrokerError, TimeLimitError, toKafkaError } from "../errors.ts";
import { checkList } from "../options.ts";
import { backoffDelayMs, retrying, sleep } from "../retry.ts";
import { ItemResults } from "./item-results.ts";
import type { NodeRef, Route } from "./routes.ts";
import { ANY, anyBroker } from "./routes.ts";

export interface AdminTimeouts {
  readonly requestTimeoutMs: number;
  readonly defaultApiTimeoutMs: number;
}

/** What an item is told that goes by. Others that Kafka calls retriable, an unknown topic say, are answers to who administers. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.CONCURRENT_TRANSACTIONS,
]);

function isTransient(error: KafkaError): boolean {
  return error instanceof BrokerError ? TRANSIENT.has(error.code) : error.isRetriable;
}

/** A call about several items, and where each is asked. */
export interface ItemCall<Item, T> {
  readonly what: string; // for errors
  readonly items: readonly Item[];
  /** Unique among the items. */
  readonly nameOf: (item: Item) => string;
  readonly route: Route<Item>;
  /** One request about some of the items. What is missing in the answer failed. */
  readonly ask: (connection: BrokerConnection, items: readonly Item[]) => Promise<ReadonlyMap<Item, T | KafkaError>>;
}

/**
 * What all administrative calls have in common: find the broker to ask, ask, and ask again about the items whose errors go by,
 * until `defaultApiTimeoutMs` is over.
 */
export class AdminDriver {
  readonly cluster: Cluster;
  readonly timeouts: AdminTimeouts;

  constructor(cluster: Cluster, timeouts: AdminTimeouts) {
    this.cluster = cluster;
    this.timeouts = timeouts;
  }

  async items<Item, T>(call: ItemCall<Item, T>): Promise<ItemResults<T>> {
    const { clock, random, retryBackoffMs, retryBackoffMaxMs } = this.cluster.options;
    const timeoutMs = this.timeouts.defaultApiTimeoutMs;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    const done = new Map<Item, T | KafkaError>();
    checkList(call.what, call.items);
    let pending = call.items;
    for (let attempt = 0; pending.length > 0; attempt++) {
      const answered = await this.#attempt(call, pending);
      const failed = new Map<Item, KafkaError>(); // to be tried again
      for (const [item, result] of answered) {
        if (result instanceof KafkaError && isTransient(result)) failed.set(item, result);
        else done.set(item, result);
      }
      pending = [...failed.keys()];
      if (pending.length === 0) break;
      call.route.forget?.(this.cluster, pending);
      const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
      const delayMs = backoffDelayMs(backoff, attempt, random);
      if (clock.monotonicMs() + delayMs >= deadlineMs) {
        for (const [item, error] of failed) {
          const what = `${call.what} of ${call.nameOf(item)}`;
          done.set(item, new TimeLimitError(what, timeoutMs, "defaultApiTimeoutMs", error));
        }
        break;
      }
      await sleep(delayMs, this.cluster.retries);
    }
    return new ItemResults(
      new Map(call.items.map((item) => [call.nameOf(item), done.get(item) ?? silence(call, item)])),
    );
  }

  /** One request as a whole. @throws BrokerError, TimeLimitError */
  async one<Req, Res>(
    api: Api<Req, Res>,
    build: Req | ((version: number) => Req),
    check: (response: Res) => void = () => {},
    route: Route<string> = anyBroker,
  ): Promise<Res> {
    const results = await this.items<string, { readonly response: Res }>({
      what: api.name,
      items: [api.name],
      nameOf: (name) => name,
      route,
      ask: async (connection) => {
        const response = await connection.send(api, build);
        check(response);
        return new Map([[api.name, { response }]]);
      },
    });
    const [only] = results.all();
    if (only === undefined) throw new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, `${api.name}: no answer`);
    return only.response;
  }

  /** Whatever an attempt throws that a retry helps against is tried again. */
  call<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { retryBackoffMs, retryBackoffMaxMs } = this.cluster.options;
    const limits = { timeoutMs: this.timeouts.defaultApiTimeoutMs, timeoutOption: "defaultApiTimeoutMs" };
    const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
    return retrying(this.cluster.retries, { what, ...limits, ...backoff }, attempt);
  }

  async #attempt<Item, T>(
    call: ItemCall<Item, T>,
    pending: readonly Item[],
  ): Promise<ReadonlyMap<Item, T | KafkaError>> {
    const answered = new Map<Item, T | KafkaError>();
    const failAll = (items: readonly Item[], thrown: unknown): void => {
      const error = toKafkaError(thrown);
      for (const item of items) answered.set(item, error);
    };
    let nodes: ReadonlyMap<NodeRef, readonly Item[]>;
    try {
      const located = await call.route.locate(this.cluster, pending);
      for (const [item, error] of located.failures) answered.set(item, error);
      nodes = located.nodes;
    } catch (thrown) {
      failAll(pending, thrown);
      return answered;
    }
    const ask = async (node: NodeRef, items: readonly Item[]): Promise<void> => {
      try {
        const connection = node === ANY ? await this.cluster.anyConnection() : await this.cluster.connectionTo(node);
        const results = await call.ask(connection, items);
        for (const item of items) answered.set(item, results.get(item) ?? silence(call, item));
      } catch (thrown) {
        failAll(items, thrown);
      }
    };
    await Promise.all(Array.from(nodes, ([node, items]) => ask(node, items)));
    return answered;
  }
}

function silence<Item>(call: ItemCall<Item, unknown>, item: Item): KafkaError {
  const message = `${call.what}: the answer does not speak of ${call.nameOf(item)}`;
  return new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, message);
}

/** The error of an item, or undefined for none. */
export function errorOf(code: number, what: string, message?: string | null, broker?: string): BrokerError | undefined {
  return code === ErrorCode.NONE ? undefined : new BrokerError(code as ErrorCode, what, message, broker);
}

/** @throws BrokerError unless the code is NONE */
export function throwCode(code: number, what: string, message?: string | null): void {
  const error = errorOf(code, what, message);
  if (error !== undefined) throw error;
}
