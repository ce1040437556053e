import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";

/** What a process has loaded of Node and of others when its broker is ready; pino is known by what it requires. */
const PROGRAM = `
  const { startBroker } = await import(${JSON.stringify(new URL("index.js", import.meta.url).href)});
  const broker = await startBroker({ port: 0 });
  const { default: { _cache } } = await import("node:module");
  console.log(JSON.stringify([...process.moduleLoadList, ...Object.keys(_cache)]));
  await broker.close();
`;

test("a broker is ready without what most brokers never use", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", PROGRAM]);
  const loaded = JSON.parse(stdout) as string[];
  const ends = ["NativeModule http", "NativeModule tls", "NativeModule worker_threads", "/pino/pino.js"];
  assert.deepEqual(
    ends.filter((end) => loaded.some((name) => name.replaceAll("\\", "/").endsWith(end))),
    [],
  );
  assert.ok(loaded.includes("NativeModule net"), "the names are as this test knows them");
});
