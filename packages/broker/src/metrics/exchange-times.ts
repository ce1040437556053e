import type { BrokerMetrics } from "./broker-metrics.ts";

/** Columns of a row: moments in milliseconds of the broker's clock. */
const ARRIVED = 0;
const STARTED = 1;
const READY = 2;
const TURN = 3;
const COLUMNS = 4;
const FIRST_ROWS = 16;
/** In place of an API: the row is counted already. */
const COUNTED = -1;

/**
 * When what happened to the requests of one connection, for RequestMetrics: a request arrives whole, is started, has its answer ready,
 * sees its turn come and is taken by the system. All but ready go by the order of the requests, so that rows in a ring are all it
 * takes: to note a moment allocates nothing.
 */
export class ExchangeTimes {
  readonly #metrics: BrokerMetrics;
  #rows = FIRST_ROWS; // a power of two
  #moments = new Float64Array(FIRST_ROWS * COLUMNS);
  #apis = new Int32Array(FIRST_ROWS);
  // How many requests came to where, since the connection was made.
  #arrived = 0;
  #started = 0;
  #sent = 0;
  #taken = 0;
  /** The oldest answer that is on its way has been taken. */
  readonly onTaken = (): void => {
    this.#count(this.#taken++);
    this.#passCounted();
  };

  constructor(metrics: BrokerMetrics) {
    this.#metrics = metrics;
  }

  /** So many requests are there as a whole. */
  arrived(requests: number): void {
    const nowMs = this.#metrics.nowMs();
    for (let i = 0; i < requests; i++) {
      if (this.#arrived - this.#taken === this.#rows) this.#grow();
      this.#moments[this.#at(this.#arrived++) + ARRIVED] = nowMs;
    }
  }

  /** The next request is started. @returns its number, for `ready` */
  started(apiKey: number): number {
    const exchange = this.#started++;
    this.#apis[exchange & (this.#rows - 1)] = apiKey;
    this.#moments[this.#at(exchange) + STARTED] = this.#metrics.nowMs();
    return exchange;
  }

  ready(exchange: number): void {
    this.#moments[this.#at(exchange) + READY] = this.#metrics.nowMs();
  }

  /** The turn of the next answer has come. @param isAnswered false when nothing is sent, and so nothing will be taken */
  turn(isAnswered: boolean): void {
    const exchange = this.#sent++;
    this.#moments[this.#at(exchange) + TURN] = this.#metrics.nowMs();
    if (isAnswered) return;
    this.#count(exchange);
    this.#apis[exchange & (this.#rows - 1)] = COUNTED;
    this.#passCounted();
  }

  #count(exchange: number): void {
    const nowMs = this.#metrics.nowMs();
    const at = this.#at(exchange);
    const moments = this.#moments;
    const arrivedMs = moments[at + ARRIVED] ?? 0;
    const turnMs = moments[at + TURN] ?? 0;
    const api = this.#metrics.api(this.#apis[exchange & (this.#rows - 1)] ?? COUNTED);
    api.requestQueueTime.observe((moments[at + STARTED] ?? 0) - arrivedMs);
    api.responseQueueTime.observe(turnMs - (moments[at + READY] ?? 0));
    api.responseSendTime.observe(nowMs - turnMs);
    api.totalTime.observe(nowMs - arrivedMs);
  }

  #passCounted(): void {
    while (this.#taken < this.#sent && this.#apis[this.#taken & (this.#rows - 1)] === COUNTED) this.#taken++;
  }

  #at(exchange: number): number {
    return (exchange & (this.#rows - 1)) * COLUMNS;
  }

  #grow(): void {
    const before = { moments: this.#moments, apis: this.#apis, rows: this.#rows };
    this.#rows *= 2;
    this.#moments = new Float64Array(this.#rows * COLUMNS);
    this.#apis = new Int32Array(this.#rows);
    for (let exchange = this.#taken; exchange < this.#arrived; exchange++) {
      const from = (exchange & (before.rows - 1)) * COLUMNS;
      this.#moments.set(before.moments.subarray(from, from + COLUMNS), this.#at(exchange));
      this.#apis[exchange & (this.#rows - 1)] = before.apis[exchange & (before.rows - 1)] ?? COUNTED;
    }
  }
}
