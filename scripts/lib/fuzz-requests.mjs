/**
 * Hostile requests for a broker in this process: valid ones of every API and version, changed, cut, put together and made up, through
 * the code that reads connections. What must hold: the broker lives, nothing is thrown that nobody takes, a healthy client is
 * served, and the memory stays what it was.
 */
import fc from "fast-check";
import { API_ENDPOINTS } from "@samsa/broker";
import { ManualClock, MemoryTransport } from "@samsa/io";
import { ApiKey, encodeRequest, RecordBatchBuilder } from "@samsa/protocol";
import { startBroker } from "@samsa/server";
import { hostileMessage, mulberry32 } from "../../compat/lib/mutate.mjs";
import { loadMessages } from "../../packages/protocol/dist/testing/message-schemas.js";
import { MessageModel } from "../../packages/protocol/dist/testing/model-message.js";

const CONNECTIONS = 64;
/** As they are: they go deepest, and leave a state behind for the others to meet. */
const VALID_SHARE = 0.25;
const MOST_TURNS = 30; // of the event loop, for the answers to one round
/** What fuzzing has made (topics, groups, quotas that hold a client back) goes after so many inputs. */
const INPUTS_OF_ONE_STATE = 20_000;
const SAMPLES = 8; // valid requests of each version
const LONGEST_FRAME = 20_000;
const NAMES = ["fuzz", "fuzz", "other", "group", "txn", "", "1", "retention.ms", "__consumer_offsets"];

/**
 * @param {{ inputs: number, seed?: number, onProgress?: (done: number, heapBytes: number) => void }} options
 */
export async function fuzzRequests({ inputs, seed = 1, onProgress }) {
  const unhandled = [];
  const note = (error) => void unhandled.push(error instanceof Error ? error.stack : String(error));
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  const random = mulberry32(seed);
  const unexpected = new Map();
  const clock = new ManualClock();
  const transport = new MemoryTransport();
  const broker = await startBroker({ port: 0, transport, clock, logger: loggerInto(unexpected) });
  const counts = { sent: 0, answered: 0, closed: 0, unanswered: 0, exits: 0 };
  broker.closed.then(
    () => undefined,
    () => counts.exits++,
  );
  await broker.createTopic("fuzz", { partitions: 3 });
  await broker.createTopic("other");
  const fixture = await broker.snapshot();
  const { frames, versions, apis } = await validFrames(seed);
  const clients = Array.from({ length: CONNECTIONS }, () => new FuzzedConnection(transport, broker));
  const heapBytes = [];
  const measure = async () => {
    for (const client of clients) client.close();
    await broker.restore(fixture);
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    globalThis.gc?.();
    heapBytes.push(process.memoryUsage().heapUsed);
    await healthy(transport, broker);
    onProgress?.(counts.sent, heapBytes.at(-1));
  };
  await measure();
  let nextState = INPUTS_OF_ONE_STATE;
  while (counts.sent < inputs && counts.exits === 0) {
    await Promise.all(clients.map((client) => client.open()));
    for (const client of clients) {
      client.send(random() < VALID_SHARE ? validMessage(frames, random) : hostileMessage(frames, random));
      counts.sent++;
    }
    let turn = 0;
    while (clients.some((client) => client.isWaiting) && turn++ < MOST_TURNS) {
      if (turn % 10 === 0) await clock.advance(1000);
      else await nextTurn();
    }
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
  await broker.close();
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
  return { ...counts, apis, versions, validRequests: frames.length, unhandled, unexpected, heapBytes };
}

function validMessage(frames, random) {
  const frame = frames[Math.floor(random() * frames.length)];
  const length = Buffer.alloc(4);
  length.writeInt32BE(frame.length);
  return { bytes: Buffer.concat([length, frame]), lies: false };
}

class FuzzedConnection {
  #transport;
  #broker;
  #connection;
  isClosed = true;
  answers = 0;
  #owed = 0;
  #mustClose = false;
  #buffered = Buffer.alloc(0);

  constructor(transport, broker) {
    this.#transport = transport;
    this.#broker = broker;
  }

  get isWaiting() {
    return !this.isClosed && (this.#owed > 0 || this.#mustClose);
  }

  async open() {
    if (!this.isClosed) return;
    this.isClosed = false;
    this.#owed = 0;
    this.#mustClose = false;
    this.#buffered = Buffer.alloc(0);
    const { host, port } = this.#broker;
    this.#connection = await this.#transport.connect(
      { host, port },
      {
        onData: (bytes) => this.#take(bytes),
        onDrain: () => {},
        onClose: () => (this.isClosed = true),
      },
    );
  }

  /** After a length that lies nothing but a close can be told from what follows. */
  send({ bytes, lies }) {
    if (this.isClosed) return;
    this.#owed++;
    this.#mustClose ||= lies;
    this.#connection.write([bytes]);
  }

  close() {
    if (!this.isClosed) this.#connection.destroy();
    this.isClosed = true;
  }

  #take(bytes) {
    this.#buffered = Buffer.concat([this.#buffered, bytes]);
    while (this.#buffered.length >= 4) {
      const size = 4 + this.#buffered.readInt32BE(0);
      if (this.#buffered.length < size) return;
      this.#buffered = this.#buffered.subarray(size);
      this.#owed--;
      this.answers++;
    }
  }
}

/** A client that does all right is answered. */
async function healthy(transport, broker) {
  const client = new FuzzedConnection(transport, broker);
  await client.open();
  const frame = Uint8Array.of(0, ApiKey.ApiVersions, 0, 0, 0, 0, 0, 1, 255, 255);
  client.send({ bytes: Buffer.concat([Uint8Array.of(0, 0, 0, frame.length), frame]), lies: false });
  for (let turn = 0; turn < 1000 && client.isWaiting; turn++) await nextTurn();
  if (client.answers !== 1) throw new Error("a healthy client is not served any more");
  client.close();
}

/** Requests that can be read, without the length before them; names and numbers are often those of what is there. */
async function validFrames(seed) {
  const byName = new Map((await loadMessages()).map((message) => [message.schema.name, message]));
  const names = new Map(Object.entries(ApiKey).map(([name, key]) => [key, name]));
  const frames = [];
  let versions = 0;
  const random = mulberry32(seed + 1);
  const batches = recordBatches();
  for (const { apiKey, lowestVersion, highestVersion } of API_ENDPOINTS) {
    const { schema, codec } = byName.get(`${names.get(apiKey)}Request`);
    const model = new MessageModel(schema);
    for (let version = lowestVersion; version <= highestVersion; version++) {
      versions++;
      for (const sample of fc.sample(model.arbitrary(version), { numRuns: SAMPLES, seed: seed + version })) {
        const likely = moreLikely(sample, random, batches);
        const chunks = encoded(codec, likely, version) ?? encoded(codec, sample, version) ?? [];
        const frame = Buffer.concat(chunks).subarray(4);
        if (frame.length > 0 && frame.length < LONGEST_FRAME) frames.push(frame);
      }
    }
  }
  return { frames, versions, apis: API_ENDPOINTS.length };
}

function encoded(codec, message, version) {
  try {
    return encodeRequest(codec, message, version, 1, "fuzz");
  } catch {
    return undefined; // a number that its field cannot hold
  }
}

function moreLikely(value, random, batches, key = "") {
  if (value instanceof Uint8Array) return random() < 0.8 ? batches[Math.floor(random() * batches.length)] : value;
  if (Array.isArray(value)) return value.slice(0, 3).map((element) => moreLikely(element, random, batches, key));
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).map(([name, field]) => [name, moreLikely(field, random, batches, name)]);
    return Object.fromEntries(fields);
  }
  if (typeof value === "string" && !/id$/i.test(key)) return NAMES[Math.floor(random() * NAMES.length)];
  if (typeof value === "string" && /^(?:group|transactional|member)Id$/.test(key)) {
    return NAMES[Math.floor(random() * NAMES.length)];
  }
  if (typeof value === "number" && random() < 0.7) return Math.floor(random() * 4) - 1;
  return value;
}

function recordBatches() {
  const build = (options) => {
    const builder = new RecordBatchBuilder(options);
    for (let n = 0; n < 3; n++)
      builder.append({ timestamp: 1_700_000_000_000, value: new TextEncoder().encode(`value ${n}`) });
    return builder.build();
  };
  const producer = { producerId: 1, producerEpoch: 0, baseSequence: 0 };
  return [build({}), build({ compression: "gzip" }), build({ producer }), build({ producer, isTransactional: true })];
}

/** Errors, and warnings, that only a mistake of ours explains. */
function loggerInto(unexpected) {
  const ignore = () => {};
  const keep = (facts, message) => {
    const cause = facts.err?.cause instanceof Error ? `\ncause: ${facts.err.cause.stack}` : "";
    const text = facts.err instanceof Error ? `${message}: ${facts.err.stack}${cause}` : message;
    const kind = `${message}: ${facts.api ?? ""} ${String(facts.err ?? "").slice(0, 120)}`;
    const known = unexpected.get(kind) ?? { count: 0, text };
    known.count++;
    unexpected.set(kind, known);
  };
  return { debug: ignore, info: ignore, warn: ignore, error: keep };
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}
