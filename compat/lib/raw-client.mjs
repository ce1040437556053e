// A Kafka client that shares nothing with the project and hides nothing: one connection, as many requests in flight as the
// caller starts, one answer for each. Errors of the broker come back as numbers. The versions are the last without tagged fields.
import { connect } from "node:net";

const CLIENT_ID = "compat-raw";

/** Builds the body of a request. Each method appends and returns the writer. */
export class Writer {
  #parts = [];

  int8 = (value) => this.#put(1, (b) => b.writeInt8(value));
  int16 = (value) => this.#put(2, (b) => b.writeInt16BE(value));
  int32 = (value) => this.#put(4, (b) => b.writeInt32BE(value));
  int64 = (value) => this.#put(8, (b) => b.writeBigInt64BE(BigInt(value)));
  string = (text) => (text === null ? this.int16(-1) : this.int16(Buffer.byteLength(text)).raw(Buffer.from(text)));
  bytes = (bytes) => this.int32(bytes.length).raw(bytes);
  array = (items, write) => {
    this.int32(items.length);
    for (const item of items) write(this, item);
    return this;
  };
  raw = (bytes) => {
    this.#parts.push(bytes);
    return this;
  };
  #put(size, write) {
    const bytes = Buffer.allocUnsafe(size);
    write(bytes);
    return this.raw(bytes);
  }
  done = () => Buffer.concat(this.#parts);
}

/** Takes an answer apart. */
export class Reader {
  #bytes;
  #at = 0;
  constructor(bytes) {
    this.#bytes = bytes;
  }
  int8 = () => this.#bytes.readInt8(this.#step(1));
  int16 = () => this.#bytes.readInt16BE(this.#step(2));
  int32 = () => this.#bytes.readInt32BE(this.#step(4));
  int64 = () => Number(this.#bytes.readBigInt64BE(this.#step(8)));
  string = () => {
    const length = this.int16();
    return length < 0 ? null : this.#slice(length).toString();
  };
  bytes = () => {
    const length = this.int32();
    return length < 0 ? null : this.#slice(length);
  };
  array = (read) => Array.from({ length: Math.max(0, this.int32()) }, () => read(this));
  #slice(length) {
    const at = this.#step(length);
    return this.#bytes.subarray(at, at + length);
  }
  #step(size) {
    const at = this.#at;
    this.#at += size;
    return at;
  }
}

/** A whole request with its length in front. */
export function requestFrame(apiKey, version, correlationId, body) {
  const head = new Writer().int16(apiKey).int16(version).int32(correlationId).string(CLIENT_ID).done();
  return new Writer()
    .int32(head.length + body.length)
    .raw(head)
    .raw(body)
    .done();
}

export function produceBody(topic, partition, batch, { acks = -1, timeoutMs = 30_000, transactionalId = null } = {}) {
  const body = new Writer()
    .string(transactionalId)
    .int16(acks)
    .int32(timeoutMs)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(partition);
  return body.bytes(batch).done();
}

/** `wants` are `{ topic, partition, offset, maxBytes }`; those of one topic stand together. */
export function fetchBody(wants, { maxWaitMs = 500, minBytes = 1, maxBytes = 64 << 20, isReadCommitted = false } = {}) {
  const body = new Writer()
    .int32(-1)
    .int32(maxWaitMs)
    .int32(minBytes)
    .int32(maxBytes)
    .int8(isReadCommitted ? 1 : 0);
  const topics = new Map();
  for (const want of wants) topics.set(want.topic, [...(topics.get(want.topic) ?? []), want]);
  return body
    .int32(0)
    .int32(-1)
    .array([...topics], (w, [topic, partitions]) =>
      w
        .string(topic)
        .array(partitions, (each, { partition, offset, maxBytes: most = 1 << 20 }) =>
          each.int32(partition).int32(-1).int64(offset).int64(-1).int32(most),
        ),
    )
    .int32(0)
    .string("")
    .done();
}

export class RawClient {
  #socket;
  #correlationId = 0;
  #waiting = new Map();
  #chunks = [];
  #buffered = 0;
  #failure;

  static async connect(port, host = "127.0.0.1") {
    const client = new RawClient();
    const socket = connect(port, host);
    client.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => client.#take(chunk));
    socket.on("error", (error) => client.#end(error));
    socket.on("close", () => client.#end(new Error("connection closed")));
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  close() {
    this.#socket.destroy();
  }

  /** Sends a request; resolves with the body of its answer, rejects when the connection ends before. */
  ask(apiKey, version, body) {
    const correlationId = ++this.#correlationId;
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#waiting.set(correlationId, { resolve, reject });
      this.#socket.write(requestFrame(apiKey, version, correlationId, body));
    });
  }

  /** One batch to one partition. */
  async produce(topic, partition, batch, options) {
    const answer = new Reader(await this.ask(0, 7, produceBody(topic, partition, batch, options)));
    const [[only]] = answer.array((r) => [r.string(), r.array(readProduced)].slice(1)[0]);
    return only;
  }

  async fetch(wants, options) {
    const answer = new Reader(await this.ask(1, 11, fetchBody(wants, options)));
    answer.int32();
    const error = answer.int16();
    answer.int32();
    const partitions = answer.array((r) => {
      const topic = r.string();
      return r.array((p) => ({ topic, ...readFetched(p) }));
    });
    return { error, partitions: partitions.flat() };
  }

  /** -1 the end, -2 the start, -3 the newest record, else the first offset at or after a time. */
  async listOffset(topic, partition, timestamp, { isReadCommitted = false } = {}) {
    const body = new Writer()
      .int32(-1)
      .int8(isReadCommitted ? 1 : 0)
      .int32(1)
      .string(topic)
      .int32(1);
    const answer = new Reader(await this.ask(2, 2, body.int32(partition).int64(timestamp).done()));
    answer.int32();
    const [[only]] = answer.array((r) => {
      r.string();
      return r.array((p) => ({ partition: p.int32(), error: p.int16(), timestamp: p.int64(), offset: p.int64() }));
    });
    return only;
  }

  /** Throws unless all are made (or were there). `topics` are `{ name, partitions, configs }`. */
  async createTopics(topics, timeoutMs = 30_000) {
    const body = new Writer().array(topics, (w, { name, partitions = 1, configs = {} }) =>
      w
        .string(name)
        .int32(partitions)
        .int16(1)
        .int32(0)
        .array(Object.entries(configs), (c, [key, value]) => c.string(key).string(String(value))),
    );
    const answer = new Reader(await this.ask(19, 2, body.int32(timeoutMs).int8(0).done()));
    answer.int32();
    const results = answer.array((r) => ({ name: r.string(), error: r.int16(), message: r.string() }));
    const failed = results.find(({ error }) => error !== 0 && error !== TOPIC_ALREADY_EXISTS);
    if (failed !== undefined) throw new Error(`CreateTopics ${failed.name}: ${failed.error} ${failed.message}`);
  }

  /** Resolves with `{ lowWatermark, error }`. */
  async deleteRecords(topic, partition, offset) {
    const body = new Writer().int32(1).string(topic).int32(1).int32(partition).int64(offset).int32(30_000);
    const answer = new Reader(await this.ask(21, 0, body.done()));
    answer.int32();
    const [[only]] = answer.array((r) => {
      r.string();
      return r.array((p) => ({ partition: p.int32(), lowWatermark: p.int64(), error: p.int16() }));
    });
    return only;
  }

  /** @param keyType 0 of a group, 1 of a transactional id */
  async findCoordinator(key, keyType) {
    await this.ask(10, 1, new Writer().string(key).int8(keyType).done());
  }

  async initProducerId(transactionalId = null) {
    const answer = new Reader(await this.ask(22, 0, new Writer().string(transactionalId).int32(60_000).done()));
    answer.int32();
    const result = { error: answer.int16(), producerId: answer.int64(), producerEpoch: answer.int16() };
    if (result.error !== 0) throw new Error(`InitProducerId answered ${result.error}`);
    return result;
  }

  #take(chunk) {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= 8) {
      if (this.#chunks[0].length < 8) this.#join();
      const size = 4 + this.#chunks[0].readInt32BE(0);
      if (this.#buffered < size) return;
      this.#join();
      const all = this.#chunks[0];
      const frame = all.subarray(0, size);
      this.#chunks = size === all.length ? [] : [all.subarray(size)];
      this.#buffered -= size;
      const correlationId = frame.readInt32BE(4);
      this.#waiting.get(correlationId)?.resolve(frame.subarray(8));
      this.#waiting.delete(correlationId);
    }
  }

  #join() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  #end(error) {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

const TOPIC_ALREADY_EXISTS = 36;

function readProduced(r) {
  const partition = r.int32();
  const error = r.int16();
  const baseOffset = r.int64();
  const logAppendTime = r.int64();
  return { partition, error, baseOffset, logAppendTime, logStartOffset: r.int64() };
}

function readFetched(r) {
  const partition = r.int32();
  const error = r.int16();
  const highWatermark = r.int64();
  const lastStableOffset = r.int64();
  const logStartOffset = r.int64();
  const aborted = r.array((a) => ({ producerId: a.int64(), firstOffset: a.int64() }));
  r.int32(); // preferred read replica
  const records = r.bytes() ?? Buffer.alloc(0);
  return { partition, error, highWatermark, lastStableOffset, logStartOffset, aborted, records };
}
