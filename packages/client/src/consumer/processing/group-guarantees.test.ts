import assert from "node:assert/strict";
import { test } from "node:test";
import type { KafkaOptions } from "../../kafka.ts";
import { bedOfValues } from "../../testing/appended.ts";
import type { Intercepted, Received } from "../../testing/fake-cluster.ts";
import { KillableProcess } from "../../testing/killable-process.ts";
import type { ConsumerRecord } from "../consumer-record.ts";

const RECORDS = 4; // of each of two partitions
const GROUP = {
  groupId: "g",
  autoOffsetReset: "earliest",
  autoCommitIntervalMs: 2,
  maxPollRecords: 3,
} as const;

/** A process comes by moments at which it may die, and is killed at one of them. */
class Fate {
  readonly process: KillableProcess;
  #left: number;

  constructor(process: KillableProcess, momentsToLive: number) {
    this.process = process;
    this.#left = momentsToLive;
  }

  /** @returns whether it is alive */
  passes(): boolean {
    if (!this.process.isDead && this.#left-- === 0) this.process.kill();
    return !this.process.isDead;
  }
}

type Guarantee = "at-least-once" | "at-most-once";

interface Outcome {
  readonly hasDied: boolean;
  /** How often each record was handled. */
  readonly counts: readonly number[];
}

/** A member handles records and is killed after so many moments; one that comes after it handles the rest. */
async function killedAfter(
  momentsToLive: number,
  groupProtocol: "classic" | "consumer",
  deliveryGuarantee: Guarantee,
): Promise<Outcome> {
  const values = Array.from({ length: RECORDS }, (_, i) => [`k${i % 2}`, `${i}`] as const);
  const bed = await bedOfValues(values, values);
  const group = bed.cluster.groups.get("g");
  const fate = new Fate(new KillableProcess(bed.transport, bed.clock), momentsToLive);
  const counts = Array.from({ length: 2 * RECORDS }, () => 0);
  const handle = ({ partition, offset }: ConsumerRecord): void => {
    const at = partition * RECORDS + offset;
    counts[at] = (counts[at] ?? 0) + 1;
  };
  const pause = (delayMs: number): Promise<void> => new Promise((resolve) => void bed.clock.setTimer(delayMs, resolve));
  const isAllCommitted = (): boolean => [0, 1].every((p) => group.offsets.get(`t-${p}`)?.offset === RECORDS);
  const run = async (
    eachRecord: (record: ConsumerRecord) => Promise<void>,
    options: Partial<KafkaOptions>,
  ): Promise<void> => {
    const kafka = bed.kafka(options);
    const consumer = kafka.consumer({ ...GROUP, groupProtocol });
    consumer.subscribe("t");
    const stop = new AbortController();
    const running = consumer.run({
      eachRecord,
      deliveryGuarantee,
      concurrency: 4,
      orderedBy: "key",
      signal: stop.signal,
    });
    running.catch(() => {}); // of the dead; of the living it is awaited below
    const isDead = (): boolean => options.transport !== undefined && fate.process.isDead;
    const watch = async (): Promise<void> => {
      for (let i = 0; i < 100 && !isAllCommitted() && !isDead(); i++) await pause(50);
      await pause(50); // what was committed first is handled
    };
    await bed.run(watch());
    if (isDead()) return;
    stop.abort();
    await bed.run(running);
    await bed.run(kafka.close());
  };

  const forget = bed.cluster.intercept(({ name }: Received): Intercepted | undefined => {
    if (name !== "OffsetCommitRequest") return undefined;
    if (!fate.passes()) return "close"; // it died before anybody heard of the commit
    return fate.passes() ? undefined : "close after"; // or before it heard that it was done
  });
  const dead = new Promise<never>(() => {});
  const handleOrDie = async (record: ConsumerRecord): Promise<void> => {
    if (!fate.passes()) await dead;
    await pause(1 + (record.offset % 3));
    if (fate.process.isDead) await dead;
    handle(record);
    if (!fate.passes()) await dead;
  };
  await run(handleOrDie, { transport: fate.process, clock: fate.process });
  forget();
  const hasDied = fate.process.isDead;
  for (const id of group.classic.keys()) group.expel(id); // its session ends
  for (const id of group.consumers.keys()) group.expelConsumer(id);
  const handleAtOnce = (record: ConsumerRecord): Promise<void> => Promise.resolve(handle(record));
  await run(handleAtOnce, {});
  assert.ok(isAllCommitted(), "the successor comes to the end");
  return { hasDied, counts };
}

for (const protocol of ["classic", "consumer"] as const) {
  for (const guarantee of ["at-least-once", "at-most-once"] as const) {
    test(`${guarantee} in a group of the ${protocol} protocol holds wherever a member is killed`, async () => {
      const outcomes: Outcome[] = [];
      do outcomes.push(await killedAfter(outcomes.length, protocol, guarantee));
      while (outcomes.at(-1)?.hasDied === true);
      assert.ok(outcomes.length > 2 * RECORDS, `there were ${outcomes.length - 1} moments to die at`);
      for (const [moments, { counts }] of outcomes.entries()) {
        const holds = guarantee === "at-least-once" ? Math.min(...counts) >= 1 : Math.max(...counts) <= 1;
        assert.ok(holds, `killed after ${moments} moments: ${counts.join()}`);
      }
      assert.deepEqual(new Set(outcomes.at(-1)?.counts), new Set([1]), "who is not killed handles each once");
      const isCostly = outcomes.some(({ counts }) => counts.some((count) => count !== 1));
      assert.ok(isCostly, "no death cost anything: what would show that it happened?");
    });
  }
}

test("what a run commits by itself leaves out partitions that were given up meanwhile", async () => {
  const bed = await bedOfValues(["a", "b", "c"], ["d"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer();
  const assign = (partitions: readonly number[]): Promise<void> =>
    consumer.assign(
      partitions.map((partition) => ({ topic: "t", partition, offset: "earliest", endOffset: "latest" })),
    );
  await bed.run(assign([0, 1]));
  const commits: string[] = [];
  const seen: (string | undefined)[] = [];
  const run = consumer.run({
    eachRecord: async ({ partition, value }) => {
      seen.push(new TextDecoder().decode(value ?? undefined));
      if (partition === 0) await assign([1]);
    },
    commit: (positions) => void commits.push(...positions.map((one) => `${one.partition}=${one.offset}`)),
  });
  await bed.run(run);
  assert.ok(!seen.includes("b") && !seen.includes("c"), seen.join());
  assert.deepEqual(commits, ["1=1"]);
});
