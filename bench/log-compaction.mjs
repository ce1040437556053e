// Compaction: one log, the same bytes for each target, from the moment its topic becomes a compacted one until the
// cleaner-offset-checkpoint says that it is clean.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BareClient, until } from "../compat/lib/bare-client.mjs";
import { createBroker } from "../compat/lib/brokers.mjs";
import { cpuSeconds, quantile } from "./lib/measures.mjs";

const MIB = 1024 * 1024;
const TOPIC = "compaction";
const SEGMENT_BYTES = 100 * MIB;
const BATCH_BYTES = 16_384; // what a producer sends at most by default
const KEYS = 1_000_000;
const RECORD_BYTES = 100;
const FIRST_TIMESTAMP = 1_750_000_000_000;
const PROBE_PAUSE_MS = 5;
const encoder = new TextEncoder();

/** Writes the log that all targets get: records of random keys of a million, in segments, the last one empty. */
export async function writeCompactionLog(folder, megabytes) {
  const { defaultLogConfig, loadLog } = await import("../packages/log/dist/index.js");
  const { NodeDisk, SystemClock, SystemRandom } = await import("../packages/io/dist/index.js");
  const { RecordBatchBuilder } = await import("../packages/protocol/dist/index.js");
  mkdirSync(folder, { recursive: true });
  const log = await loadLog({
    disk: new NodeDisk(folder),
    clock: new SystemClock(),
    random: new SystemRandom(),
    directory: join(folder, `${TOPIC}-0`),
    topicPartition: { topic: TOPIC, partition: 0 },
    config: defaultLogConfig({ segmentBytes: SEGMENT_BYTES, cleanupPolicy: [] }),
  });
  const value = new Uint8Array(RECORD_BYTES - 23); // with the key and what stands before the two
  let state = 1915;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  for (let bytes = 0; bytes < megabytes * 1e6;) {
    const builder = new RecordBatchBuilder({ initialCapacity: BATCH_BYTES + 1024 });
    while (builder.estimatedSizeInBytes < BATCH_BYTES - RECORD_BYTES) {
      for (let at = 0; at < value.length; at += 4) value[at] = random() >>> 24;
      const key = encoder.encode(`key-${String(Math.floor((random() / 2 ** 32) * KEYS)).padStart(8, "0")}`);
      builder.append({ timestamp: FIRST_TIMESTAMP + Math.floor(bytes / 1e4), key, value });
    }
    const batch = builder.build().slice();
    bytes += batch.length;
    await log.appendAsLeader(batch, 0).written;
  }
  await log.roll();
  const endOffset = log.logEndOffset;
  await log.close();
  return { folder: join(folder, `${TOPIC}-0`), endOffset };
}

async function measureCompaction({ target, dir, running, megabytes }) {
  const log = await writeCompactionLog(join(dir, "source"), megabytes);
  const { createKafkaJs, withAdmin } = await import("../compat/lib/kafkajs.mjs");
  const broker = await createBroker(target, dir, {
    "log.cleaner.backoff.ms": "100",
    "log.cleaner.threads": "1",
    "log.cleaner.min.cleanable.ratio": "0.01",
  });
  running.add(broker);
  try {
    await broker.start();
    const policy = (value) => ({ name: "cleanup.policy", value });
    const configEntries = [
      { name: "segment.bytes", value: String(SEGMENT_BYTES) },
      { name: "retention.ms", value: "-1" },
      { name: "message.timestamp.before.max.ms", value: "9223372036854775807" },
    ];
    await withAdmin(createKafkaJs(broker.bootstrap), (admin) =>
      admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1, configEntries }] }),
    );
    await broker.stop(60_000);
    const folder = join(broker.dataDir, `${TOPIC}-0`);
    for (const name of readdirSync(folder)) if (name !== "partition.metadata") rmSync(join(folder, name));
    for (const name of readdirSync(log.folder)) {
      if (name !== "partition.metadata") cpSync(join(log.folder, name), join(folder, name));
    }
    const before = sizeOf(folder);
    await broker.start();
    await sleep(2000); // what a start leaves to be done

    const probe = new Probe(broker.port);
    const cpuBefore = cpuSeconds(broker.pid);
    const begun = performance.now();
    await withAdmin(createKafkaJs(broker.bootstrap), (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: 2, name: TOPIC, configEntries: [...configEntries, policy("compact")] }],
      }),
    );
    await probe.start();
    await until(
      () => {
        const clean = cleanOffset(broker.dataDir);
        if (clean !== log.endOffset) throw new Error(`clean up to ${clean} of ${log.endOffset}`);
      },
      { limitMs: 300_000, pauseMs: 20 },
    );
    const seconds = (performance.now() - begun) / 1000;
    const cpu = cpuSeconds(broker.pid) - cpuBefore;
    const { longest, percentile } = await probe.stop();
    return {
      "compaction (s)": seconds,
      "compaction (MiB/s of the log)": before / MIB / seconds,
      "CPU time (s)": cpu,
      "a small request meanwhile, 99th percentile (ms)": percentile,
      "a small request meanwhile, longest (ms)": longest,
      "log before (MiB)": before / MIB,
      "log after (MiB)": sizeOf(folder) / MIB,
      "memory at its highest (MiB)": broker.memory("VmHWM") / MIB,
    };
  } finally {
    await broker.kill();
    running.delete(broker);
  }
}

/** Asks for the versions of the APIs again and again. */
class Probe {
  #port;
  #times = [];
  #isStopped = false;
  #done;

  constructor(port) {
    this.#port = port;
  }

  async start() {
    const client = await BareClient.connect(this.#port, 30_000);
    await client.apiVersions();
    this.#done = (async () => {
      while (!this.#isStopped) {
        const begun = performance.now();
        await client.apiVersions();
        this.#times.push(performance.now() - begun);
        await sleep(PROBE_PAUSE_MS);
      }
      client.close();
    })();
  }

  async stop() {
    this.#isStopped = true;
    await this.#done;
    const sorted = this.#times.toSorted((a, b) => a - b);
    return { longest: sorted.at(-1), percentile: quantile(sorted, 0.99) };
  }
}

function cleanOffset(dataDir) {
  const file = join(dataDir, "cleaner-offset-checkpoint");
  if (!existsSync(file)) return undefined;
  const found = new RegExp(`^${TOPIC} 0 (\\d+)$`, "m").exec(readFileSync(file, "utf8"));
  return found === null ? undefined : Number(found[1]);
}

function sizeOf(folder) {
  const logs = readdirSync(folder).filter((name) => name.endsWith(".log"));
  return logs.reduce((size, name) => size + statSync(join(folder, name)).size, 0);
}

export const benchmarks = { "log-compaction": { rounds: 3, measure: measureCompaction } };
