import { accessSync, constants, existsSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { NodeDisk, SystemClock } from "@samsa/io";
import { refuseForeignDirectory } from "../data-directory.ts";
import { dataDirectoryHolder } from "../data-directory-lock.ts";
import { storageInfo } from "../offline/format-storage.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { fail, ok, warn } from "./diagnosis.ts";

const GIB = 1024 ** 3;
const LITTLE_SPACE = 5 * GIB;
const TOO_LITTLE_SPACE = GIB / 4;
const FSYNCS = 16;
const BLOCK_BYTES = 4096;
const SLOW_FSYNC_MS = 20;
const IMPLAUSIBLE_FSYNC_MS = 0.03;

/** Whose the directory is, and whether a broker could work on it. */
export async function checkDataDirectory(directory: string): Promise<Diagnosis> {
  if (!existsSync(directory)) {
    const parent = nearestFolder(directory);
    return isWritable(parent)
      ? ok("data", `${directory} is not there yet; the first start makes it`)
      : fail(
          "data",
          `${directory} cannot be made: ${parent} may not be written to`,
          "give another --data-dir, or change its owner",
        );
  }
  if (!statSync(directory).isDirectory()) {
    return fail("data", `${directory} is a file`, "give a folder as --data-dir");
  }
  if (!isWritable(directory))
    return fail("data", `${directory} may not be written to`, "change its owner or its rights");
  try {
    refuseForeignDirectory(directory);
  } catch (error) {
    return fail("data", error instanceof Error ? error.message : String(error), "an empty folder will do");
  }
  const { metadata, problems } = await storageInfo(new Map([["log.dirs", directory]]));
  if (metadata === undefined) {
    const isNew = problems.every((problem) => problem.endsWith("is not formatted."));
    return isNew
      ? ok("data", `${directory} is empty; the first start formats it`)
      : fail("data", problems.join("; "), "samsa storage info says more");
  }
  if (problems.length > 0) return fail("data", problems.join("; "), "samsa storage info says more");
  return ok("data", `${directory} is of node ${metadata["node.id"]} of cluster ${metadata["cluster.id"]}`);
}

export function checkLock(directory: string): Diagnosis {
  if (!existsSync(path.join(directory, ".lock"))) return ok("lock", "no broker runs on it");
  const holder = dataDirectoryHolder(directory);
  if (holder === undefined) return ok("lock", "no broker runs on it; the last one did not stop cleanly");
  return ok("lock", `a broker runs on it: ${holder}`);
}

export async function checkSpace(directory: string): Promise<Diagnosis> {
  const { totalBytes, usableBytes } = await new NodeDisk(nearestFolder(directory)).space(".");
  const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;
  const found = `${gib(usableBytes)} of ${gib(totalBytes)} are free`;
  const advice = "make room, lower retention.bytes or retention.ms of topics, or give a --data-dir on another disk";
  if (usableBytes < TOO_LITTLE_SPACE)
    return fail("space", `only ${found}: a disk that is full takes the broker down`, advice);
  return usableBytes < LITTLE_SPACE ? warn("space", `only ${found}`, advice) : ok("space", found);
}

/** How long the disk takes to make a small write durable: the metadata and every vote wait for that. */
export async function checkFsync(directory: string): Promise<Diagnosis> {
  const file = path.join(nearestFolder(directory), `.samsa-doctor-${process.pid}`);
  const clock = new SystemClock();
  const took: number[] = [];
  try {
    const handle = await open(file, "w");
    try {
      for (let i = 0; i < FSYNCS; i++) {
        await handle.write(new Uint8Array(BLOCK_BYTES).fill(i));
        const begunMs = clock.monotonicMs();
        await handle.datasync();
        took.push(clock.monotonicMs() - begunMs);
      }
    } finally {
      await handle.close();
      await rm(file, { force: true });
    }
  } catch (error) {
    return fail("fsync", error instanceof Error ? error.message : String(error), "the disk must take small writes");
  }
  return fsyncDiagnosis(took);
}

/** @param took milliseconds of each */
export function fsyncDiagnosis(took: readonly number[]): Diagnosis {
  const sorted = took.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const found = `${median.toFixed(2)} ms, at most ${(sorted.at(-1) ?? 0).toFixed(2)} ms`;
  if (median > SLOW_FSYNC_MS) {
    return warn(
      "fsync",
      `${found}: changes of topics wait for it`,
      "take a local SSD rather than a network or USB disk",
    );
  }
  if (median < IMPLAUSIBLE_FSYNC_MS) {
    return warn("fsync", `${found}: no disk is that fast`, "it may be memory, or a volume that forgets at a power cut");
  }
  return ok("fsync", found);
}

function nearestFolder(directory: string): string {
  let folder = path.resolve(directory);
  while (!existsSync(folder) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  return folder;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
