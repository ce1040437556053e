import type { LatencyHistogram } from "@samsa/broker";
import { LATENCY_BOUNDS_MS } from "@samsa/broker";
import { Counter, Gauge, Histogram } from "prom-client";
import type { HistogramConfiguration, Registry } from "prom-client";

export type Labels = Readonly<Record<string, string | number>>;
export type Sample = readonly [labels: Labels, value: number];

/** Metrics whose values are somebody else's and are read when they are asked for, never before. */
export class Exposition {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  counter(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Sample>): void {
    const counter = new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        counter.reset();
        for (const [labels, value] of read()) counter.inc(labels, value);
      },
    });
  }

  gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => Iterable<Sample> | Promise<Iterable<Sample>>,
  ): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      async collect() {
        const samples = await read();
        gauge.reset();
        for (const [labels, value] of samples) gauge.set(labels, value);
      },
    });
  }

  histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => Iterable<readonly [Labels, LatencyHistogram]>,
  ): void {
    const histogram = new ReadHistogram({ name, help, labelNames, registers: [this.#registry] });
    histogram.read = read;
  }
}

/**
 * prom-client's histogram wants to be told each observation; this one takes over what was counted. `getForPromString` is what its
 * registry asks for a page; its types do not tell, the tests do.
 */
class ReadHistogram extends Histogram {
  readonly #described: { readonly name: string; readonly help: string };
  read: () => Iterable<readonly [Labels, LatencyHistogram]> = () => [];

  constructor(configuration: HistogramConfiguration<string>) {
    super(configuration);
    this.#described = { name: configuration.name, help: configuration.help };
  }

  getForPromString() {
    const { name, help } = this.#described;
    const values: { readonly metricName: string; readonly labels: Labels; readonly value: number }[] = [];
    for (const [labels, { counts, sumMs }] of this.read()) {
      let count = 0;
      for (const [bucket, inBucket] of counts.entries()) {
        count += inBucket;
        const le = LATENCY_BOUNDS_MS[bucket] ?? "+Inf";
        values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count });
      }
      values.push({ metricName: `${name}_sum`, labels, value: sumMs });
      values.push({ metricName: `${name}_count`, labels, value: count });
    }
    return { name, help, type: "histogram", values };
  }
}
