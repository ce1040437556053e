#!/usr/bin/env node
// Sends hostile requests to a broker and says what became of them. See scripts/lib/fuzz-requests.mjs.
//
//   node scripts/fuzz-requests.mjs [--inputs 2000000] [--seed 1] [--here]
//
// --inputs     requests to send
// --seed       the same seed sends the same requests
// --here       to a broker in this process, without sockets; else to one that listens, in a process of its own
import { fuzzRequests } from "./lib/fuzz-requests.mjs";
import { programOptions } from "./lib/options.mjs";

const values = programOptions({
  inputs: { type: "string", default: "2000000" },
  seed: { type: "string", default: "1" },
  here: { type: "boolean", default: false },
});

const inputs = Number(values.inputs);
const startedMs = performance.now();
/** @param {number} bytes */
const mega = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const seconds = () => `${((performance.now() - startedMs) / 1000).toFixed(0)} s`;
/** @param {NodeJS.MemoryUsage} memory */
const inWords = ({ heapUsed, rss }) => `${mega(heapUsed)} of heap after a collection, ${mega(rss)} resident`;
let nextReport = 0;
let atTheEnd = process.memoryUsage();
const result = await fuzzRequests({
  inputs,
  seed: Number(values.seed),
  listens: !values.here,
  onProgress(done, memory) {
    atTheEnd = memory;
    if (done < nextReport) return;
    nextReport += inputs / 10;
    console.log(`${done} inputs: ${inWords(memory)}, ${seconds()}`);
  },
});

const { apis, versions, validRequests, sent, answered, closed, unanswered, exits, unhandled, unexpected } = result;
console.log(`${apis} APIs, ${versions} versions, ${validRequests} valid requests to begin with
${sent} inputs: ${answered} answered, ${closed} times a connection closed, ${unanswered} times no answer in the time given
${exits} exits, ${unhandled.length} unhandled, ${unexpected.size} kinds of unexpected errors
at the end ${inWords(atTheEnd)}, ${seconds()}`);
for (const text of unhandled.slice(0, 5)) console.log(`unhandled: ${text}`);
for (const { count, text } of unexpected.values()) console.log(`${count} times: ${text}`);
process.exitCode = exits + unhandled.length + unexpected.size > 0 ? 1 : 0;
