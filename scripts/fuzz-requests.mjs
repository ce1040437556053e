#!/usr/bin/env node
// Sends hostile requests to a broker in this process and says what became of them. See scripts/lib/fuzz-requests.mjs.
import { parseArgs } from "node:util";
import { fuzzRequests } from "./lib/fuzz-requests.mjs";

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "2000000" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(`node --expose-gc scripts/fuzz-requests.mjs [--inputs 2000000] [--seed 1]

  --inputs     requests to send
  --seed       the same seed sends the same requests`);
  process.exit(0);
}

const startedMs = performance.now();
const mega = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
let nextReport = 0;
const result = await fuzzRequests({
  inputs: Number(values.inputs),
  seed: Number(values.seed),
  onProgress(done, heapBytes) {
    if (done < nextReport) return;
    nextReport += 200_000;
    console.error(`${done} inputs, heap ${mega(heapBytes)}, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  },
});

const { apis, versions, validRequests, sent, answered, closed, unanswered, exits, unhandled, unexpected, heapBytes } =
  result;
console.log(`${apis} APIs, ${versions} versions, ${validRequests} valid requests to begin with
${sent} inputs: ${answered} answered, ${closed} times a connection closed, ${unanswered} times no answer in the time given
${exits} exits, ${unhandled.length} unhandled, ${unexpected.size} kinds of unexpected errors
heap after a collection: ${mega(heapBytes[1] ?? 0)} at the beginning, ${mega(heapBytes.at(-1) ?? 0)} at the end, at most ${mega(Math.max(...heapBytes))}
${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
for (const text of unhandled.slice(0, 5)) console.log(`unhandled: ${text}`);
for (const { count, text } of unexpected.values()) console.log(`${count} times: ${text}`);
process.exitCode = exits + unhandled.length + unexpected.size > 0 ? 1 : 0;
