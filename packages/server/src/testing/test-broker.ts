import type { Disk, Uuid } from "@samsa/base";
import type { Logger } from "@samsa/broker";
import { MemoryDisk, MemoryTransport } from "@samsa/io";
import type { RecordBatchBuilder } from "@samsa/protocol";
import { RecordBatchBuilder as Builder } from "@samsa/protocol";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import { DeleteTopicsResponse } from "@samsa/protocol/messages/delete-topics-response";
import type { RunningBroker, StartBrokerOptions } from "../start-broker.ts";
import { startBroker } from "../start-broker.ts";
import { RawClient } from "./raw-client.ts";
import { TurningClock } from "./turning-clock.ts";

/** A broker without a socket, a file or a clock of its own, and a client that is connected to it. */
export interface TestBroker extends AsyncDisposable {
  readonly broker: RunningBroker;
  readonly client: RawClient;
  readonly clock: TurningClock;
  readonly disk: Disk;
  readonly logged: readonly { readonly level: string; readonly message: string; readonly facts: object }[];
  connect(): Promise<RawClient>;
  /** Makes a topic and returns its id. */
  createTopic(name: string, options?: TopicOptions): Promise<Uuid>;
  deleteTopic(name: string): Promise<void>;
}

export interface TopicOptions {
  readonly partitions?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

export interface TestBrokerOptions {
  readonly disk?: Disk;
  readonly clusterId?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly metricsPort?: number;
  readonly onClientMetrics?: StartBrokerOptions["onClientMetrics"];
  /** Most bytes that arrive at once. */
  readonly readBytes?: number;
}

export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const transport = new MemoryTransport(options.readBytes === undefined ? {} : { readBytes: options.readBytes });
  const clock = new TurningClock();
  const disk = options.disk ?? new MemoryDisk();
  const logged: { level: string; message: string; facts: object }[] = [];
  const broker = await startBroker({
    port: 0,
    ...(options.properties?.["log.dirs"] === undefined && { dataDir: "/data" }),
    disk,
    transport,
    clock,
    logger: recordingLogger(logged),
    ...(options.onClientMetrics !== undefined && { onClientMetrics: options.onClientMetrics }),
    ...(options.metricsPort !== undefined && { metricsPort: options.metricsPort }),
    ...(options.clusterId !== undefined && { clusterId: options.clusterId }),
    ...(options.properties && { properties: options.properties }),
  });
  const connect = () => RawClient.connect(transport, { host: broker.host, port: broker.port });
  const client = await connect();
  return {
    broker,
    client,
    clock,
    disk,
    logged,
    connect,
    async createTopic(name, { partitions = 1, configs = {} } = {}) {
      const topic = createCreateTopicsRequestCreatableTopic({
        name,
        numPartitions: partitions,
        replicationFactor: -1,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      });
      const request = CreateTopicsRequest.create({ topics: [topic] });
      const response = await client.request(CreateTopicsRequest, CreateTopicsResponse, 7, request);
      const result = response.topics[0];
      if (result?.errorCode !== 0)
        throw new Error(`create topic ${name}: ${result?.errorCode} ${result?.errorMessage}`);
      return result.topicId;
    },
    async deleteTopic(name) {
      const request = DeleteTopicsRequest.create({ topicNames: [name], timeoutMs: 30_000 });
      const response = await client.request(DeleteTopicsRequest, DeleteTopicsResponse, 5, request);
      const result = response.responses[0];
      if (result?.errorCode !== 0) throw new Error(`delete topic ${name}: ${result?.errorCode}`);
    },
    [Symbol.asyncDispose]: () => broker.close(),
  };
}

/** A batch with one record for each value. */
export function batchOf(
  values: readonly string[],
  options: ConstructorParameters<typeof RecordBatchBuilder>[0] & { readonly timestamp?: number } = {},
): Uint8Array {
  const builder = new Builder(options);
  const encoder = new TextEncoder();
  for (const value of values) {
    builder.append({ timestamp: options.timestamp ?? 1_700_000_000_000, value: encoder.encode(value) });
  }
  return builder.build();
}

function recordingLogger(into: { level: string; message: string; facts: object }[]): Logger {
  const at = (level: string) => (facts: object, message: string) => void into.push({ level, message, facts });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
