import os from "node:os";
import process from "node:process";
import { descriptorLimit, SystemClock } from "@samsa/io";
import type { CompressionType } from "@samsa/protocol";
import { compress, decompress } from "@samsa/protocol";
import type { Diagnosis } from "./diagnosis.ts";
import { fail, ok, warn } from "./diagnosis.ts";

const MIB = 1024 ** 2;
const FEW_DESCRIPTORS = 4096;
const TOO_FEW_DESCRIPTORS = 256;
const LITTLE_MEMORY = 256 * MIB;
const BUILT_AFTER_MS = Date.UTC(2026, 0, 1);

/** The version of Node; older ones are refused before anything is loaded. */
export function checkNode(version: string = process.versions.node): Diagnosis {
  const [major = 0] = version.split(".").map(Number);
  const found = `Node ${version} on ${process.platform} ${process.arch}`;
  if (major % 2 === 1) {
    return warn(
      "node",
      `${found}, which is a version between two that are maintained`,
      "take Node 20.19, 22, 24 or later",
    );
  }
  return ok("node", found);
}

/** Every codec, there and back: prebuilt binaries may be missing or broken on a platform. */
export function checkCodecs(types: readonly CompressionType[] = ["gzip", "snappy", "lz4", "zstd"]): Diagnosis {
  const bytes = new Uint8Array(64 * 1024).map((_, index) => index % 251);
  const broken: string[] = [];
  for (const type of types) {
    try {
      if (Buffer.compare(decompress(type, compress(type, bytes)), bytes) !== 0) broken.push(`${type} changes bytes`);
    } catch (error) {
      broken.push(`${type}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (broken.length > 0) {
    return fail(
      "codecs",
      broken.join("; "),
      "install again, with optional dependencies: npm install --include=optional",
    );
  }
  const hasZstd = process.versions["zstd"] !== undefined;
  return ok("codecs", `${types.join(", ")} work${hasZstd ? "" : "; zstd in WebAssembly, which Node 22.15 has faster"}`);
}

/** @param limit undefined where the system does not say */
export function checkDescriptors(limit: number | undefined = descriptorLimit()): Diagnosis {
  if (limit === undefined) return ok("descriptors", "this system does not say how many files may be open");
  const found = `${limit === Infinity ? "any number of" : limit} files and sockets may be open`;
  const advice = "raise it: ulimit -n 100000, or LimitNOFILE= of systemd";
  if (limit < TOO_FEW_DESCRIPTORS) return fail("descriptors", `${found}: a partition alone takes several`, advice);
  return limit < FEW_DESCRIPTORS ? warn("descriptors", `only ${found}`, advice) : ok("descriptors", found);
}

export function checkMemory(freeBytes = os.freemem(), totalBytes = os.totalmem()): Diagnosis {
  const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;
  const found = `${mib(freeBytes)} of ${mib(totalBytes)} are free`;
  return freeBytes < LITTLE_MEMORY
    ? warn("memory", `only ${found}`, "stop something else, or give the machine more: a broker takes 100 to 300 MiB")
    : ok("memory", found);
}

/** A clock that was never set; whether it agrees with a broker's is asked of the broker. */
export function checkClock(wallMs = new SystemClock().wallMs()): Diagnosis {
  const now = new Date(wallMs).toISOString();
  return wallMs < BUILT_AFTER_MS
    ? fail("clock", `it is ${now}, which is long ago: records would get this time`, "set the clock, with NTP for good")
    : ok("clock", now);
}
