// A load generator in a process of its own that knows as little as it can: it sends requests that were built beforehand, counts
// answers and looks into them just far enough to see an error. Used by generate.mjs, with one job as its only message.
import { connect } from "node:net";
import process from "node:process";
import { fetchBody, produceBody, requestFrame } from "../../compat/lib/raw-client.mjs";
import { encodeBatch } from "../../compat/lib/record-batches.mjs";
import { quantiles } from "./measures.mjs";
import { atRate } from "./pacing.mjs";

const PRODUCE = 0;
const PRODUCE_VERSION = 7;
const FETCH = 1;
const FETCH_VERSION = 11;
const RECEIVE_BYTES = 1 << 20;

/** Bytes of one partition in a Fetch answer of version 11 before its records, without aborted transactions. */
const PARTITION_HEAD = 42;

/** A batch of at most `batchBytes` in records of `recordBytes`, of bytes that do not compress. */
function buildBatch({ batchBytes, recordBytes }) {
  const overhead = recordBytes > 8191 ? 12 : 9;
  const count = Math.max(1, Math.floor((batchBytes - 61) / (recordBytes + overhead)));
  let state = 12_345;
  const records = Array.from({ length: count }, () => {
    const value = Buffer.allocUnsafe(recordBytes);
    for (let i = 0; i < recordBytes; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      value[i] = state >>> 16;
    }
    return { key: null, value };
  });
  return { count, bytes: encodeBatch(records) };
}

/** Calls `onFrame(frame)` for each answer; an answer is small here. */
function open(port, onFrame, onFailure) {
  let pending = Buffer.alloc(0);
  const socket = connect({
    port,
    host: "127.0.0.1",
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(65_536),
      callback(length, buffer) {
        const chunk = buffer.subarray(0, length);
        let bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
          const size = 4 + bytes.readInt32BE(0);
          onFrame(bytes.subarray(0, size));
          bytes = bytes.subarray(size);
        }
        pending = bytes.length === 0 ? pending.subarray(0, 0) : Buffer.from(bytes);
        return true;
      },
    },
  });
  socket.on("error", onFailure);
  socket.on("close", () => onFailure(new Error("the broker closed a connection")));
  return socket;
}

/**
 * Sends batches over `connections`, `inFlight` on each, or at `perSecond` in total when that is given. Every connection has its turns
 * with all partitions.
 *
 * @returns after `warmBytes` (or `warmMs`) for `bytes` (or `ms`): seconds, bytes, requests, records; quantiles of the milliseconds from
 *   writing a request to its answer, and of how much later than due it was written
 */
async function produce({ port, topic, partitions, connections = 1, inFlight = 5, perSecond, pacing, ...job }) {
  const { count, bytes: batch } = buildBatch(job);
  const frames = Array.from({ length: partitions }, (_, partition) =>
    requestFrame(PRODUCE, PRODUCE_VERSION, partition, produceBody(topic, partition, batch)),
  );
  const errorAt = 8 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4; // of the first partition of the first topic
  const latencies = [];
  const lateness = [];
  let answered = 0;
  let begunAt; // performance.now() when the warm-up was over
  let answeredBefore = 0;
  let isOver = false;
  const started = performance.now();
  const warm =
    job.warmMs === undefined
      ? () => answered * batch.length >= job.warmBytes
      : () => performance.now() - started >= job.warmMs;
  const enough =
    job.ms === undefined
      ? () => (answered - answeredBefore) * batch.length >= job.bytes
      : () => performance.now() - begunAt >= job.ms;

  await new Promise((resolve, reject) => {
    let stop = () => undefined;
    const finish = (error) => {
      if (isOver) return;
      isOver = true;
      stop();
      for (const { socket } of lanes) socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const lanes = Array.from({ length: connections }, (_, number) => {
      const lane = { next: number % partitions, sentAt: [], socket: undefined };
      lane.socket = open(
        port,
        (frame) => {
          const error = frame.readInt16BE(errorAt);
          if (error !== 0) return finish(new Error(`Produce was answered ${error}`));
          const now = performance.now();
          const sentAt = lane.sentAt.shift();
          answered++;
          if (begunAt !== undefined) {
            latencies.push(now - sentAt);
            if (enough()) finish();
          } else if (warm()) {
            begunAt = now;
            answeredBefore = answered;
          }
          if (!isOver && perSecond === undefined) send(lane, now);
        },
        finish,
      );
      return lane;
    });
    const send = (lane, at) => {
      lane.sentAt.push(at);
      lane.socket.write(frames[lane.next]);
      lane.next = (lane.next + 1) % partitions;
    };
    for (const lane of lanes) {
      lane.socket.once("connect", () => {
        if (perSecond !== undefined) return;
        for (let i = 0; i < inFlight; i++) send(lane, performance.now());
      });
    }
    if (perSecond === undefined) return;
    let turn = 0;
    stop = atRate({ perSecond, pacing }, (lateMs) => {
      if (begunAt !== undefined) lateness.push(lateMs);
      send(lanes[turn++ % lanes.length], performance.now());
    });
  });
  const seconds = (performance.now() - begunAt) / 1000;
  const requests = answered - answeredBefore;
  return {
    seconds,
    requests,
    bytes: requests * batch.length,
    records: requests * count,
    latency: quantiles(latencies),
    lateness: quantiles(lateness),
  };
}

/**
 * Reads all partitions from offset 0 to `endOffsets` with one request in flight, at most `maxBytes` from a partition. Batches are all
 * of one size, so that the next offset follows from how many bytes came: nothing is decoded here.
 *
 * @returns seconds and bytes
 */
async function fetch({ port, topic, endOffsets, maxBytes, ...job }) {
  const { count, bytes: batch } = buildBatch(job);
  const offsets = endOffsets.map(() => 0);
  const head = 8 + 4 + 2 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4;
  let begun;
  let total = 0;
  await new Promise((resolve, reject) => {
    // An answer is cut as it comes: `wanted` bytes of a head are collected, then the records are let pass.
    const collected = Buffer.allocUnsafe(Math.max(head, PARTITION_HEAD));
    let filled = 0;
    let wanted = head;
    let passing = 0;
    let left = 0; // partitions of this answer
    const onHead = () => {
      if (wanted === head) {
        const error = collected.readInt16BE(12);
        if (error !== 0) return reject(new Error(`Fetch was answered ${error}`));
        left = collected.readInt32BE(head - 4);
      } else {
        const error = collected.readInt16BE(4);
        if (error !== 0) return reject(new Error(`Fetch of a partition was answered ${error}`));
        passing = Math.max(0, collected.readInt32BE(PARTITION_HEAD - 4));
        offsets[collected.readInt32BE(0)] += Math.floor(passing / batch.length) * count;
        total += passing;
        left--;
      }
      filled = 0;
      wanted = PARTITION_HEAD;
    };
    const ask = () => {
      const wants = offsets.flatMap((offset, partition) =>
        offset < endOffsets[partition] ? [{ topic, partition, offset, maxBytes }] : [],
      );
      if (wants.length === 0) {
        socket.destroy();
        return resolve();
      }
      wanted = head;
      const body = fetchBody(wants, { maxWaitMs: 500, maxBytes: 64 << 20 });
      socket.write(requestFrame(FETCH, FETCH_VERSION, 1, body));
    };
    const take = (length, buffer) => {
      let at = 0;
      while (at < length) {
        if (passing > 0) {
          const some = Math.min(passing, length - at);
          passing -= some;
          at += some;
        } else {
          const some = Math.min(wanted - filled, length - at);
          buffer.copy(collected, filled, at, at + some);
          filled += some;
          at += some;
          if (filled === wanted) onHead();
        }
        if (passing === 0 && filled === 0 && left === 0 && wanted === PARTITION_HEAD) ask();
      }
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafe(RECEIVE_BYTES), callback: take };
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, onread });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the broker closed the connection")));
    socket.once("connect", () => {
      begun = performance.now();
      ask();
    });
  });
  return { seconds: (performance.now() - begun) / 1000, bytes: total };
}

/**
 * Sends batches at a rate to a partition that is empty, and reads at its end with one request in flight on another connection.
 *
 * @returns quantiles of the milliseconds from writing a batch until it has been read, after `warmMs` and for `ms`
 */
async function tail({ port, topic, perSecond, pacing, warmMs, ms, ...job }) {
  const { count, bytes: batch } = buildBatch(job);
  const request = requestFrame(PRODUCE, PRODUCE_VERSION, 1, produceBody(topic, 0, batch));
  const errorAt = 8 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4;
  const recordsAt = 8 + 4 + 2 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + PARTITION_HEAD;
  const sentAt = [];
  const latencies = [];
  await new Promise((resolve, reject) => {
    let read = 0; // batches
    const begun = performance.now();
    let stop = () => undefined;
    const finish = (error) => {
      stop();
      for (const socket of [producer, consumer]) socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const ask = () => {
      const wants = [{ topic, partition: 0, offset: read * count, maxBytes: 1 << 20 }];
      consumer.write(requestFrame(FETCH, FETCH_VERSION, 1, fetchBody(wants, { maxWaitMs: 500, minBytes: 1 })));
    };
    const onFetched = (frame) => {
      const now = performance.now();
      const error = frame.readInt16BE(12) || frame.readInt16BE(recordsAt - PARTITION_HEAD + 4);
      if (error !== 0) return finish(new Error(`Fetch was answered ${error}`));
      const batches = Math.floor(Math.max(0, frame.readInt32BE(recordsAt - 4)) / batch.length);
      for (const end = read + batches; read < end; read++) {
        if (sentAt[read] - begun >= warmMs) latencies.push(now - sentAt[read]);
      }
      if (now - begun >= warmMs + ms) return finish();
      ask();
    };
    const onProduced = (frame) => {
      const error = frame.readInt16BE(errorAt);
      if (error !== 0) finish(new Error(`Produce was answered ${error}`));
    };
    const producer = open(port, onProduced, finish);
    const consumer = open(port, onFetched, finish);
    consumer.once("connect", ask);
    producer.once("connect", () => {
      stop = atRate({ perSecond, pacing }, () => {
        sentAt.push(performance.now());
        producer.write(request);
      });
    });
  });
  return { latency: quantiles(latencies) };
}

const JOBS = { produce, fetch, tail };

process.once("message", ({ kind, ...job }) => {
  JOBS[kind](job).then(
    (result) => process.send({ result }, () => process.disconnect()),
    (error) => process.send({ error: error.message }, () => process.disconnect()),
  );
});
