import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ErrorCode, ERRORS, KafkaError } from "@samsa/base";
import { adviceFor } from "./advice.ts";
import { nearestName } from "./options.ts";
import { backoffDelayMs } from "./retry.ts";
import { SeededRandom } from "@samsa/simulation";
import { VERSION } from "./version.ts";

const NAMES = ["lingerMs", "batchSize", "bootstrapServers", "acks"];
const near = [
  { name: "linger.ms", nearest: "lingerMs", why: "Kafka's dotted name" },
  { name: "lingerMS", nearest: "lingerMs", why: "another case" },
  { name: "batchsise", nearest: "batchSize", why: "a slip of the finger" },
  { name: "bootstrap_server", nearest: "bootstrapServers", why: "a letter less" },
  { name: "somethingElse", nearest: undefined, why: "nothing is near" },
];
for (const { name, nearest, why } of near) {
  test(`the nearest name to ${name} is ${nearest}: ${why}`, () => assert.equal(nearestName(name, NAMES), nearest));
}

test("back-off doubles up to its maximum, a fifth more or less", () => {
  const random = new SeededRandom(1);
  for (const [attempt, expected] of [
    [0, 100],
    [1, 200],
    [2, 400],
    [3, 800],
    [4, 1000],
    [60, 1000],
  ] as const) {
    const delayMs = backoffDelayMs({ backoffMs: 100, backoffMaxMs: 1000 }, attempt, random);
    assert.ok(delayMs >= 0.8 * expected && delayMs <= 1.2 * expected, `${attempt}: ${delayMs}`);
  }
});

test("the version is that of the package", () => {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  assert.equal(VERSION, manifest.version);
});

test("advice is given as a sentence", () => {
  for (const code of ERRORS.keys()) {
    const advice = adviceFor(new KafkaError(code as ErrorCode));
    if (advice !== undefined) assert.match(advice, /^[a-zA-Z].*\.$/);
  }
  assert.ok(adviceFor(new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)));
});
