import { MemoryTransport } from "@samsa/io";
import type { MemoryTransportOptions } from "@samsa/io";
import { SeededRandom } from "@samsa/simulation";
import { ADMIN_CALLS } from "../admin/admin.ts";
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
  // Loading files is not under the clock of a test.
  await Promise.all(Object.values(ADMIN_CALLS).map((load) => load()));
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
        onRetry: () => {},
        ...options,
      }),
  };
}

export function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes);
}
