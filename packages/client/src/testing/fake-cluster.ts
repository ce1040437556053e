import type { Clock, Connection, ConnectionHandler, Listener, Transport, Uuid } from "@samsa/base";
import { ByteReader, ZERO_UUID } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { decodeRequestHeader, encodeResponse, FrameDecoder } from "@samsa/protocol";
import { FAKE_APIS } from "./fake-apis.ts";
import { FakeGroups } from "./fake-groups.ts";
import { FakeTransactions } from "./fake-transactions.ts";

/** What a broker that is asked does instead of what it would do. */
export type Intercepted =
  | { readonly answer: unknown; readonly version?: number }
  | { readonly bytes: Uint8Array } // raw, in place of the frame
  | "no answer"
  | "close" // before anything is done
  | "close after"; // it is done, and nobody hears of it

export interface Received {
  readonly nodeId: number;
  readonly apiKey: number;
  readonly name: string;
  readonly version: number;
  readonly correlationId: number;
  readonly request: unknown;
  readonly connection: Connection;
}

/** Says undefined for what should take its usual course. */
export type Interceptor = (received: Received) => Intercepted | undefined;

export interface FakePartition {
  leaderId: number;
  leaderEpoch: number;
  logStartOffset: number;
  endOffset: number;
  lastStableOffset: number | undefined; // the end unless set
  readonly batches: Uint8Array[]; // base offsets assigned
  readonly producers: Map<number, FakeProducer>;
  /** Answers UNKNOWN_PRODUCER_ID, as brokers before 2.5 do, when a producer that it does not know goes on where it was. */
  forgetsProducers: boolean;
  /** Remembers one batch of each producer, as Kafka after a kill, and takes those before it to be out of order. */
  forgetsBatches: boolean;
  aborted: { producerId: number; firstOffset: number; lastOffset: number }[]; // the last is the marker's
}

/** What a partition knows of one idempotent producer. */
export interface FakeProducer {
  readonly epoch: number;
  readonly batches: { readonly first: number; readonly last: number; readonly baseOffset: number }[]; // the last few
}

export interface FakeTopic {
  topicId: Uuid;
  readonly partitions: FakePartition[];
}

export interface FakeApi {
  readonly request: ApiMessageCodec<never>;
  readonly response: ApiMessageCodec<never>;
  readonly highestVersion?: number;
  answer(cluster: FakeCluster, request: never, version: number, nodeId: number): unknown;
}

const CLUSTER_HOST = "127.0.0.1";

/** Brokers that keep records in an array and do what a test tells them. One process, one transport, no disk. */
export class FakeCluster {
  readonly clock: Clock;
  readonly topics = new Map<string, FakeTopic>();
  readonly received: Received[] = [];
  readonly groups: FakeGroups;
  /** Who coordinates all groups. */
  coordinatorId = 1;
  readonly transactions = new FakeTransactions(this);
  controllerId = 1;
  nextProducerId = 4000;
  /** Versions served, by API key; the highest of ours when left out, NOT_SERVED for none. */
  readonly highestVersions = new Map<number, number>();
  #interceptors: Interceptor[] = [];
  readonly #brokers = new Map<number, FakeBroker>();
  readonly #transport: Transport;
  #whenAppended: (() => void)[] = [];
  #lastTopicId = 0;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.clock = clock;
    this.groups = new FakeGroups(clock, this.topics);
  }

  get brokers(): readonly {
    readonly nodeId: number;
    readonly host: string;
    readonly port: number;
    readonly rack: null;
  }[] {
    return Array.from(this.#brokers.values(), ({ nodeId, port }) => ({ nodeId, host: CLUSTER_HOST, port, rack: null }));
  }

  /** Listens at port 9091 + node id. */
  async start(nodeId: number): Promise<void> {
    const broker = new FakeBroker(this, nodeId, 9091 + nodeId);
    broker.listener = await this.#transport.listen({ host: CLUSTER_HOST, port: broker.port }, (connection) =>
      broker.accept(connection),
    );
    this.#brokers.set(nodeId, broker);
  }

  /** As a crash: connections break, and nobody listens any more. */
  async stop(nodeId: number): Promise<void> {
    const broker = this.#brokers.get(nodeId);
    this.#brokers.delete(nodeId);
    await broker?.listener?.close();
    broker?.dropConnections();
  }

  dropConnections(): void {
    for (const broker of this.#brokers.values()) broker.dropConnections();
  }

  /** @param leaders node ids by partition */
  createTopic(name: string, leaders: readonly number[]): FakeTopic {
    const bytes = new Uint8Array(16);
    bytes[15] = ++this.#lastTopicId;
    const topicId = Buffer.from(bytes).toString("base64url") as Uuid;
    const topic: FakeTopic = { topicId, partitions: leaders.map(newPartition) };
    this.topics.set(name, topic);
    return topic;
  }

  /** With all that was committed of it. */
  deleteTopic(name: string): void {
    this.topics.delete(name);
    this.groups.forgetTopic(name);
  }

  growTopic(name: string, leaderId: number): void {
    this.topics.get(name)?.partitions.push(newPartition(leaderId));
  }

  partition(topic: string, partition: number): FakePartition {
    const found = this.topics.get(topic)?.partitions[partition];
    if (found === undefined) throw new Error(`the test has no ${topic}-${partition}`);
    return found;
  }

  moveLeader(topic: string, partition: number, leaderId: number): void {
    const found = this.partition(topic, partition);
    found.leaderId = leaderId;
    found.leaderEpoch++;
  }

  /** Asks these first, the latest before the others. @returns takes it away */
  intercept(interceptor: Interceptor): () => void {
    this.#interceptors = [interceptor, ...this.#interceptors];
    return () => {
      this.#interceptors = this.#interceptors.filter((other) => other !== interceptor);
    };
  }

  /** For so many requests of this API, and no more. */
  interceptNext(name: string, intercepted: Intercepted | ((received: Received) => Intercepted), times = 1): void {
    let left = times;
    this.intercept((received) => {
      if (received.name !== name || left === 0) return undefined;
      left--;
      return typeof intercepted === "function" ? intercepted(received) : intercepted;
    });
  }

  intercepted(received: Received): Intercepted | undefined {
    for (const interceptor of this.#interceptors) {
      const intercepted = interceptor(received);
      if (intercepted !== undefined) return intercepted;
    }
    return undefined;
  }

  requests(name: string): readonly Received[] {
    return this.received.filter((received) => received.name === name);
  }

  appended(): void {
    for (const callback of this.#whenAppended.splice(0)) callback();
  }

  /** Resolves after an append or the wait, as a long poll does. */
  appendOrAfter(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.setTimer(waitMs, resolve);
      this.#whenAppended.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  topicName(topicId: Uuid): string | undefined {
    if (topicId === ZERO_UUID) return undefined;
    for (const [name, topic] of this.topics) if (topic.topicId === topicId) return name;
    return undefined;
  }
}

class FakeBroker {
  readonly nodeId: number;
  readonly port: number;
  readonly #cluster: FakeCluster;
  readonly #connections = new Set<Connection>();
  listener: Listener | undefined;

  constructor(cluster: FakeCluster, nodeId: number, port: number) {
    this.#cluster = cluster;
    this.nodeId = nodeId;
    this.port = port;
  }

  accept(connection: Connection): ConnectionHandler {
    const frames = new FrameDecoder(100_000_000);
    this.#connections.add(connection);
    let last: Promise<void> = Promise.resolve();
    return {
      onData: (bytes) => {
        for (const frame of frames.push(bytes)) {
          const answer = this.#answer(connection, frame);
          last = last.then(async () => {
            const chunks = await answer;
            if (chunks !== undefined) connection.write(chunks);
          });
        }
      },
      onDrain: () => {},
      onClose: () => void this.#connections.delete(connection),
    };
  }

  dropConnections(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  async #answer(connection: Connection, frame: Uint8Array): Promise<readonly Uint8Array[] | undefined> {
    const reader = new ByteReader(frame);
    const { requestApiKey: apiKey, requestApiVersion: version, correlationId } = decodeRequestHeader(reader);
    const api = FAKE_APIS.get(apiKey);
    if (api === undefined) throw new Error(`the fake broker does not know API ${apiKey}`);
    const request = api.request.read(reader, version);
    const { name } = api.request;
    const received = { nodeId: this.nodeId, apiKey, name, version, correlationId, request, connection };
    this.#cluster.received.push(received);
    const intercepted = this.#cluster.intercepted(received);
    if (intercepted === "no answer") return undefined;
    if (intercepted === "close") {
      connection.destroy();
      return undefined;
    }
    const isLost = intercepted === "close after";
    const told = intercepted === "close after" ? undefined : intercepted;
    if (told !== undefined && "bytes" in told) return [told.bytes];
    const answer = told?.answer ?? (await api.answer(this.#cluster, request, version, this.nodeId));
    if (isLost) connection.destroy();
    if (answer === undefined || isLost) return undefined;
    return encodeResponse(api.response, answer as never, told?.version ?? version, correlationId);
  }
}

function newPartition(leaderId: number): FakePartition {
  return {
    leaderId,
    leaderEpoch: 1,
    logStartOffset: 0,
    endOffset: 0,
    lastStableOffset: undefined,
    batches: [],
    producers: new Map(),
    forgetsProducers: false,
    forgetsBatches: false,
    aborted: [],
  };
}
