import type { Clock } from "@samsa/base";
import { ApiKey } from "@samsa/protocol";
import type { ConsumerCounters } from "../consumer/consumer-counters.ts";
import type { ProducerCounters } from "../producer/producer-counters.ts";
import type { Metric, MetricPoint, MetricsPeriod } from "./otlp.ts";

/** Told of what connections do. */
export interface ConnectionObserver {
  /** @param key as in `Connections`: the purpose, then the broker */
  connected(key: string): void;
  answered(key: string, apiKey: number, tookMs: number, throttleTimeMs: number): void;
}

/** A producer or consumer whose counters are read when they are wanted. */
export interface MeasuredProducer {
  readonly counters: Readonly<ProducerCounters>;
}
export interface MeasuredConsumer {
  readonly counters: Readonly<ConsumerCounters>;
  readonly assignment: readonly unknown[];
}

/** What was collected. */
export interface Collected extends MetricsPeriod {
  readonly metrics: readonly Metric[];
  /** It has arrived: the next period begins where this one ends. */
  commit(): void;
}

type Part = "producer" | "consumer" | "admin.client";
const PARTS: readonly Part[] = ["producer", "consumer", "admin.client"];
const PREFIX = "org.apache.kafka.";

/** Times since they were asked for last. */
class Times {
  #sum = 0;
  #count = 0;
  #max = 0;

  note(ms: number): void {
    this.#sum += ms;
    this.#count++;
    this.#max = Math.max(this.#max, ms);
  }

  take(): { readonly avg: number; readonly max: number } | undefined {
    if (this.#count === 0) return undefined;
    const taken = { avg: this.#sum / this.#count, max: this.#max };
    this.#sum = 0;
    this.#count = 0;
    this.#max = 0;
    return taken;
  }
}

/**
 * What a client measures of itself for its brokers, by the names that KIP-714 gives: of all its producers together, of all its
 * consumers, and of what it asks for neither. Averages and maxima are of the time since the last push.
 */
export class ClientMetrics implements ConnectionObserver {
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #producers = new Set<MeasuredProducer>();
  readonly #consumers = new Set<MeasuredConsumer>();
  readonly #connections = new Map<Part, number>();
  readonly #requestTimes = new Map<Part, Map<string, Times>>(); // by node
  readonly #times = new Map<string, Times>(); // by name
  /** Of parts that are closed. */
  readonly #past = new Map<string, number>();
  #pushed = new Map<string, number>();
  #pushedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganMs = clock.wallMs();
    this.#pushedMs = this.#beganMs;
  }

  connected(key: string): void {
    const part = partOf(key);
    this.#connections.set(part, (this.#connections.get(part) ?? 0) + 1);
  }

  answered(key: string, apiKey: number, tookMs: number, throttleTimeMs: number): void {
    const part = partOf(key);
    // The id of a bootstrap server is not known.
    const node = key.slice(key.lastIndexOf("/") + 1);
    if (!key.includes("/bootstrap/"))
      entry(entry(this.#requestTimes, part, newTimesByNode), node, newTimes).note(tookMs);
    if (apiKey === ApiKey.Produce) this.#note("producer.produce.throttle.time", throttleTimeMs);
    else if (apiKey === ApiKey.Fetch) this.#note("consumer.fetch.manager.fetch.latency", tookMs);
    else if (apiKey === ApiKey.OffsetCommit) this.#note("consumer.coordinator.commit.latency", tookMs);
  }

  /** How long a batch has waited before it was sent first. */
  batchQueued(queuedMs: number): void {
    this.#note("producer.record.queue.time", queuedMs);
  }

  addProducer(producer: MeasuredProducer): void {
    this.#producers.add(producer);
  }

  addConsumer(consumer: MeasuredConsumer): void {
    this.#consumers.add(consumer);
  }

  removeProducer(producer: MeasuredProducer): void {
    if (this.#producers.delete(producer)) this.#keep(producerTotals(producer));
  }

  removeConsumer(consumer: MeasuredConsumer): void {
    if (this.#consumers.delete(consumer)) this.#keep(consumerTotals(consumer));
  }

  /** @param isDelta whether sums are to be those since the last push that arrived */
  collect(isDelta: boolean): Collected {
    const endMs = this.#clock.wallMs();
    const metrics: Metric[] = [];
    const totals = this.#totals();
    for (const [name, total] of totals) {
      const value = isDelta ? total - (this.#pushed.get(name) ?? 0) : total;
      metrics.push({ name: PREFIX + name, type: "sum", points: [{ value }] });
    }
    for (const [name, points] of this.#gauges(totals, endMs)) {
      metrics.push({ name: PREFIX + name, type: "gauge", points });
    }
    const commit = (): void => {
      this.#pushed = totals;
      this.#pushedMs = endMs;
    };
    return { metrics, startMs: isDelta ? this.#pushedMs : this.#beganMs, endMs, isDelta, commit };
  }

  #note(name: string, ms: number): void {
    entry(this.#times, name, newTimes).note(ms);
  }

  #totals(): Map<string, number> {
    const totals = new Map(this.#past);
    for (const part of PARTS) {
      const count = this.#connections.get(part);
      if (count !== undefined) totals.set(`${part}.connection.creation.total`, count);
    }
    for (const producer of this.#producers) add(totals, producerTotals(producer));
    for (const consumer of this.#consumers) add(totals, consumerTotals(consumer));
    return totals;
  }

  *#gauges(totals: ReadonlyMap<string, number>, nowMs: number): Generator<[name: string, points: MetricPoint[]]> {
    const seconds = Math.max(0.001, (nowMs - this.#pushedMs) / 1000);
    for (const part of PARTS) {
      const name = `${part}.connection.creation.`;
      const total = totals.get(`${name}total`);
      if (total === undefined) continue;
      yield [`${name}rate`, [{ value: (total - (this.#pushed.get(`${name}total`) ?? 0)) / seconds }]];
    }
    for (const [part, byNode] of this.#requestTimes) {
      const found = [...byNode].flatMap(([node, times]) => {
        const taken = times.take();
        return taken === undefined ? [] : [{ attributes: { node_id: node }, ...taken }];
      });
      for (const which of ["avg", "max"] as const) {
        const points = found.map((one) => ({ value: one[which], attributes: one.attributes }));
        if (points.length > 0) yield [`${part}.node.request.latency.${which}`, points];
      }
    }
    for (const [name, times] of this.#times) {
      const taken = times.take();
      if (taken === undefined) continue;
      yield [`${name}.avg`, [{ value: taken.avg }]];
      yield [`${name}.max`, [{ value: taken.max }]];
    }
    if (this.#consumers.size > 0) {
      const assigned = [...this.#consumers].reduce((sum, { assignment }) => sum + assignment.length, 0);
      yield ["consumer.coordinator.assigned.partitions", [{ value: assigned }]];
    }
  }

  #keep(totals: Readonly<Record<string, number>>): void {
    add(this.#past, totals);
  }
}

function producerTotals({ counters }: MeasuredProducer): Readonly<Record<string, number>> {
  return {
    "producer.record.send.total": counters.recordsDelivered,
    "producer.record.error.total": counters.recordsFailed,
    "producer.outgoing.byte.total": counters.bytesSent,
  };
}

function consumerTotals({ counters }: MeasuredConsumer): Readonly<Record<string, number>> {
  return {
    "consumer.fetch.manager.fetch.total": counters.fetches,
    "consumer.fetch.manager.bytes.consumed.total": counters.bytesFetched,
  };
}

function add(to: Map<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(more)) to.set(name, (to.get(name) ?? 0) + value);
}

function partOf(key: string): Part {
  if (key.startsWith("producer-")) return "producer";
  return key.startsWith("consumer-") ? "consumer" : "admin.client";
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function newTimes(): Times {
  return new Times();
}

function newTimesByNode(): Map<string, Times> {
  return new Map();
}
