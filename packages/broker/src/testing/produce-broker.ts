import { ErrorCode, parseUuid, ZERO_UUID } from "@samsa/base";
import { defaultLogConfig, loadLog } from "@samsa/log";
import type { LogConfig } from "@samsa/log";
import { RecordBatchBuilder } from "@samsa/protocol";
import { createProduceRequestTopicProduceData, ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import { Partition } from "@samsa/replication";
import { SeededRandom, VirtualClock } from "@samsa/simulation";
import type { NO_RESPONSE } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import { produce } from "../handlers/produce.ts";
import { NOT_MEASURED } from "../quota/loop-time.ts";
import type { RequestContext } from "../request-context.ts";
import { PromptDisk } from "./prompt-disk.ts";

const BROKER_ID = 1;
const VERSION = 9; // of Produce: the highest without hints about leaders
const TOPIC_ID = parseUuid("GcnynczvRom65cq5HE6Fiw");

export type Produced = ProduceResponse | typeof NO_RESPONSE;

export interface ProduceOptions {
  readonly acks?: number;
  readonly timeoutMs?: number;
  readonly isFollowed?: boolean;
}

/** The handler of Produce over partitions that lie on a PromptDisk. */
export interface ProduceBroker {
  readonly disk: PromptDisk;
  readonly clock: VirtualClock;
  readonly partitions: readonly Partition[];
  /** What was logged as an error. */
  readonly errors: readonly string[];
  /** A record to each of the partitions that are named. */
  readonly produce: (partitions: readonly number[], options?: ProduceOptions) => Produced | Promise<Produced>;
}

/** Partitions of one topic that have a record each, so that their files are open. */
export async function produceBroker(count = 1, config: Partial<LogConfig> = {}): Promise<ProduceBroker> {
  const disk = new PromptDisk();
  const clock = new VirtualClock();
  const errors: string[] = [];
  const partitions: Partition[] = [];
  for (let partition = 0; partition < count; partition++) {
    const log = await loadLog({
      disk,
      clock,
      random: new SeededRandom(partition),
      directory: `/data/t-${partition}`,
      topicPartition: { topic: "t", partition },
      topicId: TOPIC_ID,
      config: defaultLogConfig(config),
    });
    const led = new Partition(BROKER_ID, log, REGISTRATION);
    await led.appendRecordsToLeader(oneRecord()).written;
    partitions.push(led);
  }
  disk.writes = 0;
  const services = {
    replicas: { find: (_topic, index) => partitions[index] ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    clock,
    logger: { debug() {}, info() {}, warn() {}, error: (_facts, message) => void errors.push(message) },
  } as Pick<BrokerServices, "clock" | "logger"> & { replicas: Pick<BrokerServices["replicas"], "find"> };
  return {
    disk,
    clock,
    partitions,
    errors,
    produce: (indexes, { acks = -1, timeoutMs = 30_000, isFollowed = false } = {}) =>
      produce.handle(
        ProduceRequest.create({
          acks,
          timeoutMs,
          topicData: [
            createProduceRequestTopicProduceData({
              name: "t",
              partitionData: indexes.map((index) => ({ index, records: oneRecord() })),
            }),
          ],
        }),
        { ...CONTEXT, isFollowed },
        services as BrokerServices,
      ),
  };
}

/** Of each partition: `code@baseOffset`. */
export function outcomes(produced: Produced): readonly string[] {
  if (typeof produced === "symbol") throw new Error("there is no response");
  return produced.responses.flatMap(({ partitionResponses }) =>
    partitionResponses.map(({ errorCode, baseOffset }) => `${errorCode}@${baseOffset}`),
  );
}

function oneRecord(): Uint8Array {
  const builder = new RecordBatchBuilder();
  builder.append({ timestamp: 1_700_000_000_000, value: new Uint8Array(10) });
  return builder.build().slice();
}

const REGISTRATION = {
  replicas: [BROKER_ID],
  directories: [ZERO_UUID],
  isr: [BROKER_ID],
  removingReplicas: [],
  addingReplicas: [],
  elr: [],
  lastKnownElr: [],
  leader: BROKER_ID,
  leaderRecoveryState: 0,
  leaderEpoch: 0,
  partitionEpoch: 0,
};

const CONTEXT: RequestContext = {
  apiKey: produce.request.apiKey,
  apiVersion: VERSION,
  correlationId: 1,
  clientId: "test",
  listenerName: "PLAINTEXT",
  clientAddress: { host: "127.0.0.1", port: 1 },
  clientSoftware: { name: "unknown", version: "unknown" },
  user: "ANONYMOUS",
  requestBytes: 100,
  isFollowed: false,
  loopTime: NOT_MEASURED,
  onDisconnect: () => () => undefined,
};
