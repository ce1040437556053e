/**
 * Hostile requests for a broker: valid ones of every API and version, changed, cut, put together and made up. What must hold: the
 * broker lives, nothing is thrown that nobody takes, a healthy client is served, and the memory stays what it was.
 */
import fc from "fast-check";
import { API_ENDPOINTS } from "@samsa/broker";
import { ApiKey, encodeRequest, RecordBatchBuilder } from "@samsa/protocol";
import { hostileMessage, mulberry32 } from "../../compat/lib/mutate.mjs";
import { loadMessages } from "../../packages/protocol/dist/testing/message-schemas.js";
import { MessageModel } from "../../packages/protocol/dist/testing/model-message.js";
import { brokerHere, brokerInProcess, healthy } from "./fuzzed-broker.mjs";

/**
 * @typedef {import("@samsa/protocol").MessageCodec<AnyMessage>} Codec
 * @typedef {import("../../packages/protocol/dist/testing/message-schemas.js").AnyMessage} AnyMessage
 * @typedef {import("../../compat/lib/mutate.mjs").Random} Random
 * @typedef {import("./fuzzed-broker.mjs").FuzzTarget} FuzzTarget
 */

const CONNECTIONS = { here: 64, listening: 256 };
/** As they are: they go deepest, and leave a state behind for the others to meet. */
const VALID_SHARE = 0.25;
/** What fuzzing has made (topics, groups, quotas that hold a client back) goes after so many inputs. */
const INPUTS_OF_ONE_STATE = 20_000;
const SAMPLES = 8; // valid requests of each version
const LONGEST_FRAME = 20_000;
const NAMES = ["fuzz", "fuzz", "other", "group", "txn", "", "1", "retention.ms", "__consumer_offsets"];
const LARGE_QUOTA = 1e9; // one of a byte a second would silence all clients until the next state
const TIMEOUT_MS = 10_000; // one that sessions, rebalances and transactions may have

/**
 * @param {{ inputs: number, seed?: number, listens?: boolean, onProgress?: (done: number, memory: NodeJS.MemoryUsage) => void }} options
 */
export async function fuzzRequests({ inputs, seed = 1, listens = false, onProgress }) {
  const random = mulberry32(seed);
  const { frames, versions, apis } = await validFrames(seed);
  const target = listens ? await brokerInProcess() : await brokerHere();
  const counts = { sent: 0, answered: 0, closed: 0, unanswered: 0 };
  const clients = Array.from(
    { length: listens ? CONNECTIONS.listening : CONNECTIONS.here },
    () => new FuzzedConnection(target),
  );
  const measure = async () => {
    for (const client of clients) client.close();
    const memory = await target.reset();
    if (target.exits > 0) return;
    await healthy(target);
    onProgress?.(counts.sent, memory);
  };
  await measure();
  let nextState = INPUTS_OF_ONE_STATE;
  while (counts.sent < inputs && target.exits === 0) {
    await Promise.all(clients.map((client) => client.open()));
    for (const client of clients) {
      client.send(random() < VALID_SHARE ? validMessage(frames, random) : hostileMessage(frames, random));
      counts.sent++;
    }
    await target.wait(clients);
    for (const client of clients) {
      counts.answered += client.answers;
      if (client.isClosed) counts.closed++;
      else if (client.isWaiting) {
        counts.unanswered++;
        client.close();
      }
      client.answers = 0;
    }
    if (counts.sent < nextState) continue;
    nextState += INPUTS_OF_ONE_STATE;
    await measure();
  }
  await measure();
  await target.close();
  const { exits, unhandled, unexpected } = target;
  return { ...counts, apis, versions, validRequests: frames.length, exits, unhandled, unexpected };
}

/** @param {readonly Buffer[]} frames @param {Random} random */
function validMessage(frames, random) {
  const frame = oneOf(frames, random);
  const length = Buffer.alloc(4);
  length.writeInt32BE(frame.length);
  return { bytes: Buffer.concat([length, frame]), lies: false };
}

class FuzzedConnection {
  #target;
  /** @type {import("./fuzzed-broker.mjs").FuzzConnection | undefined} */
  #connection;
  isClosed = true;
  answers = 0;
  #owed = 0;
  #mustClose = false;
  #buffered = Buffer.alloc(0);
  /** @type {() => void} */
  #onSettled = () => {};
  #opened = 0; // what an earlier connection says late is nothing to this one

  /** @param {FuzzTarget} target */
  constructor(target) {
    this.#target = target;
  }

  get isWaiting() {
    return !this.isClosed && (this.#owed > 0 || this.#mustClose);
  }

  /** Resolves when it waits no more. @returns {Promise<void>} */
  settled() {
    return new Promise((resolve) => (this.#onSettled = () => resolve()));
  }

  async open() {
    if (!this.isClosed) return;
    this.isClosed = false;
    this.#owed = 0;
    this.#mustClose = false;
    this.#buffered = Buffer.alloc(0);
    const number = ++this.#opened;
    const isMine = () => number === this.#opened;
    this.#connection = await this.#target.connect({
      onData: (bytes) => void (isMine() && this.#take(bytes)),
      onDrain: () => {},
      onClose: () => {
        if (!isMine()) return;
        this.isClosed = true;
        this.#onSettled();
      },
    });
  }

  /**
   * After a length that lies nothing but a close can be told from what follows.
   * @param {{ bytes: Buffer, lies: boolean }} message
   */
  send({ bytes, lies }) {
    if (this.isClosed) return;
    this.#owed++;
    this.#mustClose ||= lies;
    this.#connection?.write([bytes]);
  }

  close() {
    if (!this.isClosed) this.#connection?.destroy();
    this.isClosed = true;
  }

  /** @param {Uint8Array} bytes */
  #take(bytes) {
    this.#buffered = Buffer.concat([this.#buffered, bytes]);
    while (this.#buffered.length >= 4) {
      const size = 4 + this.#buffered.readInt32BE(0);
      if (this.#buffered.length < size) return;
      this.#buffered = this.#buffered.subarray(size);
      this.#owed--;
      this.answers++;
      if (!this.isWaiting) this.#onSettled();
    }
  }
}

/**
 * Requests that can be read, without the length before them; names and numbers are often those of what is there.
 * @param {number} seed
 */
async function validFrames(seed) {
  const byName = new Map((await loadMessages()).map((message) => [message.schema.name, message]));
  const names = new Map(Object.entries(ApiKey).map(([name, key]) => [/** @type {number} */ (key), name]));
  const frames = [];
  let versions = 0;
  const random = mulberry32(seed + 1);
  const batches = recordBatches();
  for (const { apiKey, lowestVersion, highestVersion } of API_ENDPOINTS) {
    const name = `${names.get(apiKey)}Request`;
    const message = byName.get(name);
    if (message === undefined) throw new Error(`there is no schema of ${name}`);
    const { schema, codec } = message;
    const model = new MessageModel(schema);
    for (let version = lowestVersion; version <= highestVersion; version++) {
      versions++;
      for (const sample of fc.sample(model.arbitrary(version), { numRuns: SAMPLES, seed: seed + version })) {
        const likely = /** @type {AnyMessage} */ (moreLikely(sample, random, batches));
        const chunks = encoded(codec, likely, version) ?? encoded(codec, sample, version) ?? [];
        const frame = Buffer.concat(chunks).subarray(4);
        if (frame.length > 0 && frame.length < LONGEST_FRAME) frames.push(frame);
      }
    }
  }
  return { frames, versions, apis: API_ENDPOINTS.length };
}

/** @param {Codec} codec @param {AnyMessage} message @param {number} version */
function encoded(codec, message, version) {
  try {
    return encodeRequest(
      /** @type {import("@samsa/protocol").ApiMessageCodec<AnyMessage>} */ (codec),
      message,
      version,
      1,
      "fuzz",
    );
  } catch {
    return undefined; // a number that its field cannot hold
  }
}

/**
 * @param {unknown} value
 * @param {Random} random
 * @param {readonly Uint8Array[]} batches
 * @param {string} [key] the field that has it
 * @returns {unknown}
 */
function moreLikely(value, random, batches, key = "") {
  if (value instanceof Uint8Array) return random() < 0.8 ? oneOf(batches, random) : value;
  if (Array.isArray(value)) return value.slice(0, 3).map((element) => moreLikely(element, random, batches, key));
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).map(([name, field]) => [name, moreLikely(field, random, batches, name)]);
    return Object.fromEntries(fields);
  }
  if (typeof value === "string" && !/id$/i.test(key)) return oneOf(NAMES, random);
  if (typeof value === "string" && /^(?:group|transactional|member)Id$/.test(key)) {
    return oneOf(NAMES, random);
  }
  if (key === "value" && typeof value === "number" && random() < 0.9) return LARGE_QUOTA;
  if (/^(?:session|rebalance|transaction)TimeoutMs$/.test(key) && random() < 0.7) return TIMEOUT_MS;
  if (typeof value === "number" && random() < 0.7) return Math.floor(random() * 4) - 1;
  return value;
}

/** @template T @param {readonly T[]} values @param {Random} random @returns {T} */
function oneOf(values, random) {
  return /** @type {T} */ (values[Math.floor(random() * values.length)]);
}

function recordBatches() {
  /** @param {import("@samsa/protocol").RecordBatchBuilderOptions} options */
  const build = (options) => {
    const builder = new RecordBatchBuilder(options);
    for (let n = 0; n < 3; n++)
      builder.append({ timestamp: 1_700_000_000_000, value: new TextEncoder().encode(`value ${n}`) });
    return builder.build();
  };
  const producer = { producerId: 1, producerEpoch: 0, baseSequence: 0 };
  return [
    build({}),
    build({ compressionType: "gzip" }),
    build(producer),
    build({ ...producer, isTransactional: true }),
  ];
}
