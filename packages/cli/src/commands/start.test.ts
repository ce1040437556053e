import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { TransportError } from "@samsa/base";
import { UsageError } from "../exit-code.ts";
import { listenFailure, startSettings } from "./start.ts";

const NOTHING = { brokers: 1 };

test("a bare start listens on this machine only, keeps records beside the caller, and sets nothing else", () => {
  assert.deepEqual(startSettings(NOTHING), {
    host: "127.0.0.1",
    port: 9092,
    dataDir: path.resolve("samsa-data"),
    properties: {},
  });
});

test("metrics are served where they are asked for", () => {
  assert.equal(startSettings({ ...NOTHING, metricsPort: 9404 }).metricsPort, 9404);
});

test("memory is no folder", () => {
  assert.equal(startSettings({ ...NOTHING, dataDir: "memory" }).dataDir, "memory");
});

test("-X goes over the file, and a file that names listeners and directories is left to it", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "samsa-start-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = path.join(folder, "server.properties");
  writeFileSync(config, "listeners=PLAINTEXT://127.0.0.1:19092\nlog.dirs=/tmp/logs\nnum.partitions=2\n");
  assert.deepEqual(startSettings({ brokers: 1, config, property: ["num.partitions=5"] }), {
    properties: { listeners: "PLAINTEXT://127.0.0.1:19092", "log.dirs": "/tmp/logs", "num.partitions": "5" },
  });
  assert.throws(() => startSettings({ brokers: 1, config, port: 1 }), /listeners/);
});

test("more than one broker and a missing file are mistakes of use", () => {
  assert.throws(() => startSettings({ ...NOTHING, brokers: 3 }), UsageError);
  assert.throws(() => startSettings({ ...NOTHING, config: "/nowhere/server.properties" }), UsageError);
});

test("a port that is taken is told with what to do, also below another error", () => {
  const cause = new TransportError("EADDRINUSE", "address already in use");
  const failure = listenFailure(new Error("no listener", { cause }), "127.0.0.1", 9092);
  assert.match(failure?.message ?? "", /port 9092 of 127\.0\.0\.1 is taken/);
  assert.ok(failure?.remedies.some((line) => line.includes("--port 9093")));
  assert.ok(failure?.remedies.some((line) => line.includes("--port 0")));
});

test("another error is left as it is", () => {
  assert.equal(listenFailure(new Error("disk full"), "127.0.0.1", 9092), undefined);
});
