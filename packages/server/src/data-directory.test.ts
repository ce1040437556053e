import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { StartError } from "./server-error.ts";
import { startBroker } from "./start-broker.ts";

function folder(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "samsa-directory-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

for (const [what, name] of [
  ["someone's file", "letter.txt"],
  ["a topic without a meta.properties", "orders-0"],
] as const) {
  test(`a folder with ${what} is no new data directory, and is left as it is`, async (t) => {
    const directory = folder(t);
    mkdirSync(path.join(directory, name));
    await assert.rejects(startBroker({ port: 0, dataDir: directory }), (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.match(error.message, new RegExp(name));
      return true;
    });
    assert.deepEqual(readdirSync(directory), [name]);
  });
}

test("records whose meta.properties is gone are left as they are, and told apart from what is no broker's", async (t) => {
  const directory = folder(t);
  mkdirSync(path.join(directory, "__cluster_metadata-0"));
  mkdirSync(path.join(directory, "orders-0"));
  await assert.rejects(
    startBroker({ port: 0, dataDir: directory }),
    /meta\.properties is gone, .*"orders-0": put the file back/,
  );
});

test("what a start that was cut off left behind does not keep the next one out", async (t) => {
  const directory = folder(t);
  mkdirSync(path.join(directory, "__cluster_metadata-0"));
  mkdirSync(path.join(directory, "lost+found"));
  await (await startBroker({ port: 0, dataDir: directory })).close();
});

test("a file is no data directory", async (t) => {
  const file = path.join(folder(t), "file");
  writeFileSync(file, "");
  await assert.rejects(
    startBroker({ port: 0, dataDir: file }),
    /there is a file in its place; give another --data-dir/,
  );
});

test("a folder that cannot be made is told, and not tried for ever", async (t) => {
  const file = path.join(folder(t), "file");
  writeFileSync(file, "");
  await assert.rejects(startBroker({ port: 0, dataDir: path.join(file, "x", "y") }), /there is a file in its place/);
  const impossible = path.join(process.platform === "linux" ? "/proc" : file, "samsa", "data");
  await assert.rejects(
    startBroker({ port: 0, dataDir: impossible }),
    /is no data directory: .*; give another --data-dir/,
  );
});

test("a configuration key that Kafka does not know is told of, as it may be a slip", async () => {
  const told: { facts: object; message: string }[] = [];
  const ignore = (): void => {};
  const warn = (facts: object, message: string) => void told.push({ facts, message });
  const logger = { debug: ignore, info: ignore, warn, error: ignore };
  const broker = await startBroker({ port: 0, logger, properties: { "num.partition": "3" } });
  await broker.close();
  assert.deepEqual(told, [{ facts: { keys: ["num.partition"] }, message: "configuration keys that nobody reads" }]);
});
