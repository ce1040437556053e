import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, describe, test } from "node:test";
import { temporaryDirectory } from "@samsa/io";
import { startBroker } from "../start-broker.ts";
import { checkDataDirectory, checkFsync, checkLock, checkSpace, fsyncDiagnosis } from "./data-directory-checks.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { checkClock, checkCodecs, checkDescriptors, checkMemory, checkNode } from "./machine-checks.ts";
import { listeningInodes, portState } from "./port-check.ts";

const temporary = await temporaryDirectory("doctor");
const folder = temporary.path;
after(() => temporary.remove());

const findings: readonly (readonly [of: string, found: Diagnosis, outcome: Diagnosis["outcome"], says: RegExp])[] = [
  ["a maintained Node", checkNode("24.1.0"), "ok", /Node 24\.1\.0/],
  ["a Node between two", checkNode("23.0.0"), "warn", /between two/],
  ["the codecs", checkCodecs(), "ok", /gzip, snappy, lz4, zstd work/],
  ["a codec that is missing", checkCodecs(["brotli" as "gzip"]), "fail", /brotli/],
  ["many descriptors", checkDescriptors(100_000), "ok", /100000/],
  ["few descriptors", checkDescriptors(1024), "warn", /only 1024/],
  ["hardly any descriptors", checkDescriptors(64), "fail", /64/],
  ["an unknown number of descriptors", checkDescriptors(undefined), "ok", /./],
  ["much memory", checkMemory(2 ** 33, 2 ** 34), "ok", /8192 MiB of 16384 MiB/],
  ["little memory", checkMemory(2 ** 26, 2 ** 34), "warn", /only 64 MiB/],
  ["a clock that was set", checkClock(Date.UTC(2030, 1, 1)), "ok", /2030-02-01/],
  ["a clock that never was", checkClock(0), "fail", /1970/],
  ["a usual disk", fsyncDiagnosis([0.5, 2, 0.7]), "ok", /0\.70 ms, at most 2\.00 ms/],
  ["a slow disk", fsyncDiagnosis([40, 50, 60]), "warn", /50\.00 ms/],
  ["what is no disk", fsyncDiagnosis([0.001, 0.002, 0.003]), "warn", /no disk is that fast/],
];
for (const [of, found, outcome, says] of findings) {
  test(`${of}: ${outcome}`, () => {
    assert.equal(found.outcome, outcome);
    assert.match(found.message, says);
    assert.equal(found.advice === undefined, outcome === "ok");
  });
}

describe("a data directory", () => {
  test("that is not there, or empty, is fine", async () => {
    assert.match((await checkDataDirectory(path.join(folder, "new/er"))).message, /the first start makes it/);
    const empty = path.join(folder, "empty");
    mkdirSync(empty);
    assert.match((await checkDataDirectory(empty)).message, /the first start formats it/);
  });

  test("that is a file, or somebody else's folder, is not", async () => {
    const file = path.join(folder, "file");
    writeFileSync(file, "");
    assert.equal((await checkDataDirectory(file)).outcome, "fail");
    const home = path.join(folder, "home");
    mkdirSync(path.join(home, "photos"), { recursive: true });
    assert.match((await checkDataDirectory(home)).message, /"photos"/);
  });

  test("says whose it is and who runs on it", async () => {
    const directory = path.join(folder, "used");
    const broker = await startBroker({ port: 0, dataDir: directory });
    const { message, outcome } = await checkDataDirectory(directory);
    assert.match(message, /is of node 1 of cluster [\w-]{22}$/);
    assert.equal(outcome, "ok");
    assert.match(checkLock(directory).message, /a broker runs on it: this process/);
    await broker.close();
    assert.equal(checkLock(directory).message, "no broker runs on it");
  });

  test("has room, and a disk below it", async () => {
    assert.match((await checkSpace(path.join(folder, "new"))).message, /GiB of .* GiB are free/);
    assert.match((await checkFsync(folder)).message, /ms, at most/);
  });
});

describe("a port", () => {
  test("is free, or taken, by whom the system tells", async () => {
    const broker = await startBroker({ port: 0, dataDir: "memory" });
    const taken = await portState("127.0.0.1", broker.port);
    assert.equal(taken.kind, "taken");
    if (process.platform === "linux") assert.ok(taken.kind === "taken" && taken.holder?.includes(String(process.pid)));
    await broker.close();
    assert.deepEqual(await portState("127.0.0.1", broker.port), { kind: "free" });
  });

  test("of an address that is not ours is refused", async () => {
    assert.equal((await portState("192.0.2.1", 9092)).kind, "refused");
  });

  test("is found in the system's table by its number and its state", () => {
    const row = (port: string, state: string, inode: number): string =>
      `   0: 0100007F:${port} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000 0 ${inode} 1 0`;
    const table = ["  sl  local_address", row("2384", "0A", 11), row("2384", "01", 22), row("2385", "0A", 33)].join(
      "\n",
    );
    assert.deepEqual(listeningInodes(table, 0x2384), ["11"]);
  });
});
