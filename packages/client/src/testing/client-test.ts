// Loading files is not under the clock of the tests, so all that is loaded when needed is loaded beforehand.
import "../admin/acls.ts";
import "../admin/cluster-info.ts";
import "../admin/configs.ts";
import "../admin/delegation-tokens.ts";
import "../admin/group-offsets.ts";
import "../admin/groups.ts";
import "../admin/log-dirs.ts";
import "../admin/offsets.ts";
import "../admin/quotas.ts";
import "../admin/reassignments.ts";
import "../admin/scram.ts";
import "../admin/topics.ts";
import "../admin/transactions.ts";
import { MemoryTransport } from "@samsa/io";
import type { MemoryTransportOptions } from "@samsa/io";
import { SeededRandom } from "@samsa/simulation";
import type { KafkaOptions } from "../kafka.ts";
import { Kafka } from "../kafka.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { ManualClock } from "./manual-clock.ts";

export interface TestBed {
  readonly cluster: FakeCluster;
  readonly clock: ManualClock;
  readonly transport: MemoryTransport;
  /** Lets time pass until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T>;
  kafka(options?: Partial<KafkaOptions>): Kafka;
}

/** Fake brokers with these ids, and clients of them. */
export async function testBed(
  nodeIds: readonly number[] = [1],
  transportOptions: MemoryTransportOptions = {},
): Promise<TestBed> {
  const clock = new ManualClock();
  const transport = new MemoryTransport(transportOptions);
  const cluster = new FakeCluster(transport, clock);
  for (const nodeId of nodeIds) await cluster.start(nodeId);
  return {
    cluster,
    clock,
    transport,
    run: (promise) => clock.run(promise),
    kafka: (options = {}) =>
      new Kafka({
        bootstrapServers: nodeIds.map((nodeId) => `127.0.0.1:${9091 + nodeId}`),
        transport,
        clock,
        random: new SeededRandom(42),
        ...options,
      }),
  };
}

export function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes);
}
