/** Proves that every configuration key of a broker either is read somewhere, or stands in the table of those without effect. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BROKER_CONFIGS, TOPIC_CONFIG_SYNONYMS } from "@samsa/metadata";
import { CONFIGS_WITHOUT_EFFECT } from "../packages/server/dist/configs-without-effect.js";
import { filesBelow, ROOT } from "./lib/paths.mjs";

/** Packages of a broker; files that define, describe or test do not read. */
const PACKAGES = ["log", "raft", "metadata", "controller", "replication", "coordinator", "broker", "server"];
const NO_READERS =
  /\.test\.ts$|\/testing\/|\/config\/definitions\/|\/(?:dynamic-broker-configs|broker-reconfiguration)\.ts$|\/configs-without-effect\.ts$/;

const source = PACKAGES.map((name) => join(ROOT, "packages", name, "src"))
  .flatMap((folder) => filesBelow(folder).map((file) => join(folder, file)))
  .filter((file) => file.endsWith(".ts") && !NO_READERS.test(file.replaceAll("\\", "/")))
  .map((file) => readFileSync(file, "utf8"))
  .join("\n");
const defaultsOfTopics = new Set([...TOPIC_CONFIG_SYNONYMS.values()].flat().map(({ name }) => name));
/** @param {string} key */
const isDefaultOfGroups = (key) => key.startsWith("group.") && source.includes(`"${key.slice("group.".length)}"`);
/** @param {string} key */
const isRead = (key) => defaultsOfTopics.has(key) || isDefaultOfGroups(key) || source.includes(`"${key}"`);
const listed = new Set(CONFIGS_WITHOUT_EFFECT.flatMap(({ keys }) => keys));

test("a key that nothing reads is in the table of those without effect", () => {
  assert.deepEqual(
    [...BROKER_CONFIGS.keys()].filter((key) => !isRead(key) && !listed.has(key)),
    [],
  );
});

test("a key in that table exists, and is read by nothing", () => {
  assert.deepEqual(
    [...listed].filter((key) => isRead(key) || !BROKER_CONFIGS.has(key)),
    [],
  );
});
