// A partition that one producer fills with 0, 1, 2, … so that everything that can go wrong with it shows: offset n holds
// number n, or something was lost, doubled or put out of order.
//
// The producer is idempotent and sends as Kafka's does: five batches in flight, and after a broken connection those without an
// answer again, in order, under the sequences they had.
import { RawClient } from "./raw-client.mjs";
import { decodeBatches, decodeRecords, encodeBatch } from "./record-batches.mjs";

const MOST_IN_FLIGHT = 5;
const DUPLICATE_SEQUENCE_NUMBER = 46;
const WORDS = "Gregor Samsa woke one morning from troubled dreams ".repeat(40);

function valueOf(number) {
  return `${number} ${WORDS.slice(number % 50, (number % 50) + ((number * 7919) % 700))}`;
}

export class NumberedPartition {
  topic;
  partition;
  codec;
  /** Every number below was acknowledged. */
  acknowledged = 0;
  /** Every number below was read back once. */
  verified = 0;
  /** What the broker answered that was no acknowledgement. */
  lastError;
  #recordsPerBatch;
  #producer;
  #next = 0;
  #unanswered = []; // batches in the order of their numbers

  constructor({ topic, partition, codec = "none", recordsPerBatch = 20 }) {
    this.topic = topic;
    this.partition = partition;
    this.codec = codec;
    this.#recordsPerBatch = recordsPerBatch;
  }

  get name() {
    return `${this.topic}-${this.partition}`;
  }

  /** Sends until the connection breaks, the broker refuses a batch, or `signal` says that it is enough. Never throws. */
  async produce(port, signal) {
    let client;
    try {
      client = await RawClient.connect(port);
      this.#producer ??= await client.initProducerId();
      await this.#send(client, signal);
    } catch (error) {
      this.lastError ??= error.message;
    } finally {
      client?.close();
    }
  }

  async #send(client, signal) {
    this.lastError = undefined;
    const flow = { sent: 0, failure: undefined, wake: () => {} }; // so many of #unanswered are on their way
    const mayStart = () => !signal.aborted || flow.sent < this.#unanswered.length;
    for (;;) {
      while (flow.failure === undefined && flow.sent < MOST_IN_FLIGHT && mayStart()) {
        const batch = this.#unanswered[flow.sent] ?? this.#newBatch();
        flow.sent++;
        this.#ask(client, batch, flow)
          .catch((error) => (flow.failure ??= error))
          .finally(() => flow.wake());
      }
      if (flow.failure !== undefined) throw flow.failure;
      if (flow.sent === 0) return;
      await new Promise((resolve) => (flow.wake = resolve));
    }
  }

  async #ask(client, batch, flow) {
    const { error, baseOffset } = await client.produce(this.topic, this.partition, batch.bytes);
    if (error !== 0 && error !== DUPLICATE_SEQUENCE_NUMBER) throw new Error(`Produce answered ${error}`);
    if (error === 0 && baseOffset !== batch.first)
      throw new Error(`number ${batch.first} was given offset ${baseOffset}`);
    if (this.#unanswered[0] !== batch) throw new Error("answers came out of order");
    this.#unanswered.shift();
    flow.sent--;
    this.acknowledged = batch.end;
  }

  #newBatch() {
    const first = this.#next;
    const count = 1 + Math.floor(Math.random() * 2 * this.#recordsPerBatch);
    const records = Array.from({ length: count }, (_, i) => ({
      key: `${(first + i) % 1000}`,
      value: valueOf(first + i),
    }));
    const { producerId, producerEpoch } = this.#producer;
    const baseSequence = first % 2 ** 31;
    const bytes = encodeBatch(records, { codec: this.codec, producerId, producerEpoch, baseSequence });
    const batch = { first, end: first + count, bytes };
    this.#next = batch.end;
    this.#unanswered.push(batch);
    return batch;
  }

  /** Reads what was not read yet, or everything from the log's start on. Throws with what is wrong. */
  async verify(client, { isWhole = false } = {}) {
    const { offset: start } = await client.listOffset(this.topic, this.partition, -2);
    const { offset: end, error } = await client.listOffset(this.topic, this.partition, -1);
    if (error !== 0) throw new Error(`${this.name}: ListOffsets answered ${error}`);
    const lost = this.acknowledged - end;
    if (lost > 0) throw new Error(`${this.name}: ${lost} acknowledged records lost, the log ends at ${end}`);
    if (start > this.acknowledged) throw new Error(`${this.name}: the log starts at ${start}, which nobody asked for`);
    const ends = [this.acknowledged, ...this.#unanswered.map((batch) => batch.end)];
    if (!ends.includes(end))
      throw new Error(`${this.name}: the log ends at ${end}, within a batch (${ends.join(", ")})`);
    let expected = isWhole ? start : Math.max(start, this.verified);
    while (expected < end) {
      const want = { topic: this.topic, partition: this.partition, offset: expected, maxBytes: 4 << 20 };
      const { partitions } = await client.fetch([want]);
      const before = expected;
      if (partitions[0].error !== 0) throw new Error(`${this.name}: Fetch answered ${partitions[0].error}`);
      for (const batch of decodeBatches(partitions[0].records)) {
        for (const { offset, value } of decodeRecords(batch)) {
          if (offset < before) continue; // the batch begins below what was asked for
          const is = value.toString();
          if (offset !== expected || is !== valueOf(expected)) {
            throw new Error(`${this.name}: offset ${offset} holds ${is.slice(0, 60)} where number ${expected} is due`);
          }
          expected++;
        }
      }
      if (expected === before) throw new Error(`${this.name}: nothing to read at ${expected} of ${end}`);
    }
    this.verified = end;
    return end;
  }
}
