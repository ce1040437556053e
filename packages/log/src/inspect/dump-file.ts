import type { Disk } from "@samsa/base";
import { DiskError, KafkaError } from "@samsa/base";
import { readWholeFile } from "../atomic-file.ts";
import { parseLogFileName } from "../log-file-names.ts";
import type { ProducerStateFields } from "../producer-state-entry.ts";
import { decodeProducerSnapshot } from "../producer-snapshot-file.ts";
import type { DumpIndexOptions } from "./dump-index.ts";
import { dumpOffsetIndex, dumpTimeIndex } from "./dump-index.ts";
import type { DumpedProducer, DumpItem, DumpSink } from "./dump-item.ts";
import type { DumpLogOptions } from "./dump-log.ts";
import { dumpLog, problem } from "./dump-log.ts";
import { readTransactionIndex } from "./index-entries.ts";

export type DumpOptions = DumpLogOptions & DumpIndexOptions;

const SNAPSHOT_NAME = /^(\d{20})-(\d{10})\.checkpoint$/;
const BOOTSTRAP_NAME = "bootstrap.checkpoint";
const MOST_PRODUCER_SNAPSHOT_BYTES = 1024 ** 3;
/** Files of lines, which Kafka's tool passes over. */
const TEXT_FILES = /^(?:meta\.properties|partition\.metadata|quorum-state|\.kafka_cleanshutdown|.*-checkpoint)$/;

/** Whether `dumpFile` knows what a file of this name holds. */
export function canDump(name: string): boolean {
  return parseLogFileName(name) !== undefined || name.endsWith(".checkpoint") || TEXT_FILES.test(name);
}

/**
 * Tells what a file of a data directory holds, by its name. What does not agree, or cannot be read, is returned, and told at
 * the end by whoever calls.
 * @throws DiskError when it cannot be opened
 */
export async function dumpFile(
  disk: Disk,
  path: string,
  options: DumpOptions,
  sink: DumpSink,
): Promise<readonly DumpItem[]> {
  sink.put({ kind: "file", file: path });
  try {
    return await dump(disk, path, options, sink);
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    return [problem(path, error.message)];
  }
}

async function dump(disk: Disk, path: string, options: DumpOptions, sink: DumpSink): Promise<readonly DumpItem[]> {
  if ((await disk.fileSize(path)) === undefined) throw new DiskError("ENOENT", path, `${path} is no file`);
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name.endsWith(".checkpoint")) return await dumpSnapshot(disk, path, name, options, sink);
  if (TEXT_FILES.test(name)) return await dumpText(disk, path, sink);
  const parsed = parseLogFileName(name);
  if (parsed === undefined) return [problem(path, `Ignoring unknown file ${path}`)];
  const { offset: baseOffset } = parsed;
  switch (parsed.suffix) {
    case ".log":
      sink.put({ kind: "log", startOffset: baseOffset });
      return await dumpBatches(disk, path, options, sink);
    case ".index":
      return await dumpOffsetIndex(disk, { path, baseOffset }, options, sink);
    case ".timeindex":
      return await dumpTimeIndex(disk, { path, baseOffset }, options, sink);
    case ".txnindex":
      for (const transaction of (await readTransactionIndex(disk, path)) ?? []) {
        sink.put({ kind: "aborted-transaction", ...transaction });
      }
      return [];
    case ".snapshot":
      return await dumpProducers(disk, path, sink);
    default:
      return [problem(path, `Ignoring unknown file ${path}`)];
  }
}

async function dumpSnapshot(
  disk: Disk,
  path: string,
  name: string,
  options: DumpOptions,
  sink: DumpSink,
): Promise<readonly DumpItem[]> {
  const id = SNAPSHOT_NAME.exec(name);
  if (name === BOOTSTRAP_NAME) sink.put({ kind: "bootstrap-snapshot" });
  else if (id === null)
    return [problem(path, `${path}: no name of a snapshot, such as 00000000000000000042-0000000003.checkpoint`)];
  else sink.put({ kind: "snapshot", endOffset: Number(id[1]), epoch: Number(id[2]) });
  return await dumpBatches(disk, path, options, sink);
}

async function dumpBatches(
  disk: Disk,
  path: string,
  options: DumpOptions,
  sink: DumpSink,
): Promise<readonly DumpItem[]> {
  const file = await disk.open(path);
  try {
    return await dumpLog(file, path, options, sink);
  } finally {
    await file.close();
  }
}

async function dumpProducers(disk: Disk, path: string, sink: DumpSink): Promise<readonly DumpItem[]> {
  const bytes = await readWholeFile(disk, path, MOST_PRODUCER_SNAPSHOT_BYTES);
  for (const producer of decodeProducerSnapshot(bytes ?? new Uint8Array(0), path)) sink.put(dumpedProducer(producer));
  return [];
}

function dumpedProducer(producer: ProducerStateFields): DumpedProducer {
  const { lastSequence, lastOffset, offsetDelta, timestamp, currentTxnFirstOffset } = producer;
  return {
    kind: "producer",
    producerId: producer.producerId,
    producerEpoch: producer.epoch,
    coordinatorEpoch: producer.coordinatorEpoch,
    currentTxnFirstOffset: currentTxnFirstOffset < 0 ? null : currentTxnFirstOffset,
    lastTimestamp: timestamp,
    ...(lastOffset < 0
      ? {}
      : {
          batch: {
            firstSequence: decrementSequence(lastSequence, offsetDelta),
            lastSequence,
            lastOffset,
            offsetDelta,
            timestamp,
          },
        }),
  };
}

/** Before 0 comes 2^31 - 1. */
function decrementSequence(sequence: number, decrement: number): number {
  return sequence < decrement ? 0x7fffffff - (decrement - sequence) + 1 : sequence - decrement;
}

async function dumpText(disk: Disk, path: string, sink: DumpSink): Promise<readonly DumpItem[]> {
  const bytes = (await readWholeFile(disk, path)) ?? new Uint8Array(0);
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  for (const text of lines) sink.put({ kind: "line", text });
  return [];
}
