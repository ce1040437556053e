import type { Clock } from "@samsa/base";
import { LatencyHistogram } from "./latency-histogram.ts";

/** Topics with counters of their own; those that come later share one set. */
const MAX_TOPICS = 1000;

/** BrokerTopicMetrics of Kafka, as totals. */
export interface TopicCounters {
  messagesIn: number;
  bytesIn: number;
  bytesOut: number;
  produceRequests: number; // partitions of them, as in Kafka
  fetchRequests: number; // partitions of them, as in Kafka
}

/** RequestMetrics of Kafka for one API. */
export interface ApiMetrics {
  readonly byVersion: number[]; // requests answered; sparse
  /** From the whole frame to the handler: behind other requests of the connection, or muted by a quota. */
  readonly requestQueueTime: LatencyHistogram;
  /** Until the handler had returned: deciding, without waiting. Of what never waits, the writing of the answer too. */
  readonly localTime: LatencyHistogram;
  /** After that, until the answer was written: waiting for the disk, for records, for other nodes. */
  readonly remoteTime: LatencyHistogram;
  /** What the client was told to wait. */
  readonly throttleTime: LatencyHistogram;
  /** From the answer to its turn: answers leave in the order of the requests. */
  readonly responseQueueTime: LatencyHistogram;
  /** Until the system had taken the whole answer. */
  readonly responseSendTime: LatencyHistogram;
  /** From the whole frame to the answer in the hands of the system. */
  readonly totalTime: LatencyHistogram;
}

export interface BrokerMetricsOptions {
  readonly clock: Clock;
  readonly maxTopics?: number;
}

/**
 * What the broker counts while it works, in plain numbers that somebody else reads when asked. A broker that is handed none
 * counts nothing. Topics and APIs are bounded; versions are, since only those that are served are counted.
 */
export class BrokerMetrics {
  readonly #clock: Clock;
  readonly #maxTopics: number;
  readonly #topics = new Map<string, TopicCounters>();
  readonly #apis: ApiMetrics[] = []; // by API key; sparse
  readonly allTopics = noCounts();
  /** Of the topics that came when there was no more room. */
  readonly otherTopics = noCounts();
  failedProduceRequests = 0;
  failedFetchRequests = 0;
  delayedFetches = 0; // waiting now
  connections = 0; // now
  connectionsAccepted = 0;

  constructor({ clock, maxTopics = MAX_TOPICS }: BrokerMetricsOptions) {
    this.#clock = clock;
    this.#maxTopics = maxTopics;
  }

  get topics(): ReadonlyMap<string, Readonly<TopicCounters>> {
    return this.#topics;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** @param handledMs when the handler returned with a promise of its response; undefined when it did with the response */
  requestAnswered(
    apiKey: number,
    apiVersion: number,
    startedMs: number,
    handledMs: number | undefined,
    throttleMs: number,
  ): void {
    const api = this.api(apiKey);
    const nowMs = this.nowMs();
    api.byVersion[apiVersion] = (api.byVersion[apiVersion] ?? 0) + 1;
    api.localTime.observe((handledMs ?? nowMs) - startedMs);
    api.remoteTime.observe(nowMs - (handledMs ?? nowMs));
    api.throttleTime.observe(throttleMs);
  }

  /** Of an API that is served. */
  api(apiKey: number): ApiMetrics {
    return (this.#apis[apiKey] ??= newApi());
  }

  /** A batch was asked to be appended to a partition that is here. */
  produceTried(topic: string): void {
    this.allTopics.produceRequests++;
    this.#topic(topic).produceRequests++;
  }

  produced(topic: string, messages: number, bytes: number): void {
    const counters = this.#topic(topic);
    this.allTopics.messagesIn += messages;
    this.allTopics.bytesIn += bytes;
    counters.messagesIn += messages;
    counters.bytesIn += bytes;
  }

  /** A partition that is here was answered to a fetch. */
  fetched(topic: string, bytes: number): void {
    const counters = this.#topic(topic);
    this.allTopics.fetchRequests++;
    this.allTopics.bytesOut += bytes;
    counters.fetchRequests++;
    counters.bytesOut += bytes;
  }

  /** By API key, of what was asked so far. */
  *apis(): Iterable<readonly [apiKey: number, metrics: ApiMetrics]> {
    for (const [apiKey, metrics] of this.#apis.entries()) if (metrics !== undefined) yield [apiKey, metrics];
  }

  /** Gives up the counters of topics that are gone, as Kafka does. */
  retainTopics(exists: (topic: string) => boolean): void {
    for (const topic of this.#topics.keys()) if (!exists(topic)) this.#topics.delete(topic);
  }

  #topic(name: string): TopicCounters {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    if (this.#topics.size >= this.#maxTopics) return this.otherTopics;
    const counters = noCounts();
    this.#topics.set(name, counters);
    return counters;
  }
}

function noCounts(): TopicCounters {
  return { messagesIn: 0, bytesIn: 0, bytesOut: 0, produceRequests: 0, fetchRequests: 0 };
}

function newApi(): ApiMetrics {
  return {
    byVersion: [],
    requestQueueTime: new LatencyHistogram(),
    localTime: new LatencyHistogram(),
    remoteTime: new LatencyHistogram(),
    throttleTime: new LatencyHistogram(),
    responseQueueTime: new LatencyHistogram(),
    responseSendTime: new LatencyHistogram(),
    totalTime: new LatencyHistogram(),
  };
}
