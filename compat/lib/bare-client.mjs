// A Kafka client of a hundred lines that shares nothing with the project: it knows when a broker answers, and how to get one
// record acknowledged. Used where a full client would blur what is measured.
import { connect } from "node:net";
import { PATIENCE } from "./harness.mjs";

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0x82f63b78 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc32c(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const int8 = (n) => Buffer.of(n & 0xff);
const int16 = (n) => {
  const b = Buffer.alloc(2);
  b.writeInt16BE(n);
  return b;
};
const int32 = (n) => {
  const b = Buffer.alloc(4);
  b.writeInt32BE(n);
  return b;
};
const int64 = (n) => {
  const b = Buffer.alloc(8);
  b.writeBigInt64BE(BigInt(n));
  return b;
};
const string = (text) => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
const uint32 = (n) => int32(n | 0);

/** One connection; `ask` sends a request of a version without tagged fields and resolves with the body of the answer. */
export class BareClient {
  #socket;
  #correlationId = 0;
  #waiting = new Map();
  #pending = Buffer.alloc(0);

  static async connect(port, timeoutMs = 2000) {
    const client = new BareClient();
    const socket = connect(port, "127.0.0.1");
    client.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk) => client.#take(chunk));
    socket.on("error", (error) => client.#end(error));
    socket.on("close", () => client.#end(new Error("connection closed")));
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  ask(apiKey, version, ...body) {
    const correlationId = ++this.#correlationId;
    const request = Buffer.concat([
      int16(apiKey),
      int16(version),
      int32(correlationId),
      string("compat-bare"),
      ...body,
    ]);
    return new Promise((resolve, reject) => {
      this.#waiting.set(correlationId, { resolve, reject });
      this.#socket.write(Buffer.concat([int32(request.length), request]));
    });
  }

  close() {
    this.#socket.destroy();
  }

  #take(chunk) {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= 4 && this.#pending.length >= 4 + this.#pending.readInt32BE(0)) {
      const end = 4 + this.#pending.readInt32BE(0);
      this.#waiting.get(this.#pending.readInt32BE(4))?.resolve(this.#pending.subarray(8, end));
      this.#waiting.delete(this.#pending.readInt32BE(4));
      this.#pending = this.#pending.subarray(end);
    }
  }

  #end(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** The APIs the broker advertises, as a map of key to { min, max }. */
  async apiVersions() {
    const answer = await this.ask(18, 0);
    const apis = new Map();
    for (let i = 0, at = 6; i < answer.readInt32BE(2); i++, at += 6) {
      apis.set(answer.readInt16BE(at), { min: answer.readInt16BE(at + 2), max: answer.readInt16BE(at + 4) });
    }
    return apis;
  }

  /** Asks about a topic, which makes a broker with automatic creation create it. Throws until it is there. */
  async createTopicByAsking(topic) {
    const answer = await this.ask(3, 4, int32(1), string(topic), int8(1));
    if (answer.indexOf(string(topic)) < 2) throw new Error("no such topic yet");
    const error = answer.readInt16BE(answer.indexOf(string(topic)) - 2);
    if (error !== 0) throw new Error(`Metadata answered ${error}`);
  }

  /** Produces one record to partition 0 with acks=all. Resolves with its offset. */
  async produce(topic, value, timestamp) {
    const bytes = Buffer.from(value);
    if (bytes.length > 50) throw new Error("one-byte varints only"); // enough for a probe
    const record = Buffer.concat([int8(0), int8(0), int8(0), int8(1), int8(bytes.length * 2), bytes, int8(0)]);
    const checked = Buffer.concat([
      int16(0), // attributes
      int32(0), // last offset delta
      int64(timestamp),
      int64(timestamp),
      int64(-1), // producer id
      int16(-1),
      int32(-1),
      int32(1),
      int8(record.length * 2),
      record,
    ]);
    const body = Buffer.concat([int32(-1), int8(2), uint32(crc32c(checked)), checked]);
    const batch = Buffer.concat([int64(0), int32(body.length), body]);
    const partition = Buffer.concat([int32(1), int32(0), int32(batch.length), batch]);
    const answer = await this.ask(0, 3, int16(-1), int16(-1), int32(5000), int32(1), string(topic), partition);
    const at = 4 + 2 + Buffer.byteLength(topic) + 4 + 4;
    const error = answer.readInt16BE(at);
    if (error !== 0) throw new Error(`Produce answered ${error}`);
    return Number(answer.readBigInt64BE(at + 2));
  }
}

/** Repeats `attempt` every few milliseconds until it does not throw. Throws its last error when time is up. */
export async function until(attempt, { limitMs, pauseMs = 5, stopIf = () => undefined }) {
  const end = performance.now() + limitMs * PATIENCE;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const stopped = stopIf();
      if (stopped !== undefined) throw new Error(stopped, { cause: error });
      if (performance.now() > end)
        throw new Error(`not after ${(limitMs * PATIENCE) / 1000} s: ${error.message}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
