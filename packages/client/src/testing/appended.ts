import { RecordBatchBuilder } from "@samsa/protocol";
import type { Consumer } from "../consumer/consumer.ts";
import type { TestBed } from "./client-test.ts";
import { testBed } from "./client-test.ts";
import { appendTo } from "./fake-apis.ts";

const encoder = new TextEncoder();

export type Appended = string | readonly [key: string, value: string];

/** Appends a batch of these values to the topic `t` as a leader does. */
export function appendValues(bed: TestBed, values: readonly Appended[], partition = 0): void {
  const builder = new RecordBatchBuilder();
  for (const one of values) {
    const [key, value] = typeof one === "string" ? [null, one] : one;
    const keyBytes = key === null ? null : encoder.encode(key);
    builder.append({ timestamp: 1000, key: keyBytes, value: encoder.encode(value) });
  }
  appendTo(bed.cluster.partition("t", partition), builder.build());
  bed.cluster.appended();
}

/** Brokers 1 and 2 and a topic `t` led by 1, each partition with a batch of these values. */
export async function bedOfValues(...partitions: (readonly Appended[])[]): Promise<TestBed> {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic(
    "t",
    partitions.map(() => 1),
  );
  for (const [partition, values] of partitions.entries()) {
    if (values.length > 0) appendValues(bed, values, partition);
  }
  return bed;
}

export async function takeValues<V>(consumer: Consumer<unknown, V>, count: number): Promise<(V | null)[]> {
  const values: (V | null)[] = [];
  for await (const { value } of consumer) {
    values.push(value);
    if (values.length === count) break;
  }
  return values;
}
