// Kills a broker again and again while ten producers with acks=all write to it, and reads back what they wrote.
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./bare-client.mjs";
import { NumberedPartition } from "./numbered-records.mjs";
import { RawClient } from "./raw-client.mjs";
import { CODECS } from "./record-batches.mjs";

/** Everything small, so that segments roll, indexes fill and checkpoints are written between two kills. */
export const TIGHT_SETTINGS = {
  "replica.high.watermark.checkpoint.interval.ms": 100,
  "log.flush.offset.checkpoint.interval.ms": 100,
  "log.flush.start.offset.checkpoint.interval.ms": 100,
  "log.flush.scheduler.interval.ms": 50,
  "log.retention.check.interval.ms": 1000,
};
const TIGHT_TOPIC = { "segment.index.bytes": 192, "index.interval.bytes": 512, "file.delete.delay.ms": 200 };
const MOST_RUN_MS = 350;
const MOST_START_MS = 300;
const DELETE_ABOVE = 40_000; // records in a partition before the older half is deleted

/** One topic for every codec, the first one synced before each answer, two partitions each. */
export class KillLoop {
  kills = 0;
  killsWhileStarting = 0;
  stops = 0;
  #broker;
  #partitions;
  #startLimitMs;
  #crash;

  /** @param options.crash ends the broker, and leaves things so that it can be started again; SIGKILL when left out */
  constructor(broker, { codecs = CODECS, partitionsPerTopic = 2, startLimitMs = 30_000, crash } = {}) {
    this.#broker = broker;
    this.#crash = crash ?? (() => broker.kill());
    this.#startLimitMs = startLimitMs;
    this.#partitions = codecs.flatMap((codec) =>
      Array.from({ length: partitionsPerTopic }, (_, partition) => {
        return new NumberedPartition({ topic: `kill-${codec}`, partition, codec });
      }),
    );
  }

  get acknowledged() {
    return this.#partitions.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  async createTopics() {
    const client = await this.#connect();
    const topics = [...new Set(this.#partitions.map(({ topic }) => topic))].map((name, index) => ({
      name,
      partitions: this.#partitions.filter(({ topic }) => topic === name).length,
      configs: index === 0 ? { ...TIGHT_TOPIC, "flush.messages": 1 } : TIGHT_TOPIC,
    }));
    await client.createTopics(topics);
    client.close();
  }

  /**
   * Starts the broker (killing it in the middle of that, now and then), compares what it has with what was acknowledged, writes
   * to every partition, and kills it. Throws with what is wrong.
   */
  async round() {
    const broker = this.#broker;
    if (!broker.isRunning && Math.random() < 0.15) {
      broker.spawn();
      await sleep(Math.random() * MOST_START_MS);
      await this.#crash();
      this.kills++;
      this.killsWhileStarting++;
    }
    if (!broker.isRunning) broker.spawn();
    await this.verify();
    const before = this.#partitions.map(({ acknowledged }) => acknowledged);
    const stopping = new AbortController();
    const producing = this.#partitions.map((partition) => partition.produce(broker.port, stopping.signal));
    await this.#everyoneBeyond(before, producing);
    await sleep(Math.random() * MOST_RUN_MS);
    if (Math.random() < 0.05) {
      await broker.stop(); // under load: nothing may be lost by this either
      this.stops++;
    } else {
      await this.#crash();
      this.kills++;
    }
    await Promise.all(producing);
  }

  /** Writes to every partition for a while. Resolves with what each producer was told last, of those that had to give up. */
  async produceFor(ms) {
    const stopping = new AbortController();
    const producing = Promise.all(this.#partitions.map((each) => each.produce(this.#broker.port, stopping.signal)));
    const timer = setTimeout(() => stopping.abort(), ms);
    await producing;
    clearTimeout(timer);
    return this.#partitions.map(({ lastError }) => lastError).filter((error) => error !== undefined);
  }

  /** Waits for the broker and reads what has come since the last time, or everything. */
  async verify(options) {
    const client = await this.#connect();
    try {
      for (const partition of this.#partitions) {
        await partition.verify(client, options);
        if (partition.verified % 7 === 0) await this.#deleteOlderHalf(client, partition);
      }
    } finally {
      client.close();
    }
  }

  async #deleteOlderHalf(client, { topic, partition, verified, acknowledged }) {
    const { offset: start } = await client.listOffset(topic, partition, -2);
    if (verified - start < DELETE_ABOVE) return;
    const answer = await client.deleteRecords(topic, partition, Math.min(acknowledged, start + DELETE_ABOVE / 2));
    if (answer.error !== 0) throw new Error(`${topic}-${partition}: DeleteRecords answered ${answer.error}`);
  }

  async #everyoneBeyond(before, producing) {
    let isOver = false;
    void Promise.all(producing).then(() => (isOver = true));
    await until(
      async () => {
        const behind = this.#partitions.find(({ acknowledged }, index) => acknowledged <= before[index]);
        if (behind !== undefined)
          throw new Error(`${behind.name}: nothing acknowledged, ${behind.lastError ?? "no error"}`);
      },
      { limitMs: 30_000, pauseMs: 5, stopIf: () => (isOver ? "the producers gave up" : undefined) },
    );
  }

  #connect() {
    const stopIf = () =>
      this.#broker.isRunning ? undefined : `the broker ended while it started:\n${this.#broker.lastWords()}`;
    return until(
      async () => {
        const client = await RawClient.connect(this.#broker.port);
        try {
          await client.ask(18, 0, Buffer.alloc(0));
          return client;
        } catch (error) {
          client.close();
          throw error;
        }
      },
      { limitMs: this.#startLimitMs, pauseMs: 10, stopIf },
    );
  }
}
