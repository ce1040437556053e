import type { Kafka } from "@samsa/client";
import { startBroker } from "@samsa/server";

export interface Brokers extends AsyncDisposable {
  readonly bootstrapServers: string;
}

/** Nobody waits for members that might come a moment later. */
const CONFIG = { "group.initial.rebalance.delay.ms": "0" };

/** The brokers that BOOTSTRAP_SERVERS names, or else one in this process and in memory, which ends with the example. */
export async function brokers(): Promise<Brokers> {
  const named = process.env["BOOTSTRAP_SERVERS"];
  if (named === undefined || named === "") return await startBroker({ port: 0, dataDir: "memory", properties: CONFIG });
  return { bootstrapServers: named, [Symbol.asyncDispose]: () => Promise.resolve() };
}

export interface TemporaryTopic extends AsyncDisposable {
  readonly name: string;
}

/** A topic that is deleted at the end, so that an example leaves nothing behind on brokers of yours. */
export async function temporaryTopic(kafka: Kafka, numPartitions: number): Promise<TemporaryTopic> {
  const name = `samsa-example-${process.pid}-${Date.now()}`;
  await kafka.admin().createTopics([{ name, numPartitions, replicationFactor: 1 }]);
  return { name, [Symbol.asyncDispose]: () => kafka.admin().deleteTopics([name]) };
}
