/**
 * The brokers that fuzzing aims at. One in this process, under a clock in our hands and without sockets, for a slice that always runs
 * alike; one in a process of its own that listens, for the long run: that is what an exit and the memory of a process can be told of.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ManualClock, MemoryTransport } from "@samsa/io";
import { ApiKey, encodeRequest } from "@samsa/protocol";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { startBroker } from "@samsa/server";

const PROCESS = fileURLToPath(import.meta.url);
const MOST_TURNS = 30; // of the event loop, for the answers to one round
const MOST_WAIT_MS = 100; // in which no answer came at all; some requests ask for more patience than we have
// Time is in a hurry there: clients with a quota wait, sessions expire, transactions time out.
const SKIPPED_MS = 1000;
const SKIP_EVERY_MS = 10;
const COORDINATOR_TYPES = [0, 1]; // groups, transactions
const GIVE_UP_MS = 30_000;

/**
 * What fuzzing finds besides an exit: errors nobody takes, and what the broker tells that only a mistake of ours explains.
 * @typedef {{ unhandled: string[], unexpected: Map<string, { count: number, text: string }> }} Findings
 * @typedef {{ write(chunks: readonly Uint8Array[]): void, destroy(): void }} FuzzConnection
 * @typedef {{ readonly isWaiting: boolean, settled(): Promise<void> }} FuzzClient
 * @typedef {Findings & {
 *   exits: number,
 *   connect(handler: import("@samsa/base").ConnectionHandler): Promise<FuzzConnection>,
 *   wait(clients: readonly FuzzClient[]): Promise<void>,
 *   reset(): Promise<NodeJS.MemoryUsage>,
 *   close(): Promise<void>,
 * }} FuzzTarget
 */

/** A broker with two topics. @param {import("@samsa/server").StartBrokerOptions} options */
async function startTarget(options) {
  /** @type {Findings} */
  const { unhandled, unexpected } = { unhandled: [], unexpected: new Map() };
  /** @param {unknown} error */
  const note = (error) => void unhandled.push(error instanceof Error ? String(error.stack) : String(error));
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  const broker = await startBroker({ port: 0, logger: loggerInto(unexpected), ...options });
  await broker.createTopic("fuzz", { partitions: 3 });
  await broker.createTopic("other");
  return {
    broker,
    unhandled,
    unexpected,
    async close() {
      await broker.close();
      process.off("unhandledRejection", note);
      process.off("uncaughtException", note);
    },
  };
}

/** A broker in this process. */
export async function brokerHere() {
  const clock = new ManualClock();
  const transport = new MemoryTransport();
  const target = await startTarget({ transport, clock });
  const { broker, unhandled, unexpected } = target;
  /** @type {FuzzTarget} */
  const here = {
    unhandled,
    unexpected,
    exits: 0,
    connect: (handler) => transport.connect({ host: broker.host, port: broker.port }, handler),
    /** Until they are answered, and no longer than a while. */
    async wait(clients) {
      for (let turn = 0; turn < MOST_TURNS && clients.some((client) => client.isWaiting); turn++) {
        if (turn % 10 === 9) await clock.advance(1000);
        else await nextTurn();
      }
    },
    /** What it was before, and how much memory that takes. */
    async reset() {
      await broker.restore(fixture);
      for (let turn = 0; turn < 10; turn++) await nextTurn();
      globalThis.gc?.();
      return process.memoryUsage();
    },
    close: () => target.close(),
  };
  broker.closed.catch(() => here.exits++);
  await findCoordinators(here);
  const fixture = await broker.snapshot();
  return here;
}

/** @typedef {Findings & { memory: NodeJS.MemoryUsage }} Answer of the process that has the broker */

/** A broker that listens, in a process of its own. */
export async function brokerInProcess() {
  const child = fork(PROCESS, ["--broker"], { execArgv: ["--expose-gc"], serialization: "advanced" });
  const gone = new Promise((resolve) => child.once("exit", () => resolve(undefined)));
  /** @param {"fixture" | "reset" | "findings"} question @returns {Promise<Answer | undefined>} */
  const answerTo = async (question) => {
    const answered = once(child, "message");
    child.send(question);
    return Promise.race([answered.then(([answer]) => answer), gone]);
  };
  /** @param {Answer | undefined} answer */
  const told = (answer) => {
    if (answer === undefined) return undefined;
    there.unhandled = answer.unhandled;
    there.unexpected = answer.unexpected;
    return answer.memory;
  };
  /** @type {FuzzTarget} */
  const there = {
    unhandled: [],
    unexpected: new Map(),
    exits: 0,
    connect: (handler) => connectTo(port, handler),
    async wait(clients) {
      for (;;) {
        const waiting = clients.filter((client) => client.isWaiting);
        if (waiting.length === 0) return;
        /** @type {NodeJS.Timeout | undefined} */
        let timer;
        const patience = new Promise((resolve) => (timer = setTimeout(resolve, MOST_WAIT_MS, "over")));
        const next = await Promise.race([patience, ...waiting.map((client) => client.settled())]);
        clearTimeout(timer);
        if (next === "over") return;
      }
    },
    reset: async () => told(await answerTo("reset")) ?? process.memoryUsage(),
    async close() {
      if (child.exitCode !== null) return;
      isClosing = true;
      told(await answerTo("findings"));
      child.disconnect();
      await gone;
    },
  };
  let isClosing = false;
  void gone.then(() => {
    if (!isClosing) there.exits++;
  });
  const [{ port }] = await once(child, "message");
  await findCoordinators(there);
  await answerTo("fixture");
  return there;
}

/** @param {(message: Answer | { port: number }) => void} tell the process that started this one */
async function serveParent(tell) {
  const clock = new ManualClock({ runs: true });
  const target = await startTarget({ clock });
  const hurry = setInterval(() => void clock.advance(SKIPPED_MS), SKIP_EVERY_MS);
  const { broker, unhandled, unexpected } = target;
  /** @type {import("@samsa/server").BrokerSnapshot | undefined} */
  let fixture;
  const answers = {
    async fixture() {
      fixture = await broker.snapshot();
    },
    async reset() {
      if (fixture !== undefined) await broker.restore(fixture);
      await new Promise((resolve) => setTimeout(resolve, 100));
      globalThis.gc?.();
    },
    async findings() {},
  };
  process.on("message", async (question) => {
    await answers[/** @type {keyof typeof answers} */ (question)]();
    tell({ memory: process.memoryUsage(), unhandled, unexpected });
  });
  broker.closed.catch(() => process.exit(1)); // as the command does
  process.once("disconnect", async () => {
    clearInterval(hurry);
    await target.close();
    process.exit(0);
  });
  tell({ port: broker.port });
}

/** @param {number} port @param {import("@samsa/base").ConnectionHandler} handler @returns {Promise<FuzzConnection>} */
function connectTo(port, handler) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (bytes) => handler.onData(bytes));
    socket.on("error", () => {});
    socket.on("close", () => handler.onClose());
    /** @type {FuzzConnection} */
    const connection = {
      write: (chunks) => chunks.forEach((chunk) => socket.write(chunk)),
      destroy: () => socket.destroy(),
    };
    socket.once("connect", () => resolve(connection));
    socket.once("close", () => resolve(connection));
  });
}

/** The coordinators of groups and transactions are there from the beginning, or most of their requests would end at the door. @param {FuzzTarget} target */
async function findCoordinators(target) {
  const giveUpMs = Date.now() + GIVE_UP_MS;
  for (const keyType of COORDINATOR_TYPES) {
    let errorCode = -1;
    while (errorCode !== 0) {
      if (Date.now() > giveUpMs) throw new Error(`no coordinator of type ${keyType}: error ${errorCode}`);
      const request = { key: "group", keyType, coordinatorKeys: [] };
      const answer = await ask(target, encodeRequest(FindCoordinatorRequest, request, 1, 1, "fuzz"));
      errorCode = answer.readInt16BE(12); // after the length, the correlation id and the throttle time
    }
  }
}

/**
 * One request over a connection of its own.
 * @param {FuzzTarget} target
 * @param {readonly Uint8Array[]} chunks
 * @returns the answer, length first
 */
async function ask(target, chunks) {
  /** @type {() => void} */
  let onSettled = () => {};
  /** @type {Promise<void>} */
  const settled = new Promise((resolve) => (onSettled = resolve));
  let buffered = Buffer.alloc(0);
  const client = { isWaiting: true, settled: () => settled };
  const settle = () => {
    client.isWaiting = false;
    onSettled();
  };
  /** @param {Uint8Array} bytes */
  const onData = (bytes) => {
    buffered = Buffer.concat([buffered, bytes]);
    if (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) settle();
  };
  const connection = await target.connect({ onData, onDrain: () => {}, onClose: settle });
  connection.write(chunks);
  const giveUpMs = Date.now() + GIVE_UP_MS;
  while (client.isWaiting && Date.now() < giveUpMs) await target.wait([client]);
  connection.destroy();
  if (buffered.length === 0) throw new Error("a healthy client is not served");
  return buffered;
}

/** A client that does all right is answered. @param {FuzzTarget} target @throws Error where it is not */
export async function healthy(target) {
  const frame = Uint8Array.of(0, ApiKey.ApiVersions, 0, 0, 0, 0, 0, 1, 255, 255);
  await ask(target, [Uint8Array.of(0, 0, 0, frame.length), frame]);
}

/** Errors that only a mistake of ours explains. @param {Findings["unexpected"]} unexpected */
function loggerInto(unexpected) {
  const ignore = () => {};
  /** @param {{ err?: unknown, api?: string }} facts @param {string} message */
  const keep = ({ err, api }, message) => {
    const cause = err instanceof Error && err.cause instanceof Error ? `\ncause: ${err.cause.stack}` : "";
    const text = err instanceof Error ? `${message}: ${err.stack}${cause}` : message;
    const kind = `${message}: ${api ?? ""} ${err instanceof Error ? String(err).slice(0, 120) : ""}`;
    const known = unexpected.get(kind) ?? { count: 0, text };
    known.count++;
    unexpected.set(kind, known);
  };
  return { debug: ignore, info: ignore, warn: ignore, error: keep };
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

if (process.argv[2] === "--broker" && process.send !== undefined) await serveParent(process.send.bind(process));
